//! The differential harness: one program, run by the interpreter (the oracle), by the hand-written
//! JIT of `solana-sbpf` where it exists, and by this crate, and everything observable compared.
//!
//! A test describes a [`Case`] and calls [`Case::check`]:
//!
//! ```ignore
//! Case::assembly(SBPFVersion::V0, "mov64 r0, 1\nexit").check().returns(1);
//! ```
//!
//! Expected values are never written down from what the code under test does; a test may only
//! assert on the oracle's outcome, to make sure that it exercises what it claims to.

// Every test binary uses another part of the harness.
#![allow(dead_code, unused_imports, unreachable_pub)]

pub mod alone;
pub mod case;
pub mod context;
pub mod deployed;
pub mod elf;
pub mod engine;
pub mod generator;
pub mod host_syscalls;
pub mod layout;
pub mod memory;
pub mod memory_syscalls;
pub mod opcodes;
pub mod program;
pub mod region_syscalls;
pub mod report;
pub mod shrink;
pub mod surroundings;
pub mod symbolic;
pub mod syscalls;
pub mod text;
pub mod upstream;

pub use {
    case::{Case, Failure, FailureKind, Verdict},
    context::{Event, TestContext},
    engine::{Compilation, Engine, Outcome},
    layout::{Handler, Layout, RegionSpec, pattern},
    program::Program,
    solana_sbpf::{ebpf, program::SBPFVersion, vm::Config},
    text::{Size, Text},
};

/// The number in the environment variable `name`, or else `default`.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| match text.parse() {
        Ok(number) => number,
        Err(_) => panic!("{name} must be a number"),
    })
}

/// Sets what `Config` has about generated code, if this build has it.
pub fn mitigate(config: &mut Config, sanitize: bool, noop_rate: u32) {
    #[cfg(feature = "hand-written")]
    {
        config.sanitize_user_provided_values = sanitize;
        config.noop_instruction_rate = noop_rate;
    }
    #[cfg(not(feature = "hand-written"))]
    let _ = (config, sanitize, noop_rate);
}

/// The versions that still have unaligned mapping.
pub const UNALIGNED_VERSIONS: [SBPFVersion; 4] = [
    SBPFVersion::V0,
    SBPFVersion::V1,
    SBPFVersion::V2,
    SBPFVersion::V3,
];
