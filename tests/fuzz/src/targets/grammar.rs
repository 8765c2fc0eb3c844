//! Programs with structure: the bytes choose what the generator of the random tests makes.

use {
    super::{choices::Choices, differential::compare},
    crate::{Divergence, Observation, Target, common::surroundings::case_of},
    solana_sbpf::program::SBPFVersion,
};

pub(super) const TARGET: Target = Target {
    name: "grammar",
    about: "generated programs with functions, loops and syscalls",
    unit: 1,
    seeds: Vec::new,
    longest: 1024,
    share: 30,
    run,
};

fn run(input: &[u8]) -> Result<Observation, Divergence> {
    let Some((head, choices)) = input.split_first_chunk::<4>() else {
        return Ok(Observation::default());
    };
    let version = SBPFVersion::ALL[usize::from(head[0]) % SBPFVersion::ALL.len()];
    let case = case_of(version, &mut Choices::new(choices));
    let salt = u64::from(u16::from_le_bytes([head[1], head[2]]));
    compare(case, salt)
}
