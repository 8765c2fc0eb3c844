//! Registers out of r6 to r9 that a function need not be passed.
//!
//! They belong to the caller, which gets them back as they were. So a function that reads one before it writes it
//! is rare, but each that calls an address, or is left to the interpreter, has to be able to tell what is in all of
//! them. Passing them from function to function for that would take a register of the machine each. They are
//! **inherited** instead, as long as no instruction reads them: the runtime finds them in the frames around, whose
//! functions keep what they have written over calls of such functions, see [`sbpf_runtime::run::Run::hand_over`].
//!
//! At each place a register is either inherited or a value. It is a value where instructions may read it, and
//! behind whatever may have written it. Where ways meet of which some write it and others don't, it has to be passed,
//! if it is needed at all.

use {
    crate::{
        cfg::Graph,
        insn::Operation,
        liveness::{Dependents, Liveness, Queue, behind},
    },
    sbpf_runtime::site::{Inherited, RegisterSet},
};

/// The registers that are inherited at the start of each block.
pub(crate) fn find(graph: &Graph, liveness: &Liveness) -> Vec<RegisterSet> {
    let none = vec![RegisterSet::EMPTY; graph.blocks.len()];
    // What may be a value at the start of a block, as it has been written or was passed.
    let mut are_values = none.clone();
    // What has not been written there on some way.
    let mut unwritten = none.clone();
    // What has to be passed to a function that starts with a block.
    let mut passed = none;
    let is_start = graph.are_starts();
    for start in &graph.starts {
        unwritten[start.index()] = Inherited::ALL;
    }
    let indirect_calls: Vec<_> = graph.indirect_calls().collect();
    // What a `callx` has to pass.
    let mut indirect = RegisterSet::EMPTY;
    let dependents = Dependents::collect(graph);
    let mut queue = Queue::of_all(graph);
    while let Some(id) = queue.pop() {
        let effect = liveness.effects[id.index()];
        let written = effect.writes.intersection(Inherited::ALL);
        let values_behind = are_values[id.index()].union(written);
        let unwritten_behind = unwritten[id.index()].without(written);
        for next in graph.block(id).successors() {
            queue.add(&mut are_values, next, values_behind);
            queue.add(&mut unwritten, next, unwritten_behind);
        }

        let called = match graph.terminator(id).map(|(_, insn)| (insn.operation, insn)) {
            Some((Operation::Call { .. }, _)) => graph
                .callee(id)
                .map_or(RegisterSet::EMPTY, |start| passed[start.index()]),
            Some((Operation::CallRegister { register }, _)) => {
                RegisterSet::of(register).union(indirect)
            }
            // The interpreter reads what is inherited elsewhere.
            Some((Operation::Raise(_), _)) | None => RegisterSet::EMPTY,
            Some((_, insn)) => insn.reads(),
        };
        let read = behind(graph, &passed, id)
            .union(called)
            .without(effect.writes)
            .union(effect.reads);
        let differs = are_values[id.index()].intersection(unwritten[id.index()]);
        let needed = read.union(differs.intersection(liveness.needed_in(id)));
        let needed = needed.intersection(Inherited::ALL);
        if needed == passed[id.index()] {
            continue;
        }
        passed[id.index()] = needed;
        if is_start[id.index()] {
            queue.add(&mut are_values, id, needed);
        }
        for &dependent in dependents.of(id) {
            queue.push(dependent);
        }
        if graph.indirect_starts.binary_search(&id).is_ok() {
            let all = indirect.union(needed);
            if std::mem::replace(&mut indirect, all) != all {
                indirect_calls.iter().for_each(|call| queue.push(*call));
            }
        }
    }
    are_values
        .into_iter()
        .map(|values| Inherited::ALL.without(values))
        .collect()
}
