//! How far a run on the interpreter has come, on a terminal, if it takes long.

use {
    indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle},
    std::time::{Duration, Instant},
};

/// Nobody wants to see a bar for less.
const SHORT: Duration = Duration::from_secs(1);
/// Instructions between two looks at the clock.
const INTERVAL: u64 = 1 << 18;

/// A bar of compute units on standard error.
pub(super) struct Progress {
    start: Instant,
    budget: u64,
    instructions: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Nothing, until the run has taken a while.
    pub(super) fn new(budget: u64) -> Self {
        Self {
            start: Instant::now(),
            budget,
            instructions: 0,
            bar: None,
        }
    }

    /// Counts an instruction; `units` were used before.
    pub(super) fn step(&mut self, units: u64) {
        self.instructions += 1;
        if self.instructions.is_multiple_of(INTERVAL) && self.start.elapsed() > SHORT {
            let bar = self.bar.get_or_insert_with(|| new_bar(self.budget));
            bar.set_position(units);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn new_bar(budget: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(budget), ProgressDrawTarget::stderr_with_hz(4));
    let style = "on the interpreter {bar:30} {pos} of at most {len} compute units";
    match ProgressStyle::with_template(style) {
        Ok(style) => bar.with_style(style),
        // It is a constant; and if it were wrong, a plain bar would do.
        Err(_) => bar,
    }
}
