//! Immediate dominators in a graph with several roots.
//!
//! The algorithm is Semi-NCA (Georgiadis, "Linear-Time Algorithms for Dominators and Related
//! Problems", 2005): near-linear on every input, which matters because programs choose the graph.

use crate::cfg::{BlockId, Graph};

/// The dominator forest of the blocks reachable from some roots.
pub struct Dominators {
    /// Blocks in the order of a depth-first search; index 0 stands for the virtual root.
    order: Vec<u32>,
    /// For each number of the order the number of its immediate dominator.
    immediate: Vec<u32>,
}

/// Number of a block that is not reachable.
const UNREACHED: u32 = 0;

impl Dominators {
    /// Computes dominators with a virtual root before all of `roots`.
    pub fn compute(graph: &Graph, roots: &[BlockId]) -> Self {
        let blocks = graph.blocks.len();
        let mut number = vec![UNREACHED; blocks];
        let mut order = vec![u32::MAX];
        let mut parent = vec![0];
        let mut stack: Vec<(u32, u32)> = roots.iter().rev().map(|root| (root.0, 0)).collect();
        while let Some((block, from)) = stack.pop() {
            if number[block as usize] != UNREACHED {
                continue;
            }
            let this = order.len() as u32;
            number[block as usize] = this;
            order.push(block);
            parent.push(from);
            for successor in graph.block(BlockId(block)).successors() {
                stack.push((successor.0, this));
            }
        }
        let predecessors = Predecessors::collect(graph, &number, order.len(), roots);
        let immediate = semi_nca(&parent, &predecessors);
        Self { order, immediate }
    }

    /// For each block its number in the order and that of its immediate dominator, dominators
    /// before what they dominate; number 0 is the virtual root.
    pub fn in_order(&self) -> impl DoubleEndedIterator<Item = (u32, BlockId, u32)> {
        (1..self.order.len()).map(|number| {
            (
                number as u32,
                BlockId(self.order[number]),
                self.immediate[number],
            )
        })
    }

    /// How many numbers are in use, the virtual root's included.
    pub fn numbers(&self) -> usize {
        self.order.len()
    }
}

/// Predecessors by number, in one array.
struct Predecessors {
    first: Vec<u32>,
    from: Vec<u32>,
}

impl Predecessors {
    fn collect(graph: &Graph, number: &[u32], numbers: usize, roots: &[BlockId]) -> Self {
        let edges = || {
            let jumps = (0..graph.blocks.len()).flat_map(|block| {
                let from = number[block];
                let successors = graph.blocks[block].successors();
                successors
                    .filter(move |_| from != UNREACHED)
                    .map(move |to| (from, to))
            });
            roots.iter().map(|root| (0, *root)).chain(jumps)
        };
        let mut first = vec![0u32; numbers + 1];
        for (_, to) in edges() {
            first[number[to.index()] as usize + 1] += 1;
        }
        for index in 1..first.len() {
            first[index] += first[index - 1];
        }
        let mut next = first.clone();
        let mut from = vec![0; *first.last().unwrap_or(&0) as usize];
        for (source, to) in edges() {
            let cursor = &mut next[number[to.index()] as usize];
            from[*cursor as usize] = source;
            *cursor += 1;
        }
        Self { first, from }
    }

    fn of(&self, number: usize) -> &[u32] {
        &self.from[self.first[number] as usize..self.first[number + 1] as usize]
    }
}

fn semi_nca(parent: &[u32], predecessors: &Predecessors) -> Vec<u32> {
    let count = parent.len();
    let mut semi: Vec<u32> = (0..count as u32).collect();
    let mut label = semi.clone();
    let mut ancestor = parent.to_vec();
    let mut path = Vec::new();
    for number in (1..count).rev() {
        let mut least = number as u32;
        for &predecessor in predecessors.of(number) {
            let best = evaluate(
                predecessor,
                number as u32,
                &semi,
                &mut label,
                &mut ancestor,
                &mut path,
            );
            least = least.min(semi[best as usize]);
        }
        semi[number] = least;
    }
    let mut immediate = parent.to_vec();
    for number in 1..count {
        while immediate[number] > semi[number] {
            immediate[number] = immediate[immediate[number] as usize];
        }
    }
    immediate
}

/// The number with the least semidominator on the way from `from` up to, but without, the tree
/// vertices numbered below `bound`; compresses the path.
fn evaluate(
    from: u32,
    bound: u32,
    semi: &[u32],
    label: &mut [u32],
    ancestor: &mut [u32],
    path: &mut Vec<u32>,
) -> u32 {
    if from <= bound {
        return from;
    }
    let mut vertex = from;
    while ancestor[vertex as usize] > bound {
        path.push(vertex);
        vertex = ancestor[vertex as usize];
    }
    let mut above = vertex;
    while let Some(vertex) = path.pop() {
        if semi[label[above as usize] as usize] < semi[label[vertex as usize] as usize] {
            label[vertex as usize] = label[above as usize];
        }
        ancestor[vertex as usize] = ancestor[above as usize];
        above = vertex;
    }
    label[from as usize]
}
