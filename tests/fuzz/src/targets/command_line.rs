//! Arguments and files for the command line: an exit status of 0, 1 or 2, and one line of an error.

use {
    super::choices::Choices,
    crate::{
        Divergence, Observation, Target, common::program::Program,
        common::surroundings::random_case,
    },
    rand::{Rng, RngCore, seq::IndexedRandom},
    solana_sbpf::program::SBPFVersion,
    std::{
        env, fs,
        io::Write,
        path::{Path, PathBuf},
        process::{Command, Stdio},
        sync::LazyLock,
    },
};

pub(super) const TARGET: Target = Target {
    name: "command-line",
    about: "arguments and files of the command line",
    unit: 1,
    seeds: Vec::new,
    dictionary: Vec::new,
    longest: 512,
    share: 15,
    run,
};

/// The binary, built beside this one if it is not there.
static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
    if let Some(path) = env::var_os("SBPF_FUZZ_BINARY") {
        return path.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let own = env::current_exe().expect("there is one");
    let is_release = own.components().any(|part| part.as_os_str() == "release");
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "build",
        "--quiet",
        "--bin",
        "sbpf-cranelift",
        "--manifest-path",
    ]);
    command.arg(root.join("Cargo.toml"));
    command.args(is_release.then_some("--release"));
    let status = command.status().expect("cargo starts");
    assert!(status.success(), "sbpf-cranelift has to be built");
    let folder = own
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let target = folder.expect("the binary is in cargo's target folder");
    let profile = if is_release { "release" } else { "debug" };
    let name = format!("sbpf-cranelift{}", env::consts::EXE_SUFFIX);
    target.join(profile).join(name)
});

/// Words that mean something somewhere.
const WORDS: [&str; 63] = [
    "--guard-speculation",
    "--dialect",
    "ebpf",
    "sbpf",
    "--section",
    "xdp",
    "--mem",
    "00 11 22",
    "zz",
    "--sample",
    "memo",
    "token-transfer",
    "--list-samples",
    "--input",
    "--accounts",
    "--heap",
    "0",
    "1",
    "-1",
    "32768",
    "--heap=18446744073709551615",
    "18446744073709551616",
    "--budget",
    "1000",
    "--engine",
    "all",
    "interpreter",
    "cranelift",
    "hand-written",
    "--sbpf-version",
    "v0",
    "v1",
    "v2",
    "v4",
    "--unaligned-mapping",
    "--cache",
    "--repeat",
    "--json",
    "-q",
    "--help",
    "--emit",
    "insns,cfg",
    "clif",
    "vcode,asm",
    "insns,",
    "--function",
    "entrypoint",
    "5",
    "--target",
    "aarch64-unknown-linux-gnu",
    "x86_64-pc-windows-msvc",
    "wasm32-unknown-unknown",
    "nonsense",
    "--elf",
    "--dir",
    "status",
    "clear",
    "warm",
    "",
    "é",
    "--",
    "--version",
    ".",
];

const COMMANDS: [&str; 6] = [
    "run",
    "run",
    "dump",
    "conformance-plugin",
    "cache",
    "nonsense",
];

/// Accounts for a program, to be damaged.
const ACCOUNTS: &str = r#"{"program_id":"MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr","instruction_data":{"hex":"00ff"},"accounts":[{"pubkey":"11111111111111111111111111111112","owner":"11111111111111111111111111111111","lamports":5,"data":{"zeros":16},"is_signer":true,"is_writable":true}],"sysvars":{"clock":{"slot":3}},"budget":200000,"heap":32768}"#;

/// Assembly, to be damaged.
const ASSEMBLY: &str = "entrypoint:\n  mov64 r1, 5\n  lddw r2, 0x10\nagain:\n  add64 r0, r1\n  sub64 r1, 1\n  jne r1, 0, again\n  ldxdw r3, [r10-8]\n  syscall sol_log_\n  exit\n";

