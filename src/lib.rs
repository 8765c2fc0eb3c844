//! A Cranelift backend for Solana's sBPF.
//!
//! [`CompiledProgram::compile`] turns a loaded [`Executable`](solana_sbpf::elf::Executable) into
//! native code, and [`CompiledProgram::execute`] takes the place of `EbpfVm::execute_program`: same
//! result, same error, same instruction count, same final pc, same memory as the interpreter of
//! `solana-sbpf`.

mod compat;
mod config;
pub mod dump;
mod embedder;
mod emit;
mod error;
mod execute;
mod functions;
mod isa;
mod program;

pub use {
    error::CompileError,
    program::{CompileStatistics, CompiledProgram, MachineCode},
    sbpf_lowering::error::LoweringError,
};

/// Choices of the caller that change speed or diagnostics, never an outcome.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CompileOptions {
    /// Runs Cranelift's verifier on every function (slow; always on in debug builds).
    pub verify_ir: bool,
    /// Threads that compile: with more than one, a pool of so many works for as long as the
    /// compilation takes. 0 and 1 start none. The code is the same in any case.
    pub threads: usize,
}
