//! ELF loading: upstream's module with [`Executable`] wrapped.

pub use upstream::elf::*;

use {
    crate::{
        compiled::Slot,
        jit_program::JitProgram,
        swap_in::{Engine, When, statistics},
    },
    std::{ops::Deref, sync::Arc},
    upstream::{
        elf::Executable as Upstream,
        elf_parser::{Elf64, ElfParserError, types::Elf64Shdr},
        error::EbpfError,
        program::{BuiltinProgram, FunctionRegistry, SBPFVersion},
        vm::{Config, ContextObject},
    },
};

/// A loaded program: upstream's executable, and what it was compiled to.
#[derive(Debug)]
pub struct Executable<C: ContextObject> {
    pub(crate) upstream: Upstream<C>,
    pub(crate) slot: Slot<C>,
}

impl<C: ContextObject> From<Upstream<C>> for Executable<C> {
    fn from(upstream: Upstream<C>) -> Self {
        statistics::count_load();
        Self {
            upstream,
            slot: Slot::default(),
        }
    }
}

impl<C: ContextObject> Deref for Executable<C> {
    type Target = Upstream<C>;

    fn deref(&self) -> &Upstream<C> {
        &self.upstream
    }
}

impl<C: PartialEq + ContextObject> PartialEq for Executable<C> {
    fn eq(&self, other: &Self) -> bool {
        self.upstream == other.upstream && self.slot == other.slot
    }
}

/// Compilation. These are there on every target, unlike upstream's.
impl<C: ContextObject> Executable<C> {
    /// Has the program compiled by the engine that was chosen (see [`swap_in`](crate::swap_in)).
    ///
    /// A program that Cranelift can't compile is interpreted instead, which the host can't tell.
    /// Code that other threads are running stays alive.
    ///
    /// # Errors
    /// Those of upstream, if its JIT was chosen.
    pub fn jit_compile(&self) -> Result<(), EbpfError> {
        let engine = Engine::chosen();
        if engine == Engine::HandWritten {
            return self.compile_by_hand();
        }
        let compiled = self.slot.replace();
        match When::chosen() {
            _ if engine != Engine::Cranelift => {}
            When::Eager => {
                compiled.native(&self.upstream);
            }
            // The lower tier; what it refuses is interpreted until it is hot.
            When::Tiered => drop(self.compile_by_hand()),
            When::Lazy | When::LazyFunctions => {}
        }
        Ok(())
    }

    /// The compiled program, if [`Self::jit_compile`] was called.
    ///
    /// If the program has not run yet, this is when it is compiled.
    pub fn get_compiled_program(&self) -> Option<Arc<JitProgram>> {
        match Engine::chosen() {
            Engine::HandWritten => self.hand_written(),
            _ => Some(self.slot.get()?.handle(&self.upstream)),
        }
    }

    /// Removes the compiled program. Runs in progress keep it alive.
    pub fn take_compiled_program(&self) -> Option<Arc<JitProgram>> {
        match Engine::chosen() {
            Engine::HandWritten => self.take_hand_written(),
            _ => {
                let handle = self.slot.take()?.handle(&self.upstream);
                self.take_hand_written_code();
                Some(handle)
            }
        }
    }

    /// Bytes of memory that the executable takes, code that exists by now included.
    pub fn mem_size(&self) -> usize {
        let compiled = self.slot.get().map_or(0, |compiled| compiled.mem_size());
        self.upstream.mem_size().saturating_add(compiled)
    }
}

#[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
impl<C: ContextObject> Executable<C> {
    fn compile_by_hand(&self) -> Result<(), EbpfError> {
        self.upstream.jit_compile()?;
        statistics::count_hand_written_compilation();
        Ok(())
    }

    pub(crate) fn upstream_is_compiled(&self) -> bool {
        self.upstream.get_compiled_program().is_some()
    }

    fn hand_written(&self) -> Option<Arc<JitProgram>> {
        let program = self.upstream.get_compiled_program()?;
        Some(self.slot.hand_written(program))
    }

    fn take_hand_written(&self) -> Option<Arc<JitProgram>> {
        let program = self.upstream.take_compiled_program()?;
        Some(self.slot.hand_written(program))
    }

    /// Removes the lower tier.
    fn take_hand_written_code(&self) {
        drop(self.upstream.take_compiled_program());
    }
}

/// Where there is no hand-written JIT its choice means the interpreter.
#[cfg(not(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64")))]
impl<C: ContextObject> Executable<C> {
    fn compile_by_hand(&self) -> Result<(), EbpfError> {
        Err(EbpfError::JitNotCompiled)
    }

    pub(crate) fn upstream_is_compiled(&self) -> bool {
        false
    }

    fn hand_written(&self) -> Option<Arc<JitProgram>> {
        None
    }

    fn take_hand_written(&self) -> Option<Arc<JitProgram>> {
        None
    }

    fn take_hand_written_code(&self) {}
}

/// Upstream's constructors.
impl<C: ContextObject> Executable<C> {
    /// Loads an ELF.
    ///
    /// # Errors
    /// See upstream.
    pub fn load(bytes: &[u8], loader: Arc<BuiltinProgram<C>>) -> Result<Self, ElfError> {
        Upstream::load(bytes, loader).map(Self::from)
    }

    /// Loads an ELF without relocation.
    ///
    /// # Errors
    /// See upstream.
    pub fn load_with_strict_parser(
        bytes: &[u8],
        loader: Arc<BuiltinProgram<C>>,
    ) -> Result<Self, ElfParserError> {
        Upstream::load_with_strict_parser(bytes, loader).map(Self::from)
    }

    /// Creates an executable from an ELF file.
    ///
    /// # Errors
    /// See upstream.
    pub fn from_elf(elf_bytes: &[u8], loader: Arc<BuiltinProgram<C>>) -> Result<Self, EbpfError> {
        Upstream::from_elf(elf_bytes, loader).map(Self::from)
    }

    /// Creates an executable from instructions.
    ///
    /// # Errors
    /// See upstream.
    pub fn from_text_bytes(
        text_bytes: &[u8],
        loader: Arc<BuiltinProgram<C>>,
        sbpf_version: SBPFVersion,
        function_registry: FunctionRegistry<usize>,
    ) -> Result<Self, EbpfError> {
        Upstream::from_text_bytes(text_bytes, loader, sbpf_version, function_registry)
            .map(Self::from)
    }

    /// Creates an executable from instructions.
    ///
    /// # Errors
    /// See upstream.
    pub fn new_from_text_bytes(
        text_bytes: &[u8],
        loader: Arc<BuiltinProgram<C>>,
        sbpf_version: SBPFVersion,
        function_registry: FunctionRegistry<usize>,
    ) -> Result<Self, ElfError> {
        Upstream::new_from_text_bytes(text_bytes, loader, sbpf_version, function_registry)
            .map(Self::from)
    }

    /// Validates an ELF.
    ///
    /// # Errors
    /// See upstream.
    pub fn validate(elf: &Elf64, elf_bytes: &[u8]) -> Result<(), ElfError> {
        Upstream::<C>::validate(elf, elf_bytes)
    }

    /// Parses the read-only sections.
    ///
    /// # Errors
    /// See upstream.
    pub fn parse_ro_sections<'a, S: IntoIterator<Item = (Option<&'a [u8]>, &'a Elf64Shdr)>>(
        config: &Config,
        sections: S,
        elf_bytes: &[u8],
    ) -> Result<Section, ElfError> {
        Upstream::<C>::parse_ro_sections(config, sections, elf_bytes)
    }
}
