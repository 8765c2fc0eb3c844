//! How much effort to spend.

use std::time::Duration;

/// How much effort to spend.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// Rounds, each of which has one sample of every engine.
    pub(crate) rounds: usize,
    /// The least duration of a sample; short workloads are repeated within it.
    pub(crate) shortest_sample: Duration,
    /// How long to go on compiling one program with one compiler, unless the rounds end before.
    pub(crate) longest_compilation: Duration,
}

impl Settings {
    /// Good enough to steer by.
    pub(crate) const QUICK: Self = Self {
        rounds: 5,
        shortest_sample: Duration::from_micros(500),
        longest_compilation: Duration::from_secs(1),
    };

    /// Good enough to publish.
    pub(crate) const THOROUGH: Self = Self {
        rounds: 15,
        shortest_sample: Duration::from_millis(2),
        longest_compilation: Duration::from_secs(10),
    };
}