fn run(input: &[u8]) -> Result<Observation, Divergence> {
    let random = &mut Choices::new(input);
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join(pick(
        random,
        &["program", "program.s", "program.so", "a.json"],
    ));
    let contents = contents(random);
    fs::write(&file, &contents).expect("there is room");
    let other = folder.path().join("other");
    fs::write(&other, damage(ACCOUNTS.as_bytes().to_vec(), random)).expect("there is room");

    let mut arguments = vec![pick(random, &COMMANDS).to_string()];
    if arguments[0] == "run" {
        // Code has to be the same when the input is looked at again.
        arguments.push(format!("--seed={}", random.next_u32()));
    }
    for _ in 0..random.random_range(0..6) {
        arguments.push(match random.random_range(0..8) {
            0 | 1 => file.display().to_string(),
            2 => other.display().to_string(),
            3 => folder.path().join("none").display().to_string(),
            _ => pick(random, &WORDS).to_string(),
        });
    }
    let mut child = Command::new(&*BINARY)
        .args(&arguments)
        .current_dir(folder.path())
        .env_remove("SBPF_CRANELIFT_DUMP")
        .env("SBPF_CRANELIFT_CACHE", folder.path().join("cache"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    let hexadecimal: String = contents
        .iter()
        .take(4000)
        .map(|byte| format!("{byte:02x} "))
        .collect();
    // It may have ended before it has read all.
    let _ = stdin.write_all(hexadecimal.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let errors = String::from_utf8_lossy(&output.stderr);
    let status = output.status.code();
    let report = || {
        let path = folder.path().display().to_string();
        let arguments = arguments.join("\u{1f}").replace(&path, "FOLDER");
        Divergence(format!(
            "{} of {:?} with {}\n{errors}",
            output.status,
            arguments.split('\u{1f}').collect::<Vec<_>>(),
            String::from_utf8_lossy(&contents).escape_debug(),
        ))
    };
    if !matches!(status, Some(0..=2)) || errors.contains("panicked") {
        return Err(report());
    }
    if status == Some(2) && (errors.lines().count() != 1 || !errors.starts_with("error: ")) {
        let is_help = errors.contains("Usage:") && !errors.contains("error: ");
        if !is_help {
            return Err(report());
        }
    }
    let mut observation = Observation {
        ran: true,
        ..Observation::default()
    };
    let line = errors.lines().next().unwrap_or_default();
    let words: String = line
        .chars()
        .filter(|c| c.is_alphabetic())
        .take(30)
        .collect();
    observation.see((&arguments[0], status, words));
    Ok(observation)
}

fn pick<'c>(random: &mut dyn RngCore, choices: &[&'c str]) -> &'c str {
    choices.choose(random).expect("there is a choice")
}

/// What is in the file: text, instructions, or nonsense.
fn contents(random: &mut dyn RngCore) -> Vec<u8> {
    let whole = match random.random_range(0..6) {
        0 | 1 => ASSEMBLY.as_bytes().to_vec(),
        2 => ACCOUNTS.as_bytes().to_vec(),
        3 => {
            let seed = u64::from(random.random::<u8>());
            match random_case(SBPFVersion::V3, seed).program {
                Program::Raw { text, .. } => text,
                Program::Assembly(_) | Program::Elf(_) => Vec::new(),
            }
        }
        4 => b"\x7fELF\x02\x01\x01".to_vec(),
        _ => Vec::new(),
    };
    damage(whole, random)
}

/// Up to six changes of bytes.
fn damage(mut bytes: Vec<u8>, random: &mut dyn RngCore) -> Vec<u8> {
    for _ in 0..random.random_range(0..6) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.random()),
            2 => {
                let word = pick(
                    random,
                    &[
                        "99999999999999999999",
                        "-",
                        "0x",
                        "r10",
                        "\"",
                        "{",
                        "[",
                        "]",
                        "\0",
                        ":",
                        "jne",
                        "\n",
                    ],
                );
                bytes.splice(at..at, word.bytes());
            }
            3 => {
                let end = (at + random.random_range(0..12)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let piece = bytes[at..].iter().take(20).copied().collect::<Vec<u8>>();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}
