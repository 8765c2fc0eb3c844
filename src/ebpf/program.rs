//! A verified program.

use {
    super::{
        compiled::CompiledProgram,
        elf,
        error::LoadError,
        helpers::Helpers,
        interpreter::Interpreter,
        machine::Outcome,
        memory::{Memory, TEXT},
        options::{FRAME_SIZE, Options},
        pseudo, verifier,
    },
    crate::CompileError,
    sbpf_lowering::{
        decode,
        dialect::Dialect,
        insn::{Insn, Operation},
    },
    sbpf_runtime::abi::{FRAME_POINTER, meter_for},
    std::{
        collections::{BTreeMap, HashMap},
        sync::Arc,
    },
};

/// A verified program, to be compiled or interpreted.
#[derive(Debug, Clone)]
pub struct Program {
    pub(super) inner: Arc<Inner>,
}

/// What a program and what is compiled from it share.
#[derive(Debug)]
pub(super) struct Inner {
    text: Vec<u8>,
    entry: usize,
    /// Its instructions by pc.
    pub(super) insns: Vec<Insn>,
    /// Bytes of its stack.
    stack_length: usize,
    /// Numbers of the helpers that it calls.
    pub(super) helpers: Vec<u32>,
    /// Sections of data, by the map that they are for the program.
    data: Vec<Data>,
    names: BTreeMap<usize, String>,
    maps: Vec<String>,
    pub(super) options: Options,
}

/// A section of data: memory that the program brings along.
#[derive(Debug, Clone)]
pub(super) struct Data {
    pub(super) map: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) is_writable: bool,
}

/// What a loader has made of a file.
#[derive(Debug, Default)]
pub(super) struct Image {
    pub(super) text: Vec<u8>,
    pub(super) entry: usize,
    pub(super) data: Vec<Data>,
    pub(super) names: BTreeMap<usize, String>,
    pub(super) maps: Vec<String>,
}

impl Program {
    /// A program of instructions alone, which starts with the first.
    ///
    /// # Errors
    /// When the verifier rejects it.
    pub fn from_bytes(text: &[u8], options: &Options) -> Result<Self, LoadError> {
        let image = Image {
            text: text.to_vec(),
            ..Image::default()
        };
        Self::new(image, options)
    }

    /// A program of an ELF file as clang makes it: the one with this name of a section or of a
    /// function, or the first one.
    ///
    /// # Errors
    /// When the file has no such program, or the verifier rejects it.
    pub fn from_elf(
        bytes: &[u8],
        name: Option<&str>,
        options: &Options,
    ) -> Result<Self, LoadError> {
        Self::new(elf::load(bytes, name)?, options)
    }

