//! The machine that compiled code runs on: memory, helpers and the interpreter as its host.

use {
    super::{
        error::Fault, helpers::Helpers, interpreter::Interpreter, memory::Memory, program::Program,
    },
    sbpf_runtime::{
        abi::Function,
        host::{Ended, Host},
        learnt::Slots,
        translation::Range,
    },
};

/// Regions beyond this are not translated in advance.
const MAX_LIKELY_REGIONS: usize = 16;

/// How a program has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// r0, or why it failed.
    pub result: Result<u64, Fault>,
    /// Instructions executed, the one that failed included; 0 without a meter.
    pub instructions: u64,
    /// The pc of the instruction that ended it. At the limit of instructions that is the first
    /// which was not executed.
    pub pc: usize,
}

impl Outcome {
    pub(super) fn new(
        program: &Program,
        result: Result<u64, Fault>,
        pc: u32,
        start: i64,
        left: i64,
    ) -> Self {
        Self {
            result,
            instructions: match program.inner.options.meter {
                true => start.wrapping_sub(left) as u64,
                false => 0,
            },
            pc: pc as usize,
        }
    }
}

/// A machine while compiled code runs on it.
pub(super) struct Machine<'a, 'm, 'h> {
    pub(super) program: &'a Program,
    pub(super) memory: &'a Memory<'m>,
    pub(super) helpers: &'a mut Helpers<'h>,
    /// r0 to r5 for a helper.
    arguments: [u64; 6],
    /// Those of the program's helpers that are plain functions.
    functions: Vec<Option<Function>>,
    /// What has ended the program: a fault, its pc, and the meter left.
    pub(super) ended: Option<(Fault, u32, i64)>,
    /// Whether the regions have been translated in advance; they stay where they are.
    is_known: bool,
}

impl<'a, 'm, 'h> Machine<'a, 'm, 'h> {
    pub(super) fn new(
        program: &'a Program,
        memory: &'a Memory<'m>,
        helpers: &'a mut Helpers<'h>,
    ) -> Self {
        let numbers = program.inner.helpers.iter();
        Self {
            functions: numbers.map(|number| helpers.function(*number)).collect(),
            program,
            memory,
            helpers,
            arguments: [0; 6],
            ended: None,
            is_known: false,
        }
    }
}

impl Host for Machine<'_, '_, '_> {
    fn range(&mut self, address: u64, store: bool) -> Option<Range> {
        self.memory.range(address, store)
    }

    fn likely_ranges(&mut self, needed: Slots, visit: impl FnMut(Range)) {
        if std::mem::replace(&mut self.is_known, true) {
            return;
        }
        self.memory
            .ranges()
            .take(MAX_LIKELY_REGIONS)
            .filter(|range| needed.has(range.start))
            .for_each(visit);
    }

    fn step(
        &mut self,
        pc: u32,
        count: u32,
        meter: i64,
        registers: &mut [u64; 11],
    ) -> Result<(), Ended> {
        let mut interpreter =
            Interpreter::new(self.program, self.memory, self.helpers, *registers, meter);
        interpreter.pc = pc;
        for _ in 0..count {
            if let Err(fault) = interpreter.step() {
                self.ended = Some((fault, interpreter.pc, interpreter.meter));
                return Err(Ended);
            }
        }
        *registers = interpreter.registers;
        Ok(())
    }

    fn arguments(&mut self) -> *mut u64 {
        self.arguments.as_mut_ptr()
    }

    fn plain_functions(&self) -> &[Option<Function>] {
        &self.functions
    }

    fn syscall(&mut self, index: u32, pc: u32, _: u64, meter: i64) -> Result<(i64, u64), Ended> {
        // Not copied: that would wait for the words that compiled code has just stored.
        let [_, arguments @ ..] = &self.arguments;
        let number = self.program.inner.helpers[index as usize];
        match self.helpers.call(number, arguments, self.memory, meter) {
            Ok((result, meter)) => Ok((meter, result)),
            Err(fault) => {
                self.ended = Some((fault, pc, meter));
                Err(Ended)
            }
        }
    }

    // Helpers change what is in regions, never where they are.
    fn watch_regions(&mut self) {}

    fn regions_changed(&mut self) -> bool {
        false
    }

    fn stack_is_intact(&mut self) -> bool {
        true
    }
}
