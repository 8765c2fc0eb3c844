//! A workload loaded, compiled and ready to be run again and again.

use {
    super::{block::Block, context::BenchContext, engine::Engine},
    crate::workloads::{Memory, Workload},
    sbpf_cranelift::{Cache, CompileOptions, CompiledProgram},
    solana_sbpf::{
        assembler::assemble,
        ebpf,
        elf::Executable,
        memory_region::{MemoryMapping, MemoryRegion},
        program::{BuiltinFunctionDefinition, BuiltinProgram},
        verifier::RequisiteVerifier,
        vm::{CallFrame, Config, EbpfVm, ExecutionMode},
    },
    std::sync::Arc,
};

/// More instructions than any workload executes.
const BUDGET: u64 = 1 << 40;

/// One workload, its executable in every form, its memory and its VM.
pub(crate) struct Machine<'a> {
    workload: &'a Workload,
    executable: &'a Executable<BenchContext>,
    compiled: CompiledProgram<BenchContext>,
    vm: EbpfVm<'a, BenchContext>,
    /// The memory that the regions of `vm` point to.
    memory: &'a Memory,
    /// The memory of the native twin, a copy.
    native_memory: Memory,
    /// What the registers hold before a run.
    registers: [u64; 12],
    call_frames: Vec<CallFrame>,
}

/// All that can be observed of one run.
#[derive(PartialEq, Eq)]
struct Observation {
    result: u64,
    /// Instruction count and final pc; a native twin has none.
    progress: Option<(u64, u64)>,
    /// Input and heap, region by region.
    memory: Vec<Vec<u8>>,
}

impl Machine<'_> {
    /// Sets `workload` up and hands it to `body`.
    ///
    /// # Panics
    /// If the workload can't be assembled, verified or compiled.
    pub(crate) fn with<R>(workload: &Workload, body: impl FnOnce(&mut Machine<'_>) -> R) -> R {
        let executable = load(workload);
        let memory = workload.memory();
        let stack = Block::zeroed(executable.get_config().stack_size());
        let mut context = BenchContext::new(map(&executable, &stack, &memory));
        let mut vm = EbpfVm::new(
            executable.get_loader().clone(),
            workload.version,
            &mut context,
            stack.bytes().len(),
        );
        vm.registers[1] = ebpf::MM_INPUT_START;
        let mut machine = Machine {
            workload,
            executable: &executable,
            compiled: compile(workload, &executable),
            registers: vm.registers,
            vm,
            memory: &memory,
            native_memory: workload.memory(),
            call_frames: vec![CallFrame::default(); executable.get_config().max_call_depth],
        };
        machine.recompile();
        body(&mut machine)
    }

    /// Compiles the program again with every compiler.
    ///
    /// The hand-written JIT scatters random no-ops, so each of its compilations runs at a speed of
    /// its own; measurements should average over several.
    pub(crate) fn recompile(&mut self) {
        #[cfg(all(
            feature = "hand-written",
            target_arch = "x86_64",
            not(target_os = "windows")
        ))]
        if let Err(error) = self.executable.jit_compile() {
            panic!("{}: the hand-written JIT: {error}", self.workload);
        }
        self.compiled = compile(self.workload, self.executable);
    }

    /// Runs the workload once on `engine`; returns its result.
    ///
    /// # Panics
    /// If the program fails.
    #[inline]
    pub(crate) fn run(&mut self, engine: Engine) -> u64 {
        if engine == Engine::Native {
            return (self.workload.native)(&mut self.native_memory);
        }
        self.run_counted(engine).1
    }

    /// Runs the workload once on a VM; returns instruction count and result.
    #[inline]
    fn run_counted(&mut self, engine: Engine) -> (u64, u64) {
        self.vm.registers = self.registers;
        self.vm.context().remaining = BUDGET;
        let (vm, executable) = (&mut self.vm, self.executable);
        let (count, result) = match engine {
            Engine::Interpreter => vm.execute_program(
                executable,
                &mut ExecutionMode::Interpreted,
                &mut self.call_frames,
            ),
            Engine::HandWritten => vm.execute_program(executable, &mut ExecutionMode::Jit, &mut []),
            Engine::Cranelift => self.compiled.execute(vm, executable),
            Engine::Native => unreachable!("native code runs without a VM"),
        };
        match Result::from(result) {
            Ok(value) => (count, value),
            Err(error) => panic!("{} on {}: {error}", self.workload, engine.name()),
        }
    }

    /// Checks that every engine does the same as the interpreter, and the interpreter the same as
    /// the native twin; returns the number of instructions.
    ///
    /// # Panics
    /// If they don't agree, or if a second run differs from the first.
    pub(crate) fn check(&mut self) -> u64 {
        let reference = self.observe(Engine::Interpreter);
        for engine in Engine::available() {
            self.reset_memory();
            for attempt in ["a first run", "a second run on the memory of the first"] {
                let observed = self.observe(engine);
                self.compare(&reference, &observed, engine, attempt);
            }
        }
        reference.progress.map_or_else(
            || unreachable!("the interpreter counts"),
            |(count, _)| count,
        )
    }

    /// Fills all memory as it was at the start.
    fn reset_memory(&mut self) {
        self.native_memory = self.workload.memory();
        for (target, source) in self.memory.blocks().zip(self.native_memory.blocks()) {
            // SAFETY: no reference to the block lives here and no VM runs; both are equally long,
            // being made by the same function.
            unsafe { (&mut *target.host()).copy_from_slice(source.bytes()) }
        }
    }

    /// Runs once and looks at everything.
    fn observe(&mut self, engine: Engine) -> Observation {
        let (result, progress, memory) = if engine == Engine::Native {
            (self.run(engine), None, &self.native_memory)
        } else {
            let (count, result) = self.run_counted(engine);
            (result, Some((count, self.vm.registers[11])), self.memory)
        };
        Observation {
            result,
            progress,
            memory: memory
                .blocks()
                .map(|block| block.bytes().to_vec())
                .collect(),
        }
    }

    /// Compares a run on `engine` with the interpreter's.
    fn compare(&self, expected: &Observation, seen: &Observation, engine: Engine, attempt: &str) {
        let who = format!("{} on {}, {attempt}", self.workload, engine.name());
        assert_eq!(
            seen.result, expected.result,
            "{who}: the result is not the interpreter's"
        );
        if let (Some(seen), Some(expected)) = (seen.progress, expected.progress) {
            assert_eq!(
                seen, expected,
                "{who}: instruction count and final pc are not the interpreter's"
            );
        }
        for (region, (seen, expected)) in seen.memory.iter().zip(&expected.memory).enumerate() {
            let difference = seen.iter().zip(expected).position(|(a, b)| a != b);
            assert_eq!(
                difference, None,
                "{who}: memory block {region} is not the interpreter's from that offset on"
            );
        }
    }
}

