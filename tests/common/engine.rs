//! The engines, and what can be observed of a run.

use {
    super::{
        context::{Event, TestContext},
        memory::{Memory, RegionState},
        memory_syscalls,
        program::Program,
    },
    sbpf_cranelift::{Cache, CompileOptions, CompiledProgram},
    solana_sbpf::{
        elf::Executable,
        error::ProgramResult,
        verifier::RequisiteVerifier,
        vm::{CallFrame, Config, EbpfVm, ExecutionMode},
    },
    std::{
        any::Any,
        cell::RefCell,
        panic::{AssertUnwindSafe, catch_unwind},
        rc::Rc,
        sync::atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Whether the hand-written JIT exists in this build.
pub const HAND_WRITTEN: bool = cfg!(all(
    feature = "hand-written",
    target_arch = "x86_64",
    not(target_os = "windows")
));

/// One of the ways to run a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The oracle.
    Interpreter,
    /// The JIT of `solana-sbpf`.
    HandWritten,
    /// This crate.
    Cranelift,
}

/// What this crate is free to choose when it compiles a program.
#[derive(Debug, Clone, Copy, Default)]
pub struct Compilation {
    /// What the key and the layout follow from; by default the length of the text, so that failures
    /// are the same when they are looked at again.
    pub seed: Option<u64>,
    /// Whether addresses depend on the checks of their ranges.
    pub guard_speculation: bool,
}

/// An executable with its compiled forms.
pub struct Prepared {
    /// The loaded program.
    pub executable: Executable<TestContext>,
    /// The program as this crate compiled it.
    pub compiled: Option<CompiledProgram<TestContext>>,
}

impl Prepared {
    /// Loads `program`, verifies it if asked to, and compiles it for `engines`.
    pub fn new(
        program: &Program,
        config: &Config,
        extra_syscalls: &[String],
        verify: bool,
        engines: &[Engine],
        compilation: Compilation,
    ) -> Result<Self, String> {
        let executable = program.load(config, extra_syscalls)?;
        if verify {
            executable
                .verify::<RequisiteVerifier>()
                .map_err(|error| format!("verification failed: {error}"))?;
        }
        if engines.contains(&Engine::HandWritten) {
            compile_by_hand_written(&executable)?;
        }
        let compiled = if engines.contains(&Engine::Cranelift) {
            Some(compile(&executable, compilation)?)
        } else {
            None
        };
        Ok(Self {
            executable,
            compiled,
        })
    }
}

/// Set by tests all of whose programs are compiled function by function.
pub static LAZILY: AtomicBool = AtomicBool::new(false);

/// Compiles with this crate; a panic is an error like any other.
///
/// `SBPF_TEST_TARGET` names a machine whose code this one runs as well, to test that code;
/// `SBPF_TEST_CACHE` a directory whose code is run where it has some; with `SBPF_TEST_LAZY` functions
/// are compiled when they are called, with `SBPF_TEST_GUARDS` speculation is guarded.
pub fn compile(
    executable: &Executable<TestContext>,
    compilation: Compilation,
) -> Result<CompiledProgram<TestContext>, String> {
    let mut options = CompileOptions::default();
    if let Ok(target) = std::env::var("SBPF_TEST_TARGET") {
        options.target = Some(target.parse().expect("SBPF_TEST_TARGET is a target"));
    }
    if let Some(directory) = std::env::var_os("SBPF_TEST_CACHE") {
        options.cache = Cache::in_directory(directory);
    }
    options.memory_syscalls = memory_syscalls::known();
    let length = executable.get_text_bytes().1.len() as u64;
    options.seed = Some(compilation.seed.unwrap_or(length));
    options.guard_speculation =
        compilation.guard_speculation || std::env::var_os("SBPF_TEST_GUARDS").is_some();
    let is_lazy = LAZILY.load(Relaxed) || std::env::var_os("SBPF_TEST_LAZY").is_some();
    let compile = || match is_lazy {
        true => CompiledProgram::compile_lazily(executable, &options),
        false => CompiledProgram::compile_with(executable, &options),
    };
    match catch_unwind(AssertUnwindSafe(compile)) {
        Ok(compiled) => compiled.map_err(|error| format!("compilation failed: {error}")),
        Err(panic) => Err(format!("compilation panicked: {}", message(&*panic))),
    }
}

#[cfg(all(
    feature = "hand-written",
    target_arch = "x86_64",
    not(target_os = "windows")
))]
fn compile_by_hand_written(executable: &Executable<TestContext>) -> Result<(), String> {
    executable
        .jit_compile()
        .map_err(|error| format!("the hand-written JIT failed to compile: {error}"))
}

