//! What the functions of a program are called, and which one a pc is in.

use {
    super::program::{LoadOptions, Program},
    std::collections::BTreeMap,
};

/// The functions of a program by their first pc.
#[derive(Debug, Clone)]
pub(crate) struct Functions(BTreeMap<usize, String>);

/// A function, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function<'f> {
    /// Its first pc.
    pub(crate) start: usize,
    /// Its name, or one made of its pc.
    pub(crate) name: &'f str,
}

impl Functions {
    /// The functions of `program`: those with a symbol, and those that its calls name.
    pub(crate) fn of(program: &Program) -> Self {
        let registered = program.executable.get_function_registry().iter();
        let mut names: BTreeMap<usize, String> = registered
            .map(|(_, (name, pc))| (pc, String::from_utf8_lossy(name).into_owned()))
            .collect();
        names.extend(symbols(&program.name, &program.bytes, program.options));
        let entry = program.executable.get_entrypoint_instruction_offset();
        let name = names.entry(entry).or_default();
        if name.is_empty() {
            "entrypoint".clone_into(name);
        }
        let mut functions = Self(BTreeMap::new());
        for (pc, name) in names {
            functions.insert(pc, &name);
        }
        functions
    }

    /// Adds a function without a name, unless one is known to start at `pc`.
    pub(crate) fn add(&mut self, pc: usize) {
        if !self.0.contains_key(&pc) {
            self.insert(pc, "");
        }
    }

    /// The function that `pc` is in: the last one that starts at it or before.
    pub(crate) fn at(&self, pc: usize) -> Function<'_> {
        let found = self.0.range(..=pc).next_back();
        found.map_or(
            Function {
                start: 0,
                name: "text",
            },
            |(start, name)| Function {
                start: *start,
                name,
            },
        )
    }

    /// All functions.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &str)> {
        self.0.iter().map(|(pc, name)| (*pc, name.as_str()))
    }

    fn insert(&mut self, pc: usize, name: &str) {
        let name = match name {
            "" => format!("function_{pc}"),
            name => format!("{:#}", rustc_demangle::demangle(name)),
        };
        self.0.insert(pc, name);
    }
}

/// The names of a program's functions. They come from a second executable, since one with labels
/// is compiled to other code. Without names everything is only less readable.
pub(crate) fn symbols(name: &str, bytes: &[u8], options: LoadOptions) -> BTreeMap<usize, String> {
    let labelled = Program::load(
        name,
        bytes,
        LoadOptions {
            labels: true,
            ..options
        },
    );
    let Ok(labelled) = labelled else {
        return BTreeMap::new();
    };
    let functions = labelled.executable.get_function_registry().iter();
    functions
        .map(|(_, (name, pc))| (pc, String::from_utf8_lossy(name).into_owned()))
        .collect()
}
