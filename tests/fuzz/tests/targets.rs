//! A few executions of every target: what they find belongs elsewhere, but they have to work.

use {
    sbpf_fuzz::{TARGETS, findings::Findings, runner},
    std::{fs, path::Path, time::Duration},
};

/// Executions that run a program, of all that a target tries.
#[test]
fn all_targets_run_programs() {
    let folder = tempfile::tempdir().expect("there is room");
    for target in &TARGETS {
        if target.name == "command-line" {
            // The binary would be built first; `tests/cli.rs` runs it.
            continue;
        }
        // On a machine that is busy, the shortest time may be over before the first input is made.
        let run = |seconds| {
            let plan = runner::Plan {
                targets: vec![target],
                time: Duration::from_secs(seconds),
                seed: 5,
                threads: 1,
                findings: Findings::new(folder.path()),
            };
            runner::run(&plan).expect("there is room").remove(0)
        };
        let mut tries = [2, 10, 60].into_iter().map(run);
        let totals = tries.find(|totals| totals.ran > 0);
        let totals = totals.unwrap_or_else(|| panic!("{}: no program was run", target.name));
        let reports = totals.divergences.iter();
        let reports = reports.map(|path| std::fs::read_to_string(path.with_extension("txt")));
        let reports: Vec<_> = reports.collect();
        assert!(reports.is_empty(), "{reports:?}");
    }
}

/// Seeds and dictionaries in the repository, for other fuzzers: most seeds are whole programs, and no
/// entry of a dictionary is none.
#[test]
fn written_seeds_work() {
    let libfuzzer = Path::new(env!("CARGO_MANIFEST_DIR")).join("cargo-fuzz");
    for target in &TARGETS {
        let entry = libfuzzer.join(format!("fuzz_targets/{}.rs", target.name));
        let seeds = libfuzzer.join("seeds").join(target.name);
        assert_eq!(entry.is_file(), seeds.is_dir(), "{}", target.name);
        if !entry.is_file() {
            // It starts processes, which libFuzzer can't see into.
            assert_eq!(target.name, "command-line");
            continue;
        }
        let files = fs::read_dir(&seeds).expect("it is there");
        let files: Vec<_> = files.map(|file| file.expect("it is").path()).collect();
        assert!(files.len() >= 8, "{}: {} seeds", target.name, files.len());
        let mut ran = 0;
        for file in &files {
            let input = fs::read(file).expect("it is there");
            assert!(input.len() <= target.longest, "{}", file.display());
            match target.execute(&input) {
                Ok(observation) => ran += usize::from(observation.ran),
                Err(divergence) => panic!("{}: {}", file.display(), divergence.0),
            }
        }
        assert!(2 * ran >= files.len(), "{}: {ran} seeds ran", target.name);
        let dictionary = fs::read_to_string(seeds.with_extension("dict")).ok();
        let lines = dictionary.as_ref().map_or(0, |text| text.lines().count());
        assert_eq!(lines, (target.dictionary)().len(), "{}", target.name);
        for line in dictionary.iter().flat_map(|text| text.lines()) {
            let bytes = line
                .strip_prefix("\"\\x")
                .and_then(|rest| rest.strip_suffix('"'));
            let mut bytes = bytes.unwrap_or_default().split("\\x");
            assert!(
                bytes.all(|byte| byte.len() == 2 && u8::from_str_radix(byte, 16).is_ok()),
                "{}: {line}",
                target.name
            );
        }
    }
}

#[test]
fn what_was_left_behind_is_found() {
    let record = b"raw\n3\nabcdef";
    let (target, input) = runner::left_behind(record).expect("it is whole");
    assert_eq!((target.name, input.as_slice()), ("raw", &b"abc"[..]));
    assert!(runner::left_behind(b"raw\n9\nabc").is_none());
    assert!(runner::left_behind(b"").is_none());
}
