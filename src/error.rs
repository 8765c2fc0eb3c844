//! Errors of compilation: which stage refused the program, and why.

use {sbpf_lowering::error::LoweringError, std::io};

/// Why a program was not compiled.
///
/// The program is left as it was: the caller's interpreter still runs it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The operating system has no random numbers, which tell one compilation from the next.
    #[error("there are no random numbers: {reason}")]
    Random {
        /// Why.
        reason: String,
    },
    /// Code can't be generated for the processor that was asked for.
    #[error("no code can be generated for {target}: {reason}")]
    UnsupportedTarget {
        /// The processor and operating system.
        target: String,
        /// What Cranelift says.
        reason: String,
    },
    /// The program is none that can be lowered.
    #[error(transparent)]
    Lowering(#[from] LoweringError),
    /// Cranelift refused a function.
    #[error("code generation of the function at pc {pc} failed: {reason}")]
    CodeGeneration {
        /// The first instruction of the function.
        pc: usize,
        /// What Cranelift says.
        reason: String,
    },
    /// The machine code does not fit into the range of its own calls.
    #[error("the machine code needs more than {limit} bytes")]
    CodeTooLarge {
        /// Bytes that are possible.
        limit: usize,
    },
    /// The caller's [`CompileObserver`](crate::CompileObserver) ended the compilation.
    #[error("the compilation was cancelled")]
    Cancelled,
    /// The operating system refused memory for the code.
    #[error("no memory for the machine code: {0}")]
    CodeMemory(#[from] io::Error),
}
