//! The same program gives the same code, whatever hash tables do with their order.

mod common;

use {
    common::{deployed::host_case, surroundings::random_case, *},
    sbpf_cranelift::{Cache, CompileOptions, GeneratedCode},
};

/// What is made of a case, more than once.
fn assert_is_reproducible(case: &Case, times: usize) {
    let mut options = CompileOptions::default();
    options.cache = Cache::none();
    options.seed = Some(7);
    let generate = || {
        // Loaded anew as well: the registries of `solana-sbpf` have an order of their own each time.
        let executable = case
            .program
            .load(&case.config, &case.extra_syscalls)
            .expect("it loads");
        let generated = GeneratedCode::generate(&executable, &options).expect("it compiles");
        generated.bytes().to_vec()
    };
    let first = generate();
    for _ in 1..times {
        assert!(generate() == first, "code differs from time to time");
    }
}

#[test]
fn random_programs() {
    for seed in 0..150 {
        let version = SBPFVersion::ALL[seed as usize % SBPFVersion::ALL.len()];
        assert_is_reproducible(&random_case(version, 40_000 + seed), 3);
    }
}

#[test]
fn a_deployed_program() {
    let programs = common::deployed::deployed_programs();
    let (_, elf) = programs
        .iter()
        .find(|(name, _)| name.starts_with("spl_memo-3"))
        .expect("it is there");
    assert_is_reproducible(&host_case(SBPFVersion::V0, elf), 3);
}
