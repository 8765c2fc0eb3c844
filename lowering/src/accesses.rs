//! Which memory accesses of a block share one range check.
//!
//! Accesses through the same value of a base register form a **group**: one check covers the
//! whole range of their offsets. If it fails, the interpreter executes from the first access of
//! the group to the end of its **stretch**: overlapping groups belong to one stretch, because
//! after the interpreter has run none of their checks holds.

use {
    crate::{
        cfg::{BlockId, Graph},
        checkpoints::accesses_frame,
        dialect::Dialect,
        insn::Insn,
    },
    sbpf_runtime::site::RegisterSet,
};

/// The widest range of offsets that one check covers, in bytes. A wider one would more often end
/// outside of a region that holds every single access.
const MAX_SPAN: i32 = 512;

/// The same where constants that the program chose are hidden: offsets from the lowest one need no
/// hiding then.
const MAX_HIDDEN_SPAN: i32 = 255;

/// The widest range where accounts are regions of their own: as wide as the header of one.
const ACCOUNT_HEADER: i32 = 88;

/// Where an account's data begins behind the account, and behind an input that starts with one.
///
/// Hosts that lay each account's data out as a region of its own end the one before it here. Programs that
/// go without a library for accounts have one register for both.
const ACCOUNT_DATA: [i32; 2] = [88, 96];

/// Accesses that share a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The base register.
    pub base: u8,
    /// Lowest offset.
    pub low: i32,
    /// Bytes from the lowest offset to the end of the highest access.
    pub span: u32,
    /// Lowest offset of its own accesses, should the check cover others in later blocks.
    pub own_low: i32,
    /// Bytes from there to the end of its own highest access.
    pub own_span: u32,
    /// Whether one of them writes.
    pub store: bool,
    /// Index in the block of the first access.
    pub first: usize,
    /// Index in the block of the last access.
    pub last: usize,
}

/// A run of instructions that the interpreter can execute as a whole.
///
/// It ends with the last access of a group, or with accesses to the frame behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Index in the block of the last instruction.
    pub last: usize,
    /// The pc after the last instruction.
    pub resume: u32,
    /// What is needed after it.
    pub after: After,
}

/// What is needed behind a place in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct After {
    /// Registers.
    pub live: RegisterSet,
    /// Whether a frame is accessed before the next checkpoint and the next access that is checked.
    pub frame_follows: bool,
    /// Whether the next checkpoint may be in the frame of a callee, which would not tell that it was called.
    pub frame_changes: bool,
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
    /// Plans the checks of a block; `after` is what is needed before its terminator.
    pub fn plan(graph: &Graph, block: BlockId, dialect: &Dialect, after: After) -> Self {
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
        let limits = Limits::of(dialect);
        for (index, (_, insn)) in insns.iter().enumerate() {
            if let Some((size, base, offset)) = insn.access()
                && !accesses_frame(insn, dialect)
            {
                let store = insn.stores();
                let joined = open[base as usize].filter(|&group: &usize| {
                    plan.groups[group].join(limits, offset, size, store, index)
                });
                let group = joined.unwrap_or_else(|| {
                    plan.groups.push(Group {
                        base,
                        low: offset,
                        span: size,
                        own_low: offset,
                        own_span: size,
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
        plan.stretches = stretches(&plan.groups, &insns, dialect, after);
        plan
    }

    /// The stretch that the instruction at `index` belongs to.
    pub fn stretch_at(&self, index: usize) -> Option<&Stretch> {
        self.stretches.iter().find(|stretch| index <= stretch.last)
    }
}

/// Which ranges of offsets one check may cover.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The widest one, in bytes.
    pub(crate) max_span: i32,
    pub(crate) regions_adjoin: bool,
}

impl Limits {
    pub(crate) fn of(dialect: &Dialect) -> Self {
        Self {
            max_span: match (dialect.regions_adjoin, dialect.hides_constants) {
                (true, _) => ACCOUNT_HEADER,
                (false, true) => MAX_HIDDEN_SPAN,
                (false, false) => MAX_SPAN,
            },
            regions_adjoin: dialect.regions_adjoin,
        }
    }

    /// Whether one check may cover the offsets from `low` to before `end`.
    pub(crate) fn admit(self, low: i32, end: i32) -> bool {
        let is_crossed = |boundary: i32| low < boundary && boundary < end;
        end - low <= self.max_span
            && !(self.regions_adjoin && ACCOUNT_DATA.into_iter().any(is_crossed))
    }
}

impl Group {
    /// The offset behind the highest access.
    pub(crate) fn end(&self) -> i32 {
        self.low + self.span as i32
    }

    /// Log2 of the span, rounded up.
    pub fn log2_span(&self) -> u32 {
        self.span.next_power_of_two().trailing_zeros()
    }

    /// Takes in one more access, if the range does not become too wide.
    fn join(&mut self, limits: Limits, offset: i32, size: u32, store: bool, index: usize) -> bool {
        let low = self.low.min(offset);
        let high = self.end().max(offset + size as i32);
        if !limits.admit(low, high) {
            return false;
        }
        self.low = low;
        self.span = (high - low) as u32;
        (self.own_low, self.own_span) = (self.low, self.span);
        self.store |= store;
        self.last = index;
        true
    }
}

fn stretches(
    groups: &[Group],
    insns: &[(u32, &Insn)],
    dialect: &Dialect,
    after: After,
) -> Vec<Stretch> {
    let mut ends: Vec<usize> = Vec::new();
    for group in groups {
        match ends.last_mut() {
            Some(end) if group.first <= *end => *end = group.last.max(*end),
            _ => ends.push(group.last),
        }
    }
    if ends.is_empty() {
        return Vec::new();
    }
    let after = after_each(insns, dialect, after);
    let stretch = |last: usize| {
        let last = past_frames(insns, dialect, &after, last).unwrap_or(last);
        let (pc, insn) = insns[last];
        Stretch {
            last,
            resume: pc + u32::from(insn.slots),
            after: after[last],
        }
    };
    ends.into_iter().map(stretch).collect()
}

/// For each instruction of a block what is needed after it.
fn after_each(insns: &[(u32, &Insn)], dialect: &Dialect, mut after: After) -> Vec<After> {
    let mut each = vec![After::default(); insns.len()];
    for (place, (_, insn)) in each.iter_mut().zip(insns).rev() {
        *place = after;
        // What is given is needed before the terminator.
        if insn.ends_block() {
            continue;
        }
        after.live = after.live.without(insn.writes()).union(insn.reads());
        if insn.access().is_some() {
            after.frame_follows = accesses_frame(insn, dialect);
        }
    }
    each
}

/// The last of the accesses to the frame that follow a stretch, if the interpreter had better execute
/// them too: then it need not be given all live registers, see [`After::frame_follows`].
fn past_frames(
    insns: &[(u32, &Insn)],
    dialect: &Dialect,
    after: &[After],
    last: usize,
) -> Option<usize> {
    if !after[last].frame_follows {
        return None;
    }
    let mut exchanged = 0;
    let mut written = RegisterSet::EMPTY;
    for (index, (_, insn)) in insns.iter().enumerate().skip(last + 1) {
        if insn.ends_block() || (insn.access().is_some() && !accesses_frame(insn, dialect)) {
            return None;
        }
        exchanged += insn.reads().without(written).len() + insn.writes().without(written).len();
        written = written.union(insn.writes());
        if exchanged >= after[last].live.len() {
            return None;
        }
        if !after[index].frame_follows {
            return Some(index);
        }
    }
    None
}
