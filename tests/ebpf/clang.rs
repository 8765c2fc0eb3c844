//! What clang makes of C programs, for each version of the processor that it knows.

use {
    sbpf_cranelift::ebpf::{Helpers, Memory, Options, Program, programs},
    std::{path::PathBuf, process::Command},
};

/// Compilers to look for, the newest first: only new ones know version 4.
const COMPILERS: [&str; 6] = [
    "clang-22", "clang-19", "clang-18", "clang", "clang-16", "clang-14",
];

/// The ELF files of a source, one for each version of the processor; none without clang.
pub(crate) fn compile(source: &str) -> Vec<(String, Vec<u8>)> {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/ebpf/programs")
        .join(source);
    let mut files = Vec::new();
    for version in ["v1", "v2", "v3", "v4"] {
        for level in ["-O1", "-O2"] {
            let output = directory.join(format!("{source}.{version}{level}.o"));
            let compiled = COMPILERS.iter().any(|compiler| {
                let mut command = Command::new(compiler);
                command
                    .args(["-target", "bpf", level, "-g", "-c", "-fno-builtin"])
                    .arg(format!("-mcpu={version}"))
                    .arg(&path)
                    .arg("-o")
                    .arg(&output);
                // An older clang refuses a version that it does not know.
                command.output().is_ok_and(|output| output.status.success())
            });
            match compiled {
                true => {
                    let bytes = std::fs::read(&output).expect("clang has written it");
                    files.push((format!("{source} {version} {level}"), bytes));
                }
                false => eprintln!("skipped: no clang here compiles {source} for {version}"),
            }
        }
    }
    files
}

/// Runs a program on both engines; returns its result and the context afterwards.
fn run(
    bytes: &[u8],
    name: Option<&str>,
    context: &[u8],
    helpers: fn() -> Helpers<'static>,
) -> (u64, Vec<u8>) {
    let program = Program::from_elf(bytes, name, &Options::default()).expect("it can be loaded");
    let compiled = program.compile().expect("it compiles");
    let on = |is_compiled: bool| {
        let mut context = context.to_vec();
        let mut memory = program.memory();
        memory.set_context(&mut context);
        let outcome = match is_compiled {
            true => compiled.run(&mut memory, &mut helpers(), 1 << 24),
            false => program.interpret(&mut memory, &mut helpers(), 1 << 24),
        };
        (outcome, memory.context())
    };
    let (found, expected) = (on(true), on(false));
    assert_eq!(found, expected);
    (found.0.result.expect("it succeeds"), found.1)
}

#[test]
fn arithmetic() {
    for (title, bytes) in compile("arithmetic.c") {
        let mut context = Vec::new();
        for value in [100u64, 7, u64::MAX, 3] {
            context.extend(value.to_le_bytes());
        }
        let mut expected: u64 = 0;
        for round in 0..50u64 {
            let (a, b) = (100 + round, 7 + round);
            expected = expected
                .wrapping_mul(31)
                .wrapping_add(a / b)
                .wrapping_add(a % b)
                ^ (a << 3);
            expected ^= u64::from((a as u32).swap_bytes());
        }
        assert_eq!(
            run(&bytes, None, &context, Helpers::new).0,
            expected,
            "{title}"
        );
    }
}

/// Words as the memory of a program.
fn memory(words: impl IntoIterator<Item = u64>) -> Vec<u8> {
    words.into_iter().flat_map(u64::to_le_bytes).collect()
}

