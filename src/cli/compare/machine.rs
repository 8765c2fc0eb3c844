//! A subject compiled and ready to be run again and again.

use {
    super::{
        block::Block,
        competitor::Competitor,
        compilers::{self, Compilation},
        memory::{Changes, Memory},
        subject::{Native, Subject},
    },
    crate::cli::{
        context::Context,
        differences::differences,
        engine::{self, Ending, Engine, Outcome, Prepared, Refusal},
        failure::Failure,
    },
    sha2::{Digest as _, Sha256},
    solana_sbpf::{
        ebpf,
        elf::Executable,
        error::ProgramResult,
        memory_region::{MemoryMapping, MemoryRegion},
        vm::{CallFrame, ContextObject as _, EbpfVm},
    },
    std::{hint::black_box, sync::Arc, time::Duration},
};

/// One subject, its program in every form, its memory and its VM.
pub(crate) struct Machine<'a> {
    subject: &'a Subject,
    executable: &'a Executable<Context>,
    cranelift: Prepared,
    vm: EbpfVm<'a, Context>,
    /// The memory that the regions of `vm` point to.
    memory: &'a Memory,
    /// The memory of the native twin, a copy.
    native_memory: Memory,
    /// What the registers hold before a run.
    registers: [u64; 12],
    call_frames: Vec<CallFrame>,
    /// What a run changes, if the next one has to find it as it was.
    changes: Option<Changes>,
}

/// What every engine agrees on.
pub(crate) struct Agreement {
    /// sBPF instructions that a run executes.
    pub(crate) instructions: u64,
    /// How a run ends.
    pub(crate) ending: Ending,
}

