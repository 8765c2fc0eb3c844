//! Seeded random programs, compared at several budgets; failures are shrunk and printed.
//!
//! - `SBPF_RANDOM_PROGRAMS`: how many programs of each version to run.
//! - `SBPF_RANDOM_SEED`: the seed of the first program; the next ones count up.
//! - `SBPF_RANDOM_TRACE`: writes each seed to standard error before its program runs, for the
//!   crashes that leave no report.

mod common;

use {
    common::{
        shrink::{CAP, describe, failure_of, shrink},
        surroundings::random_case,
        *,
    },
    std::io::Write,
};

/// Programs of each version by default.
const PROGRAMS: u64 = 800;

fn run(version: SBPFVersion) {
    let programs = setting("SBPF_RANDOM_PROGRAMS", PROGRAMS);
    let first = setting("SBPF_RANDOM_SEED", 1);
    let trace = std::env::var_os("SBPF_RANDOM_TRACE").is_some();
    for seed in first..first.saturating_add(programs) {
        if trace {
            // Past the capture of the test harness, which a crash would take with it.
            let _ = writeln!(std::io::stderr(), "{version:?} seed {seed}");
        }
        let case = random_case(version, seed);
        if let Some(failure) = failure_of(&case, false, seed.wrapping_mul(0x9e37_79b9)) {
            let original = failure.report.clone();
            let (small, left) = shrink(&case, failure);
            panic!(
                "{version:?}, seed {seed}, budgets up to {CAP}:\n{}\n\nbefore shrinking:\n{original}",
                describe(&small, &left)
            );
        }
    }
}

#[test]
fn random_v0() {
    run(SBPFVersion::V0);
}

#[test]
fn random_v1() {
    run(SBPFVersion::V1);
}

#[test]
fn random_v2() {
    run(SBPFVersion::V2);
}

#[test]
fn random_v3() {
    run(SBPFVersion::V3);
}

#[test]
fn random_v4() {
    run(SBPFVersion::V4);
}

/// The generator is worth something only if its programs get far and end in all ways.
#[test]
fn programs_end_in_many_ways() {
    let mut endings = std::collections::BTreeMap::<String, u64>::new();
    let mut instructions = 0;
    let mut skipped = 0;
    for seed in 0..400 {
        let version = SBPFVersion::ALL[seed as usize % SBPFVersion::ALL.len()];
        let case = random_case(version, 1_000_000 + seed);
        let Ok(outcomes) = case.try_budgets(&[CAP]) else {
            skipped += 1;
            continue;
        };
        instructions += outcomes[0].instruction_count;
        let ending: String = outcomes[0]
            .result
            .chars()
            .take_while(|character| *character != ')')
            .filter(|character| !character.is_ascii_digit())
            .take(22)
            .collect();
        let ending = if ending.starts_with("Ok") {
            "Ok".to_string()
        } else {
            ending
        };
        *endings.entry(ending).or_default() += 1;
    }
    println!("{instructions} instructions, {skipped} skipped, {endings:#?}");
    assert!(skipped < 40, "{skipped} of 400 programs say nothing");
    for ending in [
        "Ok",
        "Err(AccessViolation",
        "Err(ExceededMaxInstruc",
        "Err(CallDepthExceeded",
    ] {
        assert!(
            endings.keys().any(|key| key.starts_with(ending)),
            "no program ended in {ending}: {endings:?}"
        );
    }
}
