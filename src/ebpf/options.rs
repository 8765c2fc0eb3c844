//! What a program is verified and run under.

use {
    crate::CompileOptions, sbpf_lowering::dialect::ConformanceGroups, std::collections::BTreeMap,
};

/// Bytes in a frame of the stack.
pub const FRAME_SIZE: u32 = 512;

/// Choices of the caller about a program.
#[derive(Debug, Clone)]
pub struct Options {
    /// The conformance groups that a program may use.
    pub groups: ConformanceGroups,
    /// Whether instructions are counted and limited.
    pub meter: bool,
    /// Frames that may be in use at once, that of the program's entry included; at least 1, at most
    /// [`Self::GREATEST_CALL_DEPTH`].
    pub call_depth: u32,
    /// Values of the platform's variables by number, for constants that name them
    /// (`lddw` with source 3).
    pub variables: BTreeMap<i32, u64>,
    /// How it is compiled. [`CompileOptions::cache`] and [`CompileOptions::memory_syscalls`] have no effect: code of
    /// standard eBPF is not stored, and helpers are always called.
    pub compile: CompileOptions,
}

impl Options {
    /// The greatest call depth.
    pub const GREATEST_CALL_DEPTH: u32 = 1 << 16;
}

impl Default for Options {
    /// All conformance groups, a meter, 8 frames.
    fn default() -> Self {
        Self {
            groups: ConformanceGroups::ALL,
            meter: true,
            call_depth: 8,
            variables: BTreeMap::new(),
            compile: CompileOptions::default(),
        }
    }
}
