//! What many samples come down to.

use {
    serde::{Deserialize, Serialize},
    std::time::Duration,
};

/// Samples of one quantity, in nanoseconds.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The number of samples.
    samples: usize,
    /// A quarter of the samples is below.
    pub(crate) lower_quartile: f64,
    /// Half of the samples are below.
    pub(crate) median: f64,
    /// Three quarters of the samples are below.
    pub(crate) upper_quartile: f64,
}

impl Summary {
    /// Summarises `samples`.
    ///
    /// # Panics
    /// If there are none.
    pub(crate) fn of(samples: &[Duration]) -> Self {
        let mut sorted: Vec<f64> = samples.iter().map(|s| s.as_nanos() as f64).collect();
        sorted.sort_by(f64::total_cmp);
        Self {
            samples: sorted.len(),
            lower_quartile: quantile(&sorted, 0.25),
            median: quantile(&sorted, 0.5),
            upper_quartile: quantile(&sorted, 0.75),
        }
    }

    /// The same in another unit, of which there are `factor` in one of this.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self {
            lower_quartile: self.lower_quartile * factor,
            median: self.median * factor,
            upper_quartile: self.upper_quartile * factor,
            ..self
        }
    }

    /// Half the distance of the quartiles, as a part of the median.
    pub(crate) fn spread(&self) -> f64 {
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
pub(crate) fn geometric_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0u32, 0.0), |(count, sum), value| {
        (count + 1, sum + value.ln())
    });
    (count > 0).then(|| (sum / f64::from(count)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_samples() {
        let summary = Summary::of(&[4, 1, 3, 2].map(Duration::from_nanos));
        assert_eq!(summary.lower_quartile, 1.75);
        assert_eq!(summary.median, 2.5);
        assert_eq!(summary.upper_quartile, 3.25);
        assert_eq!(summary.spread(), 0.3);
    }

    #[test]
    fn the_mean_of_ratios_is_geometric() {
        assert_eq!(geometric_mean([0.5, 2.0].into_iter()), Some(1.0));
        assert_eq!(geometric_mean([].into_iter()), None);
    }
}
