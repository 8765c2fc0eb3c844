//! What inputs of programs begin with.

use {
    crate::common::Compilation,
    solana_sbpf::{ebpf::INSN_SIZE, program::SBPFVersion},
    std::collections::BTreeMap,
};

/// Bytes before what is made a program.
const LENGTH: usize = 8;

/// Choices that all such targets have, and those that are left to each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// The version of a program that has none itself.
    pub(super) version: SBPFVersion,
    /// What a budget is picked by.
    pub(super) salt: u64,
    /// How it is compiled. It follows from all bytes of the input: so does whatever depends on a key
    /// or a layout, and the same input shows it again.
    pub(super) compilation: Compilation,
    /// The other choices.
    pub(super) more: [u8; LENGTH - 3],
}

impl Head {
    /// The head of `input`, and the rest; nothing if there is not even that.
    pub(super) fn split(input: &[u8]) -> Option<(Self, &[u8])> {
        let ([version, low, high, more @ ..], rest) = input.split_first_chunk::<LENGTH>()?;
        let hash = *blake3::hash(input).as_bytes();
        let seed = hash.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let head = Self {
            version: SBPFVersion::ALL[usize::from(*version) % SBPFVersion::ALL.len()],
            salt: u64::from(u16::from_le_bytes([*low, *high])),
            compilation: Compilation {
                seed,
                guard_speculation: hash[31] & 3 == 0,
            },
            more: *more,
        };
        Some((head, rest))
    }
}

/// One instruction of each opcode that is in `inputs`, whose instructions are behind a head.
pub(super) fn instructions(inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let slots = inputs
        .iter()
        .flat_map(|input| input.chunks_exact(INSN_SIZE).skip(LENGTH / INSN_SIZE));
    let by_opcode: BTreeMap<u8, &[u8]> = slots.map(|slot| (slot[0], slot)).collect();
    by_opcode.into_values().map(<[u8]>::to_vec).collect()
}
