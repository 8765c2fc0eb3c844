//! A compiled program, and its execution.

use {
    super::{
        error::Fault,
        helpers::Helpers,
        interpreter::{Frame, Interpreter},
        machine::{Machine, Outcome},
        memory::Memory,
        options::FRAME_SIZE,
        program::Program,
    },
    crate::{
        CompileError, CompileStatistics,
        generated::{self, GeneratedCode},
        isa,
    },
    sbpf_lowering::function::Sites,
    sbpf_runtime::{
        abi::Exception,
        code::CodeMemory,
        run::{Entry, Exit, Frames, Image, Run},
    },
};

/// Native stack that helpers and the slow paths may use beyond what compiled code does.
const CALLBACK_STACK: usize = 256 << 10;

/// A program compiled to native code, ready to be run by any number of threads at once.
#[derive(Debug)]
pub struct CompiledProgram {
    program: Program,
    code: CodeMemory,
    entries: Vec<u32>,
    sites: Sites,
    statistics: CompileStatistics,
}

impl CompiledProgram {
    pub(super) fn new(program: &Program) -> Result<Self, CompileError> {
        let options = &program.inner.options.compile;
        let isa = isa::of(options)?;
        isa::assert_runs_here(&*isa)?;
        let GeneratedCode {
            code,
            entries,
            sites,
            statistics,
        } = generated::generate(&program.lowering(), options, &*isa)?;
        Ok(Self {
            program: program.clone(),
            code: CodeMemory::seal(&code)?,
            entries,
            sites,
            statistics,
        })
    }

    /// Runs the program. At most `limit` instructions are executed, if the program's
    /// [`meter`](super::Options::meter) is on.
    ///
    /// # Panics
    /// If a helper panics.
    pub fn run(&self, memory: &mut Memory<'_>, helpers: &mut Helpers<'_>, limit: u64) -> Outcome {
        let depth = self.program.inner.options.call_depth as usize;
        let red_zone = self.statistics.largest_frame.saturating_mul(depth) + CALLBACK_STACK;
        stacker::maybe_grow(red_zone, red_zone + CALLBACK_STACK, || {
            self.run_here(memory, helpers, limit)
        })
    }

    /// The program it was compiled from.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Sizes of the code and of what it was made from.
    pub fn statistics(&self) -> CompileStatistics {
        self.statistics
    }

    /// The machine code.
    pub fn machine_code(&self) -> &[u8] {
        self.code.bytes()
    }

    fn run_here(&self, memory: &mut Memory<'_>, helpers: &mut Helpers<'_>, limit: u64) -> Outcome {
        let program = &self.program;
        let start = program.meter(limit);
        let host = memory.clear_stack(program.stack_length());
        let entry = Entry {
            registers: program.entry_registers(memory),
            meter: start,
            frames: Frames::Fixed {
                host,
                size: u64::from(FRAME_SIZE),
                stride: 1,
            },
            max_call_depth: u64::from(program.inner.options.call_depth),
        };
        let image = Image {
            code: &self.code,
            entries: &self.entries,
            accesses: &self.sites.accesses,
            calls: &self.sites.calls,
        };
        let machine = Machine {
            program,
            memory,
            helpers,
            arguments: [0; 6],
            ended: None,
        };
        let mut run = Run::new(image, machine, &entry);
        // SAFETY: the image is what the lowering has made of the program, as a whole, and `host` is
        // a stack of as many frames as there may be.
        let exit = unsafe { run.enter() };
        let left = run.context.meter;
        let outcome = |result, pc, left| Outcome::new(program, result, pc, start, left);
        match exit {
            Exit::Finished { pc } => outcome(Ok(run.context.registers[0]), pc, left),
            Exit::Raised(Exception::Bailout, pc) => {
                run.restore_frame_pointer();
                let mut frames: Vec<Frame> = run.frames.iter().map(frame).collect();
                frames.reverse();
                let Machine {
                    memory, helpers, ..
                } = run.host;
                let mut interpreter =
                    Interpreter::new(program, memory, helpers, run.context.registers, left);
                interpreter.pc = pc;
                interpreter.frames = frames;
                let result = interpreter.run();
                outcome(result, interpreter.pc, interpreter.meter)
            }
            Exit::Raised(exception, pc) => outcome(Err(fault(exception)), pc, left),
            Exit::Ended => match run.host.ended {
                Some((fault, pc, left)) => outcome(Err(fault), pc, left),
                None => unreachable!("`Machine` says why it has ended a program"),
            },
        }
    }
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
        Exception::CallDepthExceeded => Fault::CallDepth,
        _ => Fault::Unverified,
    }
}
