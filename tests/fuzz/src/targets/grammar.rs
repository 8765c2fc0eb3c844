//! Programs with structure: the bytes choose what the generator of the random tests makes.

use {
    super::{
        choices::{self, Choices},
        differential::compare,
        head::Head,
    },
    crate::{Divergence, Observation, Target, common::surroundings::case_of},
};

pub(super) const TARGET: Target = Target {
    name: "grammar",
    about: "generated programs with functions, loops and syscalls",
    unit: 1,
    seeds: || choices::seeds(512),
    dictionary: Vec::new,
    longest: 1024,
    share: 30,
    run,
};

fn run(input: &[u8]) -> Result<Observation, Divergence> {
    let Some((head, choices)) = Head::split(input) else {
        return Ok(Observation::default());
    };
    compare(case_of(head.version, &mut Choices::new(choices)), &head)
}
