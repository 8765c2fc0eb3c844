//! A test case: program, configuration, memory, registers, budgets.

use {
    super::{
        engine::{self, Compilation, Engine, HAND_WRITTEN, Outcome, Prepared},
        layout::{Layout, RegionSpec, pattern},
        memory::Memory,
        program::Program,
        report,
        text::Text,
    },
    solana_sbpf::{ebpf, program::SBPFVersion, vm::Config},
    std::{collections::BTreeSet, fmt},
};

/// The initial value of a register.
#[derive(Debug, Clone, Copy)]
pub enum Register {
    /// A plain value.
    Value(u64),
    /// The host address of a byte in a buffer of the layout.
    HostAddress {
        /// Index of the buffer.
        buffer: usize,
        /// Offset of the byte.
        offset: u64,
    },
}

/// A program with all its circumstances. Build one, then [`check`](Self::check) it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The program.
    pub program: Program,
    /// Its version, for what depends on it.
    pub version: SBPFVersion,
    /// The configuration.
    pub config: Config,
    /// Memory; the standard layout when `None`.
    pub layout: Option<Layout>,
    /// The input region of the standard layout.
    pub input: Vec<u8>,
    /// Registers that don't start as [`EbpfVm::new`](solana_sbpf::vm::EbpfVm::new) leaves them.
    pub registers: Vec<(usize, Register)>,
    /// The generous budget.
    pub budget: u64,
    /// Names of further syscalls to register (stand-ins).
    pub extra_syscalls: Vec<String>,
    /// Whether the verifier must accept the program.
    pub verify: bool,
    /// Why the hand-written JIT is left out, if it is.
    pub without_hand_written: Option<&'static str>,
    /// Programs that need at most this many instructions run at every budget.
    pub sweep_limit: u64,
    /// Whether the oracle is expected to panic.
    pub panics: bool,
    /// Whether all runs share one allocation, so that host addresses are equal.
    pub shared_memory: bool,
    /// What this crate chooses when it compiles.
    pub compilation: Compilation,
}

impl Case {
    fn new(version: SBPFVersion, program: Program) -> Self {
        Self {
            program,
            version,
            config: Config {
                max_call_depth: 10,
                optimize_rodata: false,
                enabled_sbpf_versions: SBPFVersion::V0..=version,
                ..Config::default()
            },
            layout: None,
            input: pattern(3, 256),
            registers: vec![(1, Register::Value(ebpf::MM_INPUT_START))],
            budget: 100_000,
            extra_syscalls: Vec::new(),
            verify: true,
            without_hand_written: None,
            sweep_limit: 200,
            panics: false,
            shared_memory: false,
            compilation: Compilation::default(),
        }
    }

    /// A case from assembly text.
    pub fn assembly(version: SBPFVersion, text: impl Into<String>) -> Self {
        Self::new(version, Program::Assembly(text.into()))
    }

    /// A case from raw instructions, with functions at `functions` under their pc as the key.
    pub fn text(text: &Text, functions: &[usize]) -> Self {
        let functions = functions
            .iter()
            .map(|pc| (*pc as u32, format!("function_{pc}"), *pc))
            .collect();
        Self::raw(text.version, text.bytes.clone(), functions)
    }

    /// A case from raw instructions and functions (key, name, pc).
    pub fn raw(version: SBPFVersion, text: Vec<u8>, functions: Vec<(u32, String, usize)>) -> Self {
        Self::new(
            version,
            Program::Raw {
                version,
                text,
                functions,
            },
        )
    }

    /// A case from an ELF file.
    pub fn elf(version: SBPFVersion, bytes: Vec<u8>) -> Self {
        Self::new(version, Program::Elf(bytes))
    }

