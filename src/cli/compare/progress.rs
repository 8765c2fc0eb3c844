//! How far a comparison has come, on a terminal.

use {
    indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle},
    std::time::Duration,
};

/// A bar on standard error; nothing where that is no terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar of `length` steps, hidden if `is_quiet`.
    pub(crate) fn new(length: usize, is_quiet: bool) -> Self {
        // Seldom enough not to disturb what is measured meanwhile.
        const REFRESHES_PER_SECOND: u8 = 4;
        let target = if is_quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(REFRESHES_PER_SECOND)
        };
        let bar = ProgressBar::with_draw_target(Some(length as u64), target);
        let template = "{pos:>3}/{len} {bar:30} {elapsed:>4}, {eta} left: {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        // The first step is announced at position 0.
        bar.set_position(0);
        bar.tick();
        Self(bar.with_elapsed(Duration::ZERO))
    }

    /// Says what is done now; the step before is complete.
    pub(crate) fn next(&mut self, what: &str, name: &str) {
        if !self.0.message().is_empty() {
            self.0.inc(1);
        }
        self.0.set_message(format!("{what} {name}"));
    }

    /// Removes the bar.
    pub(crate) fn finish(self) {
        self.0.finish_and_clear();
    }
}
