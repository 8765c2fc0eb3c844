//! The functions of a program through Cranelift, on one thread or on several.
//!
//! Functions are lowered one after the other, since their sites are numbered through, and compiled
//! in batches: while threads compile one batch, the next is lowered. So the code does not depend on
//! the number of threads, and the memory in use not on the size of the program.

use {
    crate::CompileError,
    cranelift_codegen::{Context, control::ControlPlane, isa::TargetIsa},
    cranelift_frontend::FunctionBuilderContext,
    rayon::prelude::*,
    sbpf_lowering::{
        Comments,
        function::{Analysis, FunctionName, Sites},
    },
    std::cmp::Reverse,
};

/// Functions in a batch for each thread: enough of them to keep it busy.
const BATCH: usize = 12;

/// A function on its way through Cranelift.
pub(crate) struct InProgress {
    /// Which one.
    pub(crate) name: FunctionName,
    /// Its CLIF and, later, its machine code.
    pub(crate) context: Context,
    /// CLIF instructions before code generation.
    pub(crate) clif_instructions: usize,
    /// CLIF blocks before code generation.
    pub(crate) clif_blocks: usize,
}

/// Compiles all functions and passes each to `consume`, in order. Returns the places that call back.
///
/// # Errors
/// Those of code generation, and those of `consume`.
pub(crate) fn compile_all(
    analysis: &Analysis<'_>,
    isa: &dyn TargetIsa,
    threads: usize,
    mut consume: impl FnMut(&InProgress) -> Result<(), CompileError>,
) -> Result<Sites, CompileError> {
    let mut lowering = Lowering {
        analysis,
        isa,
        frontend: FunctionBuilderContext::new(),
        sites: Sites::default(),
    };
    let names = analysis.functions();
    // Where no threads can be had, this one does it.
    let pool = match threads {
        0 | 1 => None,
        _ => rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .ok(),
    };
    let Some(pool) = pool else {
        let mut context = Context::new();
        for name in names {
            let mut function = lowering.lower(name, context);
            compile(analysis, name, isa, &mut function.context)?;
            consume(&function)?;
            context = function.context;
        }
        return Ok(lowering.sites);
    };
    let mut lowered: Vec<InProgress> = Vec::new();
    // Memory that was used before takes no time to be had.
    let mut unused: Vec<Context> = Vec::new();
    let length = BATCH.saturating_mul(threads);
    // One more turn, with nothing to lower, compiles the last batch.
    for batch in names.chunks(length).chain(std::iter::once(&[][..])) {
        let (compiled, next) = pool.join(
            || {
                let mut largest_first: Vec<&mut InProgress> = lowered.iter_mut().collect();
                largest_first.sort_by_key(|function| Reverse(function.clif_instructions));
                // One at a time, as none takes as long as another.
                let functions = largest_first.into_par_iter().with_max_len(1);
                functions.try_for_each(|function| {
                    let InProgress { name, context, .. } = function;
                    compile(analysis, *name, isa, context)
                })
            },
            || {
                let functions = batch.iter();
                functions
                    .map(|name| lowering.lower(*name, unused.pop().unwrap_or_else(Context::new)))
                    .collect::<Vec<_>>()
            },
        );
        compiled?;
        lowered.iter().try_for_each(&mut consume)?;
        unused.extend(lowered.into_iter().map(|function| function.context));
        lowered = next;
    }
    Ok(lowering.sites)
}

/// What lowering goes on with from one function to the next.
struct Lowering<'a> {
    analysis: &'a Analysis<'a>,
    isa: &'a dyn TargetIsa,
    frontend: FunctionBuilderContext,
    sites: Sites,
}

impl Lowering<'_> {
    /// Lowers a function into `context`, whose memory it takes over.
    fn lower(&mut self, name: FunctionName, mut context: Context) -> InProgress {
        context.clear();
        self.analysis.lower(
            name,
            self.isa.frontend_config(),
            &mut self.frontend,
            &mut context.func,
            &mut self.sites,
            &mut Comments::default(),
        );
        InProgress {
            name,
            clif_instructions: context.func.dfg.num_insts(),
            clif_blocks: context.func.dfg.num_blocks(),
            context,
        }
    }
}

/// Compiles the function in `context`.
pub(crate) fn compile(
    analysis: &Analysis<'_>,
    name: FunctionName,
    isa: &dyn TargetIsa,
    context: &mut Context,
) -> Result<(), CompileError> {
    let result = context.compile(isa, &mut ControlPlane::default());
    result
        .map(|_| ())
        .map_err(|error| CompileError::CodeGeneration {
            pc: first_pc(analysis, name),
            reason: cranelift_codegen::print_errors::pretty_error(error.func, error.inner),
        })
}

/// The pc at which a function starts.
pub(crate) fn first_pc(analysis: &Analysis<'_>, name: FunctionName) -> usize {
    match name {
        FunctionName::Entry
        | FunctionName::Access
        | FunctionName::AccessSlow
        | FunctionName::Compile => analysis.program.entry,
        FunctionName::Unit(unit) | FunctionName::Indirect(unit) => {
            analysis.graph.block(analysis.units.unit(unit).entry).start as usize
        }
    }
}
