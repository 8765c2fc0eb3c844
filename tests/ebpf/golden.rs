//! The CLIF of characteristic programs, in files that a reviewer can read.
//!
//! `SBPF_BLESS=1 cargo test --test ebpf golden` writes them anew; the difference then shows what a change
//! does to generated code. Each program also runs on both engines.

use {
    crate::{
        agreement::{Case, MIX},
        assembly::*,
    },
    sbpf_cranelift::{
        dump::{self, DumpOptions, Stage},
        ebpf::Program,
    },
    similar::TextDiff,
    std::{fs, path::PathBuf},
};

/// The machine: one on which constants are not hidden.
const TARGET: &str = "aarch64-unknown-linux-gnu";

/// Names of files with what they show.
fn programs() -> Vec<(&'static str, Vec<[u8; 8]>)> {
    vec![
        // A function of the program, which calls itself: the frame moves, r0 and the meter come back.
        (
            "call",
            vec![
                set(1, 3),
                local(1),
                EXIT,
                insn(0x15, 1, 0, 3, 0),
                insn(0x07, 1, 0, 0, -1),
                local(-3),
                insn(0x07, 0, 0, 0, 1),
                EXIT,
            ],
        ),
        // A helper: directly where it is a plain function, else through the runtime.
        ("helper", vec![set(1, 1), helper(MIX as i32), EXIT]),
        // Words of the frame, and of the context behind a check.
        (
            "memory",
            vec![
                insn(0x79, 2, 1, 0, 0),
                insn(0x7b, 10, 2, -8, 0),
                insn(0x61, 0, 10, -8, 0),
                EXIT,
            ],
        ),
        // Sign-extending loads and moves.
        (
            "signed",
            vec![
                insn(0x91, 0, 1, 1, 0),
                insn(0xbf, 0, 0, 16, 0),
                insn(0xbc, 0, 0, 8, 0),
                EXIT,
            ],
        ),
        // An addition that fetches, and a comparison with an exchange.
        (
            "atomic",
            vec![
                set(2, 1),
                insn(0xdb, 10, 2, -8, 1),
                set(0, 1),
                insn(0xdb, 10, 2, -8, 0xf1),
                EXIT,
            ],
        ),
        // Division by a register, which has a result for each divisor.
        (
            "division",
            vec![
                set(0, -9),
                insn(0x79, 2, 1, 0, 0),
                insn(0x3f, 0, 2, 1, 0),
                insn(0x9f, 0, 2, 0, 0),
                EXIT,
            ],
        ),
        // A loop, its comparison on 32 bits.
        (
            "loop",
            vec![
                set(0, 0),
                insn(0x0f, 0, 1, 0, 0),
                insn(0x04, 2, 0, 0, -1),
                insn(0x56, 2, 0, -3, 0),
                EXIT,
            ],
        ),
    ]
}

fn clif(program: &Program) -> String {
    let mut options = DumpOptions::default();
    options.stages = vec![Stage::Clif];
    options.target = Some(TARGET.parse().expect("a target triple"));
    let mut bytes = Vec::new();
    dump::write_ebpf(program, &options, &mut bytes).expect("it can be lowered");
    let text = String::from_utf8(bytes).expect("it is text");
    // The first piece is a summary, others are what all programs have.
    text.split("\n;;; ")
        .skip(1)
        .filter(|section| section.starts_with("clif: unit"))
        .map(|section| format!(";;; {}\n", section.trim_end()))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn clif_is_as_expected_and_engines_agree() {
    let blesses = std::env::var_os("SBPF_BLESS").is_some_and(|value| value == "1");
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/ebpf/golden");
    let mut report = String::new();
    for (name, text) in programs() {
        let case = Case::new(&text, vec![3; 16]);
        case.agree(1_000);
        let actual = clif(&case.program);
        let path = directory.join(name).with_extension("clif");
        let expected = fs::read_to_string(&path).unwrap_or_default();
        let expected = expected.replace("\r\n", "\n");
        if actual == expected {
            continue;
        }
        if blesses {
            fs::create_dir_all(&directory).expect("there is room");
            fs::write(&path, actual).expect("it can be written");
            continue;
        }
        let difference = TextDiff::from_lines(&expected, &actual);
        let difference = difference.unified_diff().context_radius(3).to_string();
        report.push_str(&format!("{name} (expected, then actual):\n{difference}\n"));
    }
    assert!(
        report.is_empty(),
        "{report}SBPF_BLESS=1 accepts the new CLIF."
    );
}
