//! What a program was compiled from, kept beside its code to be compared with other executables.
//!
//! Comparing bytes takes a fraction of the time that hashing them takes, and is no less sure. So code
//! that somebody asked for a second time is found without its key from then on.

use {
    super::{key::Choices, memory::lock},
    crate::{CompileError, CompileOptions, code::Code, config, isa::Machine},
    sbpf_lowering::dialect::Dialect,
    solana_sbpf::{elf::Executable, vm::ContextObject},
    std::{
        collections::HashMap,
        hash::{DefaultHasher, Hash, Hasher},
        sync::{Arc, Mutex, Weak},
    },
};

/// Everything that shapes code, as an executable and its options have it: see
/// [`CodeKey`](super::key::CodeKey), which is the hash of the same.
pub(super) struct Inputs<'a, C: ContextObject> {
    executable: &'a Executable<C>,
    rest: Rest,
    text: &'a [u8],
    /// Read-only data, of which pointers into the text count.
    data: &'a [u8],
    syscalls: Vec<u32>,
}

/// What is no longer than a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rest {
    dialect: Dialect,
    text_address: u64,
    text_length: usize,
    entry: usize,
    machine: [u8; 32],
    choices: Choices,
}

impl<'a, C: ContextObject> Inputs<'a, C> {
    /// The inputs of a compilation.
    ///
    /// # Errors
    /// Those of [`config::dialect`].
    pub(super) fn of(
        executable: &'a Executable<C>,
        options: &CompileOptions,
        machine: &Machine,
    ) -> Result<Self, CompileError> {
        let (text_address, text) = executable.get_text_bytes();
        let syscalls = config::registered_syscalls(executable);
        Ok(Self {
            executable,
            rest: Rest {
                dialect: config::dialect(executable.get_sbpf_version(), executable.get_config())?,
                text_address,
                text_length: text.len(),
                entry: executable.get_entrypoint_instruction_offset(),
                machine: *machine.description(),
                choices: Choices::of(options),
            },
            text,
            data: executable.get_ro_section(),
            syscalls: syscalls.into_iter().map(|(key, ..)| key).collect(),
        })
    }

    /// Where the text is in the data, which has it in most programs.
    fn text_in_data(&self) -> Option<usize> {
        let start = self.text.as_ptr().addr();
        let offset = start.checked_sub(self.data.as_ptr().addr())?;
        let end = offset.checked_add(self.text.len())?;
        (end <= self.data.len()).then_some(offset)
    }

    /// What few other programs have the same of, to be found without a look at most bytes.
    fn shape(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.text.len(), self.data.len(), self.rest.entry).hash(&mut hasher);
        let words = self.text.as_chunks::<8>().0;
        for word in words.iter().step_by(words.len() / 16 + 1) {
            word.hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// A copy of the inputs.
#[derive(Debug)]
pub(crate) struct Source {
    rest: Rest,
    text: Text,
    data: Box<[u8]>,
    functions: Box<[(u32, usize)]>,
    syscalls: Box<[u32]>,
}

#[derive(Debug)]
enum Text {
    /// At this offset of the data.
    InData(usize),
    Elsewhere(Box<[u8]>),
}

impl Source {
    fn of<C: ContextObject>(inputs: &Inputs<'_, C>) -> Self {
        let functions = inputs.executable.get_function_registry().iter();
        Self {
            rest: inputs.rest.clone(),
            text: match inputs.text_in_data() {
                Some(offset) => Text::InData(offset),
                None => Text::Elsewhere(inputs.text.into()),
            },
            data: inputs.data.into(),
            functions: functions.map(|(key, (_, pc))| (key, pc)).collect(),
            syscalls: inputs.syscalls.as_slice().into(),
        }
    }

    /// Whether code made of `inputs` is the code made of this.
    fn is<C: ContextObject>(&self, inputs: &Inputs<'_, C>) -> bool {
        let Self {
            rest,
            text,
            data,
            functions,
            syscalls,
        } = self;
        let has_text = || match text {
            // Data that is the same has the same text in the same place.
            Text::InData(offset) => inputs.text_in_data() == Some(*offset),
            Text::Elsewhere(text) => **text == *inputs.text,
        };
        let registry = inputs.executable.get_function_registry();
        let has_function = |(key, pc): &(u32, usize)| {
            let found = registry.lookup_by_key(*key);
            found.is_some_and(|(_, found)| found == *pc)
        };
        *rest == inputs.rest
            && **syscalls == *inputs.syscalls
            && data.len() == inputs.data.len()
            && has_text()
            && **data == *inputs.data
            && functions.len() == registry.keys().count()
            && functions.iter().all(has_function)
    }

    /// Bytes of memory that this takes.
    pub(crate) fn size(&self) -> usize {
        let text = match &self.text {
            Text::InData(_) => 0,
            Text::Elsewhere(text) => text.len(),
        };
        size_of::<Self>()
            + text
            + self.data.len()
            + size_of_val(&*self.functions)
            + size_of_val(&*self.syscalls)
    }
}

/// Code with a [`Source`], by the shape of what it was made from.
#[derive(Debug, Default)]
pub(super) struct Sources(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    by_shape: HashMap<u64, Vec<Weak<Code>>>,
    /// With so many shapes, it is worth looking for those whose code is gone.
    many: usize,
}

/// Fewer shapes than this are never too many.
const FEW: usize = 64;

/// Codes of one shape that are remembered, the last ones: programs made to look alike cost no more.
const ALIKE: usize = 4;

impl Sources {
    /// Code that was made of the same inputs and is alive.
    pub(super) fn find<C: ContextObject>(&self, inputs: &Inputs<'_, C>) -> Option<Arc<Code>> {
        let shape = inputs.shape();
        let alike: Vec<Arc<Code>> = {
            let table = lock(&self.0);
            let codes = table.by_shape.get(&shape)?.iter();
            codes.filter_map(Weak::upgrade).collect()
        };
        alike
            .into_iter()
            .find(|code| code.source.get().is_some_and(|source| source.is(inputs)))
    }

    /// Remembers what `code` was made from.
    pub(super) fn insert<C: ContextObject>(&self, inputs: &Inputs<'_, C>, code: &Arc<Code>) {
        // One executable is enough: others with the same code differ in what does not shape it.
        if code.source.set(Box::new(Source::of(inputs))).is_err() {
            return;
        }
        let shape = inputs.shape();
        let mut table = lock(&self.0);
        let Table { by_shape, many } = &mut *table;
        if by_shape.len() >= *many {
            by_shape.retain(|_, codes| codes.iter().any(|code| code.strong_count() > 0));
            *many = FEW.max(2 * by_shape.len());
        }
        let codes = by_shape.entry(shape).or_default();
        codes.retain(|code| code.strong_count() > 0);
        if codes.len() == ALIKE {
            codes.remove(0);
        }
        codes.push(Arc::downgrade(code));
    }
}
