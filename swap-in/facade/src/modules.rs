//! The modules of which one has `JitProgram`, as 0.26 has them.
//!
//! For older versions the swap-in puts a file of `swap-in/compat/` in place of this one.

/// Programs, builtins and their registries: upstream's, but for `JitProgram`.
pub mod program {
    pub use {crate::jit_program::JitProgram, upstream::program::*};
}

/// The hand-written JIT.
#[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
pub mod jit {
    pub use upstream::jit::*;
}

/// What upstream's own JIT makes.
#[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
pub(crate) use upstream::program::JitProgram as HandWritten;
