//! Where nodes and edges go, by the layered method of dagre.

use {
    super::drawing::{Drawing, Node},
    crate::cli::{failure::Failure, guard},
    dagre::{
        EdgeLabel, LayoutOptions, NodeLabel, RankDir,
        graph::{Graph, GraphOptions},
    },
};

/// Nodes that a picture may have: laying them out takes more than quadratic time.
pub(crate) const MOST_NODES: usize = 400;

/// Edges that a picture may have for each node that it may have.
const EDGES_FOR_EACH_NODE: usize = 3;

/// Width of a character, in pixels.
pub(super) const CHARACTER: f64 = 6.7;
/// Height of a line, in pixels.
pub(super) const LINE: f64 = 15.0;
/// Room around the text of a node, in pixels.
pub(super) const PADDING: f64 = 8.0;

/// A graph with places, in pixels.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// Left, top, width and height of each node.
    pub(super) nodes: Vec<[f64; 4]>,
    /// The points that each edge passes.
    pub(super) edges: Vec<Vec<(f64, f64)>>,
}

/// Places a graph.
///
/// # Errors
/// When it has more than `most_nodes`, or far more edges than that, or can't be placed, which would be a defect.
pub(super) fn place(drawing: &Drawing, most_nodes: usize) -> Result<Placed, Failure> {
    let (nodes, edges) = (drawing.nodes.len(), drawing.edges.len());
    if nodes > most_nodes || edges > most_nodes * EDGES_FOR_EACH_NODE {
        let what = format!(
            "{} has {nodes} nodes and {edges} edges, which is too much for a picture; --format dot \
             has no limit",
            drawing.title
        );
        return Err(Failure::new(what));
    }
    guard::catch(|| place_with_dagre(drawing))
        .map_err(|panic| Failure::new(format!("can't lay out {}: {panic}", drawing.title)))
}

fn place_with_dagre(drawing: &Drawing) -> Placed {
    let mut graph: Graph<NodeLabel, EdgeLabel> = Graph::with_options(GraphOptions {
        directed: true,
        multigraph: true,
        compound: false,
    });
    for (index, node) in drawing.nodes.iter().enumerate() {
        let (width, height) = size(node);
        let label = NodeLabel {
            width,
            height,
            ..NodeLabel::default()
        };
        graph.set_node(index.to_string(), Some(label));
    }
    for (index, edge) in drawing.edges.iter().enumerate() {
        graph.set_edge(
            edge.from.to_string(),
            edge.to.to_string(),
            Some(EdgeLabel::default()),
            Some(&index.to_string()),
        );
    }
    let options = LayoutOptions {
        rankdir: match drawing.is_horizontal {
            true => RankDir::LR,
            false => RankDir::TB,
        },
        nodesep: 24.0,
        edgesep: 12.0,
        ranksep: 36.0,
        ..LayoutOptions::default()
    };
    dagre::layout(&mut graph, Some(options));
    let nodes = drawing.nodes.iter().enumerate().map(|(index, node)| {
        let (width, height) = size(node);
        let label = graph.node(&index.to_string());
        let centre = label.and_then(|label| Some((label.x?, label.y?)));
        let (x, y) = centre.unwrap_or_default();
        [x - width / 2.0, y - height / 2.0, width, height]
    });
    let edges = drawing.edges.iter().enumerate().map(|(index, edge)| {
        let name = index.to_string();
        let (from, to) = (edge.from.to_string(), edge.to.to_string());
        let points = graph
            .edge(&from, &to, Some(&name))
            .map_or(&[][..], |label| &label.points);
        points.iter().map(|point| (point.x, point.y)).collect()
    });
    Placed {
        nodes: nodes.collect(),
        edges: edges.collect(),
    }
}

/// Width and height of a node.
fn size(node: &Node) -> (f64, f64) {
    let texts = node.lines.iter().chain([&node.heading]);
    let longest = texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let lines = 1 + node.lines.len();
    (
        longest as f64 * CHARACTER + 2.0 * PADDING,
        lines as f64 * LINE + 2.0 * PADDING,
    )
}
