//! Where a unit looks at the meter, and where it pays.
//!
//! A **section** is a set of blocks without loops, entered only at its first block and left for
//! good at a call. That first block is a **checkpoint**: if the meter covers the most expensive way
//! through the section, no other block of it has to look; if it does not, the interpreter goes on
//! from the checkpoint and runs out, or gets by, on its way.
//!
//! Paying is put off as well: what a block owes is **carried** into a successor that nothing else
//! leads to, and settled with what that owes.

use {
    crate::{
        cfg::{BlockId, Graph},
        insn::Operation,
        units::Unit,
    },
    std::collections::HashMap,
};

/// The most instructions of a way through a section, which is also the most that the interpreter
/// executes at the end of a budget.
const LONGEST_WAY: u32 = 512;

/// What a block has to do about the meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// At a checkpoint the instructions that the meter has to cover.
    pub needed: Option<u32>,
    /// Instructions of earlier blocks that are not yet paid for.
    pub carried: u32,
    /// Whether the block pays for them and its own at its end.
    pub settles: bool,
}

/// The charges of a unit's blocks.
#[derive(Debug)]
pub struct Checkpoints {
    charges: HashMap<BlockId, Charge>,
}

/// What is known of a block from the predecessors seen so far.
#[derive(Clone, Copy, Default)]
struct Incoming {
    /// All edges within the unit.
    edges: u32,
    /// Edges from blocks that are done.
    seen: u32,
    /// The section of these blocks, if it is one, and the most expensive way to here.
    section: Option<usize>,
    cost: u32,
    /// Whether the block can't belong to that section.
    starts: bool,
    carried: u32,
}

impl Checkpoints {
    /// Plans the charges of a unit.
    pub fn plan(graph: &Graph, unit: &Unit) -> Self {
        let order = reverse_postorder(graph, unit);
        let position: HashMap<BlockId, usize> = order
            .iter()
            .enumerate()
            .map(|(position, block)| (*block, position))
            .collect();
        let successors = |block: BlockId| {
            let position = &position;
            let successors = graph.block(block).successors();
            successors.map(move |next| position.get(&next).copied())
        };
        let mut incoming = vec![Incoming::default(); order.len()];
        for &block in &order {
            for next in successors(block).flatten() {
                incoming[next].edges += 1;
            }
        }
        let mut needed = vec![None; order.len()];
        let mut charges = HashMap::with_capacity(order.len());
        let mut sections = vec![0; order.len()];
        for (here, &block) in order.iter().enumerate() {
            let cost = graph.block(block).cost;
            let known = incoming[here];
            // An edge not seen yet closes a loop.
            let joins = here != 0
                && !known.starts
                && known.seen == known.edges
                && known.cost + cost <= LONGEST_WAY;
            let (section, before) = match known.section {
                Some(section) if joins => (section, known.cost),
                _ => (here, 0),
            };
            let carried = if section == here { 0 } else { known.carried };
            sections[here] = section;
            let way = before + cost;
            needed[section] = Some(needed[section].map_or(way, |most: u32| most.max(way)));
            let ends_section = calls(graph, block);
            // Only to a block that is certain to belong to the same section.
            let takes = |next: usize| {
                let cost = graph.block(order[next]).cost;
                next > here && incoming[next].edges == 1 && way + cost <= LONGEST_WAY
            };
            let carries = !ends_section && successors(block).all(|next| next.is_some_and(takes));
            for next in successors(block).flatten() {
                let next = &mut incoming[next];
                next.starts |= ends_section || next.section.is_some_and(|other| other != section);
                next.section = Some(section);
                next.seen += 1;
                next.cost = next.cost.max(way);
                next.carried = if carries { carried + cost } else { 0 };
            }
            let charge = Charge {
                needed: None,
                carried,
                settles: !carries,
            };
            charges.insert(block, charge);
        }
        for (here, block) in order.iter().enumerate() {
            if let Some(charge) = charges.get_mut(block)
                && sections[here] == here
            {
                charge.needed = needed[here];
            }
        }
        Self { charges }
    }

    /// The charge of a block of the unit.
    pub fn of(&self, block: BlockId) -> Charge {
        self.charges.get(&block).copied().unwrap_or(Charge {
            needed: None,
            carried: 0,
            settles: true,
        })
    }
}

/// Whether a block ends with something that spends from the same meter.
pub(crate) fn calls(graph: &Graph, block: BlockId) -> bool {
    matches!(
        graph.terminator(block).map(|(_, insn)| insn.operation),
        Some(Operation::Call { .. } | Operation::CallRegister { .. } | Operation::Syscall { .. })
    )
}

/// The blocks of a unit, each before its successors except where an edge closes a loop.
fn reverse_postorder(graph: &Graph, unit: &Unit) -> Vec<BlockId> {
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
