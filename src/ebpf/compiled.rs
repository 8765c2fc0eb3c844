//! A compiled program.

use {
    super::{
        helpers::Helpers, machine::Outcome, memory::Memory, program::Program, session::Session,
    },
    crate::{
        CompileError, CompileStatistics,
        generated::{self, GeneratedCode},
        isa,
        native_names::{Announced, Symbols},
    },
    sbpf_runtime::{learnt::Learnt, run::Image},
};

/// A program compiled to native code, ready to be run by any number of threads at once.
#[derive(Debug)]
pub struct CompiledProgram {
    /// What native tools know. It is dropped first, so that they forget code before it is gone.
    _announced: Option<Announced>,
    program: Program,
    image: Image,
    statistics: CompileStatistics,
}

impl CompiledProgram {
    pub(super) fn new(program: &Program) -> Result<Self, CompileError> {
        let options = &program.inner.options.compile;
        let names = program.names().iter();
        let names = names.map(|(pc, name)| (*pc, name.as_str().into()));
        let named = options.native_names.with_functions(names, options);
        let options = named.as_ref().unwrap_or(options);
        let isa = isa::here(options)?;
        let GeneratedCode {
            code,
            entries,
            sites,
            statistics,
            key,
            symbols,
        } = generated::generate(&program.lowering(), options, &*isa)?;
        let code = Symbols::seal(symbols.as_ref(), &code)?;
        Ok(Self {
            _announced: symbols.map(|symbols| symbols.announce(&code)),
            program: program.clone(),
            image: Image {
                code,
                entries,
                accesses: sites.accesses,
                calls: sites.calls,
                key,
                // A session fills slots but once, whether they are needed or not.
                learnt: Learnt::all_slots(),
            },
            statistics,
        })
    }

    /// Runs the program. At most `limit` instructions are executed, if the program's
    /// [`meter`](super::Options::meter) is on.
    ///
    /// # Panics
    /// If a helper panics.
    pub fn run(&self, memory: &mut Memory<'_>, helpers: &mut Helpers<'_>, limit: u64) -> Outcome {
        self.session(memory, helpers).run(limit)
    }

    /// Prepares runs on the same memory with the same helpers, one after the other: each then costs
    /// less than [`Self::run`] does.
    pub fn session<'s, 'm, 'h>(
        &'s self,
        memory: &'s mut Memory<'m>,
        helpers: &'s mut Helpers<'h>,
    ) -> Session<'s, 'm, 'h> {
        Session::new(self, memory, helpers)
    }

    /// The program it was compiled from.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Sizes of the code and of what it was made from.
    pub fn statistics(&self) -> CompileStatistics {
        self.statistics
    }

    /// The machine code.
    pub fn machine_code(&self) -> &[u8] {
        self.image.code.bytes()
    }

    pub(super) fn image(&self) -> &Image {
        &self.image
    }
}
