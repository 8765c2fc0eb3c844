//! Calls that may be over before they begin.
//!
//! Many functions look first whether there is anything to do: the end of a recursion, nothing to drop, an
//! empty list. Where that takes only arithmetic and one branch, the caller looks by itself, and calls only
//! what will not return at once. What it has computed for that is dropped then: the function computes
//! it again.
//!
//! ```text
//!     if r1 < 2:                    // as the function does at its start
//!         if frame != limit:        // else the call will fail
//!             r0 = r1               // as the function does before it returns
//!             meter -= all three: the caller's, those and these
//!             goto next
//!     call function
//! next:
//! ```

use {
    crate::{
        cfg::{BlockId, Graph},
        function::{FunctionCx, Position},
        inlining::{Growth, LONGEST, body, written},
        insn::{Insn, Operation},
        liveness::SAVED,
        role::Role,
    },
    cranelift_codegen::ir::InstBuilder,
    sbpf_runtime::abi::FRAME_POINTER,
    std::collections::HashMap,
};

/// How a function returns early.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EarlyReturn {
    /// The block that decides, with which the function starts.
    start: BlockId,
    /// The block that returns.
    exit: BlockId,
    /// Whether it is where the branch leads to, not what follows.
    is_target: bool,
}

impl EarlyReturn {
    /// How the function that starts with a block returns early, if it does.
    fn of(graph: &Graph, start: BlockId) -> Option<Self> {
        let [Some(next), Some(target)] = graph.block(start).successors else {
            return None;
        };
        let is_target = returns(graph, target);
        let exit = if is_target { target } else { next };
        let early = Self {
            start,
            exit,
            is_target,
        };
        let is_short = early.cost(graph) <= LONGEST
            && returns(graph, exit)
            && [start, exit].into_iter().all(|block| {
                body(graph, block).all(|(_, insn)| insn.is_pure() && !names_frame(insn))
            });
        is_short.then_some(early)
    }

    /// The blocks that the caller executes itself.
    pub(crate) fn blocks(self) -> [BlockId; 2] {
        [self.start, self.exit]
    }

    /// Instructions of a call that returns early.
    pub(crate) fn cost(self, graph: &Graph) -> u32 {
        graph.block(self.start).cost + graph.block(self.exit).cost
    }
}

fn returns(graph: &Graph, block: BlockId) -> bool {
    graph.ending(block) == Some(Operation::Exit)
}

fn names_frame(insn: &Insn) -> bool {
    insn.reads().union(insn.writes()).contains(FRAME_POINTER)
}

/// The calls that look by themselves whether they would return early, by the block that they end.
pub(crate) fn choose(graph: &Graph) -> HashMap<BlockId, EarlyReturn> {
    let mut growth = Growth::of(graph);
    let mut chosen = HashMap::new();
    for block in graph.ids().filter(|id| graph.inlined(*id).is_none()) {
        let callee = graph.callee(block);
        let Some(early) = callee.and_then(|start| EarlyReturn::of(graph, start)) else {
            continue;
        };
        if !growth.admits(early.cost(graph)) {
            break;
        }
        chosen.insert(block, early);
    }
    chosen
}

impl FunctionCx<'_> {
    /// Goes on behind the call at the end of `block` if it returns early, else here.
    pub(crate) fn return_early(&mut self, block: BlockId, at: Position, early: EarlyReturn) {
        let graph = &self.analysis.graph;
        let Some((pc, branch)) = graph.terminator(early.start) else {
            unreachable!("`EarlyReturn` has seen it");
        };
        let Operation::Branch {
            condition,
            width,
            source,
            ..
        } = branch.operation
        else {
            unreachable!("a block with two successors ends with a branch");
        };
        let needed = self.analysis.liveness.before_terminator(graph, block);
        let [start, exit] = early.blocks().map(|block| written(graph, block));
        let changed = start.union(exit);
        let before = self.places;
        let kept: Vec<_> = needed
            .intersection(changed)
            .intersection(before.values)
            .iter()
            .map(|register| (register, self.register(register)))
            .collect();

        self.lower_body(early.start, at);
        self.locate(pc);
        let holds = self.condition(condition, width, branch.destination, source);
        let (returns, calls) = (self.builder.create_block(), self.builder.create_block());
        let (then_block, else_block) = match early.is_target {
            true => (returns, calls),
            false => (calls, returns),
        };
        self.builder
            .ins()
            .brif(holds, then_block, &[], else_block, &[]);
        self.builder.seal_block(returns);
        self.builder.switch_to_block(returns);
        self.comments
            .block(returns, Role::ReturnsEarly { pc: at.pc });
        self.locate(at.pc);
        let frame = self.next_frame();
        let is_exceeded = self.is_too_deep(frame);
        let inlined = self.builder.create_block();
        self.builder
            .ins()
            .brif(is_exceeded, calls, &[], inlined, &[]);
        self.builder.seal_block(inlined);
        self.builder.seal_block(calls);
        self.builder.switch_to_block(inlined);
        self.comments.block(inlined, Role::Inlined { pc: at.pc });
        self.lower_body(early.exit, at);
        self.locate(at.pc);
        for &(register, value) in kept
            .iter()
            .filter(|(register, _)| SAVED.contains(*register))
        {
            self.set_register(register, value);
        }
        self.pay(at.spent as u32 + 1 + early.cost(graph));
        if let Some(next) = graph.block(block).successors[0] {
            self.go_to(next);
        }

        self.builder.switch_to_block(calls);
        self.comments.block(calls, Role::Called { pc: at.pc });
        for (register, value) in kept {
            self.set_register(register, value);
        }
        self.places = before;
    }
}
