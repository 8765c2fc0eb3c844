//! Where a unit looks at the meter, and where it pays.
//!
//! **Checkpoints** are the entry of a unit, the blocks at which loops close, those behind calls, which
//! spend from the same meter, and blocks to which the way from the last one would be longer than
//! `LONGEST_WAY`, so that no more is left to the interpreter. Between them control flow is acyclic. So if the
//! meter covers the longest way from a checkpoint to the next ones, no block in between has to look; if it does
//! not, the interpreter goes on from the checkpoint and runs out, or gets by, on its way.
//!
//! That also bounds how far a program goes on when an access has taken the stack from under frames of
//! compiled code, see [`sbpf_runtime::abi::DISPLACED`].
//!
//! Paying is put off as well: what a block owes is **carried** into a successor that nothing else
//! leads to, and settled with what that owes. A move that is selected (`selection`) belongs to the
//! block that branches over it.

use {
    crate::{
        cfg::{BlockId, Graph},
        dialect::Dialect,
        insn::{Insn, Operation},
        selection::skipped_move,
        units::Unit,
    },
    sbpf_runtime::abi::{FRAME_POINTER, LARGEST_METER},
    std::collections::HashMap,
};

/// The most instructions between checkpoints, which is also the most that the interpreter executes
/// at the end of a budget.
const LONGEST_WAY: u32 = 512;

// What is given back on a way is less than what is paid at its end.
const _: () = assert!((LONGEST_WAY as i64) < i64::MAX - LARGEST_METER);

/// What a block has to do about the meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// At a checkpoint the instructions that the meter has to cover.
    pub needed: Option<u32>,
    /// Instructions of earlier blocks that are not yet paid for.
    pub carried: u32,
    /// Whether the block pays for them and its own at its end.
    pub settles: bool,
    /// Whether a frame is accessed behind the block before the next checkpoint and the next access
    /// that is checked.
    pub frame_follows: bool,
    /// Whether the next checkpoint may be in the frame of a callee, which would not tell that it was called.
    pub frame_changes: bool,
}

/// The charges of a unit's blocks.
#[derive(Debug)]
pub struct Checkpoints {
    charges: HashMap<BlockId, Charge>,
    skipped: HashMap<BlockId, BlockId>,
}

impl Checkpoints {
    /// Plans the charges of a unit.
    pub fn plan(graph: &Graph, unit: &Unit, dialect: &Dialect) -> Self {
        let order = reverse_postorder(graph, unit);
        let position: HashMap<BlockId, usize> = order
            .iter()
            .enumerate()
            .map(|(position, block)| (*block, position))
            .collect();
        let successors = |here: usize| {
            let position = &position;
            let successors = graph.block(order[here]).successors();
            successors.map(move |next| position.get(&next).copied())
        };
        let mut edges = vec![0u32; order.len()];
        let mut is_checkpoint = vec![false; order.len()];
        is_checkpoint[..order.len().min(1)].fill(true);
        for (here, block) in order.iter().enumerate() {
            for next in successors(here).flatten() {
                edges[next] += 1;
                is_checkpoint[next] |= next <= here || calls(graph, *block);
            }
        }
        // The longest way from a block to the next checkpoints; successors come first.
        let mut way = vec![0; order.len()];
        for here in (0..order.len()).rev() {
            let cost = graph.cost(order[here]);
            let longest = |is_checkpoint: &[bool]| {
                let ways = successors(here)
                    .flatten()
                    .filter(|next| !is_checkpoint[*next])
                    .map(|next| way[next]);
                cost + ways.max().unwrap_or(0)
            };
            if longest(&is_checkpoint) > LONGEST_WAY {
                for next in successors(here).flatten() {
                    is_checkpoint[next] = true;
                }
            }
            way[here] = longest(&is_checkpoint);
        }
        // Successors come first here too.
        let mut frame_follows = vec![false; order.len()];
        let mut frame_changes = vec![false; order.len()];
        for here in (0..order.len()).rev() {
            let mut next = successors(here).flatten();
            frame_follows[here] = next.any(|next| {
                let mut accesses = graph
                    .insns(order[next])
                    .filter(|(_, insn)| insn.access().is_some());
                !is_checkpoint[next]
                    && match accesses.next() {
                        Some((_, first)) => accesses_frame(first, dialect),
                        None => frame_follows[next],
                    }
            });
            let mut next = successors(here).flatten();
            frame_changes[here] = calls_untold(graph, order[here])
                || next.any(|next| !is_checkpoint[next] && frame_changes[next]);
        }
        // Blocks that are moves to be selected, and what branches over them.
        let skipped = order.iter().filter_map(|&block| {
            let edges = |block| position.get(&block).map(|place: &usize| edges[*place]);
            skipped_move(graph, unit, block, edges).map(|skipped| (block, skipped))
        });
        let skipped: HashMap<_, _> = skipped.collect();
        let mut is_skipped = vec![false; order.len()];
        for block in skipped.values() {
            if let Some(&place) = position.get(block) {
                is_skipped[place] = true;
                successors(place)
                    .flatten()
                    .for_each(|next| edges[next] -= 1);
            }
        }
        let mut carried = vec![0; order.len()];
        let mut charges = HashMap::with_capacity(order.len());
        for (here, &block) in order.iter().enumerate() {
            let takes = |next: Option<usize>| {
                next.is_some_and(|next| edges[next] == 1 && !is_checkpoint[next])
            };
            let carries = successors(here).all(takes);
            if carries && !is_skipped[here] {
                let moved = u32::from(skipped.contains_key(&block));
                for next in successors(here).flatten() {
                    carried[next] = carried[here] + graph.cost(block) + moved;
                }
            }
            let charge = Charge {
                needed: is_checkpoint[here].then_some(way[here]),
                carried: carried[here],
                settles: !carries || calls(graph, block),
                frame_follows: frame_follows[here],
                frame_changes: frame_changes[here],
            };
            charges.insert(block, charge);
        }
        Self { charges, skipped }
    }

