//! What was asked for in the background, seen from both sides.

use super::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// The place of an answer.
#[derive(Debug)]
pub(super) struct Ticket<A> {
    is_cancelled: AtomicBool,
    answer: Mutex<Option<A>>,
}

impl<A> Default for Ticket<A> {
    fn default() -> Self {
        Self {
            is_cancelled: AtomicBool::new(false),
            answer: Mutex::new(None),
        }
    }
}

impl<A> Ticket<A> {
    /// Ends the work on this as soon as possible; there will be no answer that anyone sees.
    pub(super) fn cancel(&self) {
        self.is_cancelled.store(true, Relaxed);
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Relaxed)
    }

    /// Gives the answer.
    pub(super) fn answer(&self, answer: A) {
        // A panic leaves it as it was or as it is to be.
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }

    /// Takes the answer, once there is one.
    pub(super) fn take_answer(&self) -> Option<A> {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.take()
    }
}
