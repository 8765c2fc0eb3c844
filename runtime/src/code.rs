//! Code memory: written while it is data, then sealed, and never both.

use {
    crate::run::EntryPoint,
    memmap2::{Mmap, MmapMut},
    std::io,
};

/// Machine code that can be executed and no longer be written.
#[derive(Debug)]
pub struct CodeMemory {
    mapping: Mmap,
    length: usize,
}

impl CodeMemory {
    /// Copies `code`, which starts with an [`EntryPoint`], to memory of its own and seals it.
    ///
    /// # Errors
    /// When the operating system refuses the memory or its protection.
    pub fn seal(code: &[u8]) -> io::Result<Self> {
        let mut writable = MmapMut::map_anon(code.len().max(1))?;
        writable[..code.len()].copy_from_slice(code);
        let mapping = writable.make_exec()?;
        flush_instruction_cache(&mapping);
        Ok(Self {
            mapping,
            length: code.len(),
        })
    }

    /// First byte of the code.
    pub fn as_ptr(&self) -> *const u8 {
        self.mapping.as_ptr()
    }

    /// The sealed code.
    pub fn bytes(&self) -> &[u8] {
        &self.mapping[..self.length]
    }

    /// The function at the start of the code.
    pub(crate) fn entry_point(&self) -> EntryPoint {
        // SAFETY: `seal` takes only code that starts with such a function; the mapping lives as
        // long as `self`, and the caller holds the code while it runs.
        unsafe { std::mem::transmute::<*const u8, EntryPoint>(self.as_ptr()) }
    }
}

/// Makes freshly written code visible to instruction fetch, on processors where that takes more
/// than writing it.
#[cfg(not(target_arch = "aarch64"))]
fn flush_instruction_cache(_code: &[u8]) {}

/// Makes freshly written code visible to instruction fetch (Arm Architecture Reference Manual,
/// "Concurrent modification and execution of instructions").
#[cfg(target_arch = "aarch64")]
fn flush_instruction_cache(code: &[u8]) {
    // The smallest line that the architecture allows, so that every line is covered.
    const LINE: usize = 16;
    use std::arch::asm;
    for line in code.chunks(LINE) {
        // SAFETY: cleans the cache line of a readable address; no memory is changed.
        unsafe { asm!("dc cvau, {}", in(reg) line.as_ptr(), options(nostack, preserves_flags)) };
    }
    // SAFETY: a barrier.
    unsafe { asm!("dsb ish", options(nostack, preserves_flags)) };
    for line in code.chunks(LINE) {
        // SAFETY: invalidates the instruction cache line of a readable address.
        unsafe { asm!("ic ivau, {}", in(reg) line.as_ptr(), options(nostack, preserves_flags)) };
    }
    // SAFETY: barriers.
    unsafe { asm!("dsb ish", "isb", options(nostack, preserves_flags)) };
}
