//! What became of the checks of memory accesses.

use {
    sbpf_lowering::{
        cfg::BlockId,
        function::Analysis,
        insn::Insn,
        loops::LoopId,
        sharing::{GroupId, Sharing},
    },
    sbpf_runtime::abi::FRAME_POINTER,
    std::{collections::HashMap, fmt},
};

/// How the address of a memory access is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryCheck {
    /// It is in the function's own frame, which is always there.
    Frame,
    /// The program's addresses are the host's, and nothing is checked.
    Untranslated,
    /// Here is the one check of a group of accesses.
    Group {
        /// The register that all addresses are relative to.
        base: u8,
        /// The lowest offset from it, in bytes.
        low: i32,
        /// Bytes that are checked.
        span: u32,
        /// Whether the range is to be written.
        store: bool,
        /// The pcs of the accesses, this one first.
        accesses: Vec<u32>,
        /// The pc behind the last instruction that the interpreter executes when the check fails.
        resume: u32,
        /// The number of the loop that keeps the translation over its turns.
        kept_in_loop: Option<u32>,
    },
    /// The check at an earlier access covers this one.
    Covered {
        /// The pc of that access.
        by: u32,
    },
}

impl fmt::Display for MemoryCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame => f.write_str("own frame: no check"),
            Self::Untranslated => f.write_str("no check"),
            Self::Covered { by } => write!(f, "checked at {by}"),
            Self::Group {
                base,
                low,
                span,
                store,
                accesses,
                resume,
                kept_in_loop,
            } => {
                let what = if *store { "write" } else { "read" };
                write!(f, "check {what} [r{base}{low:+}], {span} bytes")?;
                if let [_, others @ ..] = accesses.as_slice()
                    && !others.is_empty()
                {
                    let others: Vec<String> = others.iter().map(u32::to_string).collect();
                    write!(f, ", also for {}", others.join(" "))?;
                }
                if let Some(number) = kept_in_loop {
                    write!(f, ", kept in loop {number}")?;
                }
                write!(f, "; else interpret to {resume}")
            }
        }
    }
}

/// The checks of a block's instructions, by their index in it.
pub(super) fn of_block(
    analysis: &Analysis<'_>,
    block: BlockId,
    sharing: &Sharing,
    insns: &[(u32, &Insn)],
    kept: &HashMap<(BlockId, usize), LoopId>,
) -> Vec<Option<MemoryCheck>> {
    let Some(plan) = sharing.of(block) else {
        return vec![None; insns.len()];
    };
    let dialect = &analysis.program.dialect;
    let first_pc = |id: GroupId| {
        let first = sharing.group(id)?.first;
        let (pc, _) = analysis.graph.insns(id.block).nth(first)?;
        Some(pc)
    };
    let pc_of = |index: usize| insns.get(index).map_or(0, |(pc, _)| *pc);
    let check = |(index, (_, insn)): (usize, &(u32, &Insn))| {
        let (size, base, offset) = insn.access()?;
        let Some(number) = plan.group_of.get(index).copied().flatten() else {
            let is_frame = base == FRAME_POINTER && dialect.is_in_frame(offset, size);
            return Some(match is_frame {
                true => MemoryCheck::Frame,
                false => MemoryCheck::Untranslated,
            });
        };
        let group = plan.groups.get(number)?;
        if group.first != index {
            return Some(MemoryCheck::Covered {
                by: pc_of(group.first),
            });
        }
        let leader = sharing.leader(GroupId { block, number });
        if let Some(by) = leader.and_then(first_pc) {
            return Some(MemoryCheck::Covered { by });
        }
        let members = plan.group_of.iter().enumerate();
        Some(MemoryCheck::Group {
            base: group.base,
            low: group.low,
            span: group.span,
            store: group.store,
            accesses: members
                .filter(|(_, member)| **member == Some(number))
                .map(|(index, _)| pc_of(index))
                .collect(),
            resume: plan.stretch_at(index).map_or(0, |stretch| stretch.resume),
            kept_in_loop: kept.get(&(block, number)).map(|id| id.0),
        })
    };
    insns.iter().enumerate().map(check).collect()
}
