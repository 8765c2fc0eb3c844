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
    sbpf_runtime::{
        code::CodeMemory,
        learnt::Learnt,
        run::{Growing, Image},
    },
    std::sync::OnceLock,
};

/// Sealed machine code with what the runtime has to know about it.
#[derive(Debug)]
pub(crate) struct Code {
    /// What native tools know. It is dropped first, so that they forget code before it is gone.
    _announced: Option<Announced>,
    pub(crate) image: Image,
    pub(crate) frames: FrameLayout,
    pub(crate) statistics: CompileStatistics,
    /// What it was made from, if that is worth its memory.
    pub(crate) source: OnceLock<Box<Source>>,
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
            image: Image {
                code: memory,
                entries,
                accesses: sites.accesses,
                calls: sites.calls,
                key,
                learnt: learnt(dialect),
            },
            frames: dialect.frames,
            statistics,
            source: OnceLock::new(),
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
            image: Image {
                code: memory,
                entries: Vec::new(),
                accesses: Vec::new(),
                calls: Vec::new(),
                key: lazy.key(),
                learnt: learnt(dialect),
            },
            frames: dialect.frames,
            statistics,
            source: OnceLock::new(),
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
            + self.image.size()
            + self.source.get().map_or(0, |source| source.size())
            + self.lazy.as_ref().map_or(0, |lazy| lazy.size())
    }

    /// Functions that are compiled when they are called, if not all are compiled.
    pub(crate) fn growing(&self) -> Option<Growing<'_>> {
        self.lazy.as_ref().map(|lazy| lazy.growing())
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
