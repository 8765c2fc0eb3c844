//! A program that starts on a lower tier.

use {
    super::{
        lower,
        owned::OwnedProgram,
        policy::{Policy, Temperature},
        worker::{self, Answer, Task, Ticket},
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
            Arc, Mutex, OnceLock, PoisonError,
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
    compiled: OnceLock<Result<Compiled<C>, CompileFailure>>,
    runs: AtomicU64,
    instructions: AtomicU64,
    background: Mutex<Background>,
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

/// What the background was asked for.
#[derive(Debug, Default)]
struct Background {
    has_looked: bool,
    pending: Option<Arc<Ticket>>,
    /// The run before which there is no use in asking again.
    next_try: u64,
}

/// Where no thread can be had, or too many programs wait for it, asking takes more time than a run.
const RUNS_BETWEEN_TRIES: u64 = 256;

impl<C: ContextObject> TieredProgram<C> {
    /// A tiered program of `executable`; compiled at once if the policy is [`Policy::Eager`].
    pub fn new(executable: &Executable<C>, policy: Policy, options: &CompileOptions) -> Self {
        let program = Self {
            identity: Identity::of(executable),
            policy,
            options: options.clone(),
            compiled: OnceLock::new(),
            runs: AtomicU64::new(0),
            instructions: AtomicU64::new(0),
            background: Mutex::default(),
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
        if self.compiled.get().is_none() {
            match self.policy {
                Policy::Eager => {}
                Policy::Lazy => self.compile(executable),
                Policy::LazyFunctions { after_runs } => {
                    if self.runs.load(Relaxed) >= after_runs {
                        self.compile(executable);
                    }
                }
                Policy::Tiered(_) => {
                    if let Ok(mut background) = self.background.try_lock() {
                        self.receive(executable, &mut background);
                    }
                }
            }
        }
        self.now()
    }

    /// The compiled program, if there is one by now. Nothing is begun.
    pub fn now(&self) -> Option<&CompiledProgram<C>> {
        let compiled = self.compiled.get()?.as_ref().ok()?;
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
            || self.compiled.get().is_some()
            || Identity::of(executable) != self.identity
        {
            return;
        }
        // Somebody else is looking after it.
        let Ok(mut background) = self.background.try_lock() else {
            return;
        };
        self.receive(executable, &mut background);
        if background.pending.is_some() || self.compiled.get().is_some() {
            return;
        }
        if temperature == Temperature::Hot {
            if runs >= background.next_try {
                background.pending = self.submit(executable, Task::Compile);
                background.next_try = runs.saturating_add(RUNS_BETWEEN_TRIES);
            }
        } else if !std::mem::replace(&mut background.has_looked, true)
            && self.options.cache.may_have_code()
        {
            background.pending = self.submit(executable, Task::Find);
        }
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
        Some(self.compiled.get()?.as_ref().ok()?.time)
    }

    /// Whether the program can't be compiled, so that it stays on the lower tier.
    pub fn is_refused(&self) -> bool {
        matches!(self.compiled.get(), Some(Err(_)))
    }

    /// Why the program can't be compiled; a panic of the compiler has no error.
    pub fn compile_error(&self) -> Option<&CompileError> {
        match self.compiled.get()?.as_ref().err()? {
            CompileFailure::Error(error) => Some(error),
            CompileFailure::Panic => None,
        }
    }

    /// Compiles on this thread. All others wait for it.
    fn compile(&self, executable: &Executable<C>) {
        self.compiled.get_or_init(|| {
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

    /// Takes the answer of the background, if there is one.
    fn receive(&self, executable: &Executable<C>, background: &mut Background) {
        let answer = background
            .pending
            .as_ref()
            .and_then(|ticket| ticket.take_answer());
        let Some(answer) = answer else {
            return;
        };
        background.pending = None;
        let compiled = match answer {
            Answer::Code(code, origin, time) => Ok(Compiled {
                program: CompiledProgram::of_code(executable, code, origin),
                time,
            }),
            Answer::NotFound => return,
            Answer::Failed(error) => Err(CompileFailure::Error(error)),
            Answer::Panicked => Err(CompileFailure::Panic),
        };
        self.settle(compiled);
    }

    /// Ends the search for compiled code.
    fn settle(&self, compiled: Result<Compiled<C>, CompileFailure>) {
        // With the policy of tiers only the holder of the lock comes here, and once.
        let _ = self.compiled.set(compiled);
    }

    fn submit(&self, executable: &Executable<C>, task: Task) -> Option<Arc<Ticket>> {
        if task == Task::Compile {
            crate::dump::from_environment(executable);
        }
        match config::program(executable) {
            Ok((program, _)) => worker::submit(task, OwnedProgram::new(program), &self.options),
            Err(error) => {
                self.settle(Err(CompileFailure::Error(error)));
                None
            }
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

impl<C: ContextObject> Drop for TieredProgram<C> {
    fn drop(&mut self) {
        let background = self.background.get_mut();
        if let Some(ticket) = &background.unwrap_or_else(PoisonError::into_inner).pending {
            ticket.cancel();
        }
    }
}
