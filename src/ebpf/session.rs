//! Executions of a compiled program on the same memory.

use {
    super::{
        compiled::CompiledProgram,
        error::Fault,
        helpers::Helpers,
        interpreter::{Frame, Interpreter},
        machine::{Machine, Outcome},
        memory::Memory,
        options::FRAME_SIZE,
    },
    crate::native_stack,
    sbpf_runtime::{
        abi::Exception,
        run::{Entry, Exit, Frames, Run},
    },
    std::{cell::Cell, fmt, ops::Range},
};

/// A compiled program with memory and helpers, to be run again and again.
pub struct Session<'s, 'm, 'h> {
    run: Run<'s, Machine<'s, 'm, 'h>>,
    registers: [u64; 11],
    /// The greatest meter that an execution may start with, 0 without a meter.
    greatest_limit: u64,
    /// The program's stack.
    stack: &'s [Cell<u8>],
    /// Native stack that compiled code may take.
    native_stack: usize,
    /// Where on the native stack there is that much below.
    ample: Range<usize>,
}

impl<'s, 'm, 'h> Session<'s, 'm, 'h> {
    pub(super) fn new(
        compiled: &'s CompiledProgram,
        memory: &'s mut Memory<'m>,
        helpers: &'s mut Helpers<'h>,
    ) -> Self {
        let program = compiled.program();
        let host = memory.make_stack(program.stack_length());
        let call_depth = program.inner.options.call_depth;
        let registers = program.entry_registers(memory);
        let entry = Entry {
            registers,
            meter: 0,
            frames: Frames::Fixed {
                host,
                size: u64::from(FRAME_SIZE),
                stride: 1,
            },
            max_call_depth: u64::from(call_depth),
        };
        let memory: &'s Memory<'m> = memory;
        let machine = Machine::new(program, memory, helpers);
        let run = Run::new(compiled.image(), None, machine, &entry);
        let frame = compiled.statistics().largest_frame;
        Self {
            run,
            registers,
            greatest_limit: program.meter(u64::MAX) as u64,
            stack: memory.stack_cells(),
            // One more, for the function that finds out that it is too deep.
            native_stack: frame.saturating_mul(call_depth as usize + 1),
            ample: 0..0,
        }
    }

    /// Runs the program from its start, with what earlier runs have left in memory, but for the
    /// stack. At most `limit` instructions are executed, if the program's
    /// [`meter`](super::Options::meter) is on.
    ///
    /// # Panics
    /// If a helper panics.
    #[inline]
    pub fn run(&mut self, limit: u64) -> Outcome {
        let here = stack_pointer();
        match self.ample.contains(&here) {
            true => self.run_here(limit),
            false => self.run_elsewhere(here, limit),
        }
    }

    /// The program's memory.
    pub fn memory(&self) -> &Memory<'m> {
        self.run.host.memory
    }

    /// Finds out about a part of the native stack, up to `here`, where the program was not run before.
    #[cold]
    fn run_elsewhere(&mut self, here: usize, limit: u64) -> Outcome {
        let needed = native_stack::needed(self.native_stack);
        let spare = stacker::remaining_stack().and_then(|left| left.checked_sub(needed));
        if let Some(spare) = spare {
            self.ample = stack_pointer().saturating_sub(spare)..here + 1;
            return self.run_here(limit);
        }
        // Where the system has no memory for a native stack, the interpreter does without.
        native_stack::on_new(self.native_stack, || self.run_here(limit)).unwrap_or_else(|| {
            let Machine {
                program,
                memory,
                helpers,
                ..
            } = &mut self.run.host;
            program.interpret_from_start(memory, helpers, limit)
        })
    }

    // Inlined into the caller, where the outcome need not go through memory.
    #[inline]
    fn run_here(&mut self, limit: u64) -> Outcome {
        let run = &mut self.run;
        let start = limit.min(self.greatest_limit) as i64;
        self.stack.iter().for_each(|byte| byte.set(0));
        run.restart(&self.registers, start);
        // SAFETY: the image is what the lowering has made of the program, as a whole. The frames are a
        // stack of as many as there may be, which stays where it is as long as the memory is borrowed,
        // or nothing accesses frames. `Machine` has an entry for each helper that is called.
        let exit = unsafe { run.enter() };
        match exit {
            // Without a meter both are 0.
            Exit::Finished { pc } => Outcome {
                result: Ok(run.context.registers[0]),
                instructions: start.wrapping_sub(run.context.meter) as u64,
                pc: pc as usize,
            },
            _ => self.end(exit, start),
        }
    }

    /// The outcome of a run that did not finish in compiled code.
    #[inline(never)]
    fn end(&mut self, exit: Exit, start: i64) -> Outcome {
        let run = &mut self.run;
        let program = run.host.program;
        let left = run.context.meter;
        let outcome = |result, pc, left| Outcome::new(program, result, pc, start, left);
        match exit {
            Exit::Finished { pc } => outcome(Ok(run.context.registers[0]), pc, left),
            Exit::Raised(Exception::Bailout, pc) => {
                run.hand_over(&self.registers);
                let mut frames: Vec<Frame> = run.frames.iter().map(frame).collect();
                frames.reverse();
                let registers = run.context.registers;
                let Machine {
                    memory, helpers, ..
                } = &mut run.host;
                let mut interpreter = Interpreter::new(program, memory, helpers, registers, left);
                interpreter.pc = pc;
                interpreter.frames = frames;
                let result = interpreter.run();
                outcome(result, interpreter.pc, interpreter.meter)
            }
            Exit::Raised(exception, pc) => outcome(Err(fault(exception)), pc, left),
            Exit::Ended => match run.host.ended.take() {
                Some((fault, pc, left)) => outcome(Err(fault), pc, left),
                None => unreachable!("`Machine` says why it has ended a program"),
            },
        }
    }
}

impl fmt::Debug for Session<'_, '_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// An address in the frame of the function that asks for it.
#[inline(always)]
fn stack_pointer() -> usize {
    let here = 0u8;
    (&raw const here).addr()
}

/// A frame as the interpreter keeps it.
fn frame(unwound: &sbpf_runtime::run::Frame) -> Frame {
    let [saved @ .., _] = unwound.saved;
    Frame {
        return_pc: unwound.return_pc,
        saved,
    }
}

fn fault(exception: Exception) -> Fault {
    match exception {
        Exception::CallDepthExceeded | Exception::EnteredTooDeep => Fault::CallDepth,
        _ => Fault::Unverified,
    }
}