/// Assembles and verifies the program of `workload`.
fn load(workload: &Workload) -> Executable<BenchContext> {
    let mut loader = BuiltinProgram::new_loader(Config {
        enabled_sbpf_versions: workload.version..=workload.version,
        ..Config::default()
    });
    if let Err(error) = Increment::register(&mut loader, Increment::NAME) {
        panic!("{workload}: registering the syscall: {error}");
    }
    let executable = assemble(&workload.assembly, Arc::new(loader))
        .unwrap_or_else(|error| panic!("{workload}: assembling: {error}"));
    if let Err(error) = executable.verify::<RequisiteVerifier>() {
        panic!("{workload}: verifying: {error}");
    }
    executable
}

/// Compiles the program of `workload` with this project's compiler.
fn compile(
    workload: &Workload,
    executable: &Executable<BenchContext>,
) -> CompiledProgram<BenchContext> {
    let mut options = CompileOptions::default();
    options.cache = Cache::none();
    CompiledProgram::compile_with(executable, &options)
        .unwrap_or_else(|error| panic!("{workload}: compiling: {error}"))
}

/// The regions of a VM: the program's constants, stack, heap and inputs.
fn map(executable: &Executable<BenchContext>, stack: &Block, memory: &Memory) -> MemoryMapping {
    let config = executable.get_config();
    let version = executable.get_sbpf_version();
    let gap = if version.stack_frame_gaps() && config.enable_stack_frame_gaps {
        config.stack_frame_size as u64
    } else {
        0
    };
    let mut regions = vec![
        executable.get_ro_region(),
        MemoryRegion::new_gapped(stack.host(), ebpf::MM_STACK_START, gap),
        MemoryRegion::new(memory.heap.host(), ebpf::MM_HEAP_START),
    ];
    let mut address = ebpf::MM_INPUT_START;
    for input in &memory.inputs {
        regions.push(MemoryRegion::new(input.host(), address));
        address += input.bytes().len() as u64;
    }
    // SAFETY: the blocks outlive the mapping, since `Machine::with` owns them and drops the context
    // first; plain integers may be overwritten with any bytes.
    let mapping = unsafe { MemoryMapping::new(regions, config, version) };
    mapping.unwrap_or_else(|error| panic!("mapping the memory: {error}"))
}

/// The trivial syscall: returns its argument plus one.
pub(crate) struct Increment;

impl Increment {
    /// What programs call it.
    pub(crate) const NAME: &str = "bench_increment";
}

impl BuiltinFunctionDefinition<BenchContext> for Increment {
    type Error = Box<dyn std::error::Error>;

    fn rust(
        _context: &mut BenchContext,
        argument: u64,
        _: u64,
        _: u64,
        _: u64,
        _: u64,
    ) -> Result<u64, Self::Error> {
        Ok(argument.wrapping_add(1))
    }
}
