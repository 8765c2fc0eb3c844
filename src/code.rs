//! The code of a program, sealed: what executables with the same instructions share.

use {
    crate::CompileStatistics,
    sbpf_lowering::{dialect::FrameLayout, function::Sites},
    sbpf_runtime::{code::CodeMemory, run::Image},
};

/// Sealed machine code with what the runtime has to know about it.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) memory: CodeMemory,
    pub(crate) entries: Vec<u32>,
    pub(crate) sites: Sites,
    pub(crate) frames: FrameLayout,
    pub(crate) statistics: CompileStatistics,
    /// What hides constants in the code; 0 if nothing does.
    pub(crate) key: u64,
}

impl Code {
    /// Bytes of memory that this takes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>()
            + self.memory.bytes().len()
            + size_of_val(self.entries.as_slice())
            + size_of_val(self.sites.accesses.as_slice())
            + size_of_val(self.sites.calls.as_slice())
    }

    pub(crate) fn image(&self) -> Image<'_> {
        Image {
            code: &self.memory,
            entries: &self.entries,
            accesses: &self.sites.accesses,
            calls: &self.sites.calls,
            key: self.key,
        }
    }
}
