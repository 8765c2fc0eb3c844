//! The native stack of an execution: as much as compiled code may take, or none at all.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Native stack that syscalls, helpers and the slow paths may use beyond what compiled code does.
const CALLBACK_STACK: usize = 256 << 10;

/// Native stack that is needed where compiled code may take `frames` bytes.
pub(crate) fn needed(frames: usize) -> usize {
    frames.saturating_add(CALLBACK_STACK)
}

/// Whether this thread has `frames` bytes of native stack left for compiled code, and some for what it calls.
#[inline]
pub(crate) fn is_left(frames: usize) -> bool {
    stacker::remaining_stack().is_some_and(|left| left >= needed(frames))
}

/// Does `work` on a new native stack with `frames` bytes for compiled code, and some for what it calls. Gives
/// nothing, and does nothing, where the system has no memory for one.
///
/// # Panics
/// If `work` does.
#[cold]
pub(crate) fn on_new<R>(frames: usize, work: impl FnOnce() -> R) -> Option<R> {
    let needed = needed(frames);
    let mut has_begun = false;
    // A panic is the only way in which `stacker` tells that there is no memory.
    let result = catch_unwind(AssertUnwindSafe(|| {
        stacker::grow(needed.saturating_add(CALLBACK_STACK), || {
            has_begun = true;
            work()
        })
    }));
    match result {
        Ok(result) => Some(result),
        Err(_) if !has_begun => None,
        Err(panic) => resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_system_has_is_refused() {
        assert_eq!(on_new(usize::MAX / 2, || unreachable!()), None::<()>);
    }

    #[test]
    fn panics_come_through() {
        for frames in [0, 64 << 20] {
            let panic = catch_unwind(|| on_new(frames, || std::panic::panic_any(frames)));
            let payload = panic.expect_err("it panics");
            assert_eq!(payload.downcast_ref(), Some(&frames));
        }
    }

    #[test]
    fn there_is_as_much_as_asked_for() {
        for frames in [0, 1 << 20, 64 << 20] {
            let left = on_new(frames, stacker::remaining_stack).flatten();
            assert!(left.is_none_or(|left| left >= frames), "{left:?}");
        }
    }
}
