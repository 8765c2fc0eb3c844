//! What a graph shows, however it is written.

use {
    sbpf_cranelift::dump::anatomy::UnitPart,
    serde_json::{Value, json},
};

/// A graph.
#[derive(Debug)]
pub(crate) struct Drawing {
    /// What it is of.
    pub(crate) title: String,
    /// Its nodes.
    pub(crate) nodes: Vec<Node>,
    /// What connects them.
    pub(crate) edges: Vec<Edge>,
    /// Whether edges lead to the right, rather than down.
    pub(crate) is_horizontal: bool,
}

impl Drawing {
    /// The graph as data: edges name nodes by their place in the list.
    pub(crate) fn to_json(&self) -> Value {
        let node = |node: &Node| {
            json!({
                "pc": node.pc,
                "heading": node.heading,
                "lines": node.lines,
                "heat": node.heat,
                "outside": node.is_outside,
            })
        };
        let edge =
            |edge: &Edge| json!({ "from": edge.from, "to": edge.to, "kind": edge.kind.name() });
        json!({
            "title": self.title,
            "nodes": self.nodes.iter().map(node).collect::<Vec<_>>(),
            "edges": self.edges.iter().map(edge).collect::<Vec<_>>(),
        })
    }
}

/// A block or a function.
#[derive(Debug)]
pub(crate) struct Node {
    /// The pc of its first instruction.
    pub(crate) pc: u32,
    /// Its heading.
    pub(crate) heading: String,
    /// What is below.
    pub(crate) lines: Vec<String>,
    /// How hot it is, from 0 to [`HEATS`](crate::cli::profile::HEATS), in a profile.
    pub(crate) heat: Option<u32>,
    /// Whether it is what the graph is of.
    pub(crate) is_main: bool,
    /// Whether it stands for something that is not in the graph.
    pub(crate) is_outside: bool,
}

/// What leads from a node to another.
#[derive(Debug)]
pub(crate) struct Edge {
    /// The index of the node where it begins.
    pub(crate) from: usize,
    /// The index of the node where it ends.
    pub(crate) to: usize,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What an edge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To the next instruction.
    FallThrough,
    /// A jump.
    Jump,
    /// A jump to another function.
    TailCall,
    /// A call, or a jump, between functions.
    Call,
}

impl Kind {
    /// Its name, as a class of the style sheet.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FallThrough => "fall-through",
            Self::Jump => "jump",
            Self::TailCall => "tail-call",
            Self::Call => "call",
        }
    }
}

/// What to call a unit: its function's name, and where it starts if it is a piece of that.
pub(crate) fn title(unit: &UnitPart) -> String {
    let function = match &unit.name {
        Some(name) => name.clone(),
        None => format!("function at {}", unit.function),
    };
    match unit.entry == unit.function {
        true => function,
        false => format!("{function}, piece at {}", unit.entry),
    }
}

/// The first characters of a text, if it is too long to be shown.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

/// A count with marks between its thousands.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_counts_are_marked() {
        assert_eq!(shortened("äbc", 2), "äb…");
        assert_eq!(shortened("äbc", 3), "äbc");
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
