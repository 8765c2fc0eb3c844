//! Compiling as a command does: on all processors, with a progress bar if somebody waits for it.

use {
    indicatif::{ProgressBar, ProgressStyle},
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
///
/// The bar is on the standard error stream, and only if that is a terminal.
pub(crate) fn options(cache: &Cache) -> CompileOptions {
    let mut options = CompileOptions::default();
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

fn new_bar(total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64);
    let style = ProgressStyle::with_template("compiling {bar:40} {pos}/{len} functions");
    match style {
        Ok(style) => bar.with_style(style),
        // It is a constant; and if it were wrong, a plain bar would do.
        Err(_) => bar,
    }
}
