//! Loops in which nothing is called, and the groups of accesses in them that keep a translation.
//!
//! In such a loop only the interpreter can change regions, so a range once confirmed holds until it
//! runs. The blocks of a loop are a strongly connected component of the unit without the blocks that
//! call; every edge into it from outside forgets what was confirmed before.

use {
    crate::{
        accesses::Group,
        cfg::{BlockId, Graph},
        checkpoints::calls,
        rotating_pointers::take_turns,
        sharing::{GroupId, Sharing},
        units::Unit,
    },
    sbpf_runtime::abi::LIMITS,
    std::collections::HashMap,
};

/// Registers of the machine that a loop can have for the program's and for what groups keep. As
/// many as measured best; x86_64 has 14 without the stack and frame pointers, of which the context takes one.
const REGISTERS: u32 = 12;

/// Registers of the machine that a kept translation takes.
const REGISTERS_OF_CACHE: u32 = 3;

/// How deep loops within loops are told apart.
const MAX_DEPTH: u32 = 4;

/// Number of a loop in its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoopId(pub u32);

/// The outermost loops of a unit in which nothing is called.
#[derive(Debug, Default)]
pub struct Loops {
    /// For each block that is in one its loop, and how many loops are around it.
    places: HashMap<BlockId, (LoopId, u32)>,
}

impl Loops {
    /// Finds the loops of a unit.
    pub fn find(graph: &Graph, unit: &Unit) -> Self {
        let mut places = HashMap::new();
        let candidates = unit.blocks.iter().copied();
        let mut blocks: Vec<BlockId> = candidates.filter(|id| !calls(graph, *id)).collect();
        for depth in 1..=MAX_DEPTH {
            let components = components(graph, &blocks);
            if components.is_empty() {
                break;
            }
            blocks.clear();
            for (number, component) in components.iter().enumerate() {
                for &block in component {
                    let place = places
                        .entry(block)
                        .or_insert((LoopId(number as u32), depth));
                    place.1 = depth;
                }
                // Without the block that it is entered at, what is left of a loop are those in it.
                blocks.extend(&component[1..]);
            }
        }
        Self { places }
    }

    /// The outermost loop around a block.
    pub fn around(&self, block: BlockId) -> Option<LoopId> {
        self.places.get(&block).map(|(id, _)| *id)
    }

    /// The groups of accesses that keep their translations: those of the innermost loops, as far as
    /// registers of the machine are left over. `live` tells how many values a block needs at its start.
    pub fn cached_groups(
        &self,
        graph: &Graph,
        unit: &Unit,
        live: impl Fn(BlockId) -> u32,
        sharing: &Sharing,
    ) -> Vec<(LoopId, BlockId, usize)> {
        let mut innermost: HashMap<LoopId, u32> = HashMap::new();
        let mut most_live: HashMap<LoopId, u32> = HashMap::new();
        for (block, &(id, depth)) in &self.places {
            let (innermost, most) = (
                innermost.entry(id).or_default(),
                most_live.entry(id).or_default(),
            );
            *innermost = depth.max(*innermost);
            *most = live(*block).max(*most);
        }
        let mut groups: HashMap<LoopId, Vec<(BlockId, usize)>> = HashMap::new();
        for block in &unit.blocks {
            let Some((id, depth)) = self.places.get(block) else {
                continue;
            };
            if innermost.get(id) != Some(depth) {
                continue;
            }
            let Some(plan) = sharing.of(*block) else {
                continue;
            };
            let take_turns = take_turns(graph, *block, &plan.groups);
            let is_candidate = |(number, group): &(usize, &Group)| {
                let id = GroupId {
                    block: *block,
                    number: *number,
                };
                group.log2_span() < LIMITS as u32
                    && sharing.leader(id).is_none()
                    && !take_turns[*number]
            };
            let numbers = plan.groups.iter().enumerate().filter(is_candidate);
            let all = groups.entry(*id).or_default();
            all.extend(numbers.map(|(number, _)| (*block, number)));
        }
        let mut cached = Vec::new();
        for (id, groups) in groups {
            let live = most_live.get(&id).copied().unwrap_or_default();
            let left = REGISTERS.saturating_sub(live) / REGISTERS_OF_CACHE;
            let few = groups.into_iter().take(left.max(1) as usize);
            cached.extend(few.map(|(block, number)| (id, block, number)));
        }
        cached.sort_unstable();
        cached
    }
}

/// The strongly connected components of `blocks` that have a cycle, each with the block first at
/// which a depth-first search has entered it (Tarjan, "Depth-First Search and Linear Graph
/// Algorithms", 1972).
fn components(graph: &Graph, blocks: &[BlockId]) -> Vec<Vec<BlockId>> {
    let mut search = Search {
        number: blocks.iter().map(|block| (*block, UNVISITED)).collect(),
        lowest: Vec::with_capacity(blocks.len()),
        open: Vec::new(),
        components: Vec::new(),
    };
    for &root in blocks {
        search.run(graph, root);
    }
    search.components
}

/// The number of a block that the search has not come to.
const UNVISITED: usize = usize::MAX;
/// The number of a block whose component is complete.
const DONE: usize = usize::MAX - 1;

/// A depth-first search for strongly connected components.
struct Search {
    /// The position of each block in the order of the search.
    number: HashMap<BlockId, usize>,
    /// For each position the lowest one known to be reached from it.
    lowest: Vec<usize>,
    /// Blocks whose component is not complete.
    open: Vec<BlockId>,
    components: Vec<Vec<BlockId>>,
}

impl Search {
    fn run(&mut self, graph: &Graph, root: BlockId) {
        if self.number.get(&root) != Some(&UNVISITED) {
            return;
        }
        let mut path = vec![(root, self.enter(root), 0)];
        while let Some((block, number, next)) = path.last_mut() {
            let successor = graph.block(*block).successors().nth(*next);
            *next += 1;
            let Some(successor) = successor else {
                let (block, number) = (*block, *number);
                path.pop();
                if let Some((_, caller, _)) = path.last() {
                    self.lowest[*caller] = self.lowest[*caller].min(self.lowest[number]);
                }
                if self.lowest[number] == number {
                    self.close(graph, block);
                }
                continue;
            };
            match self.number.get(&successor) {
                Some(&UNVISITED) => path.push((successor, self.enter(successor), 0)),
                None | Some(&DONE) => {}
                Some(&open) => self.lowest[*number] = self.lowest[*number].min(open),
            }
        }
    }

    fn enter(&mut self, block: BlockId) -> usize {
        let number = self.lowest.len();
        self.lowest.push(number);
        self.number.insert(block, number);
        self.open.push(block);
        number
    }

    /// Takes the component of which `root` is the first block off the open ones.
    fn close(&mut self, graph: &Graph, root: BlockId) {
        let Some(first) = self.open.iter().rposition(|block| *block == root) else {
            unreachable!("a block is open until its component is complete");
        };
        let component = self.open.split_off(first);
        for block in &component {
            self.number.insert(*block, DONE);
        }
        let is_cycle =
            component.len() > 1 || graph.block(root).successors().any(|next| next == root);
        if is_cycle {
            self.components.push(component);
        }
    }
}
