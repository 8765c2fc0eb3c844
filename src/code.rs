//! The code of a program, sealed: what executables with the same instructions share.

use {
    crate::{
        CompileStatistics,
        native_names::{Announced, Symbols},
    },
    sbpf_lowering::{dialect::FrameLayout, function::Sites},
    sbpf_runtime::{code::CodeMemory, run::Image},
    std::io,
};

/// Sealed machine code with what the runtime has to know about it.
#[derive(Debug)]
pub(crate) struct Code {
    /// What native tools know. It is dropped first, so that they forget code before it is gone.
    _announced: Option<Announced>,
    pub(crate) memory: CodeMemory,
    pub(crate) entries: Vec<u32>,
    pub(crate) sites: Sites,
    pub(crate) frames: FrameLayout,
    pub(crate) statistics: CompileStatistics,
    /// What hides constants in the code; 0 if nothing does.
    pub(crate) key: u64,
}

impl Code {
    /// Seals `code`, which belongs to the rest.
    ///
    /// # Errors
    /// When the operating system refuses the memory.
    pub(crate) fn seal(
        code: &[u8],
        entries: Vec<u32>,
        sites: Sites,
        frames: FrameLayout,
        statistics: CompileStatistics,
        key: u64,
        symbols: Option<Symbols>,
    ) -> io::Result<Self> {
        let memory = match &symbols {
            Some(symbols) => symbols.seal(code)?,
            None => CodeMemory::seal(code)?,
        };
        Ok(Self {
            _announced: symbols.map(|symbols| symbols.announce(&memory)),
            memory,
            entries,
            sites,
            frames,
            statistics,
            key,
        })
    }

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
