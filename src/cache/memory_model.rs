//! Code in memory, in many orders of what threads do.
//!
//! This is `memory.rs` once more, on the types of shuttle, which runs a test again and again, each time
//! with another order of what its threads do to mutexes, and says so if all of them wait. Keys are
//! numbers here, and code is a size.

use {
    crate::models::{check, join},
    memory::Memory,
    shuttle::{
        sync::{self, Arc, mpsc::channel},
        thread,
    },
    std::{
        cell::Cell,
        convert::Infallible,
        // Counting is no part of what is tested, so nobody has a turn in between.
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

#[allow(clippy::duplicate_mod)]
#[path = "memory.rs"]
mod memory;

mod key {
    pub(super) type CodeKey = u32;
}

/// Stands for [`crate::code::Code`].
#[derive(Debug)]
struct Code {
    size: usize,
    alive: Arc<AtomicUsize>,
}

impl Code {
    fn size(&self) -> usize {
        self.size
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, SeqCst);
    }
}

/// A memory with counts of what was made, and of what is alive.
#[derive(Clone)]
struct Counted {
    memory: Arc<Memory>,
    made: Arc<AtomicUsize>,
    alive: Arc<AtomicUsize>,
}

impl Counted {
    fn new(limit: usize) -> Self {
        Self {
            memory: Arc::new(Memory::new(limit)),
            made: Arc::default(),
            alive: Arc::default(),
        }
    }

    fn make(&self, size: usize) -> Arc<Code> {
        // Others do something meanwhile.
        thread::yield_now();
        self.made.fetch_add(1, SeqCst);
        self.alive.fetch_add(1, SeqCst);
        Arc::new(Code {
            size,
            alive: Arc::clone(&self.alive),
        })
    }

    fn get(&self, key: u32, size: usize) -> Arc<Code> {
        let code = self
            .memory
            .get_or(key, || Ok::<_, Infallible>(self.make(size)));
        let Ok((code, _)) = code;
        code
    }

    /// Does something on a thread of its own.
    fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce(Self) -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        let counted = self.clone();
        thread::spawn(move || work(counted))
    }
}

#[test]
fn who_asks_at_the_same_time_has_the_same_code() {
    check(|| {
        let counted = Counted::new(0);
        let threads = [1, 1, 2].map(|key| counted.spawn(move |counted| counted.get(key, 1)));
        let [one, same, other] = threads.map(join);
        assert!(Arc::ptr_eq(&one, &same));
        assert!(!Arc::ptr_eq(&one, &other));
        assert_eq!(counted.made.load(SeqCst), 2);
        assert!(counted.memory.has_code());
    });
}

#[test]
fn there_is_never_more_than_one_code_of_a_key() {
    check(|| {
        let counted = Counted::new(0);
        let threads = [(); 3].map(|()| {
            counted.spawn(|counted| {
                for _ in 0..2 {
                    let code = counted.get(1, 1);
                    assert_eq!(counted.alive.load(SeqCst), 1);
                    thread::yield_now();
                    drop(code);
                }
            })
        });
        for thread in threads {
            join(thread);
        }
        assert_eq!(counted.alive.load(SeqCst), 0);
        assert!(!counted.memory.has_code());
    });
}

/// What is made waits until somebody else has looked for it.
#[test]
fn who_only_looks_does_not_wait() {
    check(|| {
        let counted = Counted::new(0);
        let (looked, wait) = channel();
        let maker = counted.spawn(move |counted| {
            let code = counted.memory.get_or(1, || {
                wait.recv().map_err(drop)?;
                Ok::<_, ()>(counted.make(1))
            });
            code.expect("somebody has looked").0
        });
        let found = counted.memory.find_or(1, || None);
        assert!(found.is_none());
        // It does not wait for what is being made either.
        let _ = counted.memory.has_code();
        looked.send(()).expect("it is awaited");
        let code = join(maker);
        let found = counted.memory.find_or(1, || None);
        assert!(found.is_some_and(|found| Arc::ptr_eq(&found, &code)));
    });
}

#[test]
fn what_is_looked_for_is_loaded_once() {
    check(|| {
        let counted = Counted::new(0);
        let threads = [(); 2]
            .map(|()| counted.spawn(|counted| counted.memory.find_or(1, || Some(counted.make(1)))));
        let code = counted.get(1, 1);
        for found in threads.map(join).into_iter().flatten() {
            assert!(Arc::ptr_eq(&found, &code));
        }
        assert_eq!(counted.made.load(SeqCst), 1);
    });
}

/// Places of what is gone are given up while others are about to use theirs.
#[test]
fn no_place_in_use_is_given_up() {
    // So many that the next but one makes room.
    const GONE: u32 = 63;
    check(|| {
        let counted = Counted::new(0);
        for key in 0..GONE {
            let found = counted.memory.find_or(key, || None);
            assert!(found.is_none());
        }
        let threads =
            [100, 100, 200, 100].map(|key| counted.spawn(move |counted| counted.get(key, 1)));
        let [one, same, _, again] = threads.map(join);
        assert!(Arc::ptr_eq(&one, &same));
        assert!(Arc::ptr_eq(&one, &again));
        assert_eq!(counted.made.load(SeqCst), 2);
    });
}

#[test]
fn what_is_retained_is_not_more_than_the_limit() {
    const LIMIT: usize = 5;
    check(|| {
        let counted = Counted::new(LIMIT);
        let threads = [1, 2, 3].map(|key| {
            counted.spawn(move |counted| {
                for key in [key, 4] {
                    drop(counted.get(key, 2));
                }
            })
        });
        for thread in threads {
            join(thread);
        }
        // Two of them, the last one among them.
        assert_eq!(counted.alive.load(SeqCst), 2);
        let is_there = Cell::new(true);
        counted.memory.find_or(4, || {
            is_there.set(false);
            None
        });
        assert!(is_there.get());
    });
}

#[test]
fn a_failure_leaves_the_place_to_the_next() {
    check(|| {
        let counted = Counted::new(0);
        let failing = counted.spawn(|counted| counted.memory.get_or(1, || Err(())).is_err());
        let code = counted.get(1, 1);
        let failed = join(failing);
        assert_eq!(counted.made.load(SeqCst), 1);
        // It found the code, or made way for it.
        let _ = failed;
        drop(code);
        assert_eq!(counted.alive.load(SeqCst), 0);
    });
}
