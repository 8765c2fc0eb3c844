//! Standard eBPF (RFC 9669) in user space, on the same lowering as sBPF and without `solana-sbpf`.
//!
//! A [`Program`] comes from bytes or from an ELF file, is verified, and runs on memory that the
//! caller gives it ([`Memory`]), with functions of the caller as helpers ([`Helpers`]): compiled
//! ([`CompiledProgram`]) or interpreted. Both give the same [`Outcome`]: result or [`Fault`], number
//! of instructions, final pc, and memory.
//!
//! ```
//! use sbpf_cranelift::ebpf::{Helpers, Memory, Options, Program};
//!
//! // r0 = *(u8 *)(r1 + 1); r0 += 1; exit
//! let text = [
//!     0x71, 0x10, 1, 0, 0, 0, 0, 0, 0x07, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0,
//! ];
//! let program = Program::from_bytes(&text, &Options::default())?;
//! let compiled = program.compile()?;
//! let mut packet = [40, 41, 42];
//! let mut memory = Memory::new();
//! memory.set_context(&mut packet);
//! let outcome = compiled.run(&mut memory, &mut Helpers::new(), 1_000);
//! assert_eq!(outcome.result, Ok(42));
//! assert_eq!(outcome.instructions, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Addresses
//!
//! A program sees virtual addresses; every access is checked to lie in one region. At its start r1
//! is the address of the context and r2 its length, both 0 if there is none, and r10 is the end of
//! its frame of [`FRAME_SIZE`] bytes. Each call of a function of the program has the next frame of
//! the stack, which is zero when the program starts; one that calls none of its functions has a
//! stack of one frame, and one that never reads r10 has none. Maps are regions too, numbered by the caller:
//! see [`Memory::set_map`].

mod compiled;
mod elf;
mod error;
mod helpers;
mod interpreter;
mod machine;
mod memory;
mod options;
mod program;
mod pseudo;
mod session;
mod verifier;

pub use {
    compiled::CompiledProgram,
    elf::{ProgramName, programs},
    error::{ElfError, Fault, LoadError, VerifyError},
    helpers::{HelperCall, HelperError, HelperFunction, Helpers},
    machine::Outcome,
    memory::Memory,
    options::{FRAME_SIZE, Options},
    program::Program,
    pseudo::map_handle,
    sbpf_lowering::dialect::ConformanceGroups,
    session::Session,
};
