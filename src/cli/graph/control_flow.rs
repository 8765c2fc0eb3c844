//! The control-flow graph of a unit.

use {
    super::{
        call_graph::Calls,
        drawing::{Drawing, Edge, Kind, Node, shortened, thousands, title},
    },
    crate::cli::profile::Profile,
    sbpf_cranelift::dump::anatomy::{BlockPart, EdgeKind, UnitPart},
    std::collections::HashMap,
};

/// Instructions of a block that are shown, with the last of them always being the last.
const SHOWN_INSTRUCTIONS: usize = 12;
/// Characters of an instruction that are shown.
const SHOWN_CHARACTERS: usize = 44;

/// Draws the blocks of a unit. Jumps to others end in nodes that stand for them.
pub(crate) fn control_flow(
    unit: &UnitPart,
    calls: &Calls<'_>,
    profile: Option<&Profile>,
) -> Drawing {
    let blocks = unit.blocks.iter();
    let mut nodes: Vec<Node> = blocks.map(|block| node(unit, block, profile)).collect();
    let mut index_of: HashMap<u32, usize> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        index_of.insert(node.pc, index);
    }
    let mut edges = Vec::new();
    for (from, block) in unit.blocks.iter().enumerate() {
        for edge in &block.edges {
            let kind = match edge.kind {
                EdgeKind::FallThrough => Kind::FallThrough,
                EdgeKind::Jump => Kind::Jump,
                EdgeKind::TailCall => Kind::TailCall,
            };
            let to = *index_of.entry(edge.to).or_insert_with(|| {
                nodes.push(outside(edge.to, calls));
                nodes.len() - 1
            });
            edges.push(Edge { from, to, kind });
        }
    }
    Drawing {
        title: title(unit),
        nodes,
        edges,
        is_horizontal: false,
    }
}

fn node(unit: &UnitPart, block: &BlockPart, profile: Option<&Profile>) -> Node {
    let count = profile.map(|profile| profile.count(block.start));
    let mut heading = format!("{}: cost {}", block.start, block.cost);
    if let Some(needed) = block.needed {
        heading += &format!(", checks for {needed}");
    }
    if let Some(count) = count {
        heading += &format!(", × {}", thousands(count));
    }
    let line = |index: usize| {
        let insn = block.insns.get(index)?;
        Some(shortened(
            &format!("{} {}", insn.pc, insn.text),
            SHOWN_CHARACTERS,
        ))
    };
    let length = block.insns.len();
    let lines = if length <= SHOWN_INSTRUCTIONS {
        (0..length).filter_map(line).collect()
    } else {
        let first = (0..SHOWN_INSTRUCTIONS - 2).filter_map(line);
        let between = format!("… {} more", length - (SHOWN_INSTRUCTIONS - 1));
        first.chain([between]).chain(line(length - 1)).collect()
    };
    Node {
        pc: block.start,
        heading,
        lines,
        heat: profile
            .zip(count)
            .map(|(profile, count)| profile.heat(count)),
        is_main: block.start == unit.entry,
        is_outside: false,
    }
}

/// A node for a block of another unit.
fn outside(pc: u32, calls: &Calls<'_>) -> Node {
    let name = calls.title_at(pc);
    Node {
        pc,
        heading: shortened(
            &name.unwrap_or_else(|| format!("to {pc}")),
            SHOWN_CHARACTERS,
        ),
        lines: Vec::new(),
        heat: None,
        is_main: false,
        is_outside: true,
    }
}
