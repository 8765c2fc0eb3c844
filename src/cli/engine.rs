//! The engines, and the one path that sets up a machine for each of them.
//!
//! Every run gets fresh memory and a fresh context made from the same [`Workload`], so whatever
//! differs afterwards comes from the engine.

use {
    super::{
        compiling,
        context::{Context, Environment},
        guard,
        program::Program,
        pubkey::Pubkey,
    },
    clap::ValueEnum,
    sbpf_cranelift::{
        Cache, CodeOrigin, CompileError, CompileOptions, CompileStatistics, CompiledProgram,
        NativeNames,
    },
    sha2::{Digest as _, Sha256},
    solana_sbpf::{
        aligned_memory::AlignedMemory,
        ebpf::{self, HOST_ALIGN, MM_HEAP_START, MM_INPUT_START, MM_STACK_START},
        elf::Executable,
        error::ProgramResult,
        memory_region::{MemoryMapping, MemoryRegion},
        vm::{CallFrame, ContextObject as _, EbpfVm, ExecutionMode},
    },
    std::{
        sync::Arc,
        time::{Duration, Instant},
    },
};

/// A way to run a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// This crate.
    Cranelift,
    /// The interpreter of `solana-sbpf`, the oracle.
    Interpreter,
    /// The hand-written JIT of `solana-sbpf`.
    HandWritten,
}

impl Engine {
    /// All engines, the oracle first.
    pub(crate) const ALL: [Self; 3] = [Self::Interpreter, Self::Cranelift, Self::HandWritten];

    /// The name on the command line and in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cranelift => "cranelift",
            Self::Interpreter => "interpreter",
            Self::HandWritten => "hand-written",
        }
    }
}

/// A program with everything a run starts from.
pub(crate) struct Workload<'program> {
    /// The program.
    pub(crate) program: &'program Program,
    /// Bytes of the input region.
    pub(crate) input: Vec<u8>,
    /// Offset of the instruction data in the input, to put its address into r2.
    pub(crate) instruction_data: Option<usize>,
    /// Bytes of heap.
    pub(crate) heap: usize,
    /// Compute units.
    pub(crate) budget: u64,
    /// What the syscalls know.
    pub(crate) environment: Arc<Environment>,
    /// Where code may be found.
    pub(crate) cache: Cache,
    /// What the layout of code and the hiding of constants follow from, unless that is to be random.
    pub(crate) seed: Option<u64>,
    /// Whether addresses depend on the checks of their ranges.
    pub(crate) guard_speculation: bool,
    /// What native tools are told, unless that is for the environment to say.
    pub(crate) native_names: Option<NativeNames>,
    /// Whether functions are compiled when they are called first.
    pub(crate) lazy: bool,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It returned r0.
    Returned(u64),
    /// It failed.
    Failed {
        /// The error's text for people.
        text: String,
        /// The error's `Debug` text, which has all of its fields.
        debug: String,
    },
}

/// All that can be observed of a run.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// The result.
    pub(crate) ending: Ending,
    /// Compute units used, as `execute_program` counts them.
    pub(crate) units: u64,
    /// Compute units left in the context.
    pub(crate) remaining: u64,
    /// The final pc, in instruction slots.
    pub(crate) pc: u64,
    /// Log lines.
    pub(crate) log: Vec<String>,
    /// Return data and the program that set it.
    pub(crate) return_data: (Pubkey, Vec<u8>),
    /// The input region.
    pub(crate) input: Vec<u8>,
    /// SHA-256 of the stack.
    pub(crate) stack_digest: [u8; 32],
    /// SHA-256 of the heap.
    pub(crate) heap_digest: [u8; 32],
    /// Time of the run alone; the shortest of several.
    pub(crate) run_time: Duration,
}

impl Outcome {
    /// The first bytes of a digest of all writable memory, in hexadecimal.
    pub(crate) fn memory_digest(&self) -> String {
        let digest = Sha256::new()
            .chain_update(self.stack_digest)
            .chain_update(self.heap_digest)
            .chain_update(&self.input)
            .finalize();
        hex::encode(digest.get(..8).unwrap_or_default())
    }
}

/// A finished run, with what it took to get there.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The engine.
    pub(crate) engine: Engine,
    /// Time of compiling; none for the interpreter.
    pub(crate) compile_time: Option<Duration>,
    /// Sizes of the compiled program, from Cranelift only.
    pub(crate) statistics: Option<CompileStatistics>,
    /// Bytes of native code.
    pub(crate) code_bytes: Option<usize>,
    /// Where the code came from, of Cranelift only.
    pub(crate) origin: Option<CodeOrigin>,
    /// What was observed.
    pub(crate) outcome: Outcome,
}

/// Why an engine did not run a program.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// The engine does not exist on this machine or in this build.
    Absent(String),
    /// The engine could not compile or run the program.
    Failed(String),
}

/// A program made ready by an engine.
pub(crate) enum Prepared {
    /// Compiled by this crate.
    Cranelift(Box<CompiledProgram<Context>>),
    /// Nothing to prepare.
    Interpreter,
    /// Compiled by the hand-written JIT, which keeps the code in the executable.
    HandWritten,
}