#[test]
fn checksums() {
    for (title, bytes) in compile("checksum.c") {
        for number in [0, 1, 7, 100] {
            let context = memory([number].into_iter().chain(1 << 40..(1 << 40) + 25));
            let words = context[8..].as_chunks::<2>().0.iter();
            let words = words.take(number as usize);
            let mut sum: u64 = words.map(|word| u64::from(u16::from_be_bytes(*word))).sum();
            while sum > 0xffff {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            let (found, _) = run(&bytes, None, &context, Helpers::new);
            assert_eq!(found, sum ^ 0xffff, "{title} {number}");
        }
    }
}

#[test]
fn prime_numbers() {
    for (title, bytes) in compile("sieve.c") {
        for (limit, primes) in [(0, 0), (2, 0), (3, 1), (100, 25), (1_000, 168)] {
            let context = memory([limit].into_iter().chain([u64::MAX; 125]));
            let (found, _) = run(&bytes, None, &context, Helpers::new);
            assert_eq!(found, primes, "{title} {limit}");
        }
    }
}

#[test]
#[expect(deprecated, reason = "it has no key elsewhere in the standard library")]
fn sip_hashes() {
    use std::hash::{Hasher, SipHasher};
    for (title, bytes) in compile("siphash.c") {
        for number in [0, 1, 40] {
            let message: Vec<u64> = (0..number).map(|word| word << 50 ^ word).collect();
            let mut hasher = SipHasher::new_with_keys(5, 1 << 63);
            hasher.write(&memory(message.iter().copied()));
            let context = memory([5, 1 << 63, number].into_iter().chain(message));
            let (found, _) = run(&bytes, None, &context, Helpers::new);
            assert_eq!(found, hasher.finish(), "{title} {number}");
        }
    }
}

#[test]
fn several_programs_with_functions_and_data() {
    for (title, bytes) in compile("sections.c") {
        let names = programs(&bytes).expect("they are listed");
        let sections: Vec<&str> = names.iter().map(|name| name.section.as_str()).collect();
        assert!(
            sections.starts_with(&["first", "second"]),
            "{title}: {sections:?}"
        );
        let context = [5, 0, 0, 0, 0, 0, 0, 0];
        let (first, _) = run(&bytes, None, &context, Helpers::new);
        assert_eq!(first, 5 * 5 + 1000, "{title}");
        let (by_function, _) = run(&bytes, Some("one"), &context, Helpers::new);
        assert_eq!(by_function, first, "{title}");
        let (second, _) = run(&bytes, Some("second"), &context, Helpers::new);
        assert_eq!(second, 3 + 30 + 300 + 7, "{title}");
        let none = Program::from_elf(&bytes, Some("third"), &Options::default());
        let error = none.expect_err("there is none").to_string();
        assert!(error.contains("one (first), two (second)"), "{error}");
    }
}

#[test]
fn helpers_and_maps() {
    for (title, bytes) in compile("maps.c") {
        let program = Program::from_elf(&bytes, None, &Options::default()).expect("it is loaded");
        assert_eq!(program.maps(), ["counters"], "{title}");
        assert_eq!(program.helpers(), [1], "{title}");
        fn helpers<'h>() -> Helpers<'h> {
            let mut helpers = Helpers::new();
            // Looks up the element of an array of words.
            helpers.register(1, |call| {
                let map = call.map(0).expect("it is given a map");
                let key = call.memory.read(call.arguments[1], 4)?;
                let key = u64::from(key[0]);
                Ok(if key < 4 {
                    Memory::address_of_map(map) + 8 * key
                } else {
                    0
                })
            });
            helpers
        }
        let compiled = program.compile().expect("it compiles");
        for (key, expected) in [(2u8, 1), (9, 0)] {
            let (mut context, mut values) = ([key], [0; 32]);
            let mut memory = program.memory();
            memory.set_context(&mut context);
            memory.set_map(0, &mut values);
            let outcome = compiled.run(&mut memory, &mut helpers(), 1000);
            assert_eq!(outcome.result, Ok(expected), "{title}");
            let again = program.interpret(&mut memory, &mut helpers(), 1000);
            assert_eq!(again.result, Ok(2 * expected), "{title}");
            let count = memory.map(0).expect("it was set")[16];
            assert_eq!(u64::from(count), 2 * expected, "{title}");
        }
    }
}

#[test]
fn what_is_no_elf_file_of_ebpf() {
    let refusal = |bytes: &[u8]| {
        let error = Program::from_elf(bytes, None, &Options::default());
        error.expect_err("it is refused").to_string()
    };
    assert!(refusal(&[]).starts_with("not a usable ELF file"));
    assert!(refusal(&[0x7f; 400]).starts_with("not a usable ELF file"));
    let this = std::fs::read(std::env::current_exe().expect("it has a path")).expect("it exists");
    if cfg!(target_os = "linux") {
        assert_eq!(
            refusal(&this),
            "the ELF file is not of eBPF for a little-endian machine"
        );
    }
}

/// Each byte of a file changed: an error or a program, never a panic.
#[test]
fn broken_elf_files() {
    let Some((_, bytes)) = compile("sections.c").into_iter().next() else {
        return;
    };
    for at in 0..bytes.len() {
        for value in [0, 0xff, bytes[at] ^ 1] {
            let mut broken = bytes.clone();
            broken[at] = value;
            let _ = Program::from_elf(&broken, None, &Options::default());
        }
    }
    for length in 0..bytes.len() {
        let _ = Program::from_elf(&bytes[..length], None, &Options::default());
    }
}
