//! The partition into units against its definition, on random control flow.

mod common;

use {
    common::{Random, program, random_text, rounds},
    sbpf_lowering::{
        cfg::{BlockId, Graph},
        dominators::Dominators,
        units::{MAX_UNIT, Units},
    },
    std::collections::{HashMap, HashSet},
};

/// The blocks reachable from the starts without passing through `avoided`.
fn reachable(graph: &Graph, avoided: Option<BlockId>) -> HashSet<BlockId> {
    let mut seen = HashSet::new();
    let mut worklist = graph.starts.clone();
    while let Some(block) = worklist.pop() {
        if Some(block) != avoided && seen.insert(block) {
            worklist.extend(graph.block(block).successors());
        }
    }
    seen
}

/// Instructions of a program that is more than one unit.
const MANY: u64 = if cfg!(miri) { 3_000 } else { 12_000 };

#[test]
fn dominators_are_what_every_path_passes() {
    let mut random = Random(0x5eed);
    for _ in 0..rounds(200) {
        let length = 2 + random.below(40);
        let text = random_text(&mut random, length);
        let program = program(&text, &[random.below(length) as usize]);
        let graph = Graph::build(&program).expect("all jumps lead into the text");
        let dominators = Dominators::compute(&graph, &graph.starts);
        let order: Vec<_> = dominators.in_order().collect();
        let all = reachable(&graph, None);
        assert_eq!(order.len(), all.len());
        let dominated: HashMap<BlockId, HashSet<BlockId>> = all
            .iter()
            .map(|block| {
                let others = reachable(&graph, Some(*block));
                (*block, all.difference(&others).copied().collect())
            })
            .collect();
        for (_, block, dominator) in &order {
            let strict: Vec<_> = all
                .iter()
                .filter(|d| *d != block && dominated[d].contains(block))
                .collect();
            match dominator.checked_sub(1) {
                None => assert!(strict.is_empty(), "{block:?} has dominators {strict:?}"),
                Some(index) => {
                    let (_, immediate, _) = order[index as usize];
                    assert!(dominated[&immediate].contains(block));
                    // All other strict dominators dominate the immediate one.
                    assert!(strict.iter().all(|d| dominated[d].contains(&immediate)));
                }
            }
        }
    }
}

#[test]
fn units_are_entered_at_their_first_block_only() {
    let mut random = Random(0xbeef);
    let (small, large) = (rounds(50), rounds(10));
    for round in 0..small + large {
        let length = if round < small {
            2 + random.below(60)
        } else {
            MANY
        };
        let text = random_text(&mut random, length);
        let program = program(&text, &[]);
        let graph = Graph::build(&program).expect("all jumps lead into the text");
        let units = Units::partition(&graph);
        let mut owned = HashSet::new();
        for unit in &units.units {
            let size: u32 = unit
                .blocks
                .iter()
                .map(|block| graph.block(*block).cost)
                .sum();
            assert!(
                size <= MAX_UNIT + graph.block(unit.entry).cost,
                "a unit of {size}"
            );
            for block in &unit.blocks {
                assert!(owned.insert(*block), "{block:?} belongs to two units");
                for next in graph.block(*block).successors() {
                    let stays = units.owner(next) == units.owner(*block);
                    assert!(stays || units.entered_at(next).is_some(), "into the middle");
                }
            }
        }
        assert_eq!(
            owned,
            reachable(&graph, None),
            "every block belongs to a unit"
        );
        for start in &graph.starts {
            assert!(units.entered_at(*start).is_some(), "functions start units");
        }
    }
}
