//! Calls of functions that are as short as the call.
//!
//! A function of one block that can't fail, which accesses no memory and calls nothing, takes the place
//! of its call. What remains of that is the check of the depth. The caller's checkpoint covers the
//! function's instructions, and the interpreter, if it takes over, does so before the call or behind it.
//! Where a `callx` is expected to call such a function, it is inlined behind the comparison.

use {
    crate::{
        cfg::{BlockId, Graph},
        function::{FunctionCx, Position},
        insn::{Insn, Operation},
        liveness::SAVED,
        role::Role,
        units::Units,
    },
    cranelift_codegen::ir::{Block, InstBuilder, Value},
    sbpf_runtime::site::RegisterSet,
    std::collections::HashMap,
};

/// The most instructions of a function that is inlined, its `exit` included.
pub(crate) const LONGEST: u32 = 12;

/// All calls together, and all loops, may add this part of a program's instructions, or so many.
const MAX_GROWTH: (u32, u32) = (8, 1000);

/// What calls may still add to a program.
pub(crate) struct Growth(u32);

impl Growth {
    pub(crate) fn of(graph: &Graph) -> Self {
        let instructions: u32 = graph.blocks.iter().map(|block| block.cost).sum();
        Self((instructions / MAX_GROWTH.0).max(MAX_GROWTH.1))
    }

    /// Adds so many instructions, if they are not too many.
    pub(crate) fn admits(&mut self, instructions: u32) -> bool {
        let left = self.0.checked_sub(instructions);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// The calls that are inlined, by the block that they end: the block that is the function.
pub(crate) fn choose(graph: &Graph, units: &Units) -> HashMap<BlockId, BlockId> {
    let mut growth = Growth::of(graph);
    let mut chosen = HashMap::new();
    for block in graph.ids() {
        let callee = graph.callee(block);
        let Some(callee) = callee.filter(|callee| is_short(graph, units, *callee)) else {
            continue;
        };
        if !growth.admits(graph.block(callee).cost) {
            break;
        }
        chosen.insert(block, callee);
    }
    chosen
}

fn is_short(graph: &Graph, units: &Units, callee: BlockId) -> bool {
    let block = graph.block(callee);
    let unit = units.entered_at(callee).map(|unit| units.unit(unit));
    block.cost <= LONGEST
        && unit.is_some_and(|unit| unit.blocks.len() == 1)
        && graph.ending(callee) == Some(Operation::Exit)
        && body(graph, callee).all(|(_, insn)| insn.is_pure())
}

/// The instructions of a block without its terminator.
pub(crate) fn body(graph: &Graph, block: BlockId) -> impl Iterator<Item = (u32, &Insn)> {
    graph.insns(block).filter(|(_, insn)| !insn.ends_block())
}

/// What an inlined function leaves changed in its caller.
pub(crate) fn changes(graph: &Graph, callee: BlockId) -> RegisterSet {
    written(graph, callee).without(SAVED)
}

/// What a block writes before its terminator.
pub(crate) fn written(graph: &Graph, block: BlockId) -> RegisterSet {
    let written = body(graph, block).map(|(_, insn)| insn.writes());
    written.fold(RegisterSet::EMPTY, RegisterSet::union)
}

impl FunctionCx<'_> {
    /// The function that is the block `callee`, in place of its call at the end of `block`.
    pub(crate) fn call_inlined(&mut self, block: BlockId, at: Position, callee: BlockId) {
        let frame = self.push_frame(at);
        self.inline(at, frame, callee);
        let graph = &self.analysis.graph;
        if self.blocks[&block].charge.settles {
            self.pay(at.spent as u32 + 1 + graph.block(callee).cost);
        }
        if let Some(next) = graph.block(block).successors[0] {
            self.go_to(next);
        }
    }

    /// The function of a `callx` that calls what it was expected to, if that is short. Returns its result
    /// and the meter; goes to `indirect` where that may not last.
    pub(crate) fn call_short(
        &mut self,
        block: BlockId,
        at: Position,
        frame: Value,
        callee: BlockId,
        indirect: Block,
    ) -> Option<[Value; 2]> {
        let analysis = self.analysis;
        let (graph, units) = (&analysis.graph, &analysis.units);
        if !is_short(graph, units, callee) {
            return None;
        }
        let cost = graph.block(callee).cost;
        let lasts = self.builder.create_block();
        let meter = self.meter();
        if self.analysis.program.dialect.meter {
            self.branch_if_less(meter, cost, indirect, lasts);
        } else {
            self.builder.ins().jump(lasts, &[]);
        }
        self.builder.seal_block(lasts);
        self.builder.switch_to_block(lasts);
        self.inline(at, frame, callee);
        self.pay(cost);
        let at_home = analysis.homes.behind_call(graph, block);
        let needed = analysis.liveness.after(graph, block);
        self.bring_home(needed.intersection(at_home));
        Some([self.register(0), self.meter()])
    }

    /// The instructions of a function, on a frame of its own.
    fn inline(&mut self, at: Position, frame: Value, callee: BlockId) {
        if let Some(current) = self.builder.current_block() {
            self.comments.block(current, Role::Inlined { pc: at.pc });
        }
        let kept: Vec<_> = written(&self.analysis.graph, callee)
            .intersection(SAVED)
            .iter()
            .map(|register| (register, self.register(register)))
            .collect();
        let caller = std::mem::replace(&mut self.frame, frame);
        self.lower_body(callee, at);
        self.frame = caller;
        for (register, value) in kept {
            self.set_register(register, value);
        }
        self.locate(at.pc);
    }

    /// The instructions of a block of another function, which can't fail.
    pub(crate) fn lower_body(&mut self, block: BlockId, at: Position) {
        for (pc, insn) in body(&self.analysis.graph, block) {
            self.locate(pc);
            let spent = at.spent;
            self.lower_insn(Position { pc, spent }, insn, None);
        }
    }
}
