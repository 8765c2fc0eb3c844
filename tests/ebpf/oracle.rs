//! The interpreter of `rbpf` on random programs of what it and RFC 9669 have in common.

use crate::{agreement::Case, random};

const PROGRAMS: u64 = 1_000;

#[test]
fn random_programs_are_as_rbpf_has_them() {
    for seed in 0..PROGRAMS {
        let text = random::program(seed, true);
        let case = Case::new(&text, (0..64).collect());
        let mut context: Vec<u8> = (0..64).collect();
        let vm = rbpf::EbpfVmRaw::new(Some(text.as_flattened())).expect("rbpf takes it");
        let expected = vm.execute_program(&mut context).expect("rbpf executes it");
        let found = case.observe(|memory, helpers| case.program.interpret(memory, helpers, 10_000));
        assert_eq!(found.outcome.result, Ok(expected), "seed {seed}");
        assert_eq!(found.context, context, "seed {seed}");
    }
}
