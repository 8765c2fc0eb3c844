//! What becomes one native function.
//!
//! Functions of sBPF may jump into each other, fall through into the next one and be entered at
//! any of several places. A **unit** is what has a single entry: a block and all blocks that it
//! dominates, when every function start hangs off one virtual root. Jumps between units are tail
//! calls. So each block belongs to exactly one unit, whatever the program does; what is generated twice
//! all the same, as functions that are inlined, is bounded.
//!
//! Units are bounded in size, since register allocation is superlinear in it: where a unit would
//! be larger, subtrees of the dominator tree are cut off as units of their own.

use crate::{
    cfg::{BlockId, Graph},
    dominators::Dominators,
};

/// Instructions in a unit beyond which it is split, each block counted as six more.
pub const MAX_UNIT: u32 = 2500;

/// What a block adds to the size of its unit: register allocation is linear in instructions that follow
/// each other, and superlinear in blocks.
const BLOCK: u32 = 6;

/// Index of a unit among the [`Units`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnitId(pub u32);

/// A native function to be: blocks that are entered only through the first.
#[derive(Debug)]
pub struct Unit {
    /// The block at which it is entered.
    pub entry: BlockId,
    /// All blocks, in the order of their pc; the entry may be anywhere among them.
    pub blocks: Vec<BlockId>,
}

/// A partition of the blocks into units.
#[derive(Debug)]
pub struct Units {
    /// The units in the order of their first block's pc.
    pub units: Vec<Unit>,
    owner: Vec<u32>,
}

impl Units {
    /// Partitions the blocks of `graph`.
    pub fn partition(graph: &Graph) -> Self {
        let dominators = Dominators::compute(graph, &graph.starts);
        let cuts = oversized(graph, &dominators);
        if cuts.is_empty() {
            return Self::from_dominators(graph, &dominators);
        }
        // A cut is one more root, so whatever it shares with the rest becomes a unit as well.
        let mut roots = graph.starts.clone();
        roots.extend(cuts);
        Self::from_dominators(graph, &Dominators::compute(graph, &roots))
    }

    fn from_dominators(graph: &Graph, dominators: &Dominators) -> Self {
        const NONE: u32 = u32::MAX;
        let mut unit_of = vec![NONE; dominators.numbers()];
        let mut owner = vec![NONE; graph.blocks.len()];
        let mut units = Vec::new();
        for (number, block, dominator) in dominators.in_order() {
            let unit = if dominator == 0 {
                units.push(Unit {
                    entry: block,
                    blocks: Vec::new(),
                });
                units.len() as u32 - 1
            } else {
                unit_of[dominator as usize]
            };
            unit_of[number as usize] = unit;
            owner[block.index()] = unit;
        }
        for (block, &unit) in owner.iter().enumerate() {
            if let Some(unit) = units.get_mut(unit as usize) {
                unit.blocks.push(BlockId(block as u32));
            }
        }
        Self { units, owner }
    }

    /// The unit that a block belongs to.
    pub fn owner(&self, block: BlockId) -> UnitId {
        UnitId(self.owner[block.index()])
    }

    /// A unit by its id.
    pub fn unit(&self, id: UnitId) -> &Unit {
        &self.units[id.0 as usize]
    }

    /// The unit entered at `block`, if one is.
    pub fn entered_at(&self, block: BlockId) -> Option<UnitId> {
        let owner = self.owner(block);
        (self.unit(owner).entry == block).then_some(owner)
    }
}

/// Blocks whose dominator subtrees have to become units for no unit to exceed [`MAX_UNIT`] by
/// more than a block.
fn oversized(graph: &Graph, dominators: &Dominators) -> Vec<BlockId> {
    let mut size = vec![0u32; dominators.numbers()];
    let mut cuts = Vec::new();
    for (number, block, dominator) in dominators.in_order().rev() {
        let subtree = size[number as usize] + graph.block(block).cost + BLOCK;
        if dominator == 0 {
            continue;
        }
        let siblings = &mut size[dominator as usize];
        if *siblings + subtree > MAX_UNIT {
            cuts.push(block);
        } else {
            *siblings += subtree;
        }
    }
    cuts
}
