//! Where a run spends its compute units: by instruction, and by stacks of functions.

use {
    super::{Moment, instructions::Instructions},
    serde_json::{Value, json},
    std::collections::BTreeMap,
};

/// A function in one place of the call tree.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// Compute units of its own instructions.
    pub(crate) own: u64,
    /// The first pc of a function, or the name of a syscall, and what it called.
    pub(crate) callees: BTreeMap<Callee, Node>,
}

/// Who is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Callee {
    /// The function that starts at this pc.
    Function(usize),
    /// A syscall; its units are those that it charges beside the call itself.
    Syscall(String),
}

impl Node {
    /// Compute units of the function and all that it called.
    ///
    /// Call trees are no deeper than calls can be.
    pub(crate) fn total(&self) -> u64 {
        self.own + self.callees.values().map(Self::total).sum::<u64>()
    }
}

/// The profile of a run.
#[derive(Debug)]
pub(crate) struct Profile {
    /// How often each instruction was executed, by pc.
    counts: Vec<u64>,
    /// The call tree; its one callee is the entry.
    pub(crate) root: Node,
    /// First pcs of the functions in progress, outermost first.
    stack: Vec<usize>,
    pc: usize,
    depth: usize,
}

impl Profile {
    /// A profile of a program with so many instruction slots that starts at `entry`.
    pub(crate) fn new(slots: usize, entry: usize) -> Self {
        Self {
            counts: vec![0; slots],
            root: Node::default(),
            stack: vec![entry],
            pc: entry,
            depth: 0,
        }
    }

    /// Counts an instruction.
    pub(crate) fn before(&mut self, moment: &Moment<'_>) {
        if let Some(count) = self.counts.get_mut(moment.pc) {
            *count += 1;
        }
        self.pc = moment.pc;
        self.depth = moment.depth;
    }

    /// Adds the compute units of that instruction, after which the program goes on at `pc`.
    pub(crate) fn after(
        &mut self,
        units: u64,
        depth: usize,
        pc: usize,
        instructions: &Instructions<'_>,
    ) {
        let node = self.stack.iter().fold(&mut self.root, |node, start| {
            node.callees.entry(Callee::Function(*start)).or_default()
        });
        node.own += units.min(1);
        let charged = units.saturating_sub(1);
        if charged > 0 {
            match instructions.syscall(self.pc) {
                Some(name) => {
                    let callee = Callee::Syscall(name);
                    node.callees.entry(callee).or_default().own += charged;
                }
                None => node.own += charged,
            }
        }
        if depth > self.depth {
            self.stack.push(pc);
        } else if depth < self.depth {
            self.stack.pop();
        }
    }

    /// Compute units of the whole run.
    pub(crate) fn total(&self) -> u64 {
        self.root.total()
    }

    /// How often each instruction was executed, by its pc in decimal.
    pub(crate) fn to_json(&self, program: &str) -> Value {
        let executed = self.counts.iter().enumerate().filter(|(_, n)| **n > 0);
        let counts: serde_json::Map<String, Value> = executed
            .map(|(pc, count)| (pc.to_string(), Value::from(*count)))
            .collect();
        json!({ "format": 1, "program": program, "counts": counts })
    }
}
