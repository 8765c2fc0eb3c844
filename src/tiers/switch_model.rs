//! The way to another tier, in many orders of what threads do.
//!
//! These are `switch.rs`, `ticket.rs` and `queue.rs` once more, on the types of shuttle; see
//! `cache/memory_model.rs`. Programs are numbers here, and so is what they are compiled to.

use {
    super::policy::{self, Temperature},
    crate::models::{check, join},
    queue::{Job, Queue},
    shuttle::{
        sync::{
            self, Arc,
            atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        },
        thread,
    },
    switch::{Owner, Switch, Task},
    ticket::Ticket,
};

#[allow(clippy::duplicate_mod)]
#[path = "queue.rs"]
mod queue;
#[allow(dead_code, clippy::duplicate_mod)]
#[path = "switch.rs"]
mod switch;
#[allow(clippy::duplicate_mod)]
#[path = "ticket.rs"]
mod ticket;

/// What a program is compiled to.
const COMPILED: u32 = 7;

/// Not in the cache.
const NOT_FOUND: u32 = 0;

struct Work {
    task: Task,
    ticket: Arc<Ticket<u32>>,
    counts: Arc<Counts>,
}

/// What has happened.
#[derive(Default)]
struct Counts {
    submitted: AtomicUsize,
    compiled: AtomicUsize,
    received: AtomicUsize,
    /// Whether the background does something at the moment.
    is_working: AtomicBool,
}

impl Job for Work {
    fn prepare_thread() {}

    fn work(self) {
        if self.ticket.is_cancelled() {
            return;
        }
        assert!(!self.counts.is_working.swap(true, SeqCst), "one thread");
        thread::yield_now();
        self.ticket.answer(match self.task {
            Task::Find => NOT_FOUND,
            Task::Compile => {
                self.counts.compiled.fetch_add(1, SeqCst);
                COMPILED
            }
        });
        self.counts.is_working.store(false, SeqCst);
    }
}

/// A program and the background.
struct Program {
    switch: Switch<u32, u32>,
    queue: Arc<Queue<Work>>,
    counts: Arc<Counts>,
}

impl Program {
    fn new(queue: &Arc<Queue<Work>>, counts: &Arc<Counts>) -> Self {
        Self {
            switch: Switch::new(),
            queue: Arc::clone(queue),
            counts: Arc::clone(counts),
        }
    }

    /// A run after so many others. Returns what it was on.
    fn run(&self, temperature: Temperature, runs: u64) -> Option<u32> {
        if self.switch.settled().is_none() {
            self.switch.look(self);
        }
        let settled = self.switch.settled().copied();
        if settled.is_none() {
            self.switch.ask(temperature, runs, self);
        }
        settled
    }
}

impl Owner<u32, u32> for Program {
    fn receive(&self, answer: u32) -> Option<u32> {
        if answer == NOT_FOUND {
            return None;
        }
        self.counts.received.fetch_add(1, SeqCst);
        Some(answer)
    }

    fn may_find(&self) -> bool {
        true
    }

    fn submit(&self, task: Task) -> Result<Option<Arc<Ticket<u32>>>, u32> {
        let ticket = Arc::new(Ticket::default());
        let is_submitted = self.queue.submit(Work {
            task,
            ticket: Arc::clone(&ticket),
            counts: Arc::clone(&self.counts),
        });
        self.counts
            .submitted
            .fetch_add(usize::from(is_submitted), SeqCst);
        Ok(is_submitted.then_some(ticket))
    }
}

/// Runs programs on as many threads, each so often.
fn run_all(programs: &[Arc<Program>], temperature: Temperature, times: u64) {
    let threads: Vec<_> = programs
        .iter()
        .map(|program| {
            let program = Arc::clone(program);
            thread::spawn(move || {
                let mut was_compiled = false;
                for run in 0..times {
                    // Far enough apart to ask every time.
                    let compiled = program.run(temperature, 1000 * (run + 1));
                    assert!(compiled.is_none_or(|compiled| compiled == COMPILED));
                    assert!(compiled.is_some() || !was_compiled, "there is no way back");
                    was_compiled = compiled.is_some();
                }
            })
        })
        .collect();
    for thread in threads {
        join(thread);
    }
}

#[test]
fn a_program_is_compiled_once_and_stays_so() {
    check(|| {
        let queue = Arc::new(Queue::new(4));
        let counts = Arc::default();
        let program = Arc::new(Program::new(&queue, &counts));
        run_all(&[(); 3].map(|()| Arc::clone(&program)), Temperature::Hot, 3);
        // By now it was asked for; the answer may take a while.
        while program.run(Temperature::Hot, u64::MAX).is_none() {
            thread::yield_now();
        }
        assert_eq!(counts.submitted.load(SeqCst), 1);
        assert_eq!(counts.compiled.load(SeqCst), 1);
        assert_eq!(counts.received.load(SeqCst), 1);
    });
}

#[test]
fn a_warm_program_is_looked_for_once() {
    check(|| {
        let queue = Arc::new(Queue::new(4));
        let counts = Arc::default();
        let program = Arc::new(Program::new(&queue, &counts));
        run_all(
            &[(); 2].map(|()| Arc::clone(&program)),
            Temperature::Warm,
            3,
        );
        assert_eq!(counts.submitted.load(SeqCst), 1);
        assert_eq!(program.switch.settled(), None);
        // It was not there, which keeps nobody from compiling it.
        while program.run(Temperature::Hot, 1000).is_none() {
            thread::yield_now();
        }
        assert_eq!(counts.compiled.load(SeqCst), 1);
    });
}

/// One thread, which does one job after the other; what does not fit may be asked for again.
#[test]
fn programs_that_find_no_place_ask_again() {
    check(|| {
        let queue = Arc::new(Queue::new(1));
        let counts = Arc::default();
        let programs = [(); 3].map(|()| Arc::new(Program::new(&queue, &counts)));
        run_all(&programs, Temperature::Hot, 2);
        for program in &programs {
            let mut runs = 1_000_000;
            while program.run(Temperature::Hot, runs).is_none() {
                runs += 1000;
                thread::yield_now();
            }
        }
        assert_eq!(counts.compiled.load(SeqCst), programs.len());
    });
}

/// What is dropped is not compiled, or nobody sees it; the thread goes on, and ends with the queue.
#[test]
fn what_is_dropped_is_cancelled() {
    check(|| {
        let queue = Arc::new(Queue::new(4));
        let counts = Arc::default();
        let dropped = Program::new(&queue, &counts);
        assert_eq!(dropped.run(Temperature::Hot, 1), None);
        let kept = Program::new(&queue, &counts);
        let other = thread::spawn(move || drop(dropped));
        while kept.run(Temperature::Hot, 1).is_none() {
            thread::yield_now();
        }
        join(other);
        assert!((1..=2).contains(&counts.compiled.load(SeqCst)));
        assert_eq!(counts.received.load(SeqCst), 1);
    });
}