impl Machine<'_> {
    /// Sets `subject` up and hands it to `body`.
    ///
    /// # Errors
    /// When the memory can't be mapped or the program can't be compiled, and those of `body`.
    pub(crate) fn with<R>(
        subject: &Subject,
        body: impl FnOnce(&mut Machine<'_>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let executable = &subject.program.executable;
        let memory = subject.memory();
        let mapping = map(executable, &memory)
            .map_err(|error| failure(subject, format!("the memory can't be mapped: {error}")))?;
        let mut context = Context::new(
            mapping,
            Arc::clone(&subject.environment),
            subject.budget,
            subject.heap as u64,
        );
        let mut vm = EbpfVm::new(
            Arc::clone(executable.get_loader()),
            executable.get_sbpf_version(),
            &mut context,
            memory.stack.bytes().len(),
        );
        vm.registers[1] = ebpf::MM_INPUT_START;
        if let Some(offset) = subject.instruction_data {
            vm.registers[2] = ebpf::MM_INPUT_START.saturating_add(offset as u64);
        }
        let mut machine = Machine {
            subject,
            executable,
            cranelift: Prepared::Interpreter,
            registers: vm.registers,
            vm,
            memory: &memory,
            native_memory: subject.memory(),
            call_frames: engine::call_frames(executable),
            changes: None,
        };
        machine.recompile()?;
        body(&mut machine)
    }

    /// The competitors of this build that can do this work, the oracle first.
    pub(crate) fn competitors(&self) -> impl Iterator<Item = Competitor> + use<> {
        let has_native = self.subject.native.is_some();
        Competitor::available()
            .filter(move |competitor| has_native || *competitor != Competitor::Native)
    }

    /// Compiles the program again with every compiler, and returns what each took.
    ///
    /// The hand-written JIT scatters random no-ops, so each of its compilations runs at a speed of
    /// its own; measurements should average over several.
    ///
    /// # Errors
    /// When a compiler fails.
    pub(crate) fn recompile(&mut self) -> Result<Vec<(Competitor, Compilation)>, Failure> {
        let mut compilations = Vec::new();
        for competitor in [Competitor::HandWritten, Competitor::Cranelift] {
            let Some(engine) = competitor.engine() else {
                continue;
            };
            match compilers::compile(engine, self.executable) {
                Ok(mut compilation) => {
                    if engine == Engine::Cranelift {
                        std::mem::swap(&mut self.cranelift, &mut compilation.prepared);
                    }
                    compilations.push((competitor, compilation));
                }
                Err(Refusal::Absent(_)) => {}
                Err(Refusal::Failed(what)) => return Err(failure(self.subject, what)),
            }
        }
        Ok(compilations)
    }

    /// Whether a run has to find the memory as it was before the last one.
    pub(crate) fn needs_reset(&self) -> bool {
        self.changes.is_some()
    }

    /// Puts back what the last run changed, if this subject needs that.
    #[inline]
    pub(crate) fn reset(&mut self) {
        if let Some(changes) = &self.changes {
            changes.undo(self.memory);
        }
    }

    /// Runs the subject once, and leaves nothing of it but its memory.
    #[inline]
    pub(crate) fn run(&mut self, competitor: Competitor) {
        match competitor.engine() {
            Some(engine) => {
                black_box(self.enter(engine));
            }
            None => {
                if let Some(native) = self.subject.native {
                    black_box(native(&mut self.native_memory));
                }
            }
        }
    }

    /// Runs the subject once; returns the number of syscalls and how long they took.
    pub(crate) fn time_syscalls(&mut self) -> (u32, Duration) {
        self.vm.context().stopwatch = Some((0, Duration::ZERO));
        // Compiled code does without some.
        self.run(Competitor::Interpreter);
        self.vm.context().stopwatch.take().unwrap_or_default()
    }

    /// Runs the subject once on a VM; returns the compute units and the result.
    #[inline]
    fn enter(&mut self, engine: Engine) -> (u64, ProgramResult) {
        self.vm.registers = self.registers;
        self.vm.call_depth = 0;
        self.vm.context().reset(self.subject.budget);
        let prepared = match engine {
            Engine::Interpreter => &Prepared::Interpreter,
            Engine::HandWritten => &Prepared::HandWritten,
            Engine::Cranelift => &self.cranelift,
        };
        engine::enter(
            prepared,
            &mut self.vm,
            self.executable,
            &mut self.call_frames,
        )
    }

    /// Checks that every engine does the same as the interpreter, on fresh memory and on what the
    /// first run left of it, and that the native twin returns the same and leaves the same input
    /// and heap. Leaves the memory as it was at the start.
    ///
    /// # Errors
    /// When they don't agree; says on what.
    pub(crate) fn check(&mut self) -> Result<Agreement, Failure> {
        let original = self.subject.memory();
        let first = self.observe(Engine::Interpreter);
        let instructions = first.units.saturating_sub(self.vm.context().charged);
        let changes = Changes::between(&original, self.memory);
        let second = self.observe(Engine::Interpreter);
        let repeats = differences(&first, &second).is_empty();
        for competitor in self.competitors().skip(1) {
            Changes::between(&original, self.memory).undo(self.memory);
            for (expected, attempt) in [
                (&first, "a first run"),
                (&second, "a second run on the memory of the first"),
            ] {
                let found = match (competitor.engine(), self.subject.native) {
                    (Some(engine), _) => self.observe(engine),
                    (None, Some(native)) => self.observe_native(native, expected),
                    (None, None) => continue,
                };
                if let Some(difference) = differences(expected, &found).first() {
                    let what = format!(
                        "{} differs from the interpreter in {attempt}: {} is {}, not {}",
                        competitor.name(),
                        difference.what,
                        difference.found,
                        difference.expected,
                    );
                    return Err(failure(self.subject, what));
                }
            }
        }
        Changes::between(&original, self.memory).undo(self.memory);
        self.changes = (!repeats).then_some(changes);
        Ok(Agreement {
            instructions: instructions.max(1),
            ending: first.ending,
        })
    }

    /// Runs once on a VM and looks at everything.
    fn observe(&mut self, engine: Engine) -> Outcome {
        let (units, result) = self.enter(engine);
        let pc = self.vm.registers[ebpf::FRAME_PTR_REG + 1];
        let context = self.vm.context();
        Outcome {
            ending: engine::ending(result),
            units,
            remaining: context.get_remaining(),
            pc,
            log: context.log.clone(),
            return_data: context.return_data.clone(),
            input: self.memory.input_bytes(),
            stack_digest: digest(&self.memory.stack),
            heap_digest: digest(&self.memory.heap),
            run_time: Duration::ZERO,
        }
    }

    /// Runs the native twin; in what it does not have, it agrees with `expected`.
    fn observe_native(&mut self, native: Native, expected: &Outcome) -> Outcome {
        let result = native(&mut self.native_memory);
        Outcome {
            ending: Ending::Returned(result),
            input: self.native_memory.input_bytes(),
            heap_digest: digest(&self.native_memory.heap),
            ..expected.clone()
        }
    }
}

/// A failure of `subject`.
fn failure(subject: &Subject, what: String) -> Failure {
    Failure::at(subject.name.clone(), what)
}

/// SHA-256 of a block.
fn digest(block: &Block) -> [u8; 32] {
    Sha256::digest(block.bytes()).into()
}

/// The regions of a VM: the program's constants, stack, heap and inputs.
fn map(
    executable: &Executable<Context>,
    memory: &Memory,
) -> Result<MemoryMapping, solana_sbpf::error::EbpfError> {
    let config = executable.get_config();
    let version = executable.get_sbpf_version();
    let gaps = version.stack_frame_gaps() && config.enable_stack_frame_gaps;
    let gap = if gaps { config.stack_frame_size } else { 0 };
    let mut regions = vec![
        executable.get_ro_region(),
        MemoryRegion::new_gapped(memory.stack.host(), ebpf::MM_STACK_START, gap as u64),
        MemoryRegion::new(memory.heap.host(), ebpf::MM_HEAP_START),
    ];
    let mut address = ebpf::MM_INPUT_START;
    for input in &memory.inputs {
        regions.push(MemoryRegion::new(input.host(), address));
        address += input.bytes().len() as u64;
    }
    // SAFETY: the blocks outlive the mapping, since `Machine::with` owns them and drops the context
    // first; plain integers may be overwritten with any bytes.
    unsafe { MemoryMapping::new(regions, config, version) }
}
