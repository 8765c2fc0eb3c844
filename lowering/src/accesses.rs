//! Which memory accesses of a block share one range check.
//!
//! Accesses through the same value of a base register form a **group**: one check covers the
//! whole range of their offsets. If it fails, the interpreter executes from the first access of
//! the group to the end of its **stretch**: overlapping groups belong to one stretch, because
//! after the interpreter has run none of their checks holds.

use {
    crate::{
        cfg::{BlockId, Graph},
        dialect::Dialect,
        insn::Insn,
    },
    sbpf_runtime::{abi::FRAME_POINTER, site::RegisterSet},
};

/// The widest range of offsets that one check covers, in bytes. A wider one would more often end
/// outside of a region that holds every single access.
const MAX_SPAN: i32 = 512;

/// The same where constants that the program chose are hidden: offsets from the lowest one need no
/// hiding then.
const MAX_HIDDEN_SPAN: i32 = 255;

/// Accesses that share a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The base register.
    pub base: u8,
    /// Lowest offset.
    pub low: i32,
    /// Bytes from the lowest offset to the end of the highest access.
    pub span: u32,
    /// Whether one of them writes.
    pub store: bool,
    /// Index in the block of the first access.
    pub first: usize,
    /// Index in the block of the last access.
    pub last: usize,
}

/// A run of instructions that the interpreter can execute as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Index in the block of the last instruction.
    pub last: usize,
    /// The pc after the last instruction.
    pub resume: u32,
    /// Registers needed after it.
    pub live: RegisterSet,
}

/// How the instructions of a block access memory.
#[derive(Debug, Default)]
pub struct Accesses {
    /// All groups, by their first access.
    pub groups: Vec<Group>,
    /// For each instruction of the block the group it belongs to.
    pub group_of: Vec<Option<usize>>,
    /// All stretches, in order.
    pub stretches: Vec<Stretch>,
}

impl Accesses {
    /// Plans the checks of a block, of which `live_after` is needed before its terminator.
    pub fn plan(graph: &Graph, block: BlockId, dialect: &Dialect, live_after: RegisterSet) -> Self {
        let insns: Vec<(u32, &Insn)> = graph.insns(block).collect();
        let mut plan = Self {
            group_of: vec![None; insns.len()],
            ..Self::default()
        };
        if !dialect.translation {
            return plan;
        }
        // The open group of each base register.
        let mut open = [None; 16];
        let max_span = match dialect.hides_constants {
            true => MAX_HIDDEN_SPAN,
            false => MAX_SPAN,
        };
        for (index, (_, insn)) in insns.iter().enumerate() {
            if let Some((size, base, offset)) = insn.access()
                && !(base == FRAME_POINTER && dialect.is_in_frame(offset, size))
            {
                let store = insn.stores();
                let joined = open[base as usize].filter(|&group: &usize| {
                    plan.groups[group].join(max_span, offset, size, store, index)
                });
                let group = joined.unwrap_or_else(|| {
                    plan.groups.push(Group {
                        base,
                        low: offset,
                        span: size,
                        store,
                        first: index,
                        last: index,
                    });
                    plan.groups.len() - 1
                });
                plan.group_of[index] = Some(group);
                open[base as usize] = Some(group);
            }
            for register in insn.writes().iter() {
                open[register as usize] = None;
            }
        }
        plan.stretches = stretches(&plan.groups, &insns, live_after);
        plan
    }

    /// The stretch that the instruction at `index` belongs to.
    pub fn stretch_at(&self, index: usize) -> Option<&Stretch> {
        self.stretches.iter().find(|stretch| index <= stretch.last)
    }
}

impl Group {
    /// Log2 of the span, rounded up.
    pub fn log2_span(&self) -> u32 {
        self.span.next_power_of_two().trailing_zeros()
    }

    /// Takes in one more access, if the range does not become too wide.
    fn join(&mut self, max_span: i32, offset: i32, size: u32, store: bool, index: usize) -> bool {
        let low = self.low.min(offset);
        let high = (self.low + self.span as i32).max(offset + size as i32);
        if high - low > max_span {
            return false;
        }
        self.low = low;
        self.span = (high - low) as u32;
        self.store |= store;
        self.last = index;
        true
    }
}

fn stretches(groups: &[Group], insns: &[(u32, &Insn)], live_after: RegisterSet) -> Vec<Stretch> {
    let mut ends: Vec<usize> = Vec::new();
    for group in groups {
        match ends.last_mut() {
            Some(end) if group.first <= *end => *end = group.last.max(*end),
            _ => ends.push(group.last),
        }
    }
    let mut stretches = Vec::with_capacity(ends.len());
    let mut live = live_after;
    let mut index = insns.len();
    for &last in ends.iter().rev() {
        while index > last + 1 {
            index -= 1;
            let insn = insns[index].1;
            if !insn.ends_block() {
                live = live.without(insn.writes()).union(insn.reads());
            }
        }
        let (pc, insn) = insns[last];
        stretches.push(Stretch {
            last,
            resume: pc + u32::from(insn.slots),
            live,
        });
    }
    stretches.reverse();
    stretches
}
