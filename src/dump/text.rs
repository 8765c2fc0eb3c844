//! The stages of a program as text, one function after the other.

#[cfg(feature = "disassembly")]
use super::assembly;
use {
    super::{DumpError, DumpOptions, Stage, listing, select},
    crate::{CompileOptions, functions, generated::analysed, isa},
    cranelift_codegen::{Context, isa::OwnedTargetIsa},
    cranelift_frontend::FunctionBuilderContext,
    sbpf_lowering::{
        Comments,
        cfg::BlockId,
        comments::Names,
        decode::Program,
        function::{Analysis, FunctionName, Sites},
    },
    std::{collections::HashSet, io},
};

/// Writes the stages that `options` ask for, below a line about the whole program.
pub(super) fn write(
    title: &str,
    program: &Program<'_>,
    names: &Names,
    options: &DumpOptions,
    output: &mut impl io::Write,
) -> Result<(), DumpError> {
    if options.stages.contains(&Stage::Assembly) && cfg!(not(feature = "disassembly")) {
        return Err(DumpError::NoDisassembler);
    }
    let isa = isa(options)?;
    // A dump is to be compared with another one.
    let compile = CompileOptions {
        seed: options.compile.seed.or(Some(0)),
        ..options.compile.clone()
    };
    let (mut analysis, _) = analysed(program, &compile, isa.as_deref())?;
    if options.lazy {
        analysis.link_by_table(|_| {});
    }
    let functions = select::functions(&analysis, names, options.function.as_ref())?;
    writeln!(
        output,
        "; {title}; instruction slots: {}, blocks: {}, units: {}{}",
        program.len(),
        analysis.graph.blocks.len(),
        analysis.units.units.len(),
        isa.as_ref()
            .map(|isa| format!("; for {}", isa.triple()))
            .unwrap_or_default(),
    )?;
    let mut dump = Dump {
        analysis: &analysis,
        names,
        stages: &options.stages,
        starts: analysis.graph.starts.iter().copied().collect(),
        isa: isa.as_ref(),
        context: Context::new(),
        frontend: FunctionBuilderContext::new(),
    };
    for function in functions {
        dump.write(function, output)?;
    }
    output.flush()?;
    Ok(())
}

/// The machine to generate code for; none if no stage needs one.
fn isa(options: &DumpOptions) -> Result<Option<OwnedTargetIsa>, DumpError> {
    let is_used = options.stages.iter().any(|stage| !stage.is_of_program());
    Ok(match &options.target {
        Some(target) => Some(isa::target(target, &options.compile)?),
        None if is_used => Some(isa::of(&options.compile)?.isa().clone()),
        None => None,
    })
}

/// A dump in progress.
struct Dump<'a> {
    analysis: &'a Analysis<'a>,
    names: &'a Names,
    stages: &'a [Stage],
    starts: HashSet<BlockId>,
    isa: Option<&'a OwnedTargetIsa>,
    context: Context,
    frontend: FunctionBuilderContext,
}

impl Dump<'_> {
    /// All stages of one function.
    fn write(&mut self, name: FunctionName, output: &mut impl io::Write) -> Result<(), DumpError> {
        let clif = self.clif(name)?;
        for &stage in self.stages {
            let unit = match name {
                FunctionName::Unit(unit) => Some(unit),
                _ if stage.is_of_program() => continue,
                _ => None,
            };
            writeln!(
                output,
                "\n;;; {stage}: {}",
                self.names.title(self.analysis, name)
            )?;
            match (stage, unit) {
                (Stage::Instructions, Some(unit)) => {
                    listing::instructions(self.analysis, self.names, &self.starts, unit, output)?;
                }
                (Stage::ControlFlow, Some(unit)) => {
                    listing::control_flow(self.analysis, self.names, unit, output)?;
                }
                (Stage::Clif, _) => output.write_all(clif.as_bytes())?,
                (Stage::Vcode, _) => {
                    let vcode = self
                        .context
                        .compiled_code()
                        .and_then(|code| code.vcode.as_ref());
                    writeln!(output, "{}", vcode.map_or("", |vcode| vcode.trim_end()))?;
                }
                (Stage::Assembly, _) => self.assembly(output)?,
                (Stage::Instructions | Stage::ControlFlow, None) => {}
            }
        }
        Ok(())
    }

    /// Lowers a function and, if some stage needs it, compiles it. Returns its CLIF as text, which
    /// is to be had only before.
    fn clif(&mut self, name: FunctionName) -> Result<String, DumpError> {
        let Some(isa) = self.isa else {
            return Ok(String::new());
        };
        self.context.clear();
        let mut comments = Comments::new(true);
        let together = name.unit().into_iter().collect();
        self.analysis.with_together(together).lower(
            name,
            isa.frontend_config(),
            &mut self.frontend,
            &mut self.context.func,
            &mut Sites::default(),
            &mut comments,
        );
        let clif = match self.stages.contains(&Stage::Clif) {
            true => comments.annotate(self.analysis, self.names, &self.context.func),
            false => String::new(),
        };
        if self.stages.iter().any(|stage| stage.needs_code()) {
            self.context.set_disasm(self.stages.contains(&Stage::Vcode));
            functions::compile(self.analysis, name, &**isa, &mut self.context)?;
        }
        Ok(clif)
    }

    #[cfg(feature = "disassembly")]
    fn assembly(&self, output: &mut impl io::Write) -> Result<(), DumpError> {
        match self.isa {
            Some(isa) => assembly::write(self.analysis, self.names, &**isa, &self.context, output),
            None => Ok(()),
        }
    }

    #[cfg(not(feature = "disassembly"))]
    fn assembly(&self, _: &mut impl io::Write) -> Result<(), DumpError> {
        Err(DumpError::NoDisassembler)
    }
}
