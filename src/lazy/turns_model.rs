//! Turns in many orders of what threads do.
//!
//! This is `turns.rs` once more, on the types of shuttle; see `cache/memory_model.rs`. What memory may
//! reorder is not part of it: the model of `sbpf_runtime::code::GrowingCode` has that.

use {
    crate::models::{check, join},
    sbpf_runtime::code::GrowingCode,
    shuttle::{
        sync::{
            self, Arc,
            atomic::{AtomicUsize, Ordering::SeqCst},
        },
        thread,
    },
    turns::{Refusal, Turns},
};

#[allow(clippy::duplicate_mod)]
#[path = "turns.rs"]
mod turns;

/// What threads share that run a program.
struct Shared {
    turns: Turns<usize>,
    functions: GrowingCode,
    /// Functions that are being made.
    making: AtomicUsize,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            turns: Turns::new(0),
            functions: GrowingCode::new(2, 2, 0, 0),
            making: AtomicUsize::new(0),
        })
    }

    /// Calls a function as generated code does. Returns whether it is there in the end.
    fn call(&self, number: u32, outcome: impl FnOnce(usize) -> Result<(), Refusal>) -> bool {
        if !self.functions.has(number) {
            let is_there = || self.functions.has(number);
            self.turns.make(number, is_there, |made| {
                assert_eq!(self.making.fetch_add(1, SeqCst), 0, "one at a time");
                thread::yield_now();
                *made += 1;
                let outcome = outcome(*made);
                if outcome.is_ok() {
                    let place = std::ptr::without_provenance(0x1000 + *made);
                    self.functions.publish(number, place);
                }
                self.making.fetch_sub(1, SeqCst);
                outcome
            });
        }
        self.functions.has(number)
    }

    /// How often something was made, with success or without.
    fn made(&self) -> usize {
        let mut count = 0;
        self.turns.make(
            u32::MAX,
            || false,
            |made| {
                count = *made;
                Ok(())
            },
        );
        count
    }
}

/// Calls functions on as many threads; what each returned.
fn call<const N: usize>(
    shared: &Arc<Shared>,
    numbers: [u32; N],
    outcome: impl Fn(usize) -> Result<(), Refusal> + Copy + Send + 'static,
) -> [bool; N] {
    let threads = numbers.map(|number| {
        let shared = Arc::clone(shared);
        thread::spawn(move || shared.call(number, outcome))
    });
    threads.map(join)
}

#[test]
fn a_function_is_made_once() {
    check(|| {
        let shared = Shared::new();
        assert_eq!(call(&shared, [0, 1, 0, 0], |_| Ok(())), [true; 4]);
        assert_eq!(shared.made(), 2);
    });
}

#[test]
fn what_can_never_be_made_is_tried_once() {
    check(|| {
        let shared = Shared::new();
        let refuse = |_| Err(Refusal::ForGood);
        assert_eq!(call(&shared, [0, 0, 0], refuse), [false; 3]);
        assert_eq!(shared.made(), 1);
        assert!(shared.call(1, |_| Ok(())), "others can be");
    });
}

#[test]
fn what_can_not_be_made_now_is_tried_by_the_next() {
    check(|| {
        let shared = Shared::new();
        let later = |made| match made {
            1 => Err(Refusal::ForNow),
            _ => Ok(()),
        };
        let are_there = call(&shared, [0, 0, 0], later);
        // All but the first, which may have noticed that another one has made it.
        assert!(are_there.iter().filter(|is_there| **is_there).count() >= 2);
        assert_eq!(shared.made(), 2);
    });
}
