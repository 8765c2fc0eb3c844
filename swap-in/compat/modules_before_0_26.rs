//! The modules of which one has `JitProgram`, as versions before 0.26 have them.

/// Programs, builtins and their registries.
pub mod program {
    pub use upstream::program::*;
}

/// The hand-written JIT: upstream's, but for `JitProgram`.
#[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
pub mod jit {
    pub use {crate::jit_program::JitProgram, upstream::jit::*};
}

/// What upstream's own JIT makes.
#[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
pub(crate) use upstream::jit::JitProgram as HandWritten;
