//! A program that starts on a lower tier.

use {
    super::{
        lower,
        owned::OwnedProgram,
        policy::{Policy, Temperature},
        switch::{Owner, Switch, Task},
        ticket::Ticket,
        worker::{self, Answer},
    },
    crate::{CompileError, CompileOptions, CompiledProgram, config, program::Identity},
    solana_sbpf::{
        elf::Executable,
        error::ProgramResult,
        vm::{ContextObject, EbpfVm},
    },
    std::{
        fmt,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering::Relaxed},
        },
        time::{Duration, Instant},
    },
};

/// What runs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tier {
    /// The interpreter of `solana-sbpf`.
    Interpreter,
    /// The hand-written JIT of `solana-sbpf`, if the executable has code of it.
    HandWritten,
    /// Code of this crate.
    Cranelift,
}

/// A program that is compiled when its [`Policy`] says so, and run by a lower tier until then.
///
/// Every tier gives the same results, counts and memory. A run is on one tier from start to end.
/// A program that can't be compiled stays on the lower one. Dropping this ends a compilation in the
/// background.
///
/// It belongs to one [`Executable`], as a [`CompiledProgram`] does, and can run on any number of
/// threads at once.
pub struct TieredProgram<C: ContextObject> {
    identity: Identity,
    policy: Policy,
    options: CompileOptions,
    switch: Switch<Result<Compiled<C>, CompileFailure>, Answer>,
    runs: AtomicU64,
    instructions: AtomicU64,
}

struct Compiled<C: ContextObject> {
    program: CompiledProgram<C>,
    time: Duration,
}

/// Why there is no compiled program, and never will be.
#[derive(Debug)]
enum CompileFailure {
    Error(CompileError),
    Panic,
}

impl<C: ContextObject> TieredProgram<C> {
    /// A tiered program of `executable`; compiled at once if the policy is [`Policy::Eager`].
    pub fn new(executable: &Executable<C>, policy: Policy, options: &CompileOptions) -> Self {
        let program = Self {
            identity: Identity::of(executable),
            policy,
            options: options.clone(),
            switch: Switch::new(),
            runs: AtomicU64::new(0),
            instructions: AtomicU64::new(0),
        };
        if policy == Policy::Eager {
            program.compile(executable);
        }
        program
    }

    /// Runs the program on `vm`, in place of `vm.execute_program(executable, …)`, on the tier that
    /// it has reached. `executable` must be the one this was made for.
    ///
    /// Returns the instruction count and the result, see [`CompiledProgram::execute`].
    ///
    /// # Panics
    /// If a syscall panics, as the interpreter does.
    pub fn execute(&self, vm: &mut EbpfVm<C>, executable: &Executable<C>) -> (u64, ProgramResult) {
        if !CompiledProgram::is_traced(executable)
            && let Some(program) = self.compiled(executable)
            && let Some(outcome) = program.execute_native(vm, executable)
        {
            return outcome;
        }
        let outcome = lower::execute(vm, executable);
        if !CompiledProgram::is_traced(executable) {
            self.record(executable, outcome.0);
        }
        outcome
    }

    /// The compiled program, if this run is to use it: with [`Policy::Lazy`] it is compiled now, and
    /// with [`Policy::LazyFunctions`] prepared.
    ///
    /// For callers that run the lower tier themselves, and tell [`Self::record`] about it.
    pub fn compiled(&self, executable: &Executable<C>) -> Option<&CompiledProgram<C>> {
        if Identity::of(executable) != self.identity {
            return None;
        }
        if self.switch.settled().is_none() {
            match self.policy {
                Policy::Eager => {}
                Policy::Lazy => self.compile(executable),
                Policy::LazyFunctions { after_runs } => {
                    if self.runs.load(Relaxed) >= after_runs {
                        self.compile(executable);
                    }
                }
                Policy::Tiered(_) => self.switch.look(&OwnerOf(self, executable)),
            }
        }
        self.now()
    }

    /// The compiled program, if there is one by now. Nothing is begun.
    pub fn now(&self) -> Option<&CompiledProgram<C>> {
        let compiled = self.switch.settled()?.as_ref().ok()?;
        Some(&compiled.program)
    }

