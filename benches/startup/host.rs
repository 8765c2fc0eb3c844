//! The smallest host: a meter, a memory mapping, and the real on-chain programs of
//! `solana-program-binaries` with syscalls that do nothing.

use {
    crate::deployed,
    solana_sbpf::{
        ebpf,
        elf::Executable,
        elf_parser::Elf64,
        memory_region::MemoryMapping,
        program::{BuiltinFunctionDefinition, BuiltinProgram},
        verifier::RequisiteVerifier,
        vm::{Config, ContextObject},
    },
    std::{ptr::NonNull, sync::Arc},
};

/// A meter and a memory mapping.
pub(crate) struct BenchContext {
    /// Instructions that may still be executed.
    pub(crate) remaining: u64,
    /// The memory of the VM.
    mapping: MemoryMapping,
}

impl BenchContext {
    /// A context over `mapping`, with nothing on its meter yet.
    pub(crate) fn new(mapping: MemoryMapping) -> Self {
        Self {
            remaining: 0,
            mapping,
        }
    }
}

impl ContextObject for BenchContext {
    fn consume(&mut self, amount: u64) {
        self.remaining = self.remaining.saturating_sub(amount);
    }

    fn get_remaining(&self) -> u64 {
        self.remaining
    }

    fn active_mapping_ptr(&mut self) -> NonNull<MemoryMapping> {
        NonNull::from_mut(&mut self.mapping)
    }
}

/// A program to compile.
pub(crate) struct Program {
    /// The name in reports and filters.
    pub(crate) name: String,
    /// The loaded program.
    pub(crate) executable: Executable<BenchContext>,
}

impl Program {
    /// The number of instructions, in slots of 8 bytes.
    pub(crate) fn instructions(&self) -> usize {
        self.executable.get_text_bytes().1.len() / ebpf::INSN_SIZE
    }
}

/// All ten programs.
pub(crate) fn all() -> Vec<Program> {
    let programs = elves();
    programs.iter().map(|(name, elf)| load(name, elf)).collect()
}

/// Their names and files.
pub(crate) fn elves() -> Vec<(&'static str, Vec<u8>)> {
    let elves = deployed::elves();
    assert_eq!(elves.len(), deployed::NAMES.len(), "programs in the crate");
    deployed::NAMES.into_iter().zip(elves).collect()
}

/// Loads and verifies a program.
pub(crate) fn load(name: &str, elf: &[u8]) -> Program {
    let mut loader = BuiltinProgram::new_loader(Config::default());
    for syscall in undefined_symbols(elf) {
        if let Err(error) = MockSyscall::register(&mut loader, &syscall) {
            panic!("{name}: registering {syscall}: {error}");
        }
    }
    let executable = Executable::from_elf(elf, Arc::new(loader))
        .unwrap_or_else(|error| panic!("{name}: loading: {error}"));
    if let Err(error) = executable.verify::<RequisiteVerifier>() {
        panic!("{name}: verifying: {error}");
    }
    Program {
        name: name.to_string(),
        executable,
    }
}

/// The names that a program wants its host to define.
fn undefined_symbols(elf: &[u8]) -> Vec<String> {
    let elf = Elf64::parse(elf).unwrap_or_else(|error| panic!("parsing a program: {error}"));
    elf.dynamic_symbol_table()
        .unwrap_or_default()
        .iter()
        .filter(|symbol| symbol.st_shndx == 0)
        .filter_map(|symbol| elf.dynamic_symbol_name(symbol.st_name).ok())
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

/// A syscall that does nothing.
pub(crate) struct MockSyscall;

impl BuiltinFunctionDefinition<BenchContext> for MockSyscall {
    type Error = Box<dyn std::error::Error>;

    fn rust(
        _context: &mut BenchContext,
        _: u64,
        _: u64,
        _: u64,
        _: u64,
        _: u64,
    ) -> Result<u64, Self::Error> {
        Ok(0)
    }
}
