//! The CLIF blocks of a unit's basic blocks, and the edges between them.
//!
//! A block whose edges have all been emitted is sealed at once: then its SSA values are complete,
//! and none needs a parameter that is found out to be superfluous later.

use {
    crate::{
        cfg::BlockId,
        checkpoints::{Charge, Checkpoints, calls},
        function::{Analysis, FunctionCx},
        units::UnitId,
    },
    cranelift_codegen::ir::Block,
    cranelift_frontend::FunctionBuilder,
    std::collections::HashMap,
};

/// What a basic block becomes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalBlock {
    /// Its instructions.
    pub(crate) body: Block,
    /// The check that jumps to a checkpoint go through; returns from calls have made it before.
    pub(crate) check: Option<Block>,
    /// What it has to do about the meter.
    pub(crate) charge: Charge,
    /// The block that its branch skips, see [`crate::selection`].
    pub(crate) skips: Option<BlockId>,
    /// What decides about turns without checks, in front of a loop whose turns are counted: the loop is
    /// entered there.
    pub(crate) entry: Option<Block>,
    /// Where to go when the budget may not last, once something goes there.
    pub(crate) short: Option<Block>,
    /// Jumps to the block that are still to come.
    jumps: u32,
    /// Edges to the body that are still to come.
    body_edges: u32,
    /// Ways into a loop whose turns are counted that are still to come.
    entries: u32,
}

/// Creates the CLIF blocks of a unit's basic blocks.
pub(crate) fn local_blocks(
    analysis: &Analysis<'_>,
    unit: UnitId,
    builder: &mut FunctionBuilder<'_>,
) -> HashMap<BlockId, LocalBlock> {
    let unit = analysis.units.unit(unit);
    let has_meter = analysis.program.dialect.meter;
    let checkpoints = Checkpoints::plan(&analysis.graph, unit, &analysis.program.dialect);
    let is_counted = |block: BlockId| {
        !analysis.guards_speculation && analysis.graph.counted_loops.contains_key(&block)
    };
    let mut blocks = HashMap::with_capacity(unit.blocks.len());
    for &block in &unit.blocks {
        let local = LocalBlock {
            body: builder.create_block(),
            check: None,
            charge: Charge {
                needed: checkpoints.of(block).needed.filter(|_| has_meter),
                ..checkpoints.of(block)
            },
            skips: checkpoints.skipped(block),
            entry: is_counted(block).then(|| builder.create_block()),
            short: None,
            jumps: 0,
            body_edges: 0,
            entries: 0,
        };
        blocks.insert(block, local);
    }
    let mut jump = |from: Option<BlockId>, target: BlockId, returns: bool| {
        let Some(local) = blocks.get_mut(&target) else {
            return;
        };
        if local.entry.is_some() && from != Some(target) {
            local.entries += 1;
            return;
        }
        if local.charge.needed.is_none() || returns {
            local.body_edges += 1;
            return;
        }
        local.jumps += 1;
        if local.check.is_none() {
            local.check = Some(builder.create_block());
            local.body_edges += 1;
        }
    };
    jump(None, unit.entry, false);
    for &block in &unit.blocks {
        let returns = calls(&analysis.graph, block);
        for next in analysis.graph.block(block).successors() {
            jump(Some(block), next, returns);
            if analysis.graph.early_return(block).is_some() {
                jump(Some(block), next, false);
            }
        }
    }
    for &block in unit.blocks.iter().filter(|block| is_counted(**block)) {
        // From where the turns are counted there are ways into the loop as it is, and behind it.
        jump(Some(block), block, false);
        if let Some(next) = analysis.graph.block(block).successors[0] {
            jump(Some(block), next, false);
        }
    }
    blocks
}

impl FunctionCx<'_> {
    /// The CLIF block for jumps to a basic block, if it belongs to this unit.
    pub(crate) fn jump_target(&self, id: BlockId) -> Option<Block> {
        let local = self.blocks.get(&id)?;
        Some(local.entry.or(local.check).unwrap_or(local.body))
    }

    /// The CLIF block at which a turn of the loop that a block is starts.
    pub(crate) fn loop_start(&self, id: BlockId) -> Block {
        let local = self.blocks[&id];
        local.check.unwrap_or(local.body)
    }

    /// Notes that a jump to a block of this unit has been emitted. After the last one its SSA
    /// values can be completed.
    pub(crate) fn jump_done(&mut self, id: BlockId) {
        let Some(local) = self.blocks.get_mut(&id) else {
            return;
        };
        let Some(entry) = local.entry else {
            return self.loop_start_done(id);
        };
        local.entries -= 1;
        if local.entries == 0 {
            self.builder.seal_block(entry);
        }
    }

    /// Notes that a jump to [`Self::loop_start`] of a block of this unit has been emitted.
    pub(crate) fn loop_start_done(&mut self, id: BlockId) {
        let Some(local) = self.blocks.get_mut(&id) else {
            return;
        };
        let Some(check) = local.check else {
            return self.body_edge_done(id);
        };
        local.jumps -= 1;
        if local.jumps == 0 {
            self.builder.seal_block(check);
        }
    }

    /// Notes that an edge to the body of a block of this unit has been emitted.
    pub(crate) fn body_edge_done(&mut self, id: BlockId) {
        if let Some(local) = self.blocks.get_mut(&id) {
            local.body_edges -= 1;
            if local.body_edges == 0 {
                self.builder.seal_block(local.body);
            }
        }
    }
}
