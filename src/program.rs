//! A compiled program: machine code and what it needs to run.

use {
    crate::{
        CompileError, CompileOptions, CompileStatistics, config, isa,
        machine_code::{self, MachineCode},
    },
    sbpf_lowering::{dialect::FrameLayout, function::Sites},
    sbpf_runtime::{code::CodeMemory, run::Image},
    solana_sbpf::{elf::Executable, program::BuiltinFunction, vm::ContextObject},
};

/// A program compiled to native code, ready to be run by any number of threads at once.
///
/// It belongs to the [`Executable`] it was compiled from, and through it to one `Config`.
pub struct CompiledProgram<C: ContextObject> {
    pub(crate) code: CodeMemory,
    pub(crate) entries: Vec<u32>,
    pub(crate) sites: Sites,
    pub(crate) syscalls: Vec<BuiltinFunction<C>>,
    pub(crate) frames: FrameLayout,
    pub(crate) statistics: CompileStatistics,
    pub(crate) identity: Identity,
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
        let MachineCode {
            code,
            entries,
            sites,
            statistics,
        } = machine_code::generate(&program, &*isa)?;
        Ok(Self {
            code: CodeMemory::seal(&code)?,
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

    pub(crate) fn image(&self) -> Image<'_> {
        Image {
            code: &self.code,
            entries: &self.entries,
            accesses: &self.sites.accesses,
            sites: &self.sites.others,
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
