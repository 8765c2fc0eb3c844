//! What an executable was compiled to.
//!
//! Compilation happens at most once for each call of `jit_compile`: at the first run, at once, or in
//! the background, as was chosen. Threads that want to run meanwhile wait for it, or run on the tier
//! below.

use {
    crate::{
        jit_program::JitProgram,
        swap_in::{
            Engine, When,
            choice::{cache, report_problems},
            statistics,
        },
    },
    sbpf_cranelift::{CompileOptions, CompiledProgram, TieredProgram},
    std::{
        fmt,
        num::NonZero,
        sync::{
            Arc, Mutex, MutexGuard, OnceLock, PoisonError,
            atomic::{AtomicBool, Ordering::Relaxed},
        },
        thread,
    },
    upstream::{elf::Executable, vm::ContextObject},
};

/// From so many bytes of instructions on, somebody waits long enough for all processors to help.
const LARGE: usize = 32 << 10;

/// Where an executable keeps what it was compiled to.
pub(crate) struct Slot<C: ContextObject>(Mutex<State<C>>);

enum State<C: ContextObject> {
    /// Nobody asked yet.
    Fresh,
    /// Compiled, or to be compiled at the first run.
    Requested(Arc<Compiled<C>>),
    /// By the hand-written JIT: the handle that the host was given last.
    #[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
    ByHand(Arc<JitProgram>),
    /// The host took it away: `PreferJit` alone doesn't bring it back.
    Taken,
}

/// A program that is compiled as soon as its code is needed.
pub(crate) struct Compiled<C: ContextObject> {
    /// `None` if it is to be interpreted.
    program: OnceLock<Option<TieredProgram<C>>>,
    is_counted: AtomicBool,
    handle: OnceLock<Arc<JitProgram>>,
}

impl<C: ContextObject> Slot<C> {
    /// What [`Self::replace`] put here.
    pub(crate) fn get(&self) -> Option<Arc<Compiled<C>>> {
        match &*self.lock() {
            State::Requested(compiled) => Some(Arc::clone(compiled)),
            _ => None,
        }
    }

    /// What is here, or a new request unless the host took the last one away.
    pub(crate) fn get_or_request(&self) -> Option<Arc<Compiled<C>>> {
        let mut state = self.lock();
        match &*state {
            State::Requested(compiled) => Some(Arc::clone(compiled)),
            State::Taken => None,
            _ => {
                let compiled = Arc::new(Compiled::default());
                *state = State::Requested(Arc::clone(&compiled));
                Some(compiled)
            }
        }
    }

    /// Puts a new request here.
    pub(crate) fn replace(&self) -> Arc<Compiled<C>> {
        let compiled = Arc::new(Compiled::default());
        *self.lock() = State::Requested(Arc::clone(&compiled));
        compiled
    }

    /// Takes away what is here.
    pub(crate) fn take(&self) -> Option<Arc<Compiled<C>>> {
        match std::mem::replace(&mut *self.lock(), State::Taken) {
            State::Requested(compiled) => Some(compiled),
            _ => None,
        }
    }

    /// Our handle for what upstream's JIT made: the same one as long as that is the same.
    #[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
    pub(crate) fn hand_written(
        &self,
        program: Arc<crate::modules::HandWritten>,
    ) -> Arc<JitProgram> {
        let mut state = self.lock();
        if let State::ByHand(handle) = &*state
            && handle.is_hand_written(&program)
        {
            return Arc::clone(handle);
        }
        let handle = Arc::new(JitProgram::hand_written(program));
        *state = State::ByHand(Arc::clone(&handle));
        handle
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        // Every change is a single assignment, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: ContextObject> Compiled<C> {
    /// The compiled program; `None` if Cranelift refused it, was not chosen, or is not done.
    pub(crate) fn native(&self, executable: &Executable<C>) -> Option<&CompiledProgram<C>> {
        let program = self.program.get_or_init(|| match Engine::chosen() {
            Engine::Cranelift => Some(tiered(executable)),
            _ => None,
        });
        let program = program.as_ref()?;
        let native = program.compiled(executable);
        if !self.is_counted.load(Relaxed) {
            self.count(program);
        }
        native
    }

    /// Takes note of a run on a lower tier.
    pub(crate) fn record(&self, executable: &Executable<C>, instructions: u64) {
        if let Some(Some(program)) = self.program.get() {
            program.record(executable, instructions);
        }
    }

    /// What hosts see of it. A program that is interpreted has no code.
    pub(crate) fn handle(&self, executable: &Executable<C>) -> Arc<JitProgram> {
        let handle = self.handle.get_or_init(|| {
            let native = self.native(executable);
            Arc::new(JitProgram::new(native, executable))
        });
        Arc::clone(handle)
    }

    /// Bytes of memory that this takes by now.
    pub(crate) fn mem_size(&self) -> usize {
        self.now().map_or(0, CompiledProgram::mem_size)
    }

    /// The compiled program, if there is one by now.
    fn now(&self) -> Option<&CompiledProgram<C>> {
        self.program.get()?.as_ref()?.now()
    }

    /// Counts the program once it is known what becomes of it.
    fn count(&self, program: &TieredProgram<C>) {
        let compiled = program.now().zip(program.compile_time());
        let is_known = compiled.is_some() || program.is_refused();
        if !is_known || self.is_counted.swap(true, Relaxed) {
            return;
        }
        match compiled {
            Some((native, time)) => statistics::count_compilation(time, native.origin()),
            None => statistics::count_refusal(),
        }
        report_problems();
    }
}

fn tiered<C: ContextObject>(executable: &Executable<C>) -> TieredProgram<C> {
    let mut options = CompileOptions::default();
    options.cache = cache().clone();
    if executable.get_text_bytes().1.len() >= LARGE {
        options.threads = thread::available_parallelism().map_or(1, NonZero::get);
    }
    TieredProgram::new(executable, When::chosen().policy(), &options)
}

impl<C: ContextObject> Default for Compiled<C> {
    fn default() -> Self {
        Self {
            program: OnceLock::new(),
            is_counted: AtomicBool::new(false),
            handle: OnceLock::new(),
        }
    }
}

impl<C: ContextObject> Default for Slot<C> {
    fn default() -> Self {
        Self(Mutex::new(State::Fresh))
    }
}

impl<C: ContextObject> PartialEq for Slot<C> {
    fn eq(&self, other: &Self) -> bool {
        // One lock at a time: both may be the same.
        let (mine, others) = (self.get(), other.get());
        match (mine, others) {
            (Some(mine), Some(others)) => Arc::ptr_eq(&mine, &others),
            (mine, others) => mine.is_none() && others.is_none(),
        }
    }
}

impl<C: ContextObject> fmt::Debug for Slot<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.lock() {
            State::Fresh => formatter.write_str("Fresh"),
            State::Requested(compiled) => formatter
                .debug_tuple("Requested")
                .field(&compiled.now())
                .finish(),
            #[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
            State::ByHand(handle) => formatter.debug_tuple("ByHand").field(handle).finish(),
            State::Taken => formatter.write_str("Taken"),
        }
    }
}
