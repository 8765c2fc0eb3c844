//! The context object that programs run in: meter, memory mapping, and a log of what they did.

use {
    super::engine::Engine,
    solana_sbpf::{
        memory_region::{AccessType, HostBuffer, MemoryMapping},
        vm::ContextObject,
    },
    std::{cell::RefCell, ptr::NonNull, rc::Rc},
};

/// Something the host saw of a running program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A syscall was entered.
    Syscall {
        /// Its registered name.
        name: &'static str,
        /// r1 to r5.
        arguments: [u64; 5],
        /// What the meter had left, after the instructions before the syscall were charged.
        remaining: u64,
    },
    /// A syscall that looks into the VM reports what it found there.
    Observed(String),
    /// The access violation handler was asked.
    Violation {
        /// Where the region that was handed to it begins.
        region: u64,
        /// How long that region was.
        region_len: usize,
        /// How long it might become.
        max_len: u64,
        /// Load or store.
        access: AccessType,
        /// The faulting address.
        address: u64,
        /// The faulting access's length.
        len: u64,
    },
}

/// The log of events, shared between the context and its access violation handler.
pub type EventLog = Rc<RefCell<Vec<Event>>>;

/// The [`ContextObject`] of all tests.
pub struct TestContext {
    /// The mapping that the VM uses.
    pub mapping: MemoryMapping,
    /// What is left of the budget.
    pub remaining: u64,
    /// What happened so far.
    pub log: EventLog,
    /// All host buffers of the case in layout order, the spare ones last.
    pub buffers: Vec<HostBuffer>,
    /// Index of the first spare buffer in `buffers`.
    pub first_spare: usize,
    /// Which engine runs the program, for syscalls that run another one.
    pub engine: Engine,
}

impl TestContext {
    /// Appends a syscall to the log.
    pub fn record(&self, name: &'static str, arguments: [u64; 5]) {
        self.log.borrow_mut().push(Event::Syscall {
            name,
            arguments,
            remaining: self.remaining,
        });
    }

    /// The whole host buffer that `pointer` points into (or to the end of).
    pub fn buffer_around(&self, pointer: *const u8) -> Option<HostBuffer> {
        self.buffers.iter().copied().find(|buffer| {
            let start = buffer.ptr().cast::<u8>().addr();
            (start..=start + buffer.len()).contains(&pointer.addr())
        })
    }
}

impl ContextObject for TestContext {
    fn consume(&mut self, amount: u64) {
        self.remaining = self.remaining.saturating_sub(amount);
    }

    fn get_remaining(&self) -> u64 {
        self.remaining
    }

    fn active_mapping_ptr(&mut self) -> NonNull<MemoryMapping> {
        NonNull::from_mut(&mut self.mapping)
    }
}
