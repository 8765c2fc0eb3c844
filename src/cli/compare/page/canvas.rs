//! Horizontal plots: one line for each name, values along the x axis.
//!
//! Ink and grid have colours that the page's style sheet replaces, so that a plot is readable on
//! light and on dark paper.

use {
    crate::cli::failure::Failure,
    plotters::{
        coord::{
            Shift,
            ranged1d::{AsRangedCoord, Ranged, ValueFormatter},
            types::RangedCoordf64,
        },
        prelude::*,
        style::text_anchor::{HPos, Pos, VPos},
    },
    std::fmt::Display,
};

/// Text.
const INK: RGBColor = RGBColor(1, 1, 1);
/// Text of less weight.
const SOFT: RGBColor = RGBColor(2, 2, 2);
/// Lines that guide the eye.
pub(super) const GRID: RGBColor = RGBColor(3, 3, 3);

/// Width of a plot, in pixels.
const WIDTH: u32 = 1_080;
/// Room for names.
const NAMES: u32 = 210;
/// Room for the figures below the x axis.
const FIGURES: u32 = 30;
/// Room around everything.
const MARGIN: u32 = 8;
/// Room for the heading of a group of lines, as a part of a line.
const HEADING: f64 = 1.3;

/// Something to draw on.
pub(super) type Area<'text> = DrawingArea<SVGBackend<'text>, Shift>;

/// A plot's coordinates: values, and lines from above.
pub(super) type Chart<'text, X> = ChartContext<
    'text,
    SVGBackend<'text>,
    Cartesian2d<<X as AsRangedCoord>::CoordDescType, RangedCoordf64>,
>;

/// A name with its group, which gets a heading where it begins.
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    pub(crate) group: &'a str,
}

/// Where the middle of each line is, and which headings there are above; last, the height of all.
fn layout<'a>(lines: &[Line<'a>]) -> (Vec<f64>, Vec<(f64, &'a str)>, f64) {
    let mut position = 0.0;
    let mut group = "";
    let mut middles = Vec::new();
    let mut headings = Vec::new();
    for line in lines {
        if line.group != group {
            group = line.group;
            position += HEADING;
            headings.push((position - HEADING * 0.27, group));
        }
        middles.push(position + 0.5);
        position += 1.0;
    }
    (middles, headings, position)
}

/// Draws `lines`, each `line_height` pixels high, over `x` with a `label` for values, and hands the chart to `body` with the
/// middle of each line. Returns the picture as SVG.
///
/// # Errors
/// When drawing fails, which would be a defect.
pub(super) fn draw<X, E: Display>(
    lines: &[Line<'_>],
    line_height: u32,
    x: X,
    label: &dyn Fn(f64) -> String,
    body: impl FnOnce(&mut Chart<'_, X>, &[f64]) -> Result<(), E>,
) -> Result<String, Failure>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let failure = |error: &dyn Display| Failure::new(format!("can't draw a plot: {error}"));
    let (middles, headings, length) = layout(lines);
    let height = (length * f64::from(line_height)) as u32 + FIGURES + 2 * MARGIN;
    let mut svg = String::new();
    {
        let area: Area<'_> = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(MARGIN)
            .margin_left(MARGIN + NAMES)
            .margin_right(5 * MARGIN)
            .x_label_area_size(FIGURES)
            .build_cartesian_2d(x, length..0.0)
            .map_err(|error| failure(&error))?;
        chart
            .configure_mesh()
            .disable_y_axis()
            .disable_y_mesh()
            .x_labels(12)
            .x_label_formatter(&|value| label(*value))
            .label_style(("sans-serif", 15).into_font().color(&SOFT))
            .axis_style(GRID)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .draw()
            .map_err(|error| failure(&error))?;
        let names = ("sans-serif", 16).into_font().color(&INK);
        let names = names.pos(Pos::new(HPos::Right, VPos::Center));
        let bold = ("sans-serif", 16, FontStyle::Bold).into_font().color(&SOFT);
        let bold = bold.pos(Pos::new(HPos::Right, VPos::Center));
        let texts = lines.iter().zip(&middles);
        let texts = texts.map(|(line, middle)| (line.name, *middle, &names));
        let headings = headings
            .iter()
            .map(|(middle, text)| (*text, *middle, &bold));
        for (text, middle, style) in texts.chain(headings) {
            let y = MARGIN as i32 + (middle * f64::from(line_height)).round() as i32;
            let position = ((NAMES - MARGIN) as i32, y);
            area.draw(&Text::new(text.to_string(), position, style.clone()))
                .map_err(|error| failure(&error))?;
        }
        body(&mut chart, &middles).map_err(|error| failure(&error))?;
        area.present().map_err(|error| failure(&error))?;
    }
    Ok(svg)
}
