//! The context object of the tests.

use {
    solana_sbpf::{
        memory_region::MemoryMapping,
        program::SBPFVersion,
        vm::{Config, ContextObject},
    },
    std::ptr::NonNull,
};

/// A meter and a memory mapping.
#[derive(Debug)]
pub struct TestContextObject {
    /// Instructions left.
    pub remaining: u64,
    /// The mapping of the virtual machine that runs.
    pub memory_mapping: MemoryMapping,
}

impl TestContextObject {
    /// A context with this budget, and no memory yet.
    pub fn new(remaining: u64) -> Self {
        // SAFETY: there is no region that could point to memory.
        let mapping =
            unsafe { MemoryMapping::new(Vec::new(), &Config::default(), SBPFVersion::V4) };
        Self {
            remaining,
            memory_mapping: mapping.expect("nothing overlaps"),
        }
    }
}

impl Default for TestContextObject {
    fn default() -> Self {
        Self::new(0)
    }
}

impl ContextObject for TestContextObject {
    fn consume(&mut self, amount: u64) {
        self.remaining = self.remaining.saturating_sub(amount);
    }

    fn get_remaining(&self) -> u64 {
        self.remaining
    }

    fn active_mapping_ptr(&mut self) -> NonNull<MemoryMapping> {
        NonNull::from_mut(&mut self.memory_mapping)
    }
}