    /// Changes the configuration. Comes before anything that looks at the layout.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Sets the contents of the input region.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        if let Some(layout) = self.layout.take() {
            let input = RegionSpec::writable(ebpf::MM_INPUT_START, self.input.clone());
            self.layout = Some(layout.replacing(input));
        }
        self
    }

    /// Changes the memory layout, starting with the standard one.
    pub fn memory(mut self, change: impl FnOnce(Layout) -> Layout) -> Self {
        let layout = self.current_layout();
        self.layout = Some(change(layout));
        self
    }

    /// Sets an initial register.
    pub fn register(mut self, register: usize, value: u64) -> Self {
        self.registers.push((register, Register::Value(value)));
        self
    }

    /// Sets an initial register to a host address; all runs then share one allocation.
    pub fn host_address(mut self, register: usize, buffer: usize, offset: u64) -> Self {
        self.registers
            .push((register, Register::HostAddress { buffer, offset }));
        self.shared_memory = true;
        self
    }

    /// Sets the generous budget.
    pub fn budget(self, budget: u64) -> Self {
        Self { budget, ..self }
    }

    /// Registers stand-ins for further syscalls.
    pub fn host_syscalls(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.extra_syscalls.extend(names);
        self
    }

    /// Runs the program without verifying it.
    pub fn unverified(self) -> Self {
        Self {
            verify: false,
            ..self
        }
    }

    /// Compares with the interpreter only, because of `reason`.
    pub fn interpreter_only(self, reason: &'static str) -> Self {
        Self {
            without_hand_written: Some(reason),
            ..self
        }
    }

    /// Runs at every budget when at most `limit` instructions are needed; a limit of 0 leaves only
    /// the exact budget and its neighbours.
    pub fn sweep_up_to(self, limit: u64) -> Self {
        Self {
            sweep_limit: limit,
            ..self
        }
    }

    /// The oracle panics, and so must this crate; the hand-written JIT can't be unwound.
    pub fn panics(self) -> Self {
        Self {
            panics: true,
            ..self
        }
        .interpreter_only("a panic can't unwind through its frames")
    }

    fn current_layout(&self) -> Layout {
        match &self.layout {
            Some(layout) => layout.clone(),
            None => Layout::standard(&self.config, self.version, &self.input),
        }
    }

    /// The engines to compare with the oracle.
    fn engines(&self) -> Vec<Engine> {
        let mut engines = vec![Engine::Cranelift];
        if HAND_WRITTEN && self.without_hand_written.is_none() {
            engines.push(Engine::HandWritten);
        }
        engines
    }

    /// The budgets to run at, after the generous one needed `count` instructions.
    fn budgets(&self, count: u64) -> BTreeSet<u64> {
        let mut budgets = BTreeSet::new();
        if !self.config.enable_instruction_meter {
            return budgets;
        }
        budgets.extend([count.saturating_sub(1), count, count.saturating_add(1)]);
        if count <= self.sweep_limit {
            budgets.extend(0..count);
        } else if self.sweep_limit > 0 {
            // A few in between, by a step that falls on other instructions each time.
            budgets.extend([0, 1, 2, 1024.min(count)]);
            budgets.extend((1..6u64).map(|index| (count / 6).wrapping_mul(index) + index));
        }
        budgets
    }

    /// Loads and compiles for all engines.
    pub fn prepare(&self) -> Result<Prepared, String> {
        let engines = self.engines();
        Prepared::new(
            &self.program,
            &self.config,
            &self.extra_syscalls,
            self.verify,
            &engines,
            self.compilation,
        )
    }

    /// What `engine` alone does at `budget`, on memory of its own.
    pub fn outcome(&self, prepared: &Prepared, engine: Engine, budget: u64) -> Outcome {
        let mut memory = Memory::new(&self.current_layout());
        let registers = values(&self.registers, &memory);
        engine::run(prepared, engine, &mut memory, &registers, budget)
    }

    /// Compares all engines at the generous budget and at those that [`check`](Self::check)
    /// chooses.
    pub fn try_check(&self) -> Result<Verdict, Failure> {
        Comparison::new(self)?.compare_at_all_budgets()
    }

    /// Compares all engines at `budgets` only; gives the oracle's outcomes.
    pub fn try_budgets(&self, budgets: &[u64]) -> Result<Vec<Outcome>, Failure> {
        let mut comparison = Comparison::new(self)?;
        budgets
            .iter()
            .map(|budget| comparison.compare(*budget))
            .collect()
    }

    /// Compares all engines at the generous budget, then at those that `choose` picks for the number
    /// of instructions that took, compiling once; gives the oracle's outcome at the generous one.
    pub fn try_chosen_budgets(
        &self,
        choose: impl FnOnce(u64) -> Vec<u64>,
    ) -> Result<Outcome, Failure> {
        let mut comparison = Comparison::new(self)?;
        let generous = comparison.compare(self.budget)?;
        for budget in choose(generous.instruction_count) {
            comparison.compare(budget)?;
        }
        Ok(generous)
    }

    /// Like [`check`](Self::check) for each variation of the initial registers, compiling once.
    ///
    /// # Panics
    /// As [`check`](Self::check).
    #[track_caller]
    pub fn check_registers(
        &self,
        variations: impl IntoIterator<Item = Vec<(usize, u64)>>,
    ) -> Vec<Verdict> {
        let mut comparison = match Comparison::new(self) {
            Ok(comparison) => comparison,
            Err(report) => panic!("{report}"),
        };
        let mut verdicts = Vec::new();
        for registers in variations {
            comparison.registers = registers
                .iter()
                .map(|(index, value)| (*index, Register::Value(*value)))
                .collect();
            match comparison.compare_at_all_budgets() {
                Ok(verdict) => verdicts.push(verdict),
                Err(report) => panic!("with registers {registers:x?}: {report}"),
            }
        }
        verdicts
    }

    /// Like [`check`](Self::check) for each input, compiling once.
    ///
    /// # Panics
    /// As [`check`](Self::check).
    #[track_caller]
    pub fn check_inputs(&self, inputs: impl IntoIterator<Item = Vec<u8>>) -> Vec<Verdict> {
        let mut comparison = match Comparison::new(self) {
            Ok(comparison) => comparison,
            Err(report) => panic!("{report}"),
        };
        let mut verdicts = Vec::new();
        for (index, input) in inputs.into_iter().enumerate() {
            let layout = self.clone().input(input).current_layout();
            for memory in &mut comparison.memories {
                *memory = Memory::new(&layout);
            }
            match comparison.compare_at_all_budgets() {
                Ok(verdict) => verdicts.push(verdict),
                Err(report) => panic!("with input {index}: {report}"),
            }
        }
        verdicts
    }

    /// Compares all engines, at the generous budget, at the exact one, one below, one above, and
    /// at every budget if the program is short.
    ///
    /// # Panics
    /// With a listing and the differing fields when the engines disagree.
    #[track_caller]
    pub fn check(&self) -> Verdict {
        match self.try_check() {
            Ok(verdict) => verdict,
            Err(report) => panic!("{report}"),
        }
    }
}

