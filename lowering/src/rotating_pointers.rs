//! Pointers that take turns: in a loop of one block each turn goes on with what another register held in the one
//! before.
//!
//! They may well point into different regions. Then a translation that is kept for the next turn never serves there,
//! and costs more than one from the region cache.

use {
    crate::{
        accesses::Group,
        cfg::{BlockId, Graph},
        insn::{Arithmetic, Insn, Operand, Operation, Width},
    },
    sbpf_runtime::{abi::REGISTERS, site::RegisterSet},
};

/// For each register the one that had its value, but for a distance, at the start of the block.
type Origins = [Option<u8>; REGISTERS];

/// For each of these groups of a block whether its pointer takes turns with others.
pub(crate) fn take_turns(graph: &Graph, block: BlockId, groups: &[Group]) -> Vec<bool> {
    if !graph.block(block).successors().any(|next| next == block) {
        return vec![false; groups.len()];
    }
    let mut origins: Origins = std::array::from_fn(|register| Some(register as u8));
    let mut bases = Vec::with_capacity(groups.len());
    for (index, (_, insn)) in graph.insns(block).enumerate() {
        let begins = groups[bases.len()..]
            .iter()
            .take_while(|group| group.first == index)
            .map(|group| origins[usize::from(group.base)]);
        bases.extend(begins);
        follow(insn, &mut origins);
    }
    bases
        .into_iter()
        .map(|base| base.is_some_and(|base| is_on_cycle(&origins, base)))
        .collect()
}

fn follow(insn: &Insn, origins: &mut Origins) {
    let origin = match insn.operation {
        Operation::Arithmetic(Arithmetic::Move, Width::W64, _, Operand::Register(source)) => {
            origins[usize::from(source)]
        }
        Operation::Arithmetic(Arithmetic::Add, Width::W64, ..) => {
            origins[usize::from(insn.destination)]
        }
        _ => None,
    };
    for register in insn.writes().iter() {
        origins[usize::from(register)] = origin;
    }
}

/// Whether a register gets its value from others, turn by turn, and never stays with one of them.
fn is_on_cycle(origins: &Origins, mut register: u8) -> bool {
    let mut seen = RegisterSet::EMPTY;
    loop {
        seen.insert(register);
        match origins[usize::from(register)] {
            None => return false,
            Some(origin) if origin == register => return false,
            Some(origin) if seen.contains(origin) => return true,
            Some(origin) => register = origin,
        }
    }
}
