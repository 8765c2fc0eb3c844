//! Programs that compilers made: those deployed on chain, and the test files of `solana-sbpf`.

mod common;

use {
    common::{
        deployed::{
            deployed_programs, host_case, host_config, inputs, marked_inputs, own_programs,
            program_keys, token_inputs, wide_constants,
        },
        host_syscalls::imports,
        upstream, *,
    },
    rand::{Rng, SeedableRng},
    rand_chacha::ChaCha8Rng,
};

/// Checks the deployed programs whose name `select` picks.
fn check_deployed(select: impl Fn(&str) -> bool) {
    let keys = program_keys();
    for (name, elf) in deployed_programs() {
        if !select(&name) {
            continue;
        }
        let mut random = ChaCha8Rng::seed_from_u64(elf.len() as u64);
        // Some programs compare their own key; all keys get their turn.
        let inputs: Vec<Vec<u8>> = keys
            .iter()
            .flat_map(|key| {
                let mut all = inputs(&mut random, key);
                let kept = random.random_range(0..4);
                let few = all.drain(..).skip(kept).step_by(5);
                few.chain(token_inputs(key)).collect::<Vec<_>>()
            })
            .collect();
        report(
            &name,
            &host_case(SBPFVersion::V0, &elf).check_inputs(inputs),
        );
    }
}

/// Says how far inputs have got.
fn report(name: &str, verdicts: &[Verdict]) {
    let succeeded = verdicts
        .iter()
        .filter(|verdict| verdict.outcome.value == Some(0));
    let instructions: u64 = verdicts
        .iter()
        .map(|verdict| verdict.outcome.instruction_count)
        .sum();
    println!(
        "{name}: {} inputs, {} returned 0, {instructions} instructions",
        verdicts.len(),
        succeeded.count()
    );
}

#[test]
fn token() {
    check_deployed(|name| name.starts_with("spl_p_token"));
}

#[test]
fn token_2022() {
    check_deployed(|name| name.starts_with("spl_token_2022"));
}

#[test]
fn memos() {
    check_deployed(|name| name.starts_with("spl_memo"));
}

#[test]
fn associated_token_account() {
    check_deployed(|name| name.starts_with("spl_associated"));
}

#[test]
fn core_programs() {
    check_deployed(|name| name.starts_with("core_"));
}

/// Programs of your own. `SBPF_TEST_INPUTS` says how many inputs each is given, beside those that all programs are.
#[test]
fn programs_of_a_directory() {
    let count = setting("SBPF_TEST_INPUTS", 200) as usize;
    for (name, elf) in own_programs() {
        let mut random = ChaCha8Rng::seed_from_u64(elf.len() as u64);
        let marks = wide_constants(&elf);
        let key = [7; 32];
        let mut all = inputs(&mut random, &key);
        all.extend(token_inputs(&key));
        all.extend(marked_inputs(&mut random, &marks, count));
        report(&name, &host_case(SBPFVersion::V0, &elf).check_inputs(all));
    }
}

/// The names of syscalls that upstream's test files use without importing them by name.
const UPSTREAM_SYSCALLS: [&str; 7] = [
    "log",
    "log_64",
    "bpf_syscall_string",
    "bpf_syscall_u64",
    "bpf_mem_frob",
    "bpf_trace_printf",
    "bpf_gather_bytes",
];

#[test]
fn upstream_test_files() {
    let directory = upstream::package_directory("solana-sbpf", "0.26.0");
    let mut loaded = 0;
    for (name, elf) in upstream::shared_objects(&directory.join("tests/elfs")) {
        for optimize_rodata in [false, true] {
            let mut names = imports(&elf);
            names.extend(UPSTREAM_SYSCALLS.map(String::from));
            names.sort();
            names.dedup();
            let mut case = Case::elf(SBPFVersion::V0, elf.clone())
                .configure(host_config)
                .configure(|config| config.optimize_rodata = optimize_rodata)
                .host_syscalls(names);
            let Ok(executable) = case.program.load(&case.config, &case.extra_syscalls) else {
                println!("{name} doesn't load");
                continue;
            };
            case.version = executable.get_sbpf_version();
            loaded += 1;
            let verifies = executable
                .verify::<solana_sbpf::verifier::RequisiteVerifier>()
                .is_ok();
            let case = if verifies { case } else { case.unverified() };
            for verdict in case.check_inputs([vec![], vec![1, 2, 3], pattern(1, 64)]) {
                println!("{name} {:?}: {}", case.version, verdict.outcome.result);
            }
        }
    }
    assert!(loaded >= 30, "only {loaded} files loaded");
}