    fn new(image: Image, options: &Options) -> Result<Self, LoadError> {
        let Image {
            mut text,
            entry,
            data,
            names,
            maps,
        } = image;
        if !(1..=Options::GREATEST_CALL_DEPTH).contains(&options.call_depth) {
            return Err(LoadError::CallDepth(options.call_depth));
        }
        pseudo::resolve(&mut text, options)?;
        let mut inner = Inner {
            helpers: helpers(&text),
            text,
            entry,
            insns: Vec::new(),
            stack_length: 0,
            data,
            names,
            maps,
            options: options.clone(),
        };
        inner.insns = verifier::verify(&inner.lowering())?;
        inner.stack_length = stack_length(&inner.insns, options);
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Compiles the program for this machine.
    ///
    /// # Errors
    /// [`CompileError`] when the program can't be compiled; it can still be interpreted.
    pub fn compile(&self) -> Result<CompiledProgram, CompileError> {
        CompiledProgram::new(self)
    }

    /// Interprets the program. At most `limit` instructions are executed, if the program's
    /// [`Options::meter`] is on.
    ///
    /// The outcome and the memory are those of [`CompiledProgram::run`].
    pub fn interpret(
        &self,
        memory: &mut Memory<'_>,
        helpers: &mut Helpers<'_>,
        limit: u64,
    ) -> Outcome {
        memory.make_stack(self.stack_length());
        self.interpret_from_start(memory, helpers, limit)
    }

    /// [`Self::interpret`] on memory that has its stack.
    pub(super) fn interpret_from_start(
        &self,
        memory: &Memory<'_>,
        helpers: &mut Helpers<'_>,
        limit: u64,
    ) -> Outcome {
        memory.stack_cells().iter().for_each(|byte| byte.set(0));
        let start = self.meter(limit);
        let registers = self.entry_registers(memory);
        let mut interpreter = Interpreter::new(self, memory, helpers, registers, start);
        interpreter.pc = self.inner.entry as u32;
        let result = interpreter.run();
        Outcome::new(self, result, interpreter.pc, start, interpreter.meter)
    }

    /// Memory that holds the data which the program brings along, to be lent the rest.
    pub fn memory<'m>(&self) -> Memory<'m> {
        let mut memory = Memory::new();
        for data in &self.inner.data {
            memory.own_data(data.map, &data.bytes, data.is_writable);
        }
        memory
    }

    /// The instructions, with the values of all constants.
    pub fn text(&self) -> &[u8] {
        &self.inner.text
    }

    /// The pc at which it starts.
    pub fn entry(&self) -> usize {
        self.inner.entry
    }

    /// Names of functions by pc.
    pub fn names(&self) -> &BTreeMap<usize, String> {
        &self.inner.names
    }

    /// Names of the maps that the caller has to give, by their numbers.
    pub fn maps(&self) -> &[String] {
        &self.inner.maps
    }

    /// What it was loaded with.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// Numbers of the helpers that it calls.
    pub fn helpers(&self) -> &[u32] {
        &self.inner.helpers
    }

    /// The program for the lowering.
    pub(crate) fn lowering(&self) -> decode::Program<'_> {
        self.inner.lowering()
    }

    pub(super) fn stack_length(&self) -> usize {
        self.inner.stack_length
    }

    /// The meter that stands for a limit.
    pub(super) fn meter(&self, limit: u64) -> i64 {
        match self.inner.options.meter {
            true => meter_for(limit),
            false => 0,
        }
    }

    pub(super) fn entry_registers(&self, memory: &Memory<'_>) -> [u64; 11] {
        let mut registers = [0; 11];
        (registers[1], registers[2]) = memory.entry_registers();
        registers[10] = super::memory::STACK + u64::from(FRAME_SIZE);
        registers
    }
}

impl Inner {
    fn lowering(&self) -> decode::Program<'_> {
        let numbers = self.helpers.iter().zip(0..);
        decode::Program {
            text: &self.text,
            text_address: TEXT,
            entry: self.entry,
            function_starts: Vec::new(),
            functions: HashMap::new(),
            syscalls: numbers.map(|(number, index)| (*number, index)).collect(),
            dialect: Dialect::standard(self.options.groups, FRAME_SIZE, self.options.meter),
        }
    }
}

/// The bytes of stack that a program can come to know of.
fn stack_length(insns: &[Insn], options: &Options) -> usize {
    let is_call = |insn: &Insn| matches!(insn.operation, Operation::Call { .. });
    let reads_frame_pointer = |insn: &Insn| insn.reads().contains(FRAME_POINTER);
    let frames = match insns.iter().any(is_call) {
        _ if !insns.iter().any(reads_frame_pointer) => 0,
        true => options.call_depth,
        false => 1,
    };
    frames as usize * FRAME_SIZE as usize
}

/// The numbers of all helpers that are called, sorted.
fn helpers(text: &[u8]) -> Vec<u32> {
    let calls = text.as_chunks::<8>().0.iter();
    let mut numbers: Vec<u32> = calls
        .filter(|bytes| bytes[0] == 0x85 && bytes[1] >> 4 == 0)
        .map(|bytes| u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]))
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}
