//! Compiling as a command does: on all processors, with a progress bar if somebody waits for it.
//! Progress is on the standard error stream, and only if that is a terminal.

use {
    super::syscalls,
    indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle},
    sbpf_cranelift::{Cache, CompileObserver, CompileOptions},
    std::{
        num::NonZero,
        ops::ControlFlow,
        sync::OnceLock,
        thread,
        time::{Duration, Instant},
    },
};

/// Nobody wants to see a bar for less.
const SHORT: Duration = Duration::from_millis(300);

/// Options of a command, which has the whole machine to itself.
pub(crate) fn options(cache: &Cache) -> CompileOptions {
    let mut options = CompileOptions::default();
    options.memory_syscalls = syscalls::known_memory_syscalls();
    options.threads = thread::available_parallelism().map_or(1, NonZero::get);
    options.cache = cache.clone();
    let start = Instant::now();
    let bar = OnceLock::new();
    options.observer = Some(CompileObserver::new(move |progress| {
        if start.elapsed() > SHORT {
            let bar = bar.get_or_init(|| new_bar(progress.total));
            bar.set_position(progress.done as u64);
            if progress.done == progress.total {
                bar.finish_and_clear();
            }
        }
        ControlFlow::Continue(())
    }));
    options
}

/// Counts the functions of a program that nobody knows the number of beforehand.
pub(crate) struct Counter {
    start: Instant,
    bar: Option<ProgressBar>,
}

impl Counter {
    /// A counter, which shows nothing if it `is_quiet`.
    pub(crate) fn new(is_quiet: bool) -> Self {
        Self {
            start: Instant::now(),
            bar: (!is_quiet).then(|| {
                let bar = ProgressBar::no_length();
                bar.set_draw_target(ProgressDrawTarget::hidden());
                match ProgressStyle::with_template("{spinner} {pos} functions") {
                    Ok(style) => bar.with_style(style),
                    // It is a constant; and if it were wrong, a plain bar would do.
                    Err(_) => bar,
                }
            }),
        }
    }

    /// One more function is done.
    pub(crate) fn count(&self) {
        let Some(bar) = &self.bar else { return };
        if bar.is_hidden() && self.start.elapsed() > SHORT {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.inc(1);
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn new_bar(total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64);
    let style = ProgressStyle::with_template("compiling {bar:40} {pos}/{len} functions");
    match style {
        Ok(style) => bar.with_style(style),
        // It is a constant; and if it were wrong, a plain bar would do.
        Err(_) => bar,
    }
}
