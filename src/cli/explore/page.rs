//! The page: an index of all functions, and for each its code and graphs, packed.

use {
    super::{listing::Listing, packed::pack},
    crate::cli::{
        failure::Failure,
        graph::{self, Calls},
        profile::Profile,
    },
    askama::Template,
    rayon::prelude::*,
    sbpf_cranelift::dump::anatomy::{BlockPart, EdgeKind, InsnPart, MemoryCheck, UnitPart},
    serde::Serialize,
    serde_json::json,
};

/// Blocks that a graph in the page has at most; the command `graph` draws larger ones.
const MOST_NODES: usize = 100;

/// What is known of the program as a whole.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Program<'a> {
    pub(super) name: &'a str,
    pub(super) title: &'a str,
    pub(super) slots: usize,
    pub(super) entry: u32,
}

/// A column of code.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct CodeColumn {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
}

/// Everything that a page is made of.
pub(super) struct Page<'a> {
    pub(super) program: Program<'a>,
    pub(super) columns: Vec<CodeColumn>,
    pub(super) units: Vec<UnitPart>,
    /// For each unit the bytes of code of each machine.
    pub(super) sizes: Vec<Vec<usize>>,
    /// For each unit its columns of code, packed.
    pub(super) code: Vec<String>,
    pub(super) listing: Listing<'a>,
    pub(super) profile: Option<&'a Profile>,
}

/// The page's template.
#[derive(Template)]
#[template(path = "explorer.html")]
struct Document<'a> {
    name: &'a str,
    style: &'static str,
    graph_style: &'static str,
    script: &'static str,
    index: String,
    listing: String,
    code: &'a [String],
    graphs: Vec<String>,
}

/// What the page knows before it unpacks anything else.
#[derive(Serialize)]
struct Index<'a> {
    program: Program<'a>,
    columns: &'a [CodeColumn],
    functions: Vec<Function<'a>>,
    /// Pcs and their counts in turns.
    counts: Option<Vec<u64>>,
    call_graph: Option<String>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: Option<&'a str>,
    entry: u32,
    function: u32,
    instructions: u32,
    bytes: &'a [usize],
    callees: &'a [usize],
    /// Starts and ends of its blocks in turns.
    ranges: Vec<u32>,
}

#[derive(Serialize)]
struct Block<'a> {
    start: u32,
    end: u32,
    cost: u32,
    live: &'a str,
    needed: Option<u32>,
    carried: u32,
    settles: bool,
    in_loop: Option<u32>,
    /// Where control goes, and what leads there.
    edges: Vec<(u32, &'static str)>,
    insns: Vec<Insn<'a>>,
}

#[derive(Serialize)]
struct Insn<'a> {
    pc: u32,
    bytes: String,
    source: String,
    text: &'a str,
    /// What became of the check of its address, or of a `callx`.
    check: Option<String>,
    /// The pc at which the address is checked.
    checked_at: Option<u32>,
}

#[derive(Serialize)]
struct Graphs {
    flow: Option<String>,
    calls: Option<String>,
}