#[cfg(not(all(
    feature = "hand-written",
    target_arch = "x86_64",
    not(target_os = "windows")
)))]
fn compile_by_hand_written(_: &Executable<TestContext>) -> Result<(), String> {
    Err("the hand-written JIT is not in this build".to_string())
}

/// Everything that can be observed of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The result as text, or the message of a panic.
    pub result: String,
    /// r0 on success.
    pub value: Option<u64>,
    /// Whether the run panicked; then counts and pc mean nothing.
    pub panicked: bool,
    /// What `execute` returned.
    pub instruction_count: u64,
    /// `vm.registers[11]`.
    pub final_pc: u64,
    /// `vm.call_depth`.
    pub call_depth: u64,
    /// The context's meter.
    pub remaining: u64,
    /// What syscalls and the access violation handler saw.
    pub events: Vec<Event>,
    /// The regions of the mapping.
    pub regions: Vec<RegionState>,
    /// All host memory.
    pub buffers: Vec<Vec<u8>>,
}

/// Runs `prepared` on freshly reset `memory`.
pub fn run(
    prepared: &Prepared,
    engine: Engine,
    memory: &mut Memory,
    registers: &[(usize, u64)],
    budget: u64,
) -> Outcome {
    let executable = &prepared.executable;
    let execute = |vm: &mut EbpfVm<TestContext>| match engine {
        Engine::Interpreter => {
            let mut frames = vec![CallFrame::default(); executable.get_config().max_call_depth];
            vm.execute_program(executable, &mut ExecutionMode::Interpreted, &mut frames)
        }
        Engine::HandWritten => vm.execute_program(executable, &mut ExecutionMode::Jit, &mut []),
        Engine::Cranelift => {
            let compiled = prepared.compiled.as_ref();
            compiled.expect("compiled at first").execute(vm, executable)
        }
    };
    observe(executable, engine, memory, registers, budget, execute)
}

/// Lets `execute` run `executable` on freshly reset `memory`; syscalls are told it is `engine`.
pub fn observe(
    executable: &Executable<TestContext>,
    engine: Engine,
    memory: &mut Memory,
    registers: &[(usize, u64)],
    budget: u64,
    execute: impl FnOnce(&mut EbpfVm<TestContext>) -> (u64, ProgramResult),
) -> Outcome {
    memory.reset();
    let config = executable.get_config();
    let version = executable.get_sbpf_version();
    let log = Rc::new(RefCell::new(Vec::new()));
    let mapping = memory
        .map(executable.get_ro_region(), config, version, &log)
        .expect("the layout is valid");
    let mut context = TestContext {
        mapping,
        remaining: budget,
        log: log.clone(),
        buffers: memory.host_buffers(),
        first_spare: memory.first_spare(),
        engine,
    };

    let loader = executable.get_loader().clone();
    let mut vm = EbpfVm::new(loader, version, &mut context, config.stack_size());
    for (register, value) in registers {
        vm.registers[*register] = *value;
    }
    let execution = catch_unwind(AssertUnwindSafe(|| execute(&mut vm)));

    let final_pc = vm.registers[11];
    let call_depth = vm.call_depth;
    let visible = vm.registers;
    let panicked = execution.is_err();
    let (instruction_count, result, value) = match execution {
        Ok((count, ProgramResult::Ok(value))) => (count, format!("Ok({value:#x})"), Some(value)),
        Ok((count, result)) => (count, format!("{result:?}"), None),
        Err(panic) => (0, format!("panic: {}", message(&*panic)), None),
    };
    let events = log.take();
    if engine == Engine::Cranelift && config.enable_address_translation {
        assert_no_host_address(memory, registers, &visible[..11]);
    }
    Outcome {
        result,
        value,
        panicked,
        instruction_count,
        final_pc,
        call_depth,
        remaining: context.remaining,
        events,
        regions: memory.describe(&context.mapping),
        buffers: memory.snapshot(),
    }
}

/// Sees to it that no register tells where memory of the program is in the host.
fn assert_no_host_address(memory: &Memory, given: &[(usize, u64)], registers: &[u64]) {
    for (index, buffer) in memory.snapshot().iter().enumerate() {
        let start = memory.host_address(index);
        let is_within = |value: u64| value.wrapping_sub(start) < buffer.len() as u64;
        if given.iter().any(|(_, value)| is_within(*value)) {
            return;
        }
        for (register, value) in registers.iter().enumerate() {
            assert!(
                !is_within(*value),
                "r{register} is a host address: {value:#x}"
            );
        }
    }
}

/// What a panic carries that has no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload(pub u64);

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_string()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else if let Some(payload) = panic.downcast_ref::<Payload>() {
        format!("{payload:?}")
    } else {
        "(no text)".to_string()
    }
}
