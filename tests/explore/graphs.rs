//! Graphs as pictures and for Graphviz.

use {
    super::{assert_refused, output, profile, program, scratch, text},
    roxmltree::{Document, Node},
    std::{fmt::Write as _, fs},
};

/// The elements of a picture with this class.
fn with_class<'a>(picture: &'a Document<'_>, class: &str) -> Vec<Node<'a, 'a>> {
    let has_class = |node: &Node<'_, '_>| {
        let mut classes = node.attribute("class").unwrap_or_default().split(' ');
        classes.any(|other| other == class)
    };
    picture.descendants().filter(has_class).collect()
}

/// All text of an element.
fn words(node: &Node<'_, '_>) -> String {
    let texts = node
        .descendants()
        .filter(|node| node.tag_name().name() == "text");
    let texts: Vec<&str> = texts.filter_map(|node| node.text()).collect();
    texts.join("\n")
}

#[test]
fn blocks_are_drawn_with_their_instructions() {
    let svg = output(&["graph", &program(), "--profile", &profile("picture.json")]);
    let picture = Document::parse(&svg).expect("it is XML");
    let nodes = with_class(&picture, "node");
    assert_eq!(nodes.len(), 4);
    assert_eq!(with_class(&picture, "edge").len(), 4);
    assert_eq!(with_class(&picture, "jump").len(), 1);
    let hot = with_class(&picture, "heat9");
    assert_eq!(hot[0].attribute("data-pc"), Some("6"));
    let text = words(&hot[0]);
    assert!(
        text.starts_with("6: cost 5, checks for 11, × 16\n6 load8 r4, [r2+0]"),
        "{text}"
    );
    // Nodes do not lie on each other.
    let tops: Vec<f64> = nodes
        .iter()
        .filter_map(|node| node.first_element_child()?.attribute("y")?.parse().ok())
        .collect();
    assert!(
        tops.windows(2).all(|pair| pair[0] + 20.0 < pair[1]),
        "{tops:?}"
    );
}

#[test]
fn functions_are_drawn_with_their_calls() {
    let svg = output(&["graph", &program(), "--call-graph", "--format", "svg"]);
    let picture = Document::parse(&svg).expect("it is XML");
    let nodes: Vec<String> = with_class(&picture, "node").iter().map(words).collect();
    assert_eq!(
        nodes,
        [
            "entrypoint\npc 0, 14 instructions",
            "function_twice\npc 14, 3 instructions"
        ]
    );
    assert_eq!(with_class(&picture, "call").len(), 1);
}

#[test]
fn graphviz_gets_the_same() {
    let path = scratch("flow.dot");
    let arguments = ["graph", &program(), "--format", "dot", "-o", &text(&path)];
    assert_eq!(output(&arguments), "");
    let dot = fs::read_to_string(&path).expect("it was written");
    assert!(dot.starts_with("digraph \"entrypoint\" {\n") && dot.ends_with("}\n"));
    assert_eq!(dot.matches(" -> ").count(), 4);
    assert!(dot.contains("n1 -> n1 [color="));
    assert!(dot.contains(r"6: cost 5, checks for 11\l6 load8 r4, [r2+0]\l"));
}

#[test]
fn scripts_get_nodes_and_edges() {
    let graph = output(&["graph", &program(), "--json", "--quiet"]);
    let graph: serde_json::Value = serde_json::from_str(&graph).expect("it is JSON");
    assert_eq!(graph["title"], "entrypoint");
    let nodes = graph["nodes"].as_array().expect("there are nodes").iter();
    let pcs: Vec<_> = nodes.map(|node| node["pc"].as_u64()).collect();
    assert_eq!(pcs, [0, 6, 11, 13].map(Some));
    let turn = serde_json::json!({ "from": 1, "to": 1, "kind": "jump" });
    let edges = graph["edges"].as_array().expect("there are edges");
    assert_eq!(edges.len(), 4);
    assert!(edges.contains(&turn), "{edges:?}");
    assert_refused(
        &["graph", &program(), "--json", "--format", "dot"],
        "cannot be used with",
    );
}

#[test]
fn a_function_is_chosen_by_name_or_pc() {
    let program = program();
    for function in ["function_twice", "15", "0xf"] {
        let svg = output(&["graph", &program, "--function", function]);
        assert!(svg.contains("<title>function_twice</title>"), "{function}");
    }
    assert_refused(
        &["graph", &program, "--function", "nothing"],
        "--function: there is no function \"nothing\" that can be reached",
    );
    assert_refused(
        &["graph", &program, "--function", "17"],
        "--function: no instruction at pc 17 can be reached",
    );
    assert_refused(
        &["graph", &program, "--function", "1", "--call-graph"],
        "cannot be used with",
    );
}

#[test]
fn what_is_too_large_for_a_picture_is_for_graphviz() {
    let path = scratch("calls.s");
    let (mut source, mut functions) = ("entrypoint:\n".to_string(), String::new());
    for number in 0..500 {
        let _ = writeln!(source, "call function_{number}");
        let _ = write!(functions, "function_{number}:\nadd64 r0, 1\nexit\n");
    }
    source += "exit\n";
    fs::write(&path, source + &functions).expect("the file can be written");
    let path = text(&path);
    assert_refused(
        &["graph", &path, "--call-graph"],
        "is too much for a picture; --format dot has no limit",
    );
    let dot = output(&["graph", &path, "--call-graph", "--format", "dot"]);
    assert_eq!(dot.matches("label=\"function_").count(), 500, "{dot}");
    // The page says so in its place.
    assert!(output(&["explore", &path]).len() > 10_000);
}
