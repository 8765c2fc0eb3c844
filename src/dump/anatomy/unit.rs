//! One unit through all stages.

use {
    super::{DumpError, MemoryCheck, checks},
    crate::{functions, isa},
    cranelift_codegen::{Context, isa::OwnedTargetIsa},
    cranelift_frontend::FunctionBuilderContext,
    sbpf_lowering::{
        Comments,
        cfg::BlockId,
        checkpoints::Checkpoints,
        comments::{CodeLine, Names, registers},
        function::{Analysis, FunctionName, Sites},
        insn::Operation,
        loops::LoopId,
        sharing::memory_plan,
        units::UnitId,
    },
    std::collections::HashMap,
};

/// A unit: what becomes one native function.
#[derive(Debug, Clone)]
pub struct UnitPart {
    /// The pc at which it is entered.
    pub entry: u32,
    /// The name of the function that it is, or is a piece of.
    pub name: Option<String>,
    /// The pc of that function, which is the entry of a unit that is no piece.
    pub function: u32,
    /// Its blocks, in the order of their pcs.
    pub blocks: Vec<BlockPart>,
    /// The entries of other units that it calls, is likely to call by `callx`, or jumps to.
    pub callees: Vec<u32>,
    /// Cranelift IR of the first machine.
    pub clif: Vec<CodeLine>,
    /// What each machine executes.
    pub machines: Vec<MachinePart>,
}

/// Machine code.
#[derive(Debug, Clone)]
pub struct MachinePart {
    /// Bytes of code.
    pub bytes: usize,
    /// Its disassembly.
    pub lines: Vec<CodeLine>,
}

/// A basic block.
#[derive(Debug, Clone)]
pub struct BlockPart {
    /// The pc of its first instruction.
    pub start: u32,
    /// The pc behind its last instruction.
    pub end: u32,
    /// Instructions, which is what it costs.
    pub cost: u32,
    /// The registers that are live at its start.
    pub live: String,
    /// At a checkpoint the instructions that the meter has to cover.
    pub needed: Option<u32>,
    /// Instructions of earlier blocks that it has to pay for.
    pub carried: u32,
    /// Whether it pays, rather than leave that to its successors.
    pub settles: bool,
    /// The number of the loop without calls that it is in.
    pub in_loop: Option<u32>,
    /// Where control goes from it.
    pub edges: Vec<Edge>,
    /// Its instructions.
    pub insns: Vec<InsnPart>,
}

/// A way out of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The pc that it leads to.
    pub to: u32,
    /// What leads there.
    pub kind: EdgeKind,
}

/// What leads out of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeKind {
    /// The next instruction.
    FallThrough,
    /// A jump.
    Jump,
    /// Either of them, to another unit.
    TailCall,
}

/// An instruction.
#[derive(Debug, Clone)]
pub struct InsnPart {
    /// Its pc.
    pub pc: u32,
    /// Slots of eight bytes that it occupies.
    pub slots: u8,
    /// What it does.
    pub text: String,
    /// How its memory access is checked, if it is one.
    pub check: Option<MemoryCheck>,
    /// For a `callx` the pc of the function that it calls directly if the address is that one's.
    pub likely_callee: Option<u32>,
}

/// What all units are examined with.
pub(super) struct Examination<'a> {
    pub(super) analysis: &'a Analysis<'a>,
    /// The same for machines on which the program's constants are hidden.
    pub(super) hidden: Option<&'a Analysis<'a>>,
    pub(super) names: &'a Names,
    pub(super) machines: &'a [OwnedTargetIsa],
    /// For each unit the pc of its function.
    pub(super) functions: HashMap<UnitId, u32>,
}

