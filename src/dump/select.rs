//! From what a person calls a function to the native functions that it became.

use {
    super::{DumpError, FunctionSelector},
    sbpf_lowering::{
        cfg::BlockId,
        comments::Names,
        function::{Analysis, FunctionName},
        units::UnitId,
    },
    std::collections::BTreeSet,
};

/// How many names an error lists.
const LISTED_NAMES: usize = 8;

/// The functions to show, in the order in which they are generated.
pub(super) fn functions(
    analysis: &Analysis<'_>,
    names: &Names,
    selector: Option<&FunctionSelector>,
) -> Result<Vec<FunctionName>, DumpError> {
    let Some(selector) = selector else {
        return Ok(analysis.functions());
    };
    let mut roots = Vec::new();
    for pc in pcs(analysis, names, selector)? {
        let not_reachable = || DumpError::NotReachable {
            function: selector.clone(),
            pc,
        };
        let block = block_around(analysis, pc).ok_or_else(not_reachable)?;
        roots.push(analysis.units.owner(block));
    }
    let units = with_pieces(analysis, roots);
    let is_selected = |name: &FunctionName| name.unit().is_some_and(|unit| units.contains(&unit));
    Ok(analysis
        .functions()
        .into_iter()
        .filter(is_selected)
        .collect())
}

/// The pcs that a selector stands for, at least one.
fn pcs(
    analysis: &Analysis<'_>,
    names: &Names,
    selector: &FunctionSelector,
) -> Result<Vec<usize>, DumpError> {
    match selector {
        FunctionSelector::Pc(pc) => {
            let slots = analysis.program.len();
            match *pc < slots {
                true => Ok(vec![*pc]),
                false => Err(DumpError::PcOutsideText { pc: *pc, slots }),
            }
        }
        FunctionSelector::Name(name) => {
            let named = names.functions.iter().filter(|(_, other)| *other == name);
            let mut pcs: Vec<usize> = named.map(|(pc, _)| *pc as usize).collect();
            pcs.sort_unstable();
            match pcs.is_empty() {
                true => Err(DumpError::NoSuchFunction {
                    name: name.clone(),
                    known: known(names),
                }),
                false => Ok(pcs),
            }
        }
    }
}

/// The names that there are, as the end of an error.
fn known(names: &Names) -> String {
    let all: BTreeSet<&str> = names.functions.values().map(String::as_str).collect();
    let listed: Vec<&str> = all.iter().copied().take(LISTED_NAMES).collect();
    let more = match all.len().saturating_sub(LISTED_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("there is {}{more}, and each pc", listed.join(", "))
}

/// The block with the instruction at `pc`.
fn block_around(analysis: &Analysis<'_>, pc: usize) -> Option<BlockId> {
    let graph = &analysis.graph;
    let behind = graph
        .blocks
        .partition_point(|block| block.start as usize <= pc);
    let index = behind.checked_sub(1)?;
    let block = graph.blocks.get(index)?;
    (pc < block.end as usize).then_some(BlockId(index as u32))
}

/// `roots` and the units that belong to them: jumped to from there, and no function of their own.
fn with_pieces(analysis: &Analysis<'_>, roots: Vec<UnitId>) -> BTreeSet<UnitId> {
    let starts: BTreeSet<BlockId> = analysis.graph.starts.iter().copied().collect();
    let mut units = BTreeSet::new();
    let mut worklist = roots;
    while let Some(unit) = worklist.pop() {
        if !units.insert(unit) {
            continue;
        }
        for &block in &analysis.units.unit(unit).blocks {
            let successors = analysis.graph.block(block).successors();
            let pieces = successors.filter(|next| !starts.contains(next));
            worklist.extend(pieces.map(|next| analysis.units.owner(next)));
        }
    }
    units
}
