//! A placed graph as SVG.

use {
    super::{
        drawing::{Drawing, Node},
        layout::{LINE, PADDING, Placed},
    },
    crate::cli::{profile::HEATS, text::escaped},
    std::fmt::Write as _,
};

/// Room around the graph, in pixels.
const MARGIN: f64 = 12.0;

/// The style sheet, which the page of the explorer has as well.
pub(crate) const STYLE: &str = include_str!("../../../templates/graph.css");

/// Where a picture is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As a file of its own.
    Alone,
    /// In a page that has the style sheet.
    InPage,
}

/// Draws a graph.
pub(super) fn render(drawing: &Drawing, placed: &Placed, style: Style) -> String {
    let corners = placed.nodes.iter();
    let corners = corners.map(|[x, y, width, height]| (x + width, y + height));
    let points = placed.edges.iter().flatten().copied();
    let all = || corners.clone().chain(points.clone());
    let left = points.clone().map(|(x, _)| x).fold(0.0, f64::min);
    let top = points.clone().map(|(_, y)| y).fold(0.0, f64::min);
    let width = all().map(|(x, _)| x).fold(0.0, f64::max) - left + 2.0 * MARGIN;
    let height = all().map(|(_, y)| y).fold(0.0, f64::max) - top + 2.0 * MARGIN;
    let (left, top) = (left - MARGIN, top - MARGIN);
    let mut svg = String::new();
    // Writing to a string can't fail.
    let namespace = match style {
        Style::Alone => " xmlns=\"http://www.w3.org/2000/svg\"",
        Style::InPage => "",
    };
    let _ = writeln!(
        svg,
        "<svg{namespace} class=\"graph\" viewBox=\"{left:.0} {top:.0} {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\">"
    );
    let _ = writeln!(svg, "<title>{}</title>", escaped(&drawing.title));
    if style == Style::Alone {
        let _ = writeln!(svg, "<style>\n{STYLE}</style>");
    }
    svg.push_str(
        "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0 8 4 0 8z\"/></marker></defs>\n",
    );
    if style == Style::Alone {
        let _ = writeln!(
            svg,
            "<rect class=\"paper\" x=\"{left:.0}\" y=\"{top:.0}\" width=\"100%\" height=\"100%\"/>"
        );
    }
    for (edge, points) in drawing.edges.iter().zip(&placed.edges) {
        let (class, path) = (edge.kind.name(), path(points));
        let _ = writeln!(
            svg,
            "<path class=\"edge {class}\" d=\"{path}\" marker-end=\"url(#arrow)\"/>"
        );
    }
    for (node, place) in drawing.nodes.iter().zip(&placed.nodes) {
        draw_node(&mut svg, node, *place);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_node(svg: &mut String, node: &Node, [x, y, width, height]: [f64; 4]) {
    let mut class = "node".to_string();
    for (is_set, name) in [(node.is_main, " main"), (node.is_outside, " outside")] {
        class += if is_set { name } else { "" };
    }
    if let Some(heat) = node.heat {
        class += &format!(" heat{}", heat.min(HEATS));
    }
    let pc = node.pc;
    let _ = write!(
        svg,
        "<g class=\"{class}\" data-pc=\"{pc}\"><rect x=\"{x:.1}\" y=\"{y:.1}\" \
         width=\"{width:.1}\" height=\"{height:.1}\" rx=\"4\"/>"
    );
    let heading = std::iter::once(("heading", &node.heading));
    let lines = node.lines.iter().map(|line| ("line", line));
    for (index, (class, text)) in heading.chain(lines).enumerate() {
        let baseline = y + PADDING + LINE * (index as f64 + 0.75);
        let _ = write!(
            svg,
            "<text class=\"{class}\" x=\"{:.1}\" y=\"{baseline:.1}\">{}</text>",
            x + PADDING,
            escaped(text)
        );
    }
    svg.push_str("</g>\n");
}

/// A curve that passes between the points, from the first to the last.
fn path(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    let [(x, y), rest @ ..] = points else {
        return path;
    };
    let _ = write!(path, "M{x:.1} {y:.1}");
    for (index, (x, y)) in rest.iter().enumerate() {
        let _ = match rest.get(index + 1) {
            Some((next_x, next_y)) if index + 2 < rest.len() => {
                let (middle_x, middle_y) = ((x + next_x) / 2.0, (y + next_y) / 2.0);
                write!(path, "Q{x:.1} {y:.1} {middle_x:.1} {middle_y:.1}")
            }
            Some((last_x, last_y)) => write!(path, "Q{x:.1} {y:.1} {last_x:.1} {last_y:.1}"),
            None if index == 0 => write!(path, "L{x:.1} {y:.1}"),
            None => Ok(()),
        };
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_begin_and_end_where_edges_do() {
        let at = |points: &[(f64, f64)]| path(points);
        assert_eq!(at(&[]), "");
        assert_eq!(at(&[(0.0, 0.0), (2.0, 0.0)]), "M0.0 0.0L2.0 0.0");
        let three = at(&[(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)]);
        assert_eq!(three, "M0.0 0.0Q1.0 1.0 2.0 0.0");
        let four = at(&[(0.0, 0.0), (1.0, 1.0), (2.0, 1.0), (3.0, 0.0)]);
        assert_eq!(four, "M0.0 0.0Q1.0 1.0 1.5 1.0Q2.0 1.0 3.0 0.0");
    }
}
