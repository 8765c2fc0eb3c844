//! Times as dots on a logarithmic scale, one line for each program.

use {
    super::canvas::{self, GRID, Line},
    crate::cli::failure::Failure,
    plotters::prelude::*,
};

/// Pixels of a line.
const LINE_HEIGHT: u32 = 23;

/// The times of one engine.
pub(crate) struct Series {
    /// Its colour.
    pub(crate) colour: RGBColor,
    /// The size of its dots: equal times are seen as rings.
    pub(crate) radius: u32,
    /// For each line the lower quartile, the median and the upper quartile in nanoseconds.
    pub(crate) times: Vec<Option<[f64; 3]>>,
}

/// Draws a dot for each time, with a line between its quartiles; the last series is in front.
///
/// # Errors
/// When drawing fails, which would be a defect.
pub(crate) fn draw(lines: &[Line<'_>], series: &[Series]) -> Result<String, Failure> {
    let medians = || {
        let times = series.iter().flat_map(|series| &series.times);
        times.flatten().map(|[_, median, _]| *median)
    };
    let least = medians().fold(f64::INFINITY, f64::min) * 0.8;
    let most = medians().fold(0.0, f64::max) * 1.25;
    canvas::draw(
        lines,
        LINE_HEIGHT,
        (least..most).log_scale(),
        &|value| mark(value).map_or_else(String::new, |value| format!("{value} ns")),
        |chart, middles| {
            for (index, middle) in middles.iter().enumerate() {
                let range = [(least, *middle), (most, *middle)];
                chart.draw_series([PathElement::new(range, GRID)])?;
                for Series {
                    colour,
                    radius,
                    times,
                } in series
                {
                    let Some([lower, median, upper]) = times[index] else {
                        continue;
                    };
                    let spread = [(lower, *middle), (upper, *middle)];
                    chart.draw_series([PathElement::new(spread, colour.stroke_width(3))])?;
                    let dot = Circle::new((median, *middle), *radius, colour.filled());
                    chart.draw_series([dot])?;
                }
            }
            Ok::<_, DrawingAreaErrorKind<_>>(())
        },
    )
}

/// `value` without rounding errors, if it is worth a label on a logarithmic scale: others would
/// overlap.
fn mark(value: f64) -> Option<f64> {
    let magnitude = 10_f64.powf((value.log10() + 1e-9).floor());
    let digit = (value / magnitude).round();
    [1.0, 2.0, 5.0]
        .contains(&digit)
        .then_some((digit * magnitude * 1e6).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::mark;

    #[test]
    fn some_values_have_labels() {
        assert_eq!(mark(0.1), Some(0.1));
        assert_eq!(mark(0.2 + 1e-12), Some(0.2));
        assert_eq!(mark(0.3), None);
        assert_eq!(mark(1.0), Some(1.0));
        assert_eq!(mark(50.0), Some(50.0));
    }
}
