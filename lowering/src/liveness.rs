//! Which registers a block, and so a native function, needs to be given.
//!
//! The analysis is interprocedural: what is live at the start of a function is what a call of it
//! reads, and what is live at its `exit`s is what is read behind calls of it. It iterates sets that only
//! grow, so its cost is linear in the program's size.
//!
//! What is **needed** is what the interpreter needs to have, should it go on from there. What is **live** is what
//! compiled code has to have of it: the rest is inherited, see `inherited`.

use {
    crate::{
        cfg::{BlockId, Graph},
        dialect::Dialect,
        inherited,
        insn::Operation,
    },
    sbpf_runtime::{
        abi::{Exception, FRAME_POINTER},
        site::{Inherited, RegisterSet},
    },
};

/// Registers that flow through a call in both directions.
pub(crate) const CLOBBERED: RegisterSet = RegisterSet::range(0, 5);

/// Registers that a frame keeps over a call.
pub(crate) const SAVED: RegisterSet = RegisterSet::range(6, 10);

/// Live registers of every block.
#[derive(Debug)]
pub struct Liveness {
    needed_in: Vec<RegisterSet>,
    /// What of that is inherited; empty if nothing is.
    inherited: Vec<RegisterSet>,
    /// What is needed by functions that a `callx` may call.
    needed_indirectly: RegisterSet,
    results: Vec<RegisterSet>,
    /// What blocks do to registers.
    pub(crate) effects: Vec<Effect>,
    /// All registers that are values of their function. What no instruction names is none: it stays in
    /// the context as it was at the entry.
    pub variables: RegisterSet,
}

/// What a block does to registers before its terminator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effect {
    pub(crate) reads: RegisterSet,
    pub(crate) writes: RegisterSet,
}

impl Liveness {
    /// Analyses all blocks.
    pub fn compute(graph: &Graph, dialect: &Dialect) -> Self {
        let mut results = vec![RegisterSet::EMPTY; graph.blocks.len()];
        if let Some(entry) = graph.starts.first() {
            results[entry.index()] = RegisterSet::of(0);
        }
        let mut liveness = Self::with_results(graph, dialect, results);
        liveness.inherited = inherited::find(graph, &liveness);
        let indirect = graph.indirect_starts.iter();
        liveness.needed_indirectly = indirect
            .map(|start| liveness.needed_in(*start))
            .fold(RegisterSet::EMPTY, RegisterSet::union);
        liveness
    }

    /// What the interpreter may read, wherever it goes on behind an `exit`.
    pub(crate) fn of_interpreter(graph: &Graph, dialect: &Dialect) -> Self {
        let results = vec![CLOBBERED; graph.blocks.len()];
        Self::with_results(graph, dialect, results)
    }

    fn with_results(graph: &Graph, dialect: &Dialect, results: Vec<RegisterSet>) -> Self {
        let named = graph
            .ids()
            .flat_map(|id| graph.insns(id))
            .map(|(_, insn)| insn.writes().union(insn.reads()))
            .fold(RegisterSet::of(0), RegisterSet::union);
        let frame_pointer = RegisterSet::of(FRAME_POINTER);
        let others = named.without(frame_pointer);
        let mut liveness = Self {
            needed_in: vec![RegisterSet::EMPTY; graph.blocks.len()],
            inherited: Vec::new(),
            needed_indirectly: RegisterSet::EMPTY,
            results,
            effects: Vec::new(),
            variables: if dialect.frame_pointer_is_variable() {
                others.union(frame_pointer)
            } else {
                others
            },
        };
        let variables = liveness.variables;
        liveness.effects = graph
            .ids()
            .map(|id| Effect::of(graph, id, variables))
            .collect();
        liveness.iterate(graph);
        liveness
    }

    /// Registers that compiled code has to have at the start of a block.
    pub fn live_in(&self, block: BlockId) -> RegisterSet {
        self.needed_in(block).without(self.inherited_in(block))
    }

    /// Registers that are needed at the start of a block.
    pub(crate) fn needed_in(&self, block: BlockId) -> RegisterSet {
        self.needed_in[block.index()]
    }

    fn inherited_in(&self, block: BlockId) -> RegisterSet {
        let inherited = self.inherited.get(block.index());
        inherited.copied().unwrap_or_default()
    }

    /// What is inherited where a block ends.
    fn inherited_at_end(&self, block: BlockId) -> RegisterSet {
        self.inherited_in(block)
            .without(self.effects[block.index()].writes)
    }

    /// Registers that are read behind the `exit` at the end of a block, out of r0 to r5, by some caller of a
    /// function from whose start control may have come.
    fn results(&self, block: BlockId) -> RegisterSet {
        self.results[block.index()]
    }

    /// Registers that compiled code has to have where a block ends, after its call if it ends with one.
    pub fn after(&self, graph: &Graph, block: BlockId) -> RegisterSet {
        self.needed_after(graph, block)
            .without(self.inherited_at_end(block))
    }

    /// Registers that a frame has to have saved during the call at the end of a block.
    pub(crate) fn saved(&self, graph: &Graph, block: BlockId) -> RegisterSet {
        let of_callee = match graph.callee(block) {
            Some(start) => self.needed_in(start),
            None => self.needed_indirectly,
        };
        self.needed_after(graph, block)
            .union(of_callee.intersection(Inherited::ALL))
            .intersection(SAVED)
            .without(self.inherited_at_end(block))
    }

