//! The compilers, each as one call whose cost is taken.

use {
    super::{clock, statistics::Summary},
    crate::cli::{
        context::Context,
        engine::{self, Engine, Prepared, Refusal},
        syscalls,
    },
    sbpf_cranelift::{Cache, CompileOptions},
    serde::{Deserialize, Serialize},
    solana_sbpf::elf::Executable,
    std::time::{Duration, Instant},
};

/// A compiled program and what it took.
pub(crate) struct Compilation {
    /// The program, ready to run.
    pub(crate) prepared: Prepared,
    /// Processor time, of all threads together.
    pub(crate) cpu: Duration,
    /// Time until the program was ready.
    pub(crate) wall: Duration,
    /// Bytes of native code.
    pub(crate) code_bytes: usize,
}

/// Compiles `executable` with `engine`, on one thread and with default options.
///
/// # Errors
/// When the engine is absent or can't compile the program.
pub(crate) fn compile(
    engine: Engine,
    executable: &Executable<Context>,
) -> Result<Compilation, Refusal> {
    // It is the compiler that is measured.
    let mut options = CompileOptions::default();
    options.memory_syscalls = syscalls::known_memory_syscalls();
    options.cache = Cache::none();
    let (cpu, wall) = (clock::process_time(), Instant::now());
    let prepared = engine::prepare(engine, executable, &options)?;
    let (wall, cpu) = (wall.elapsed(), clock::process_time() - cpu);
    Ok(Compilation {
        code_bytes: engine::code_bytes(&prepared, executable).unwrap_or_default(),
        prepared,
        cpu,
        wall,
    })
}

/// What one compiler takes for a program.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CompilerCost {
    /// Processor time, of all threads together.
    pub(crate) cpu_nanoseconds: Summary,
    /// Time until the program was ready.
    pub(crate) wall_nanoseconds: Summary,
    /// Bytes of native code.
    pub(crate) code_bytes: usize,
}

/// Samples of one compiler's cost.
#[derive(Default)]
pub(crate) struct CostSamples {
    cpu: Vec<Duration>,
    wall: Vec<Duration>,
    code_bytes: usize,
}

impl CostSamples {
    /// Adds what a compilation took.
    pub(crate) fn add(&mut self, compilation: &Compilation) {
        self.cpu.push(compilation.cpu);
        self.wall.push(compilation.wall);
        self.code_bytes = compilation.code_bytes;
    }

    /// How long all compilations took.
    pub(crate) fn spent(&self) -> Duration {
        self.wall.iter().sum()
    }

    /// What they come down to, if there were any.
    pub(crate) fn summary(&self) -> Option<CompilerCost> {
        (!self.cpu.is_empty()).then(|| CompilerCost {
            cpu_nanoseconds: Summary::of(&self.cpu),
            wall_nanoseconds: Summary::of(&self.wall),
            code_bytes: self.code_bytes,
        })
    }
}
