//! A graph in the language of Graphviz.

use {
    super::drawing::{Drawing, Kind, Node},
    crate::cli::profile::HEATS,
    std::fmt::Write as _,
};

/// Writes a graph for Graphviz to lay out.
pub(super) fn render(drawing: &Drawing) -> String {
    let mut dot = String::new();
    let direction = if drawing.is_horizontal { "LR" } else { "TB" };
    // Writing to a string can't fail.
    let _ = writeln!(dot, "digraph {} {{", quoted(&drawing.title));
    let _ = writeln!(dot, "  rankdir={direction};");
    dot.push_str("  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=monospace, fontsize=10];\n");
    dot.push_str("  edge [color=\"#6b7280\"];\n");
    for (index, node) in drawing.nodes.iter().enumerate() {
        let _ = writeln!(dot, "  n{index} [{}];", attributes(node));
    }
    for edge in &drawing.edges {
        let style = match edge.kind {
            Kind::FallThrough | Kind::Call => "",
            Kind::Jump => " [color=\"#1f8fd6\"]",
            Kind::TailCall => " [color=\"#b063c5\", style=dashed]",
        };
        let _ = writeln!(dot, "  n{} -> n{}{style};", edge.from, edge.to);
    }
    dot.push_str("}\n");
    dot
}

fn attributes(node: &Node) -> String {
    let mut label = String::new();
    for text in [&node.heading].into_iter().chain(&node.lines) {
        label += &inner(text);
        // Ends a line that is aligned to the left.
        label += "\\l";
    }
    let mut attributes = format!("label=\"{label}\"");
    if node.is_main {
        attributes += ", penwidth=2";
    }
    if node.is_outside {
        attributes += ", style=\"rounded,dashed\"";
    }
    if let Some(heat) = node.heat.filter(|heat| *heat > 0) {
        let saturation = 0.08 + 0.6 * f64::from(heat) / f64::from(HEATS);
        attributes += &format!(", fillcolor=\"0.07 {saturation:.2} 1.0\"");
    }
    attributes
}

/// A string of the language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", inner(text))
}

/// What is between the quotes of a string.
fn inner(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn strings_are_quoted() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }
}