    /// Registers that compiled code has to have just before the instruction that ends a block, or at its end.
    pub fn before_terminator(&self, graph: &Graph, block: BlockId) -> RegisterSet {
        self.needed_before_terminator(graph, block)
            .without(self.inherited_at_end(block))
    }

    fn needed_after(&self, graph: &Graph, block: BlockId) -> RegisterSet {
        if let Some(read) = graph.no_return.get(&block) {
            return *read;
        }
        behind(graph, &self.needed_in, block)
    }

    fn needed_before_terminator(&self, graph: &Graph, block: BlockId) -> RegisterSet {
        let after = self.needed_after(graph, block);
        let Some((_, insn)) = graph.terminator(block) else {
            return after;
        };
        let through = match insn.operation {
            Operation::Call { .. } => {
                let callee = graph.callee(block).map(|start| self.needed_in(start));
                after.without(CLOBBERED).union(callee.unwrap_or_default())
            }
            // Where these lead is not known, so everything is needed there.
            Operation::CallRegister { .. } | Operation::Raise(Exception::Bailout) => self.variables,
            Operation::Exit => return self.results(block).intersection(self.variables),
            _ => after.without(insn.writes()),
        };
        through.union(insn.reads()).intersection(self.variables)
    }

    /// What is read of what the call at the end of a block changes.
    fn after_call(&self, graph: &Graph, block: BlockId) -> RegisterSet {
        self.needed_after(graph, block).intersection(CLOBBERED)
    }

    fn iterate(&mut self, graph: &Graph) {
        let dependents = Dependents::collect(graph);
        let mut queue = Queue::of_all(graph);
        let mut indirect_results = RegisterSet::EMPTY;
        while let Some(id) = queue.pop() {
            let results = self.results(id);
            for next in graph.block(id).successors() {
                queue.add(&mut self.results, next, results);
            }
            match graph.ending(id) {
                Some(Operation::Call { .. }) => {
                    if let Some(start) = graph.callee(id) {
                        let read = self.after_call(graph, id);
                        queue.add(&mut self.results, start, read);
                    }
                }
                Some(Operation::CallRegister { .. }) => {
                    let results = self.after_call(graph, id).union(indirect_results);
                    if results != indirect_results {
                        indirect_results = results;
                        for &start in &graph.indirect_starts {
                            queue.add(&mut self.results, start, results);
                        }
                    }
                }
                _ => {}
            }
            let effect = self.effects[id.index()];
            let needed = self
                .needed_before_terminator(graph, id)
                .without(effect.writes)
                .union(effect.reads);
            if needed != self.needed_in[id.index()] {
                self.needed_in[id.index()] = needed;
                for &dependent in dependents.of(id) {
                    queue.push(dependent);
                }
            }
        }
    }
}

/// What the blocks behind a block have, together.
pub(crate) fn behind(graph: &Graph, of: &[RegisterSet], block: BlockId) -> RegisterSet {
    let successors = graph.block(block).successors();
    successors
        .map(|next| of[next.index()])
        .fold(RegisterSet::EMPTY, RegisterSet::union)
}

/// Blocks to look at, each once.
pub(crate) struct Queue {
    blocks: Vec<u32>,
    is_queued: Vec<bool>,
}

impl Queue {
    pub(crate) fn of_all(graph: &Graph) -> Self {
        Self {
            blocks: (0..graph.blocks.len() as u32).collect(),
            is_queued: vec![true; graph.blocks.len()],
        }
    }

    pub(crate) fn push(&mut self, id: BlockId) {
        if !std::mem::replace(&mut self.is_queued[id.index()], true) {
            self.blocks.push(id.0);
        }
    }

    /// Adds to the set of a block, which is looked at if that is new.
    pub(crate) fn add(&mut self, sets: &mut [RegisterSet], block: BlockId, more: RegisterSet) {
        let known = &mut sets[block.index()];
        let all = known.union(more);
        if std::mem::replace(known, all) != all {
            self.push(block);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<BlockId> {
        let id = BlockId(self.blocks.pop()?);
        self.is_queued[id.index()] = false;
        Some(id)
    }
}

impl Effect {
    pub(crate) fn of(graph: &Graph, block: BlockId, variables: RegisterSet) -> Self {
        let mut effect = Self {
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
}

/// For each block those of which something depends on it: predecessors and callers.
pub(crate) struct Dependents {
    first: Vec<u32>,
    blocks: Vec<BlockId>,
}

impl Dependents {
    pub(crate) fn collect(graph: &Graph) -> Self {
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
        let mut blocks = vec![BlockId(0); *first.last().unwrap_or(&0) as usize];
        for (from, to) in edges() {
            let cursor = &mut next[to.index()];
            blocks[*cursor as usize] = from;
            *cursor += 1;
        }
        Self { first, blocks }
    }

    pub(crate) fn of(&self, block: BlockId) -> &[BlockId] {
        &self.blocks[self.first[block.index()] as usize..self.first[block.index() + 1] as usize]
    }
}
