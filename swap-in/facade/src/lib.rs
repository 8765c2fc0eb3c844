//! `solana-sbpf`, with sbpf-cranelift behind it.
//!
//! Everything is the real crate's own, but for four things that are wrapped:
//! [`elf::Executable`], [`vm::EbpfVm`], [`assembler::assemble`] and `program::JitProgram`. Through them programs are
//! compiled and run by Cranelift; results, errors, instruction counts, final pcs and memory are
//! those of the interpreter.
//!
//! [`swap_in`] tells what ran where, and how to choose another engine.

// What is defined below takes precedence over the glob.
pub use upstream::*;

pub mod assembler;
mod compiled;
pub mod elf;
mod jit_program;
mod modules;
pub mod swap_in;
pub mod vm;

pub use modules::program;

#[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
pub use modules::jit;
