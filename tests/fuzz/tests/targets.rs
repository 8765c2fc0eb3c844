//! A few executions of every target: what they find belongs elsewhere, but they have to work.

use {
    sbpf_fuzz::{TARGETS, findings::Findings, runner},
    std::time::Duration,
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

#[test]
fn what_was_left_behind_is_found() {
    let record = b"raw\n3\nabcdef";
    let (target, input) = runner::left_behind(record).expect("it is whole");
    assert_eq!((target.name, input.as_slice()), ("raw", &b"abc"[..]));
    assert!(runner::left_behind(b"raw\n9\nabc").is_none());
    assert!(runner::left_behind(b"").is_none());
}