/// The values of `registers` where `memory` is.
fn values(registers: &[(usize, Register)], memory: &Memory) -> Vec<(usize, u64)> {
    let value = |register: &Register| match register {
        Register::Value(value) => *value,
        Register::HostAddress { buffer, offset } => {
            memory.host_address(*buffer).wrapping_add(*offset)
        }
    };
    let registers = registers.iter();
    registers
        .map(|(index, register)| (*index, value(register)))
        .collect()
}

/// Why a case didn't pass.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Whose fault it is.
    pub kind: FailureKind,
    /// What to print.
    pub report: String,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The program could not be loaded, or not be compiled.
    Preparation,
    /// The oracle panicked where it shouldn't, or the other way round.
    Oracle,
    /// An engine differs from the oracle.
    Difference(Engine),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.report)
    }
}

/// A case in the middle of being compared.
struct Comparison<'case> {
    case: &'case Case,
    prepared: Prepared,
    registers: Vec<(usize, Register)>,
    /// Two allocations used in turn, so that an engine can't get away with stale host addresses.
    memories: Vec<Memory>,
    runs: usize,
}

impl<'case> Comparison<'case> {
    fn new(case: &'case Case) -> Result<Self, Failure> {
        let prepared = case.prepare().map_err(|error| {
            let listing = match case.program.load(&case.config, &case.extra_syscalls) {
                Ok(executable) => report::listing(&executable),
                Err(_) => String::new(),
            };
            Failure {
                kind: FailureKind::Preparation,
                report: format!("{error}\n{listing}"),
            }
        })?;
        let layout = case.current_layout();
        let allocations = if case.shared_memory { 1 } else { 2 };
        Ok(Self {
            case,
            prepared,
            registers: case.registers.clone(),
            memories: (0..allocations).map(|_| Memory::new(&layout)).collect(),
            runs: 0,
        })
    }