impl Examination<'_> {
    /// Everything about a unit.
    pub(super) fn unit(&self, id: UnitId) -> Result<UnitPart, DumpError> {
        let unit = self.analysis.units.unit(id);
        let entry = self.analysis.graph.block(unit.entry).start;
        let function = self.functions.get(&id).copied().unwrap_or(entry);
        let mut part = UnitPart {
            entry,
            name: self.names.functions.get(&function).cloned(),
            function,
            blocks: self.blocks(id),
            callees: self.callees(id),
            clif: Vec::new(),
            machines: Vec::with_capacity(self.machines.len()),
        };
        let mut frontend = FunctionBuilderContext::new();
        for (index, machine) in self.machines.iter().enumerate() {
            let mut context = Context::new();
            let mut comments = Comments::new(index == 0);
            let analysis = self.analysis_for(machine);
            analysis.lower(
                FunctionName::Unit(id),
                machine.frontend_config(),
                &mut frontend,
                &mut context.func,
                &mut Sites::default(),
                &mut comments,
            );
            if index == 0 {
                part.clif = comments.annotate_lines(analysis, self.names, &context.func);
            }
            let name = FunctionName::Unit(id);
            functions::compile(analysis, name, &**machine, &mut context)?;
            part.machines.push(self.machine(machine, &context)?);
        }
        Ok(part)
    }

    fn analysis_for(&self, machine: &OwnedTargetIsa) -> &Analysis<'_> {
        let hides = isa::hides_constants(&**machine, &self.analysis.program.dialect);
        self.hidden.filter(|_| hides).unwrap_or(self.analysis)
    }

    #[cfg(feature = "disassembly")]
    fn machine(
        &self,
        machine: &OwnedTargetIsa,
        context: &Context,
    ) -> Result<MachinePart, DumpError> {
        let code = context.compiled_code();
        Ok(MachinePart {
            bytes: code.map_or(0, |code| code.code_buffer().len()),
            lines: super::super::assembly::lines(self.analysis, self.names, &**machine, context)?,
        })
    }

    #[cfg(not(feature = "disassembly"))]
    fn machine(&self, _: &OwnedTargetIsa, _: &Context) -> Result<MachinePart, DumpError> {
        Err(DumpError::NoDisassembler)
    }

    fn blocks(&self, id: UnitId) -> Vec<BlockPart> {
        let graph = &self.analysis.graph;
        let unit = self.analysis.units.unit(id);
        let dialect = &self.analysis.program.dialect;
        let checkpoints = Checkpoints::plan(graph, unit, dialect);
        let charge = |block| Some(checkpoints.of(block));
        let (loops, sharing) = memory_plan(self.analysis, id, charge);
        let likely = self.analysis.likely_callees(id);
        let kept: HashMap<(BlockId, usize), LoopId> = loops
            .cached_groups(
                graph,
                unit,
                |block| self.analysis.passed(block).len(),
                &sharing,
            )
            .into_iter()
            .map(|(id, block, group)| ((block, group), id))
            .collect();
        let part = |&block_id: &BlockId| {
            let block = graph.block(block_id);
            let charge = checkpoints.of(block_id);
            let insns: Vec<_> = graph.insns(block_id).collect();
            let checks = checks::of_block(self.analysis, block_id, &sharing, &insns, &kept);
            BlockPart {
                start: block.start,
                end: block.end,
                cost: block.cost,
                live: registers(self.analysis.liveness.live_in(block_id)),
                needed: charge.needed,
                carried: charge.carried,
                settles: charge.settles,
                in_loop: loops.around(block_id).map(|id| id.0),
                edges: self.edges(id, block_id),
                insns: insns
                    .iter()
                    .zip(checks)
                    .map(|((pc, insn), check)| InsnPart {
                        pc: *pc,
                        slots: insn.slots,
                        text: self.names.describe(insn),
                        check,
                        likely_callee: likely_callee(&likely, insn.operation),
                    })
                    .collect(),
            }
        };
        unit.blocks.iter().map(part).collect()
    }

    fn edges(&self, unit: UnitId, id: BlockId) -> Vec<Edge> {
        let graph = &self.analysis.graph;
        let block = graph.block(id);
        let edge = |(index, next): (usize, Option<BlockId>)| {
            let next = next?;
            let is_outside = self.analysis.units.owner(next) != unit;
            let kind = match (is_outside, index) {
                (true, _) => EdgeKind::TailCall,
                (false, 0) => EdgeKind::FallThrough,
                (false, _) => EdgeKind::Jump,
            };
            let to = graph.block(next).start;
            Some(Edge { to, kind })
        };
        let successors = block.successors.into_iter().enumerate();
        successors.filter_map(edge).collect()
    }

    fn callees(&self, id: UnitId) -> Vec<u32> {
        let graph = &self.analysis.graph;
        let units = &self.analysis.units;
        let mut callees = Vec::new();
        let likely = self.analysis.likely_callees(id);
        for &block in &units.unit(id).blocks {
            let called = match graph.ending(block) {
                Some(Operation::Call { target }) => graph.block_at(target),
                Some(operation) => {
                    likely_callee(&likely, operation).and_then(|target| graph.block_at(target))
                }
                None => None,
            };
            callees.extend(called.map(|block| units.owner(block)));
            let successors = graph.block(block).successors();
            let outside = successors.map(|next| units.owner(next));
            callees.extend(outside.filter(|owner| *owner != id));
        }
        callees.sort_unstable();
        callees.dedup();
        let entry = |unit: UnitId| graph.block(units.unit(unit).entry).start;
        callees.into_iter().map(entry).collect()
    }
}

/// The pc of what a `callx` is likely to call.
fn likely_callee(likely: &[Option<u32>], operation: Operation) -> Option<u32> {
    match operation {
        Operation::CallRegister { register } => likely.get(usize::from(register)).copied()?,
        _ => None,
    }
}
