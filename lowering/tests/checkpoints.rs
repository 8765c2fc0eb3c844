//! The plan of checkpoints and payments, followed along random ways through random control flow.

mod common;

use {
    common::{Random, program, random_text, rounds},
    sbpf_lowering::{cfg::Graph, checkpoints::Checkpoints, insn::Operation, units::Units},
};

/// Instructions of the longer programs, at most.
const MANY: u64 = if cfg!(miri) { 400 } else { 4000 };

/// Blocks on one way.
const STEPS: usize = 300;

#[test]
fn every_way_is_covered_and_paid() {
    let mut random = Random(0xc0ffee);
    let (mut checks, mut blocks, mut selections) = (0, 0, 0);
    for round in 0..rounds(400) {
        let length = 2 + random.below(if round % 8 == 0 { MANY } else { 60 });
        let text = random_text(&mut random, length);
        let program = program(&text, &[random.below(length) as usize]);
        let graph = Graph::build(&program).expect("all jumps lead into the text");
        let units = Units::partition(&graph);
        for unit in &units.units {
            let checkpoints = Checkpoints::plan(&graph, unit, &program.dialect);
            let mut block = unit.entry;
            // Instructions that the last check covered, less those executed since.
            let mut covered = 0i64;
            let mut owed = 0;
            let mut after_call = true;
            for _ in 0..STEPS {
                let charge = checkpoints.of(block);
                blocks += 1;
                if let Some(needed) = charge.needed {
                    checks += 1;
                    covered = i64::from(needed);
                    assert_eq!(owed, 0, "a check needs the exact meter");
                } else {
                    assert!(!after_call, "a call may have spent anything");
                }
                assert_eq!(charge.carried, owed, "what is carried depends on the way");
                // A move that is selected is paid for with the branch over it, and only what follows both.
                let skipped = checkpoints.skipped(block);
                selections += usize::from(skipped.is_some());
                let cost = graph.block(block).cost + u32::from(skipped.is_some());
                covered -= i64::from(cost);
                assert!(covered >= 0, "the way is longer than what was checked");
                owed = if charge.settles { 0 } else { owed + cost };
                let last = graph.terminator(block).map(|(_, insn)| insn.operation);
                after_call = matches!(last, Some(Operation::Call { .. }));
                assert!(
                    charge.settles || !after_call,
                    "a callee needs the exact meter"
                );
                let behind = skipped.unwrap_or(block);
                let successors: Vec<_> = graph.block(behind).successors().collect();
                let Some(next) = successors.get(random.below(2) as usize % successors.len().max(1))
                else {
                    break;
                };
                if units.entered_at(*next).is_some() {
                    // A tail call, or back to the entry.
                    assert_eq!(owed, 0, "another unit needs the exact meter");
                    break;
                }
                block = *next;
            }
        }
    }
    assert!(checks < blocks, "{checks} checks in {blocks} blocks");
    assert!(selections > 0, "no branch over a move");
}