/// For how long a run is repeated if nobody says how often: the first ones are slowed down by what
/// the operating system does once for a thread and for each page of code.
const REPETITION_TIME: Duration = Duration::from_millis(20);

/// How often a run is repeated at most if nobody says how often.
const MOST_REPETITIONS: u32 = 100;

/// Runs `workload` on `engine`, `repetitions` times or for a moment, and reports the last run with
/// the shortest time.
///
/// # Errors
/// When the engine is absent or can't compile the program.
pub(crate) fn run(
    engine: Engine,
    workload: &Workload<'_>,
    repetitions: Option<u32>,
) -> Result<Run, Refusal> {
    let panicked = |panic| Refusal::Failed(format!("{} panicked: {panic}", engine.name()));
    let start = Instant::now();
    let executable = &workload.program.executable;
    let mut options = compiling::options(&workload.cache);
    options.seed = workload.seed;
    options.guard_speculation = workload.guard_speculation;
    if let Some(names) = &workload.native_names {
        options.native_names.clone_from(names);
    }
    let prepare = || match (engine, workload.lazy) {
        (Engine::Cranelift, true) => {
            prepared(CompiledProgram::compile_lazily(executable, &options))
        }
        _ => prepare(engine, executable, &options),
    };
    let prepared = guard::catch(prepare).map_err(panicked)??;
    let compile_time = start.elapsed();
    let first_run = Instant::now();
    let mut outcome = guard::catch(|| execute(&prepared, workload)).map_err(panicked)??;
    for _ in 1..repetitions.unwrap_or(MOST_REPETITIONS) {
        if repetitions.is_none() && first_run.elapsed() > REPETITION_TIME {
            break;
        }
        let next = guard::catch(|| execute(&prepared, workload)).map_err(panicked)??;
        let shortest = outcome.run_time.min(next.run_time);
        outcome = Outcome {
            run_time: shortest,
            ..next
        };
    }
    let statistics = match &prepared {
        Prepared::Cranelift(compiled) => Some(compiled.statistics()),
        Prepared::Interpreter | Prepared::HandWritten => None,
    };
    let origin = match &prepared {
        Prepared::Cranelift(compiled) => Some(compiled.origin()),
        Prepared::Interpreter | Prepared::HandWritten => None,
    };
    let code_bytes = code_bytes(&prepared, executable);
    Ok(Run {
        engine,
        compile_time: (engine != Engine::Interpreter).then_some(compile_time),
        statistics,
        code_bytes,
        origin,
        outcome,
    })
}

/// Compiles the program, if the engine does.
///
/// # Errors
/// When the engine is absent or can't compile the program.
pub(crate) fn prepare(
    engine: Engine,
    executable: &Executable<Context>,
    options: &CompileOptions,
) -> Result<Prepared, Refusal> {
    match engine {
        Engine::Cranelift => prepared(CompiledProgram::compile_with(executable, options)),
        Engine::Interpreter => Ok(Prepared::Interpreter),
        Engine::HandWritten => compile_hand_written(executable),
    }
}

fn prepared(compiled: Result<CompiledProgram<Context>, CompileError>) -> Result<Prepared, Refusal> {
    compiled
        .map(|compiled| Prepared::Cranelift(Box::new(compiled)))
        .map_err(|error| Refusal::Failed(format!("cranelift can't compile it: {error}")))
}

/// Why there is no hand-written JIT here, if there is none.
pub(crate) fn hand_written_absence() -> Option<&'static str> {
    if !cfg!(feature = "hand-written") {
        Some("the hand-written JIT is not in this build (feature \"hand-written\")")
    } else if !cfg!(target_arch = "x86_64") || cfg!(target_os = "windows") {
        Some("the hand-written JIT exists only for x86_64, and not for Windows")
    } else {
        None
    }
}

/// Compiles with the hand-written JIT, where it exists.
fn compile_hand_written(executable: &Executable<Context>) -> Result<Prepared, Refusal> {
    if let Some(why) = hand_written_absence() {
        return Err(Refusal::Absent(why.to_string()));
    }
    #[cfg(all(
        feature = "hand-written",
        target_arch = "x86_64",
        not(target_os = "windows")
    ))]
    executable.jit_compile().map_err(|error| {
        Refusal::Failed(format!("the hand-written JIT can't compile it: {error}"))
    })?;
    #[cfg(not(all(
        feature = "hand-written",
        target_arch = "x86_64",
        not(target_os = "windows")
    )))]
    let _ = executable;
    Ok(Prepared::HandWritten)
}

/// Bytes of native code, if there is any.
pub(crate) fn code_bytes(prepared: &Prepared, executable: &Executable<Context>) -> Option<usize> {
    match prepared {
        Prepared::Cranelift(compiled) => Some(compiled.statistics().code_bytes),
        Prepared::Interpreter => None,
        Prepared::HandWritten => executable
            .get_compiled_program()
            .map(|program| program.machine_code_length()),
    }
}

