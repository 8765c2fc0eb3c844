//! Which registers a block, and so a native function, needs to be given.
//!
//! The analysis is interprocedural: what is live at the start of a function is what a call of it
//! reads. It iterates sets that only grow, so its cost is linear in the program's size.

use {
    crate::{
        cfg::{BlockId, Graph},
        dialect::Dialect,
        insn::Operation,
    },
    sbpf_runtime::{
        abi::{Exception, FRAME_POINTER},
        site::RegisterSet,
    },
};

/// Registers that flow through a call in both directions.
const CLOBBERED: RegisterSet = RegisterSet::range(0, 5);

/// Registers that a call may leave changed besides the result.
const SIDE_RESULTS: RegisterSet = RegisterSet::range(1, 5);

/// Live registers of every block.
#[derive(Debug)]
pub struct Liveness {
    live_in: Vec<RegisterSet>,
    /// Registers besides r0 that some caller reads after a call, so that every function hands
    /// them back.
    pub side_results: RegisterSet,
    /// Registers that a call through a register passes: what any function start needs.
    pub indirect_parameters: RegisterSet,
    /// All registers that are values of their function. What no instruction names is none: it stays in
    /// the context as it was at the entry.
    pub variables: RegisterSet,
}

/// What a block does to registers, apart from its call.
struct Effect {
    reads: RegisterSet,
    writes: RegisterSet,
}

impl Liveness {
    /// Analyses all blocks.
    pub fn compute(graph: &Graph, dialect: &Dialect) -> Self {
        let named = graph
            .ids()
            .flat_map(|id| graph.insns(id))
            .map(|(_, insn)| insn.writes().union(insn.reads()))
            .fold(RegisterSet::of(0), RegisterSet::union);
        let frame_pointer = RegisterSet::of(FRAME_POINTER);
        let others = named.without(frame_pointer);
        let mut liveness = Self {
            live_in: vec![RegisterSet::EMPTY; graph.blocks.len()],
            side_results: RegisterSet::EMPTY,
            indirect_parameters: RegisterSet::EMPTY,
            variables: if dialect.frame_pointer_is_variable() {
                others.union(frame_pointer)
            } else {
                others
            },
        };
        let variables = liveness.variables;
        let effects: Vec<Effect> = graph.ids().map(|id| effect(graph, id, variables)).collect();
        let dependents = Dependents::collect(graph);
        loop {
            liveness.iterate(graph, &effects, &dependents);
            let after_calls = graph
                .ids()
                .filter(|id| is_call(graph, *id))
                .map(|id| liveness.after(graph, id))
                .fold(RegisterSet::EMPTY, RegisterSet::union);
            let side_results = after_calls.intersection(SIDE_RESULTS);
            if side_results == liveness.side_results {
                break;
            }
            liveness.side_results = side_results;
        }
        liveness.indirect_parameters = graph
            .starts
            .iter()
            .filter(|start| **start != graph.starts[0])
            .map(|start| liveness.live_in(*start))
            .fold(RegisterSet::EMPTY, RegisterSet::union);
        liveness
    }

    /// Registers that a block needs at its start.
    pub fn live_in(&self, block: BlockId) -> RegisterSet {
        self.live_in[block.index()]
    }

    /// Registers that are needed where a block ends, after its call if it ends with one.
    pub fn after(&self, graph: &Graph, block: BlockId) -> RegisterSet {
        let successors = graph.block(block).successors();
        successors
            .map(|next| self.live_in(next))
            .fold(RegisterSet::EMPTY, RegisterSet::union)
    }

    /// Registers that are needed just before the instruction that ends a block, or at its end.
    pub fn before_terminator(&self, graph: &Graph, block: BlockId) -> RegisterSet {
        let after = self.after(graph, block);
        let Some((_, insn)) = graph.terminator(block) else {
            return after;
        };
        let through = match insn.operation {
            Operation::Call { .. } => {
                let callee = graph.callee(block).map(|start| self.live_in(start));
                after.without(CLOBBERED).union(callee.unwrap_or_default())
            }
            // Where these lead is not known, so everything is needed there.
            Operation::CallRegister { .. } | Operation::Raise(Exception::Bailout) => self.variables,
            Operation::Exit => after.union(self.side_results),
            _ => after.without(insn.writes()),
        };
        through.union(insn.reads()).intersection(self.variables)
    }

    fn iterate(&mut self, graph: &Graph, effects: &[Effect], dependents: &Dependents) {
        let mut is_queued = vec![true; graph.blocks.len()];
        let mut queue: Vec<u32> = (0..graph.blocks.len() as u32).collect();
        while let Some(block) = queue.pop() {
            is_queued[block as usize] = false;
            let id = BlockId(block);
            let effect = &effects[id.index()];
            let live = self
                .before_terminator(graph, id)
                .without(effect.writes)
                .union(effect.reads);
            if live == self.live_in[id.index()] {
                continue;
            }
            self.live_in[id.index()] = live;
            for &dependent in dependents.of(id) {
                if !std::mem::replace(&mut is_queued[dependent as usize], true) {
                    queue.push(dependent);
                }
            }
        }
    }
}

fn is_call(graph: &Graph, block: BlockId) -> bool {
    matches!(
        graph.terminator(block).map(|(_, insn)| insn.operation),
        Some(Operation::Call { .. } | Operation::CallRegister { .. })
    )
}

/// The effect of the instructions before the terminator.
fn effect(graph: &Graph, block: BlockId, variables: RegisterSet) -> Effect {
    let mut effect = Effect {
        reads: RegisterSet::EMPTY,
        writes: RegisterSet::EMPTY,
    };
    for (_, insn) in graph.insns(block).filter(|(_, insn)| !insn.ends_block()) {
        let reads = insn.reads().intersection(variables);
        effect.reads = effect.reads.union(reads.without(effect.writes));
        effect.writes = effect.writes.union(insn.writes());
    }
    effect
}

/// For each block those whose live registers depend on it: predecessors and callers.
struct Dependents {
    first: Vec<u32>,
    blocks: Vec<u32>,
}

impl Dependents {
    fn collect(graph: &Graph) -> Self {
        let edges = || {
            graph.ids().flat_map(move |id| {
                let successors = graph.block(id).successors();
                successors.chain(graph.callee(id)).map(move |to| (id, to))
            })
        };
        let mut first = vec![0u32; graph.blocks.len() + 1];
        for (_, to) in edges() {
            first[to.index() + 1] += 1;
        }
        for index in 1..first.len() {
            first[index] += first[index - 1];
        }
        let mut next = first.clone();
        let mut blocks = vec![0; *first.last().unwrap_or(&0) as usize];
        for (from, to) in edges() {
            let cursor = &mut next[to.index()];
            blocks[*cursor as usize] = from.0;
            *cursor += 1;
        }
        Self { first, blocks }
    }

    fn of(&self, block: BlockId) -> &[u32] {
        &self.blocks[self.first[block.index()] as usize..self.first[block.index() + 1] as usize]
    }
}
