//! What the models of threads have in common: see `cache/memory_model.rs`.

use shuttle::{check_pct, check_random, thread::JoinHandle};

/// Runs a test in random orders, and in those with few changes of thread, of which each is taken sooner.
pub(crate) fn check(test: fn()) {
    check_random(test, 2000);
    check_pct(test, 2000, 3);
}

/// What a thread returns.
pub(crate) fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("it does not panic")
}
