//! The machine code of a program, for this machine or another one, before it is made executable.

use {
    crate::{
        CompileError, CompileOptions,
        code::Code,
        config,
        diversity::Diversity,
        emit::{self, Emitted},
        isa,
        native_names::Symbols,
    },
    cranelift_codegen::isa::TargetIsa,
    sbpf_lowering::{
        decode::Program,
        dialect::Dialect,
        function::{Analysis, Sites},
        hidden::Key,
    },
    sbpf_runtime::site::{AccessSite, CallSite},
    solana_sbpf::{elf::Executable, vm::ContextObject},
    std::io,
};

/// What a compilation produced, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompileStatistics {
    /// sBPF instructions in the text section, in slots of 8 bytes.
    pub instructions: usize,
    /// Native functions generated.
    pub functions: usize,
    /// Bytes of native code.
    pub code_bytes: usize,
    /// Cranelift IR instructions before code generation.
    pub clif_instructions: usize,
    /// Cranelift IR blocks before code generation.
    pub clif_blocks: usize,
    /// Bytes of native stack that one call takes at most.
    pub largest_frame: usize,
}

/// Position-independent machine code with what the runtime has to know about it.
///
/// It is what [`CompiledProgram`](crate::CompiledProgram) runs, for any machine: to be measured,
/// stored, or run by a runtime of one's own with [`sbpf_runtime`].
#[derive(Debug)]
pub struct GeneratedCode {
    pub(crate) code: Vec<u8>,
    pub(crate) entries: Vec<u32>,
    pub(crate) sites: Sites,
    pub(crate) statistics: CompileStatistics,
    pub(crate) key: u64,
    /// What native tools are to be told.
    pub(crate) symbols: Option<Symbols>,
}

impl GeneratedCode {
    /// Generates code for the machine that `options` name.
    ///
    /// # Errors
    /// [`CompileError`] when the program can't be compiled, or not for that machine.
    pub fn generate<C: ContextObject>(
        executable: &Executable<C>,
        options: &CompileOptions,
    ) -> Result<Self, CompileError> {
        let isa = isa::of(options)?;
        let (program, _) = config::program(executable)?;
        generate(&program, options, &*isa)
    }

    /// Makes the code executable.
    ///
    /// # Errors
    /// When the operating system refuses the memory.
    pub(crate) fn seal(self, dialect: &Dialect) -> io::Result<Code> {
        let Self {
            code,
            entries,
            sites,
            statistics,
            key,
            symbols,
        } = self;
        let memory = Symbols::seal(symbols.as_ref(), &code)?;
        let code = Code::new(memory, entries, sites, dialect, statistics, key, symbols);
        Ok(code)
    }

    /// The code; it starts with a function of type [`sbpf_runtime::run::EntryPoint`] in the C
    /// convention of its machine.
    pub fn bytes(&self) -> &[u8] {
        &self.code
    }

    /// For each pc the offset in the code of the function that starts there, or 0.
    pub fn entries(&self) -> &[u32] {
        &self.entries
    }

    /// All places that access memory.
    pub fn access_sites(&self) -> &[AccessSite] {
        &self.sites.accesses
    }

    /// All calls of functions.
    pub fn calls(&self) -> &[CallSite] {
        &self.sites.calls
    }

    /// What hides constants in the code, to be given to [`sbpf_runtime::run::Image`]; 0 if nothing
    /// does.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Sizes of the code and of what it was made from.
    pub fn statistics(&self) -> CompileStatistics {
        self.statistics
    }
}

/// The analyses of `program`, and what is left to chance, as `options` have code for a machine; without one,
/// nothing is hidden.
///
/// # Errors
/// When it can't be compiled.
pub(crate) fn analysed<'p>(
    program: &'p Program<'p>,
    options: &CompileOptions,
    isa: Option<&dyn TargetIsa>,
) -> Result<(Analysis<'p>, Diversity), CompileError> {
    let mut analysis = sbpf_lowering::analyse(program)?;
    let diversity = Diversity::new(options, program.dialect.padding_rate)?;
    if isa.is_some_and(|isa| isa::hides_constants(isa, &program.dialect)) {
        analysis.hide_constants(diversity.key());
    }
    if options.guard_speculation {
        analysis.guard_speculation();
    }
    Ok((analysis, diversity))
}

/// Generates the code of `program`.
pub(crate) fn generate(
    program: &Program<'_>,
    options: &CompileOptions,
    isa: &dyn TargetIsa,
) -> Result<GeneratedCode, CompileError> {
    let (analysis, mut diversity) = analysed(program, options, Some(isa))?;
    let emitted = emit::emit(&analysis, isa, options, &mut diversity)?;
    // Generated code has checked a pc against the text's length when it looks it up.
    let length = if analysis.has_indirect_calls() {
        program.len()
    } else {
        0
    };
    let mut entries = vec![0; length];
    for (pc, name) in analysis.indirect_entries() {
        if let (Some(entry), Some(offset)) =
            (entries.get_mut(pc as usize), emitted.offsets.get(&name))
        {
            *entry = *offset;
        }
    }
    let Emitted {
        code,
        offsets,
        sites,
        largest_frame,
        clif_instructions,
        clif_blocks,
        symbols,
    } = emitted;
    Ok(GeneratedCode {
        statistics: CompileStatistics {
            instructions: program.len(),
            functions: offsets.len(),
            code_bytes: code.len(),
            clif_instructions,
            clif_blocks,
            largest_frame,
        },
        code,
        entries,
        sites,
        key: analysis.key.map_or(0, Key::bits),
        symbols,
    })
}
