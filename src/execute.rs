//! Execution on an `EbpfVm`, in place of its `execute_program`.
//!
//! Prologue and epilogue are those of `EbpfVm::execute_program`. Where compiled code can't go, the
//! public `Interpreter` does.

use {
    crate::{
        CompiledProgram, compat,
        embedder::{Embedder, EntryMemory},
        native_stack,
        program::Identity,
    },
    sbpf_runtime::{
        abi::Exception,
        run::{Entry, Exit, Run},
    },
    solana_sbpf::{
        elf::Executable,
        error::{EbpfError, ProgramResult},
        vm::{CallFrame, Config, ContextObject, EbpfVm, ExecutionMode},
    },
};

/// A program that could need more native stack than this is interpreted, unless its thread has as much.
const MAX_NATIVE_STACK: usize = 1 << 30;

impl<C: ContextObject> CompiledProgram<C> {
    /// Runs the program on `vm`, in place of `vm.execute_program(executable, …)`.
    ///
    /// Returns the instruction count and the result, exactly as the interpreter would; the final
    /// pc is in `vm.registers[11]`. `executable` must be the one this was compiled from; with
    /// another one the interpreter runs, as it does where compiled code's assumptions about the
    /// stack region do not hold, and where the system has no memory for the native stack.
    ///
    /// The mapping that is active has to be the one that was when `vm` was made, as in all hosts: the interpreter
    /// keeps that one. A syscall with an adapter of its own must leave `vm.call_depth` alone, and without a meter it
    /// finds no count in `vm.due_insn_count`.
    ///
    /// # Panics
    /// If a syscall panics, as the interpreter does.
    pub fn execute(&self, vm: &mut EbpfVm<C>, executable: &Executable<C>) -> (u64, ProgramResult) {
        self.execute_native(vm, executable)
            .unwrap_or_else(|| interpret(vm, executable))
    }

    /// Whether all runs of `executable` are interpreted because their registers are traced, so
    /// that there is no point in compiling it.
    pub fn is_traced(executable: &Executable<C>) -> bool {
        compat::is_traced(executable.get_config())
    }

    /// Runs the program on `vm` as [`Self::execute`] does, but leaves to the caller what must be
    /// interpreted from the start: then this is `None`, and nothing has happened to `vm`.
    ///
    /// # Panics
    /// If a syscall panics, as the interpreter does.
    pub fn execute_native(
        &self,
        vm: &mut EbpfVm<C>,
        executable: &Executable<C>,
    ) -> Option<(u64, ProgramResult)> {
        let config = executable.get_config();
        if compat::is_traced(config)
            || vm.call_depth != 0
            || Identity::of(executable) != self.identity
        {
            return None;
        }
        let memory = EntryMemory::of(vm, config, self.code.frames)?;
        let initial = match native_stack::is_left(self.native_stack) {
            true => self.run(vm, executable, config, memory),
            false => self.run_elsewhere(vm, executable, config, memory)?,
        };

        let count = if config.enable_instruction_meter {
            let due = vm.due_insn_count;
            vm.context().consume(due);
            initial.saturating_sub(vm.context().get_remaining())
        } else {
            0
        };
        // The usual result is short; only others take all the words that there are.
        let result = match vm.program_result {
            ProgramResult::Ok(result) => {
                vm.program_result = ProgramResult::Ok(0);
                ProgramResult::Ok(result)
            }
            ProgramResult::Err(_) => {
                std::mem::replace(&mut vm.program_result, ProgramResult::Ok(0))
            }
        };
        Some((count, result))
    }

    /// [`Self::run`] on a native stack that is large enough, if it may be that large.
    #[cold]
    #[inline(never)]
    fn run_elsewhere(
        &self,
        vm: &mut EbpfVm<C>,
        executable: &Executable<C>,
        config: &Config,
        memory: EntryMemory,
    ) -> Option<u64> {
        if self.native_stack > MAX_NATIVE_STACK {
            return None;
        }
        native_stack::on_new(self.native_stack, || {
            self.run(vm, executable, config, memory)
        })
    }