    /// The block that the branch at the end of another one skips, if that is a move which is selected.
    pub fn skipped(&self, branching: BlockId) -> Option<BlockId> {
        self.skipped.get(&branching).copied()
    }

    /// The charge of a block of the unit.
    pub fn of(&self, block: BlockId) -> Charge {
        self.charges.get(&block).copied().unwrap_or(Charge {
            needed: None,
            carried: 0,
            settles: true,
            frame_follows: true,
            frame_changes: true,
        })
    }
}

/// Whether an instruction accesses the frame without a check.
pub(crate) fn accesses_frame(insn: &Insn, dialect: &Dialect) -> bool {
    let access = insn.access();
    access.is_some_and(|(size, base, offset)| {
        base == FRAME_POINTER && dialect.is_in_frame(offset, size)
    })
}

/// Whether a block ends with something that spends from the same meter.
pub(crate) fn calls(graph: &Graph, block: BlockId) -> bool {
    graph.inlined(block).is_none()
        && !graph.is_interpreted(block)
        && matches!(
            graph.ending(block),
            Some(
                Operation::Call { .. } | Operation::CallRegister { .. } | Operation::Syscall { .. }
            )
        )
}

/// Whether a block ends with a call of a function at whose start control may have come in other ways too.
fn calls_untold(graph: &Graph, block: BlockId) -> bool {
    match graph.ending(block) {
        _ if !calls(graph, block) => false,
        Some(Operation::Call { .. }) => {
            let callee = graph.callee(block);
            !callee.is_some_and(|start| graph.is_only_called(start))
        }
        Some(Operation::CallRegister { .. }) => !graph.only_called.indirectly,
        _ => false,
    }
}

/// The blocks of a unit, each before its successors except where an edge closes a loop.
pub(crate) fn reverse_postorder(graph: &Graph, unit: &Unit) -> Vec<BlockId> {
    let mut is_new: HashMap<BlockId, bool> = unit.blocks.iter().map(|id| (*id, true)).collect();
    let mut enter = |block: BlockId| {
        let is_new = is_new.get_mut(&block);
        is_new.is_some_and(|is_new| std::mem::replace(is_new, false))
    };
    let mut order = Vec::with_capacity(unit.blocks.len());
    let mut stack = Vec::new();
    if enter(unit.entry) {
        stack.push((unit.entry, 0));
    }
    while let Some((block, next)) = stack.last_mut() {
        let successor = graph.block(*block).successors().nth(*next);
        *next += 1;
        match successor {
            Some(successor) if enter(successor) => stack.push((successor, 0)),
            Some(_) => {}
            None => {
                order.push(*block);
                stack.pop();
            }
        }
    }
    order.reverse();
    order
}