    fn run(&mut self, engine: Engine, budget: u64) -> Outcome {
        let memories = self.memories.len();
        let memory = &mut self.memories[self.runs % memories];
        self.runs += 1;
        let registers = values(&self.registers, memory);
        engine::run(&self.prepared, engine, memory, &registers, budget)
    }

    fn failure(&self, kind: FailureKind, message: &str) -> Failure {
        let listing = report::listing(&self.prepared.executable);
        Failure {
            kind,
            report: format!("{message}\n{listing}"),
        }
    }

    fn compare_at_all_budgets(&mut self) -> Result<Verdict, Failure> {
        let generous = self.compare(self.case.budget)?;
        for budget in self.case.budgets(generous.instruction_count) {
            self.compare(budget)?;
        }
        // Once more, with what the runs before have learnt.
        self.compare_with(&generous, Engine::Cranelift, self.case.budget)?;
        Ok(Verdict {
            outcome: generous,
            runs: self.runs,
        })
    }

    /// Runs all engines at `budget` and gives the oracle's outcome if they agree.
    fn compare(&mut self, budget: u64) -> Result<Outcome, Failure> {
        let expected = self.run(Engine::Interpreter, budget);
        if expected.panicked != self.case.panics {
            return Err(self.failure(
                FailureKind::Oracle,
                &format!(
                    "the oracle's outcome at budget {budget} is {}",
                    expected.result
                ),
            ));
        }
        for engine in self.case.engines() {
            self.compare_with(&expected, engine, budget)?;
        }
        Ok(expected)
    }

    fn compare_with(
        &mut self,
        expected: &Outcome,
        engine: Engine,
        budget: u64,
    ) -> Result<(), Failure> {
        let actual = self.run(engine, budget);
        match report::difference(expected, &actual) {
            None => Ok(()),
            Some(difference) => Err(self.failure(
                FailureKind::Difference(engine),
                &format!(
                    "{engine:?} differs from the interpreter at budget {budget}:\n{difference}"
                ),
            )),
        }
    }
}

/// What a check found out; all engines agreed.
#[derive(Debug)]
pub struct Verdict {
    /// The outcome at the generous budget.
    pub outcome: Outcome,
    /// How many runs were compared.
    pub runs: usize,
}

impl Verdict {
    /// Asserts that the program returned `value`.
    #[track_caller]
    pub fn returns(&self, value: u64) -> &Self {
        assert_eq!(self.outcome.result, format!("Ok({value:#x})"));
        self
    }

    /// Asserts that the program succeeded.
    #[track_caller]
    pub fn succeeds(&self) -> &Self {
        assert!(self.outcome.value.is_some(), "{}", self.outcome.result);
        self
    }

    /// Asserts that the program failed with an error whose text contains `text`.
    #[track_caller]
    pub fn fails_with(&self, text: &str) -> &Self {
        assert!(self.outcome.value.is_none(), "{}", self.outcome.result);
        assert!(
            self.outcome.result.contains(text),
            "{}",
            self.outcome.result
        );
        self
    }

    /// Asserts on the final pc.
    #[track_caller]
    pub fn at(&self, pc: u64) -> &Self {
        assert_eq!(self.outcome.final_pc, pc, "final pc");
        self
    }
}
