//! The stages before CLIF: instructions and control flow.

use {
    sbpf_lowering::{
        cfg::BlockId,
        comments::{Names, registers},
        function::Analysis,
        insn::Operation,
        units::UnitId,
    },
    sbpf_runtime::site::RegisterSet,
    std::{collections::HashSet, fmt::Write as _, io},
};

/// The instructions of a unit with their bytes.
pub(super) fn instructions(
    analysis: &Analysis<'_>,
    names: &Names,
    starts: &HashSet<BlockId>,
    unit: UnitId,
    output: &mut impl io::Write,
) -> io::Result<()> {
    for &id in &analysis.units.unit(unit).blocks {
        let block = analysis.graph.block(id);
        let (start, cost) = (block.start, block.cost);
        let live = registers(analysis.liveness.live_in(id));
        let is_start = starts.contains(&id);
        let start_of = match names.functions.get(&start) {
            Some(name) if is_start => format!(" function {name},"),
            _ if is_start => " function,".to_string(),
            _ => String::new(),
        };
        writeln!(output, "block {start}:{start_of} cost {cost}, live {live}")?;
        for (pc, insn) in analysis.graph.insns(id) {
            let text = names.describe(insn);
            for slot in 0..u32::from(insn.slots) {
                let text = if slot == 0 { text.as_str() } else { "" };
                let line = format!("{:8}  {:23}  {text}", pc + slot, bytes(analysis, pc + slot));
                writeln!(output, "{}", line.trim_end())?;
            }
        }
    }
    Ok(())
}

/// The bytes of a slot; none behind the text, where the program falls off its end.
fn bytes(analysis: &Analysis<'_>, pc: u32) -> String {
    let start = pc as usize * 8;
    let bytes = analysis
        .program
        .text
        .get(start..start + 8)
        .unwrap_or_default();
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

/// The blocks of a unit and where control goes from them.
pub(super) fn control_flow(
    analysis: &Analysis<'_>,
    names: &Names,
    unit: UnitId,
    output: &mut impl io::Write,
) -> io::Result<()> {
    let blocks = &analysis.units.unit(unit).blocks;
    let entry = analysis.units.unit(unit).entry;
    let cost: u32 = blocks
        .iter()
        .map(|block| analysis.graph.block(*block).cost)
        .sum();
    let homes = &analysis.homes;
    let exits = blocks
        .iter()
        .filter(|block| analysis.graph.ending(**block) == Some(Operation::Exit));
    let (mut given, mut left) = (RegisterSet::EMPTY, RegisterSet::EMPTY);
    for &exit in exits {
        if homes.returns_value(exit) {
            given.insert(0);
        }
        left = left.union(homes.left(exit));
    }
    writeln!(
        output,
        "entry {}, {} blocks, {cost} instructions, takes {}, {} at home, gives {}, {} at home{}",
        analysis.graph.block(entry).start,
        blocks.len(),
        registers(analysis.passed(entry)),
        registers(homes.at_start(entry)),
        registers(given),
        registers(left),
        if analysis.is_outermost[unit.0 as usize] {
            " (may be outermost)"
        } else {
            ""
        },
    )?;
    for &id in blocks {
        let block = analysis.graph.block(id);
        let range = format!("{}..{}", block.start, block.end);
        let live = registers(analysis.liveness.live_in(id));
        let last = match analysis.graph.terminator(id) {
            Some((_, insn)) if insn.ends_block() => names.describe(insn),
            _ => "fall through".to_string(),
        };
        let (cost, edges) = (block.cost, edges(analysis, id, unit));
        writeln!(
            output,
            "block {range:13} cost {cost:<4} live {live:20} {last}{edges}"
        )?;
    }
    Ok(())
}

/// Where control goes from a block.
fn edges(analysis: &Analysis<'_>, id: BlockId, unit: UnitId) -> String {
    let mut text = String::new();
    let called = analysis.graph.callee(id);
    // Writing to a string can't fail.
    if let Some(callee) = called {
        let _ = write!(text, " (unit {})", analysis.units.owner(callee).0);
    }
    if analysis.graph.is_interpreted(id) {
        text.push_str("  left to the interpreter");
    } else if analysis.graph.never_returns(id) {
        text.push_str("  never returns");
    }
    for (index, next) in analysis.graph.block(id).successors().enumerate() {
        text.push_str(if index == 0 { "  -> " } else { ", " });
        let (pc, owner) = (analysis.graph.block(next).start, analysis.units.owner(next));
        let _ = match owner == unit && analysis.units.entered_at(next) != Some(unit) {
            true => write!(text, "{pc}"),
            false if owner == unit => write!(text, "{pc} (entry)"),
            false => write!(text, "tail call {pc} (unit {})", owner.0),
        };
    }
    text
}
