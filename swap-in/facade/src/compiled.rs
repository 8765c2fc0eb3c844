//! What an executable was compiled to.
//!
//! Compilation happens at most once for each call of `jit_compile`: at the first run, or at once
//! where that was chosen. Threads that want to run meanwhile wait for it.

use {
    crate::{
        jit_program::JitProgram,
        swap_in::{Engine, statistics},
    },
    sbpf_cranelift::{CompileOptions, CompiledProgram},
    std::{
        fmt,
        num::NonZero,
        sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
        thread,
        time::Instant,
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
    native: OnceLock<Option<CompiledProgram<C>>>,
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
    /// The compiled program; `None` if Cranelift refused it or was not chosen.
    pub(crate) fn native(&self, executable: &Executable<C>) -> Option<&CompiledProgram<C>> {
        self.native
            .get_or_init(|| match Engine::chosen() {
                Engine::Cranelift => compile(executable),
                _ => None,
            })
            .as_ref()
    }

    /// What hosts see of it. A program that is interpreted has no code.
    pub(crate) fn handle(&self, executable: &Executable<C>) -> Arc<JitProgram> {
        let handle = self
            .handle
            .get_or_init(|| Arc::new(JitProgram::new(self.native(executable))));
        Arc::clone(handle)
    }

    /// Bytes of memory that this takes by now.
    pub(crate) fn mem_size(&self) -> usize {
        match self.native.get() {
            Some(Some(program)) => program.mem_size(),
            _ => 0,
        }
    }
}

fn compile<C: ContextObject>(executable: &Executable<C>) -> Option<CompiledProgram<C>> {
    let start = Instant::now();
    let mut options = CompileOptions::default();
    if executable.get_text_bytes().1.len() >= LARGE {
        options.threads = thread::available_parallelism().map_or(1, NonZero::get);
    }
    let program = CompiledProgram::compile_with(executable, &options);
    statistics::count_compilation(start.elapsed(), program.is_ok());
    program.ok()
}

impl<C: ContextObject> Default for Compiled<C> {
    fn default() -> Self {
        Self {
            native: OnceLock::new(),
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
                .field(&compiled.native.get())
                .finish(),
            #[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
            State::ByHand(handle) => formatter.debug_tuple("ByHand").field(handle).finish(),
            State::Taken => formatter.write_str("Taken"),
        }
    }
}
