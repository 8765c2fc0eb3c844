//! Which functions call each other.

use {
    super::drawing::{Drawing, Edge, Kind, Node, shortened, thousands, title},
    crate::cli::profile::Profile,
    sbpf_cranelift::dump::anatomy::UnitPart,
    std::collections::HashMap,
};

/// Characters of a name that are shown.
const SHOWN_CHARACTERS: usize = 48;

/// What is known of a unit.
#[derive(Debug)]
struct Function<'a> {
    unit: &'a UnitPart,
    title: String,
    instructions: u32,
    callees: Vec<usize>,
    callers: Vec<usize>,
}

/// Calls and jumps between the units of a program.
#[derive(Debug)]
pub(crate) struct Calls<'a> {
    functions: Vec<Function<'a>>,
    index_at: HashMap<u32, usize>,
}

impl<'a> Calls<'a> {
    /// Those of these units.
    pub(crate) fn of(units: &'a [UnitPart]) -> Self {
        let index_at: HashMap<u32, usize> = units
            .iter()
            .enumerate()
            .map(|(index, unit)| (unit.entry, index))
            .collect();
        let mut functions: Vec<Function<'_>> = units
            .iter()
            .map(|unit| Function {
                unit,
                title: title(unit),
                instructions: unit.blocks.iter().map(|block| block.cost).sum(),
                callees: unit
                    .callees
                    .iter()
                    .filter_map(|entry| index_at.get(entry).copied())
                    .collect(),
                callers: Vec::new(),
            })
            .collect();
        for caller in 0..functions.len() {
            for callee in functions[caller].callees.clone() {
                functions[callee].callers.push(caller);
            }
        }
        Self {
            functions,
            index_at,
        }
    }

    /// What the unit entered at `pc` is called.
    pub(crate) fn title_at(&self, pc: u32) -> Option<String> {
        let index = self.index_at.get(&pc)?;
        Some(self.functions[*index].title.clone())
    }

    /// The indices of what a unit calls or jumps to.
    pub(crate) fn callees(&self, index: usize) -> &[usize] {
        self.functions
            .get(index)
            .map_or(&[], |function| &function.callees)
    }

    /// All units.
    pub(crate) fn all(&self, name: &str, profile: Option<&Profile>) -> Drawing {
        let members: Vec<usize> = (0..self.functions.len()).collect();
        self.draw(format!("calls in {name}"), &members, None, profile)
    }

    /// A unit with those that lead to it and those that it leads to.
    pub(crate) fn around(&self, index: usize, profile: Option<&Profile>) -> Drawing {
        let Some(function) = self.functions.get(index) else {
            return self.draw(String::new(), &[], None, profile);
        };
        let mut members = vec![index];
        members.extend(&function.callers);
        members.extend(&function.callees);
        members.sort_unstable();
        members.dedup();
        self.draw(
            format!("calls of {}", function.title),
            &members,
            Some(index),
            profile,
        )
    }

    /// Draws some units; around `main`, if it is given, only what leads to it or from it.
    fn draw(
        &self,
        title: String,
        members: &[usize],
        main: Option<usize>,
        profile: Option<&Profile>,
    ) -> Drawing {
        let place: HashMap<usize, usize> = members
            .iter()
            .enumerate()
            .map(|(place, index)| (*index, place))
            .collect();
        let nodes = members.iter().map(|index| self.node(*index, main, profile));
        let edges = members.iter().flat_map(|caller| {
            let callees = self.functions[*caller].callees.iter();
            callees.filter_map(|callee| {
                let is_shown = main.is_none_or(|main| main == *caller || main == *callee);
                Some(Edge {
                    from: *place.get(caller)?,
                    to: *place.get(callee)?,
                    kind: Kind::Call,
                })
                .filter(|_| is_shown)
            })
        });
        Drawing {
            title,
            nodes: nodes.collect(),
            edges: edges.collect(),
            is_horizontal: true,
        }
    }

    fn node(&self, index: usize, main: Option<usize>, profile: Option<&Profile>) -> Node {
        let function = &self.functions[index];
        let entry = function.unit.entry;
        let count = profile.map(|profile| profile.count(entry));
        let mut line = format!("pc {entry}, {} instructions", function.instructions);
        if let Some(count) = count {
            line += &format!(", × {}", thousands(count));
        }
        Node {
            pc: entry,
            heading: shortened(&function.title, SHOWN_CHARACTERS),
            lines: vec![line],
            heat: profile
                .zip(count)
                .map(|(profile, count)| profile.heat(count)),
            is_main: main == Some(index),
            is_outside: false,
        }
    }
}
