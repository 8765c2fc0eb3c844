//! Which functions are compiled together, and how.

use {
    crate::{
        CompileError,
        diversity::Diversity,
        emit::{self, Emitted, Piece},
        functions,
    },
    cranelift_codegen::{Context, isa::TargetIsa},
    cranelift_frontend::FunctionBuilderContext,
    sbpf_lowering::{
        Comments,
        function::{Analysis, Facts, FunctionName, Sites},
        insn::Operation,
        units::UnitId,
    },
    std::collections::HashMap,
};

/// Instructions of callees that are compiled along with a unit, although nothing has called them yet.
///
/// None: a run of token-2022 calls 38 of 1,122 functions, so most would be compiled for nothing.
const ALONG: u32 = 0;

/// A unit and those that it may call, as far as they are small and not there yet.
pub(super) fn around(
    facts: &Facts,
    unit: UnitId,
    is_there: impl Fn(UnitId) -> bool,
) -> Vec<UnitId> {
    let mut units = vec![unit];
    let mut room = ALONG;
    let mut next = 0;
    while let Some(&unit) = units.get(next)
        && room > 0
    {
        next += 1;
        for callee in callees(facts, unit) {
            let cost = cost(facts, callee);
            if cost <= room && !units.contains(&callee) && !is_there(callee) {
                room -= cost;
                units.push(callee);
            }
        }
    }
    units
}

/// The units that a unit calls or jumps into.
fn callees(facts: &Facts, unit: UnitId) -> impl Iterator<Item = UnitId> {
    let blocks = facts.units.unit(unit).blocks.iter();
    blocks
        .flat_map(|block| {
            let called = match facts.graph.terminator(*block) {
                Some((_, insn)) => match insn.operation {
                    Operation::Call { target } => facts.graph.block_at(target),
                    _ => None,
                },
                None => None,
            };
            called
                .into_iter()
                .chain(facts.graph.block(*block).successors())
        })
        .map(|block| facts.units.owner(block))
        .filter(move |owner| *owner != unit)
}

/// Instructions of a unit.
fn cost(facts: &Facts, unit: UnitId) -> u32 {
    let blocks = facts.units.unit(unit).blocks.iter();
    blocks.map(|block| facts.graph.block(*block).cost).sum()
}

/// Memory that compiling uses again and again.
pub(super) struct Tools {
    frontend: FunctionBuilderContext,
    context: Context,
}

impl Default for Tools {
    fn default() -> Self {
        Self {
            frontend: FunctionBuilderContext::new(),
            context: Context::new(),
        }
    }
}

/// Functions that are compiled together.
pub(super) struct Batch {
    emitted: Emitted,
    pieces: Vec<Piece>,
    sites: Vec<(FunctionName, Sites)>,
}

impl Batch {
    /// Compiles functions, each with the sites that it is to start with.
    ///
    /// # Errors
    /// What Cranelift refuses.
    pub(super) fn compile(
        analysis: &Analysis<'_>,
        isa: &dyn TargetIsa,
        names: &[FunctionName],
        tools: &mut Tools,
        first_sites: impl Fn(FunctionName) -> Sites,
    ) -> Result<Self, CompileError> {
        let mut batch = Self {
            emitted: Emitted::default(),
            pieces: Vec::with_capacity(names.len()),
            sites: Vec::with_capacity(names.len()),
        };
        let Tools { frontend, context } = tools;
        for &name in names {
            context.clear();
            let mut sites = first_sites(name);
            analysis.lower(
                name,
                isa.frontend_config(),
                frontend,
                &mut context.func,
                &mut sites,
                &mut Comments::default(),
            );
            batch.emitted.clif_instructions += context.func.dfg.num_insts();
            batch.emitted.clif_blocks += context.func.dfg.num_blocks();
            functions::compile(analysis, name, isa, context)?;
            batch
                .pieces
                .extend(emit::piece(&mut batch.emitted, name, context, isa)?);
            batch.sites.push((name, sites));
        }
        Ok(batch)
    }

    /// Brings the functions into another order.
    pub(super) fn shuffle(&mut self, diversity: &mut Diversity) {
        diversity.permute(&mut self.pieces);
    }

    /// Links the functions to each other. `padding` says how many bytes to leave before the function
    /// with an index and a length. Returns the code, and where in it each function starts.
    ///
    /// # Errors
    /// When one calls a function of another batch.
    pub(super) fn link(
        &self,
        isa: &dyn TargetIsa,
        mut padding: impl FnMut(usize, usize) -> usize,
    ) -> Result<(Vec<u8>, HashMap<FunctionName, u32>), CompileError> {
        let mut linked = Emitted::default();
        let mut fixups = Vec::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            let padding = padding(index, piece.len());
            emit::place(&mut linked, &mut fixups, piece, padding, isa)?;
        }
        for fixup in &fixups {
            emit::apply(&mut linked, fixup)?;
        }
        Ok((linked.code, linked.offsets))
    }

    /// Bytes of native stack that the largest frame takes.
    pub(super) fn largest_frame(&self) -> usize {
        self.emitted.largest_frame
    }

    /// CLIF instructions.
    pub(super) fn clif_instructions(&self) -> usize {
        self.emitted.clif_instructions
    }

    /// CLIF blocks.
    pub(super) fn clif_blocks(&self) -> usize {
        self.emitted.clif_blocks
    }

    /// Places that call back, by function.
    pub(super) fn sites(&self) -> &[(FunctionName, Sites)] {
        &self.sites
    }
}
