//! The code of a program, sealed: what executables with the same instructions share.

use {
    crate::{
        CompileStatistics,
        cache::Source,
        lazy::Lazy,
        native_names::{Announced, Symbols},
    },
    sbpf_lowering::{
        dialect::{Dialect, FrameLayout},
        function::Sites,
    },
    sbpf_runtime::{code::CodeMemory, learnt::Learnt, run::Image},
    std::sync::OnceLock,
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
    /// What it was made from, if that is worth its memory.
    pub(crate) source: OnceLock<Box<Source>>,
    learnt: Learnt,
    /// Functions that are compiled when they are called, if not all are compiled.
    lazy: Option<Box<Lazy>>,
}

impl Code {
    /// The code in `memory`, which belongs to the rest.
    pub(crate) fn new(
        memory: CodeMemory,
        entries: Vec<u32>,
        sites: Sites,
        dialect: &Dialect,
        statistics: CompileStatistics,
        key: u64,
        symbols: Option<Symbols>,
    ) -> Self {
        Self {
            _announced: symbols.map(|symbols| symbols.announce(&memory)),
            memory,
            entries,
            sites,
            frames: dialect.frames,
            statistics,
            key,
            source: OnceLock::new(),
            learnt: learnt(dialect),
            lazy: None,
        }
    }

    /// The code of a program whose functions are compiled when they are called. `memory` has what they
    /// need from the start.
    pub(crate) fn of_lazy(
        memory: CodeMemory,
        dialect: &Dialect,
        statistics: CompileStatistics,
        lazy: Lazy,
    ) -> Self {
        Self {
            _announced: None,
            memory,
            entries: Vec::new(),
            sites: Sites::default(),
            frames: dialect.frames,
            statistics,
            key: lazy.key(),
            source: OnceLock::new(),
            learnt: learnt(dialect),
            lazy: Some(Box::new(lazy)),
        }
    }

    /// Whether functions are compiled when they are called.
    pub(crate) fn is_lazy(&self) -> bool {
        self.lazy.is_some()
    }

    /// Sizes of what is compiled by now.
    pub(crate) fn statistics(&self) -> CompileStatistics {
        match &self.lazy {
            None => self.statistics,
            Some(lazy) => lazy.statistics(self.statistics),
        }
    }

    /// Bytes of memory that this takes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>()
            + self.memory.bytes().len()
            + size_of_val(self.entries.as_slice())
            + size_of_val(self.sites.accesses.as_slice())
            + size_of_val(self.sites.calls.as_slice())
            + self.source.get().map_or(0, |source| source.size())
            + self.lazy.as_ref().map_or(0, |lazy| lazy.size())
    }

    pub(crate) fn image(&self) -> Image<'_> {
        Image {
            code: &self.memory,
            entries: &self.entries,
            accesses: &self.sites.accesses,
            calls: &self.sites.calls,
            key: self.key,
            learnt: &self.learnt,
            growing: self.lazy.as_ref().map(|lazy| lazy.growing()),
        }
    }
}

/// What the runs of a program can learn.
fn learnt(dialect: &Dialect) -> Learnt {
    if dialect.has_hints() {
        Learnt::with_hints()
    } else {
        Learnt::default()
    }
}
