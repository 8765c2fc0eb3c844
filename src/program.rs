//! A compiled program: machine code and what it needs to run.

use {
    crate::{
        CompileError, CompileOptions, CompileStatistics, config,
        generated::{self, GeneratedCode},
        isa,
    },
    sbpf_lowering::{dialect::FrameLayout, function::Sites},
    sbpf_runtime::{code::CodeMemory, run::Image},
    solana_sbpf::{elf::Executable, program::BuiltinFunction, vm::ContextObject},
    std::{ops::Deref, sync::Arc},
};

/// A program compiled to native code, ready to be run by any number of threads at once.
///
/// It belongs to the [`Executable`] it was compiled from, and through it to one `Config`.
pub struct CompiledProgram<C: ContextObject> {
    pub(crate) code: Arc<CodeMemory>,
    pub(crate) entries: Vec<u32>,
    pub(crate) sites: Sites,
    pub(crate) syscalls: Vec<BuiltinFunction<C>>,
    pub(crate) frames: FrameLayout,
    pub(crate) statistics: CompileStatistics,
    pub(crate) identity: Identity,
}

/// Machine code of a program; it stays in memory as long as this does.
#[derive(Debug, Clone)]
pub struct MachineCode(Arc<CodeMemory>);

impl Deref for MachineCode {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// What tells executables apart at next to no cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    text: usize,
    length: usize,
    address: u64,
    entry: usize,
}

impl Identity {
    pub(crate) fn of<C: ContextObject>(executable: &Executable<C>) -> Self {
        let (address, text) = executable.get_text_bytes();
        Self {
            text: text.as_ptr().addr(),
            length: text.len(),
            address,
            entry: executable.get_entrypoint_instruction_offset(),
        }
    }
}

impl<C: ContextObject> CompiledProgram<C> {
    /// Compiles `executable` with default options for the machine this runs on.
    ///
    /// # Errors
    /// [`CompileError`] when the program can't be compiled; the interpreter still can run it.
    pub fn compile(executable: &Executable<C>) -> Result<Self, CompileError> {
        Self::compile_with(executable, &CompileOptions::default())
    }

    /// Compiles `executable` with `options`.
    ///
    /// # Errors
    /// See [`Self::compile`].
    pub fn compile_with(
        executable: &Executable<C>,
        options: &CompileOptions,
    ) -> Result<Self, CompileError> {
        crate::dump::from_environment(executable);
        let isa = isa::of(options)?;
        isa::assert_runs_here(&*isa)?;
        let (program, syscalls) = config::program(executable)?;
        let GeneratedCode {
            code,
            entries,
            sites,
            statistics,
        } = generated::generate(&program, options, &*isa)?;
        Ok(Self {
            code: Arc::new(CodeMemory::seal(&code)?),
            entries,
            sites,
            syscalls,
            frames: program.dialect.frames,
            statistics,
            identity: Identity::of(executable),
        })
    }

    /// Sizes of this program's code and of what it was made from.
    pub fn statistics(&self) -> CompileStatistics {
        self.statistics
    }

    /// The machine code.
    pub fn machine_code(&self) -> &[u8] {
        self.code.bytes()
    }

    /// The machine code, to be kept beyond this program's life.
    pub fn shared_machine_code(&self) -> MachineCode {
        MachineCode(Arc::clone(&self.code))
    }

    /// Bytes of memory that this program takes, the machine code included.
    pub fn mem_size(&self) -> usize {
        size_of::<Self>()
            + self.code.bytes().len()
            + size_of_val(self.entries.as_slice())
            + size_of_val(self.sites.accesses.as_slice())
            + size_of_val(self.sites.calls.as_slice())
            + size_of_val(self.syscalls.as_slice())
    }

    pub(crate) fn image(&self) -> Image<'_> {
        Image {
            code: &self.code,
            entries: &self.entries,
            accesses: &self.sites.accesses,
            calls: &self.sites.calls,
        }
    }
}

impl<C: ContextObject> std::fmt::Debug for CompiledProgram<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompiledProgram")
            .field("statistics", &self.statistics)
            .finish()
    }
}
