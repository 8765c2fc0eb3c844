//! Executables that were compiled before, told by their address.
//!
//! An address tells what is there only as long as nothing else can be. A weak reference keeps the
//! memory of an `Arc` from being used again, so that the address of one that is alive is proof.

use {
    super::{key::Choices, memory::lock},
    crate::{CompileOptions, CompiledProgram, MemorySyscall},
    solana_sbpf::{elf::Executable, vm::ContextObject},
    std::{
        any::Any,
        borrow::Cow,
        collections::HashMap,
        fmt,
        sync::{Arc, Mutex, Weak},
    },
    target_lexicon::Triple,
};

type AnyWeak = Weak<dyn Any + Send + Sync>;

/// Compiled programs by the address of their executable.
#[derive(Default)]
pub(super) struct KnownExecutables(Mutex<Table>);

#[derive(Default)]
struct Table {
    by_place: HashMap<(usize, Option<Triple>), Known>,
    /// With so many, it is worth looking for what is gone.
    many: usize,
}

/// Fewer executables than this are never too many.
const FEW: usize = 64;

struct Known {
    /// Keeps the address.
    executable: AnyWeak,
    program: AnyWeak,
    asked: Asked<'static>,
}

/// What a program was compiled with that could have made another one of it.
#[derive(PartialEq, Eq)]
struct Asked<'a> {
    choices: Choices,
    protect_branches: bool,
    memory_syscalls: Cow<'a, [MemorySyscall]>,
}

impl<'a> Asked<'a> {
    fn of(options: &'a CompileOptions) -> Self {
        Self {
            choices: Choices::of(options),
            protect_branches: options.protect_branches,
            memory_syscalls: Cow::Borrowed(&options.memory_syscalls),
        }
    }

    /// The same, to be kept.
    fn into_owned(self) -> Asked<'static> {
        Asked {
            memory_syscalls: Cow::Owned(self.memory_syscalls.into_owned()),
            ..self
        }
    }
}

impl KnownExecutables {
    /// What `executable` was compiled to with such options, the last time for this target, if that is still alive.
    pub(super) fn get<C: ContextObject + 'static>(
        &self,
        executable: &Arc<Executable<C>>,
        options: &CompileOptions,
    ) -> Option<Arc<CompiledProgram<C>>> {
        let known = lock(&self.0);
        let known = known.by_place.get(&place(executable, &options.target))?;
        if known.asked != Asked::of(options) {
            return None;
        }
        known.program.upgrade()?.downcast().ok()
    }

    /// Remembers `program` for `executable`, which it was compiled from.
    pub(super) fn insert<C: ContextObject + 'static>(
        &self,
        executable: &Arc<Executable<C>>,
        options: &CompileOptions,
        program: &Arc<CompiledProgram<C>>,
    ) {
        let executable_weak = Arc::downgrade(executable);
        let program = Arc::downgrade(program);
        let mut known = lock(&self.0);
        if known.by_place.len() >= known.many {
            known.by_place.retain(|_, known| {
                known.executable.strong_count() > 0 && known.program.strong_count() > 0
            });
            known.many = FEW.max(2 * known.by_place.len());
        }
        known.by_place.insert(
            place(executable, &options.target),
            Known {
                executable: executable_weak,
                program,
                asked: Asked::of(options).into_owned(),
            },
        );
    }
}

fn place<C: ContextObject>(
    executable: &Arc<Executable<C>>,
    target: &Option<Triple>,
) -> (usize, Option<Triple>) {
    (Arc::as_ptr(executable).addr(), target.clone())
}

impl fmt::Debug for KnownExecutables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} executables", lock(&self.0).by_place.len())
    }
}
