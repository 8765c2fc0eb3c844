//! One thread at a time makes functions, each of them once.

use {
    super::sync::{Mutex, PoisonError},
    std::collections::HashSet,
};

/// Why a function was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Whoever asks next may have more luck.
    ForNow,
    /// It can never be.
    ForGood,
}

/// Tools that one thread at a time has.
#[derive(Debug)]
pub(super) struct Turns<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    tools: T,
    /// Functions that can never be made.
    refused: HashSet<u32>,
}

impl<T> Turns<T> {
    pub(super) fn new(tools: T) -> Self {
        Self(Mutex::new(State {
            tools,
            refused: HashSet::new(),
        }))
    }

    /// Makes the function with a number, unless it is there by the time that this thread has its turn,
    /// or can never be.
    pub(super) fn make(
        &self,
        number: u32,
        is_there: impl FnOnce() -> bool,
        make: impl FnOnce(&mut T) -> Result<(), Refusal>,
    ) {
        // What others see changes in single stores, each after what it depends on.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have done it meanwhile.
        if is_there() || state.refused.contains(&number) {
            return;
        }
        if make(&mut state.tools) == Err(Refusal::ForGood) {
            state.refused.insert(number);
        }
    }
}
