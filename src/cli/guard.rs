//! Turns panics of code that reads untrusted input into ordinary errors.
//!
//! The assembler of `solana-sbpf` is a development tool and may panic on odd text (an arithmetic
//! overflow in a literal, for example). Nobody who mistypes a program should see a backtrace.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
};

thread_local! {
    /// True while this thread runs code whose panics are caught and reported by the caller.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Installs a panic hook that is silent inside [`catch`] and unchanged elsewhere.
pub(crate) fn install_hook() {
    let default_hook = take_hook();
    set_hook(Box::new(move |information| {
        if !QUIET.with(Cell::get) {
            default_hook(information);
        }
    }));
}

/// Runs `work` and returns what it returned, or the message it panicked with.
///
/// # Errors
/// The panic's message, when `work` panicked.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outer = QUIET.with(|quiet| quiet.replace(true));
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.with(|quiet| quiet.set(outer));
    result.map_err(|payload| message(payload.as_ref()))
}

/// The text of a panic's payload.
fn message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_string())
}
