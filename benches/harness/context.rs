//! The smallest context object that a host could have.

use {
    solana_sbpf::{memory_region::MemoryMapping, vm::ContextObject},
    std::ptr::NonNull,
};

/// A meter and a memory mapping.
pub(crate) struct BenchContext {
    /// Instructions that may still be executed.
    pub(crate) remaining: u64,
    /// The memory of the VM.
    mapping: MemoryMapping,
}

impl BenchContext {
    /// A context over `mapping`, with nothing on its meter yet.
    pub(crate) fn new(mapping: MemoryMapping) -> Self {
        Self {
            remaining: 0,
            mapping,
        }
    }
}

impl ContextObject for BenchContext {
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