    /// Counts a run of so many instructions on a lower tier, and has the program compiled if it is
    /// hot by now.
    pub fn record(&self, executable: &Executable<C>, instructions: u64) {
        let hotness = match self.policy {
            Policy::Tiered(hotness) => hotness,
            Policy::LazyFunctions { .. } => {
                self.runs.fetch_add(1, Relaxed);
                return;
            }
            Policy::Eager | Policy::Lazy => return,
        };
        let runs = self.runs.fetch_add(1, Relaxed).saturating_add(1);
        let before = self.instructions.fetch_add(instructions, Relaxed);
        let executed = before.saturating_add(instructions);
        let temperature = hotness.of(self.identity.slots(), runs, executed);
        if temperature == Temperature::Cold
            || self.switch.settled().is_some()
            || Identity::of(executable) != self.identity
        {
            return;
        }
        self.switch
            .ask(temperature, runs, &OwnerOf(self, executable));
    }

    /// The tier that the next run is on, unless something happens before.
    pub fn tier(&self, executable: &Executable<C>) -> Tier {
        match self.now() {
            Some(_) => Tier::Cranelift,
            None => lower::tier(executable),
        }
    }

    /// How long it took to compile the program or to find its code, if that was done. Where functions
    /// are compiled one by one, how long it took to prepare that.
    pub fn compile_time(&self) -> Option<Duration> {
        Some(self.switch.settled()?.as_ref().ok()?.time)
    }

    /// Whether the program can't be compiled, so that it stays on the lower tier.
    pub fn is_refused(&self) -> bool {
        matches!(self.switch.settled(), Some(Err(_)))
    }

    /// Why the program can't be compiled; a panic of the compiler has no error.
    pub fn compile_error(&self) -> Option<&CompileError> {
        match self.switch.settled()?.as_ref().err()? {
            CompileFailure::Error(error) => Some(error),
            CompileFailure::Panic => None,
        }
    }

    /// Compiles on this thread. All others wait for it.
    fn compile(&self, executable: &Executable<C>) {
        self.switch.settle_now(|| {
            let start = Instant::now();
            let program = match self.policy {
                Policy::LazyFunctions { .. } => {
                    CompiledProgram::compile_lazily(executable, &self.options)
                }
                _ => CompiledProgram::compile_with(executable, &self.options),
            };
            let time = start.elapsed();
            program
                .map(|program| Compiled { program, time })
                .map_err(CompileFailure::Error)
        });
    }
}

/// A program with the executable that it belongs to.
struct OwnerOf<'a, C: ContextObject>(&'a TieredProgram<C>, &'a Executable<C>);

impl<C: ContextObject> Owner<Result<Compiled<C>, CompileFailure>, Answer> for OwnerOf<'_, C> {
    fn receive(&self, answer: Answer) -> Option<Result<Compiled<C>, CompileFailure>> {
        let Self(program, executable) = self;
        match answer {
            Answer::Code(code, origin, time) => Some(Ok(Compiled {
                program: CompiledProgram::of_code(executable, code, origin, &program.options),
                time,
            })),
            Answer::NotFound => None,
            Answer::Failed(error) => Some(Err(CompileFailure::Error(error))),
            Answer::Panicked => Some(Err(CompileFailure::Panic)),
        }
    }

    fn may_find(&self) -> bool {
        self.0.options.cache.may_have_code()
    }

    fn submit(
        &self,
        task: Task,
    ) -> Result<Option<Arc<Ticket<Answer>>>, Result<Compiled<C>, CompileFailure>> {
        let Self(program, executable) = self;
        if task == Task::Compile {
            crate::dump::from_environment(executable);
        }
        match config::program(executable) {
            Ok((decoded, _)) => Ok(worker::submit(
                task,
                OwnedProgram::new(decoded),
                &program.options,
            )),
            Err(error) => Err(Err(CompileFailure::Error(error))),
        }
    }
}

impl<C: ContextObject> fmt::Debug for TieredProgram<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TieredProgram")
            .field("policy", &self.policy)
            .field("compiled", &self.now())
            .field("error", &self.compile_error())
            .finish()
    }
}
