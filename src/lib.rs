//! A Cranelift backend for Solana's sBPF.
//!
//! [`CompiledProgram::compile`] turns a loaded [`Executable`](solana_sbpf::elf::Executable) into
//! native code, and [`CompiledProgram::execute`] takes the place of `EbpfVm::execute_program`: same
//! result, same error, same instruction count, same final pc, same memory as the interpreter of
//! `solana-sbpf`.

#[cfg(any(doc, doctest))]
pub mod book;
mod cache;
mod code;
mod compat;
mod config;
mod diversity;
pub mod dump;
#[cfg(feature = "ebpf")]
pub mod ebpf;
mod embedder;
mod emit;
mod error;
mod execute;
mod functions;
mod generated;
mod isa;
mod lazy;
mod memory_syscalls;
#[cfg(all(test, target_os = "linux"))]
mod models;
mod native_names;
mod native_stack;
mod observer;
mod placement;
mod program;
mod regions;
mod tiers;

pub use {
    cache::{Cache, CacheOptions, CacheStatistics, CodeOrigin, DirectoryContents},
    error::CompileError,
    generated::{CompileStatistics, GeneratedCode},
    memory_syscalls::MemorySyscall,
    native_names::{NativeNameFormat, NativeNames, UnknownNativeNameFormat},
    observer::{CompileObserver, Progress},
    program::{CompiledProgram, MachineCode},
    sbpf_lowering::error::LoweringError,
    sbpf_runtime::memory_operation::{MemoryOperation, Operation},
    target_lexicon::Triple,
    tiers::{Hotness, Policy, Tier, TieredProgram},
};

/// Choices of the caller that change speed or diagnostics, never an outcome.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CompileOptions {
    /// Runs Cranelift's verifier on every function (slow; always on in debug builds).
    pub verify_ir: bool,
    /// The machine to generate code for, with the features that all of its kind have. By default
    /// it is this one, with the features it has.
    ///
    /// A [`CompiledProgram`] must be able to run here; [`GeneratedCode`] can be for any machine.
    pub target: Option<Triple>,
    /// Threads that compile: with more than one, a pool of so many works for as long as the
    /// compilation takes. 0 and 1 start none. The code is the same in any case.
    pub threads: usize,
    /// Where code is looked for before it is compiled, and kept afterwards.
    pub cache: Cache,
    /// Is told the progress, and can end the compilation.
    pub observer: Option<CompileObserver>,
    /// Where functions are in the code, and what hides the program's constants in it, follow from
    /// this number. By default they are random for each compilation; with the same number and the
    /// same inputs the code is the same, byte for byte, and no longer unpredictable.
    ///
    /// Whether there is anything random is up to `noop_instruction_rate` and
    /// `sanitize_user_provided_values` of the program's `Config`.
    pub seed: Option<u64>,
    /// Marks where indirect jumps may lead, and signs return addresses, on machines that have
    /// instructions for it (BTI and pointer authentication of arm64).
    pub protect_branches: bool,
    /// Makes the address of every access depend on the check of its range, so that a processor which
    /// mispredicts the check loads nothing that the program may not read. Off by default, as it
    /// costs time where memory is accessed.
    pub guard_speculation: bool,
    /// Which native tools are told the names of functions. Code with names is always compiled anew,
    /// without a look at [`Self::cache`]; it is the same code, but for a random order of functions.
    pub native_names: NativeNames,
    /// Syscalls that compiled code need not call, because it is known what they do. They must do exactly
    /// that, or else compiled programs don't do what interpreted ones do.
    pub memory_syscalls: Vec<MemorySyscall>,
}

impl CompileOptions {
    /// Tells the observer, if there is one.
    fn tell(&self, done: usize, total: usize) -> Result<(), CompileError> {
        match &self.observer {
            Some(observer) if observer.tell(done, total).is_break() => Err(CompileError::Cancelled),
            _ => Ok(()),
        }
    }
}
