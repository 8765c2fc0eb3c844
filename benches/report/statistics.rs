//! What many samples come down to.

use {serde::Serialize, std::time::Duration};

/// Samples of one quantity, in nanoseconds.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Summary {
    /// The number of samples.
    samples: usize,
    /// A quarter of the samples is below.
    lower_quartile: f64,
    /// Half of the samples are below.
    pub(super) median: f64,
    /// Three quarters of the samples are below.
    upper_quartile: f64,
}

impl Summary {
    /// Summarises `samples`.
    ///
    /// # Panics
    /// If there are none.
    pub(super) fn of(samples: &[Duration]) -> Self {
        let mut sorted: Vec<f64> = samples.iter().map(|s| s.as_nanos() as f64).collect();
        sorted.sort_by(f64::total_cmp);
        Self {
            samples: sorted.len(),
            lower_quartile: quantile(&sorted, 0.25),
            median: quantile(&sorted, 0.5),
            upper_quartile: quantile(&sorted, 0.75),
        }
    }

    /// Half the distance of the quartiles, as a part of the median.
    pub(super) fn spread(&self) -> f64 {
        (self.upper_quartile - self.lower_quartile) / 2.0 / self.median
    }
}

/// The value that `part` of the sorted samples are below, interpolated between neighbours.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let position = part * (sorted.len() - 1) as f64;
    let (below, above) = (position.floor(), position.ceil());
    let (low, high) = (sorted[below as usize], sorted[above as usize]);
    low + (high - low) * (position - below)
}

/// The geometric mean, or none of nothing.
pub(super) fn geometric_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0u32, 0.0), |(count, sum), value| {
        (count + 1, sum + value.ln())
    });
    (count > 0).then(|| (sum / f64::from(count)).exp())
}