/// The memory of one run.
struct Memory {
    /// Stack frames.
    stack: AlignedMemory<HOST_ALIGN>,
    /// Heap.
    heap: AlignedMemory<HOST_ALIGN>,
    /// Input.
    input: AlignedMemory<HOST_ALIGN>,
}

impl Memory {
    /// Zeroed stack and heap, and a copy of the input.
    fn new(workload: &Workload<'_>) -> Self {
        let config = workload.program.executable.get_config();
        Self {
            stack: AlignedMemory::zero_filled(config.stack_size()),
            heap: AlignedMemory::zero_filled(workload.heap),
            input: AlignedMemory::from_slice(&workload.input),
        }
    }

    /// Maps the memory as agave does (`create_memory_mapping`): read-only data, stack (with gaps
    /// in V0), heap, input.
    ///
    /// # Safety
    /// The mapping must not be used after `self` is dropped or while `self` is borrowed elsewhere.
    unsafe fn map(&mut self, executable: &Executable<Context>) -> Result<MemoryMapping, Refusal> {
        let config = executable.get_config();
        let version = executable.get_sbpf_version();
        let gaps = version.stack_frame_gaps() && config.enable_stack_frame_gaps;
        let gap = if gaps { config.stack_frame_size } else { 0 };
        let regions = vec![
            executable.get_ro_region(),
            MemoryRegion::new_gapped(&mut self.stack, MM_STACK_START, gap as u64),
            MemoryRegion::new(&mut self.heap, MM_HEAP_START),
            MemoryRegion::new(&mut self.input, MM_INPUT_START),
        ];
        // SAFETY: the executable outlives the run and its region is read-only; the other regions
        // are plain bytes that the caller keeps alive and untouched.
        unsafe { MemoryMapping::new(regions, config, version) }
            .map_err(|error| Refusal::Failed(format!("the memory can't be mapped: {error}")))
    }
}

/// Runs a prepared program once.
fn execute(prepared: &Prepared, workload: &Workload<'_>) -> Result<Outcome, Refusal> {
    execute_by(workload, |vm, executable, frames| {
        enter(prepared, vm, executable, frames)
    })
}

/// Sets up a machine for `workload`, and reports what `enter` makes of it.
///
/// # Errors
/// When the memory can't be mapped.
pub(crate) fn execute_by(
    workload: &Workload<'_>,
    enter: impl FnOnce(
        &mut EbpfVm<'_, Context>,
        &Executable<Context>,
        &mut [CallFrame],
    ) -> (u64, ProgramResult),
) -> Result<Outcome, Refusal> {
    let executable = &workload.program.executable;
    let mut memory = Memory::new(workload);
    // SAFETY: `memory` lives until the end of this function; its bytes are read again only after
    // `context`, which owns the mapping, has been taken apart.
    let mapping = unsafe { memory.map(executable) }?;
    let mut context = Context::new(
        mapping,
        Arc::clone(&workload.environment),
        workload.budget,
        workload.heap as u64,
    );
    let mut vm = EbpfVm::new(
        Arc::clone(executable.get_loader()),
        executable.get_sbpf_version(),
        &mut context,
        executable.get_config().stack_size(),
    );
    vm.registers[1] = MM_INPUT_START;
    if let Some(offset) = workload.instruction_data {
        vm.registers[2] = MM_INPUT_START.saturating_add(offset as u64);
    }
    let mut frames = call_frames(executable);
    let start = Instant::now();
    let (units, result) = enter(&mut vm, executable, &mut frames);
    let run_time = start.elapsed();
    let pc = vm.registers[ebpf::FRAME_PTR_REG + 1];
    drop(vm);
    let remaining = context.get_remaining();
    let Context {
        log, return_data, ..
    } = context;
    Ok(Outcome {
        ending: ending(result),
        units,
        remaining,
        pc,
        log,
        return_data,
        input: memory.input.as_slice().to_vec(),
        stack_digest: Sha256::digest(memory.stack.as_slice()).into(),
        heap_digest: Sha256::digest(memory.heap.as_slice()).into(),
        run_time,
    })
}

/// What the interpreter keeps its calls in.
pub(crate) fn call_frames(executable: &Executable<Context>) -> Vec<CallFrame> {
    vec![CallFrame::default(); executable.get_config().max_call_depth]
}

/// Lets the engine run the machine; returns the compute units it took and the result.
#[inline]
pub(crate) fn enter(
    prepared: &Prepared,
    vm: &mut EbpfVm<'_, Context>,
    executable: &Executable<Context>,
    frames: &mut [CallFrame],
) -> (u64, ProgramResult) {
    match prepared {
        Prepared::Cranelift(compiled) => compiled.execute(vm, executable),
        Prepared::Interpreter => {
            vm.execute_program(executable, &mut ExecutionMode::Interpreted, frames)
        }
        Prepared::HandWritten => vm.execute_program(executable, &mut ExecutionMode::Jit, &mut []),
    }
}

/// A result as text that can be compared.
pub(crate) fn ending(result: ProgramResult) -> Ending {
    match result {
        ProgramResult::Ok(value) => Ending::Returned(value),
        ProgramResult::Err(error) => Ending::Failed {
            text: error.to_string(),
            debug: format!("{error:?}"),
        },
    }
}
