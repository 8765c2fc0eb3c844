//! Calls that don't return, and what follows them.
//!
//! Compilers end functions with the call of one that does not return, as Rust's panics do, and what comes
//! next is another function. Taken at its word, control would go on in that one, with all its arguments and
//! results: so those of nearly all functions would have to be handed through all others.
//!
//! A **syscall** or a `callx` right before the start of a function is left to the interpreter, as it will
//! most likely end the program. That leaves functions from which no way leads to an `exit`: a **call** of
//! one never returns to compiled code, so nothing is compiled behind it either. What the interpreter may
//! read there is kept, in case that it gets so far.

use {
    crate::{
        cfg::{BlockId, Graph},
        dialect::Dialect,
        insn::Operation,
        liveness::{Dependents, Liveness},
    },
    std::collections::{HashMap, HashSet},
};

/// Ends `graph` at what does not return, and leaves out what nothing leads to then.
pub(crate) fn cut(graph: Graph, dialect: &Dialect) -> Graph {
    let starts: HashSet<BlockId> = graph.starts.iter().copied().collect();
    let next = |block| graph.block(block).successors[0];
    let is_interpreted = |block| {
        matches!(
            graph.ending(block),
            Some(Operation::Syscall { .. } | Operation::CallRegister { .. })
        ) && next(block).is_some_and(|next| starts.contains(&next))
    };
    let returns = returning(&graph, is_interpreted);
    let never_returns = |block| {
        graph
            .callee(block)
            .is_some_and(|callee| !returns[callee.index()])
    };
    let ends: Vec<_> = graph
        .ids()
        .filter(|block| is_interpreted(*block) || never_returns(*block))
        .collect();
    if ends.is_empty() {
        return graph;
    }
    let liveness = Liveness::of_interpreter(&graph, dialect);
    let ends: HashMap<_, _> = ends
        .into_iter()
        .map(|block| (block, liveness.after(&graph, block)))
        .collect();
    graph.without_what_follows(ends)
}

/// Whether an `exit` can be reached from each block without leaving compiled code.
fn returning(graph: &Graph, is_interpreted: impl Fn(BlockId) -> bool) -> Vec<bool> {
    let dependents = Dependents::collect(graph);
    let mut returns = vec![false; graph.blocks.len()];
    let mut worklist: Vec<BlockId> = graph.ids().collect();
    while let Some(block) = worklist.pop() {
        if returns[block.index()] {
            continue;
        }
        let mut successors = graph.block(block).successors();
        let goes_on = successors.any(|next| returns[next.index()]);
        let callee = graph.callee(block);
        returns[block.index()] = match graph.ending(block) {
            Some(Operation::Exit) => true,
            _ if is_interpreted(block) => false,
            _ => goes_on && callee.is_none_or(|callee| returns[callee.index()]),
        };
        if returns[block.index()] {
            worklist.extend(dependents.of(block));
        }
    }
    returns
}