impl Page<'_> {
    /// The page as HTML.
    ///
    /// # Errors
    /// When that fails, which would be a defect.
    pub(super) fn render(&self) -> Result<String, Failure> {
        let calls = Calls::of(&self.units);
        let all = calls.all(self.program.name, self.profile);
        let index = Index {
            call_graph: graph::picture(&all, MOST_NODES),
            ..self.index(&calls)
        };
        let units = self.units.par_iter();
        let listing: Vec<Vec<Block<'_>>> = units.map(|unit| self.blocks(unit)).collect();
        let graphs = (0..self.units.len()).into_par_iter().map(|unit| {
            let flow = graph::control_flow(&self.units[unit], &calls, self.profile);
            let around = calls.around(unit, self.profile);
            pack(&Graphs {
                flow: graph::picture(&flow, MOST_NODES),
                calls: graph::picture(&around, MOST_NODES),
            })
        });
        let document = Document {
            name: self.program.name,
            style: include_str!("../../../templates/explorer.css"),
            graph_style: graph::STYLE,
            script: include_str!("../../../templates/explorer.js"),
            index: pack(&index)?,
            listing: pack(&listing)?,
            code: &self.code,
            graphs: graphs.collect::<Result<_, _>>()?,
        };
        document
            .render()
            .map_err(|error| Failure::new(format!("can't make the page: {error}")))
    }

    /// What the page knows of functions, and their blocks, as JSON: without code and pictures.
    ///
    /// # Errors
    /// When that fails, which would be a defect.
    pub(super) fn to_json(&self) -> Result<String, Failure> {
        let calls = Calls::of(&self.units);
        let blocks: Vec<_> = self.units.iter().map(|unit| self.blocks(unit)).collect();
        let data = json!({ "index": self.index(&calls), "blocks": blocks });
        Ok(format!("{data:#}\n"))
    }

    fn index<'s>(&'s self, calls: &'s Calls<'_>) -> Index<'s> {
        Index {
            program: self.program,
            columns: &self.columns,
            functions: self.functions(calls),
            counts: self.profile.map(|profile| {
                let counts = profile.counts();
                counts
                    .flat_map(|(pc, count)| [u64::from(pc), count])
                    .collect()
            }),
            call_graph: None,
        }
    }

    fn functions<'s>(&'s self, calls: &'s Calls<'_>) -> Vec<Function<'s>> {
        let parts = self.units.iter().zip(&self.sizes).enumerate();
        let function = |(index, (unit, sizes)): (usize, (&'s UnitPart, &'s Vec<usize>))| Function {
            name: unit.name.as_deref(),
            entry: unit.entry,
            function: unit.function,
            instructions: unit.blocks.iter().map(|block| block.cost).sum(),
            bytes: sizes,
            callees: calls.callees(index),
            ranges: ranges(&unit.blocks),
        };
        parts.map(function).collect()
    }

    fn blocks<'s>(&'s self, unit: &'s UnitPart) -> Vec<Block<'s>> {
        let block = |block: &'s BlockPart| Block {
            start: block.start,
            end: block.end,
            cost: block.cost,
            live: &block.live,
            needed: block.needed,
            carried: block.carried,
            settles: block.settles,
            in_loop: block.in_loop,
            edges: block
                .edges
                .iter()
                .map(|edge| (edge.to, edge_name(edge.kind)))
                .collect(),
            insns: block.insns.iter().map(|insn| self.insn(insn)).collect(),
        };
        unit.blocks.iter().map(block).collect()
    }

    fn insn<'s>(&'s self, insn: &'s InsnPart) -> Insn<'s> {
        let checked_at = insn.check.as_ref().and_then(|check| match check {
            MemoryCheck::Covered { by } => Some(*by),
            MemoryCheck::Group { .. } => Some(insn.pc),
            _ => None,
        });
        let likely = insn.likely_callee;
        let likely = likely.map(|pc| format!("calls {pc} directly if it is that"));
        Insn {
            pc: insn.pc,
            bytes: self.listing.bytes(insn),
            source: self.listing.text(insn),
            text: &insn.text,
            check: insn.check.as_ref().map(ToString::to_string).or(likely),
            checked_at,
        }
    }
}

/// The pcs of blocks, those that follow each other as one range.
fn ranges(blocks: &[BlockPart]) -> Vec<u32> {
    let mut ranges: Vec<u32> = Vec::new();
    for block in blocks {
        match ranges.last_mut() {
            Some(end) if *end == block.start => *end = block.end,
            _ => ranges.extend([block.start, block.end]),
        }
    }
    ranges
}

fn edge_name(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::FallThrough => "next",
        EdgeKind::Jump => "jump",
        EdgeKind::TailCall => "tail call",
    }
}