    /// Leaves the result in `vm`; returns the instructions that were left before.
    #[inline(always)]
    fn run(
        &self,
        vm: &mut EbpfVm<C>,
        executable: &Executable<C>,
        config: &Config,
        memory: EntryMemory,
    ) -> u64 {
        let embedder = Embedder::begin(vm, executable, config, self, memory);
        let initial = embedder.initial();
        let entry = Entry {
            registers: embedder.entry_registers(),
            meter: embedder.meter(),
            frames: memory.frames(),
            // Where no depth is allowed the first call fails all the same.
            max_call_depth: config.max_call_depth.max(1) as u64,
        };
        let mut run = Run::new(&self.code.image, self.code.growing(), embedder, &entry);
        run.settle();
        // SAFETY: the image is a compiled program's, made by the lowering as a whole, and
        // `frames` describes the stack region as the mapping has it.
        let exit = unsafe { run.enter() };
        let meter = run.context.meter;
        match exit {
            Exit::Finished { pc } => run.host.finish(pc, meter, run.context.registers[0]),
            Exit::Raised(Exception::Bailout, pc) => {
                run.hand_over(&entry.registers);
                let call_frames = call_frames(&run);
                let registers = run.context.registers;
                run.host.interpret(pc, meter, &registers, call_frames);
            }
            Exit::Raised(exception, pc) => {
                // These come after the interpreter has pushed the frame.
                let is_pushed = matches!(
                    exception,
                    Exception::CallDepthExceeded | Exception::CallOutsideTextSegment
                );
                let depth = run.depth(run.context.frame) + u64::from(is_pushed);
                run.host.set_call_depth(depth);
                run.host.fail(pc, meter, error(exception));
            }
            Exit::Ended => {
                let depth = run.depth(run.context.frame);
                run.host.set_call_depth(depth);
            }
        }
        initial
    }
}

/// The call stack of the interpreter, innermost frame last.
fn call_frames<C: ContextObject>(run: &Run<'_, Embedder<'_, '_, C>>) -> Vec<CallFrame> {
    let depth = run.depth(run.context.frame);
    debug_assert_eq!(depth, run.frames.len() as u64, "every frame was unwound");
    let step = run.frame_size();
    let mut frame = run.context.frame;
    let mut call_frames: Vec<CallFrame> = run
        .frames
        .iter()
        .map(|unwound| {
            frame = frame.wrapping_sub(step);
            let [r6, r7, r8, r9, manual] = unwound.saved;
            CallFrame {
                caller_saved_registers: [r6, r7, r8, r9],
                frame_pointer: run.frame_pointer(frame, manual),
                target_pc: u64::from(unwound.return_pc),
            }
        })
        .collect();
    call_frames.reverse();
    call_frames
}

fn error(exception: Exception) -> EbpfError {
    match exception {
        Exception::DivideByZero => EbpfError::DivideByZero,
        Exception::DivideOverflow => EbpfError::DivideOverflow,
        Exception::CallDepthExceeded | Exception::EnteredTooDeep => EbpfError::CallDepthExceeded,
        Exception::CallOutsideTextSegment => EbpfError::CallOutsideTextSegment,
        Exception::ExecutionOverrun => EbpfError::ExecutionOverrun,
        Exception::InvalidInstruction => EbpfError::InvalidInstruction,
        Exception::UnsupportedInstruction | Exception::Bailout | Exception::BailoutAtEntry => {
            EbpfError::UnsupportedInstruction
        }
    }
}

/// Runs the program on the interpreter instead.
fn interpret<C: ContextObject>(
    vm: &mut EbpfVm<C>,
    executable: &Executable<C>,
) -> (u64, ProgramResult) {
    let mut call_frames = vec![CallFrame::default(); executable.get_config().max_call_depth];
    vm.execute_program(
        executable,
        &mut ExecutionMode::Interpreted,
        &mut call_frames,
    )
}
