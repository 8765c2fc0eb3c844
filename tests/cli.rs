//! The command line, as a person or a script sees it: the real binary, its output, its one-line
//! errors and its exit statuses.

#![cfg(feature = "cli")]

#[path = "common/binary.rs"]
mod binary;

use {
    binary::command,
    serde_json::Value,
    std::{
        fs,
        path::{Path, PathBuf},
    },
};

/// What the binary did.
struct Finished {
    /// Exit status.
    status: i32,
    /// Standard output.
    stdout: String,
    /// Standard error.
    stderr: String,
}

/// Runs the binary with `arguments`.
fn sbpf_cranelift<Argument: AsRef<str>>(arguments: &[Argument]) -> Finished {
    let output = command()
        .args(arguments.iter().map(AsRef::as_ref))
        .env_remove("SBPF_CRANELIFT_DUMP")
        .env_remove("SBPF_CRANELIFT_CACHE")
        .output()
        .expect("the binary starts");
    Finished {
        status: output.status.code().expect("the binary exits"),
        stdout: String::from_utf8(output.stdout).expect("the output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("the errors are UTF-8"),
    }
}

/// Runs the binary with `--json` and returns what it printed.
fn json(arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    let finished = sbpf_cranelift(&arguments);
    assert_eq!(finished.stderr, "");
    let value: Value = serde_json::from_str(&finished.stdout).expect("the output is JSON");
    assert_eq!(value["exit_status"], finished.status);
    value
}

/// Checks that `arguments` are refused with exit status 2 and exactly this line.
fn assert_refused(arguments: &[&str], line: &str) {
    let finished = sbpf_cranelift(arguments);
    assert_eq!(finished.stderr, format!("error: {line}\n"));
    assert_eq!(finished.status, 2, "{arguments:?}");
    assert_eq!(finished.stdout, "");
}

/// The path of a sample program of this repository.
fn program(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    folder
        .join(name)
        .to_str()
        .expect("the path is UTF-8")
        .into()
}

/// A folder of one test's own for files.
struct Folder(PathBuf);

impl Folder {
    /// An empty folder for the test called `name`.
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("the folder can be made");
        Self(folder)
    }

    /// Writes a file and returns its path.
    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, bytes).expect("the file can be written");
        path.to_str().expect("the path is UTF-8").into()
    }

    /// The path of a file that does not exist.
    fn absent(&self) -> String {
        self.0
            .join("absent")
            .to_str()
            .expect("the path is UTF-8")
            .into()
    }
}

/// A minimal V3 ELF file: the header, one program header, and `text` at 0x1_0000_0000.
fn v3_elf(text: &[u8]) -> Vec<u8> {
    const HEADERS: u64 = 64 + 56;
    const TEXT_ADDRESS: u64 = 1 << 32;
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    for short in [3_u16, 247] {
        elf.extend(short.to_le_bytes());
    }
    elf.extend(1_u32.to_le_bytes());
    for word in [TEXT_ADDRESS, 64, 0] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(3_u32.to_le_bytes());
    for short in [64_u16, 56, 1, 0, 0, 0] {
        elf.extend(short.to_le_bytes());
    }
    for half in [1_u32, 1] {
        elf.extend(half.to_le_bytes());
    }
    let length = text.len() as u64;
    for word in [HEADERS, TEXT_ADDRESS, TEXT_ADDRESS, length, length, 8] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(text);
    elf
}

/// `mov64 r0, value` and `exit`.
fn returns(value: i32) -> Vec<u8> {
    let mut text = vec![0xb7, 0, 0, 0];
    text.extend(value.to_le_bytes());
    text.extend([0x95, 0, 0, 0, 0, 0, 0, 0]);
    text
}

/// The ELF file of a bundled program.
fn bundled(address: [u8; 32]) -> Vec<u8> {
    let accounts = solana_program_binaries::by_id(&address.into(), &Default::default())
        .expect("the program is bundled");
    let (_, account) = accounts.last().expect("the program has an account");
    let data = account.data_clone();
    let start = data
        .windows(4)
        .position(|bytes| bytes == b"\x7fELF")
        .expect("the account holds an ELF file");
    data[start..].to_vec()
}

/// The bytes of a base58 address.
fn address(text: &str) -> [u8; 32] {
    let bytes = bs58::decode(text)
        .into_vec()
        .expect("the address is base58");
    bytes.try_into().expect("the address has 32 bytes")
}

// ── The sample ──────────────────────────────────────────────────────────────────────────────────

#[test]
fn without_arguments_a_token_transfer_runs_and_the_interpreter_agrees() {
    let finished = sbpf_cranelift(&["run"]);
    assert_eq!(finished.status, 0, "{}", finished.stderr);
    for expected in [
        "spl_token_2022-10.0.0.so",
        "success (r0 = 0)",
        "Program log: Instruction: TransferChecked",
        "compiled in",
        "the engines agree",
        "token amount 10,000,000 → 7,500,000",
        "token amount 250,000 → 2,750,000",
    ] {
        assert!(
            finished.stdout.contains(expected),
            "{expected}: {}",
            finished.stdout
        );
    }
    assert!(
        !finished.stdout.contains('\x1b'),
        "colours go to terminals only"
    );
}

#[test]
fn every_sample_succeeds_on_all_engines() {
    let list = sbpf_cranelift(&["run", "--list-samples"]);
    assert_eq!(list.status, 0);
    let names: Vec<&str> = list
        .stdout
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.len() >= 3);
    let listed = json(&["run", "--list-samples"]);
    let listed = listed["samples"].as_array().expect("it is a list");
    assert!(listed.iter().map(|sample| &sample["name"]).eq(&names));
    for name in names {
        let value = json(&["run", "--sample", name, "--engine", "all"]);
        assert_eq!(value["exit_status"], 0, "{name}");
        assert_eq!(value["agree"], true, "{name}");
        assert_eq!(value["engines"][0]["result"]["r0"], 0, "{name}");
    }
}

#[test]
fn quiet_prints_the_result_only() {
    let finished = sbpf_cranelift(&["run", "--quiet"]);
    assert_eq!(finished.stdout, "success (r0 = 0)\n");
    assert_eq!(finished.status, 0);
}

// ── Programs and engines ────────────────────────────────────────────────────────────────────────

#[test]
fn assembly_runs_in_every_version_on_all_engines() {
    for (name, expected) in [("sum.s", 500_500), ("fibonacci.s", 6_765), ("memory.s", 0)] {
        for version in ["v0", "v1", "v3", "v4"] {
            let path = program(name);
            let arguments = ["run", &path, "--sbpf-version", version, "--engine", "all"];
            let value = json(&arguments);
            assert_eq!(value["agree"], true, "{name} {version}");
            assert_eq!(value["sbpf_version"], version);
            assert_eq!(
                value["exit_status"], 0,
                "plain assembly may return anything"
            );
            assert_eq!(value["engines"][1]["engine"], "cranelift");
            for engine in value["engines"].as_array().expect("a list") {
                if engine["absent"] != true {
                    assert_eq!(engine["result"]["r0"], expected, "{name} {version}");
                }
            }
        }
    }
}

#[test]
fn memory_instructions_of_v2_have_their_own_encoding() {
    let folder = Folder::new("v2");
    let path = folder.file(
        "v2.s",
        "add64 r10, -64\nstdw [r10+8], 7\nldxdw r0, [r10+8]\nexit",
    );
    let value = json(&["run", &path, "--sbpf-version", "v2", "--engine", "all"]);
    assert_eq!(value["agree"], true);
    assert_eq!(value["engines"][0]["result"]["r0"], 7);
}

#[test]
fn all_engines_stand_side_by_side() {
    let finished = sbpf_cranelift(&["run", &program("sum.s"), "--engine", "all"]);
    assert_eq!(finished.status, 0);
    let header = finished
        .stdout
        .lines()
        .find(|line| line.contains("interpreter"))
        .expect("a header");
    assert!(header.contains("cranelift") && header.contains("hand-written"));
    for row in [
        "result",
        "compute units",
        "final pc",
        "memory digest",
        "compile time",
        "agrees",
    ] {
        assert!(finished.stdout.contains(row), "{row}");
    }
    assert!(finished.stdout.contains("the engines agree"));
}

#[test]
fn an_elf_file_ends_with_the_status_of_its_result() {
    let folder = Folder::new("elf");
    let good = folder.file("good.so", v3_elf(&returns(0)));
    assert_eq!(sbpf_cranelift(&["run", &good]).status, 0);
    let bad = folder.file("bad.so", v3_elf(&returns(6)));
    let finished = sbpf_cranelift(&["run", &bad, "--quiet"]);
    assert_eq!(
        finished.stdout,
        "program error: custom program error 0x6 (r0 = 0x6)\n"
    );
    assert_eq!(finished.status, 1);
}

#[test]
fn a_fault_is_reported_with_pc_and_status_one() {
    let folder = Folder::new("fault");
    let path = folder.file("fault.s", "mov64 r0, 1\nldxb r0, [r1+5]\nexit");
    let value = json(&["run", &path, "--engine", "all"]);
    assert_eq!(value["exit_status"], 1);
    assert_eq!(value["agree"], true);
    let engine = &value["engines"][0];
    assert_eq!(engine["final_pc"], 1);
    assert_eq!(engine["compute_units"], 2);
    assert_eq!(
        engine["result"]["failure"],
        "Access violation reading 1 bytes at address 0x400000005 (in unallocated region)"
    );
}

#[test]
fn the_budget_is_kept_to_the_instruction() {
    let folder = Folder::new("budget");
    let path = folder.file("two.s", "mov64 r0, 1\nexit");
    let enough = json(&["run", &path, "--budget", "2", "--engine", "all"]);
    assert_eq!(enough["engines"][0]["result"]["r0"], 1);
    assert_eq!(enough["engines"][0]["remaining_units"], 0);
    let short = json(&["run", &path, "--budget", "0x1", "--engine", "all"]);
    assert_eq!(short["exit_status"], 1);
    assert_eq!(
        short["engines"][0]["result"]["failure"],
        "exceeded CUs meter at BPF instruction"
    );
    assert_eq!(short["engines"][0]["compute_units"], 1);
}

#[test]
fn the_input_is_in_memory_and_the_heap_as_large_as_asked() {
    let folder = Folder::new("input");
    let input = folder.file("input.bin", [1, 2, 3, 4]);
    let read = folder.file("read.s", "ldxw r0, [r1+0]\nexit");
    let value = json(&["run", &read, "--input", &input]);
    assert_eq!(value["engines"][0]["result"]["r0"], 0x0403_0201);
    let heap = folder.file("heap.s", "lddw r1, 0x300000000\nldxb r0, [r1+99]\nexit");
    let value = json(&["run", &heap, "--heap", "100"]);
    assert_eq!(value["engines"][0]["result"]["r0"], 0);
    let value = json(&["run", &heap, "--heap", "99"]);
    assert_eq!(
        value["engines"][0]["result"]["failure"],
        "Access violation reading 1 bytes at address 0x300000063 (in unallocated region)"
    );
}

// ── Syscalls ────────────────────────────────────────────────────────────────────────────────────

#[test]
fn hashes_are_the_published_ones() {
    let folder = Folder::new("hashes");
    let source = fs::read_to_string(program("hash.s")).expect("the program is there");
    let input = folder.file("abc", "abc");
    for (name, expected) in [
        (
            "sol_sha256",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            "sol_keccak256",
            "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
        ),
        (
            "sol_blake3",
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
        ),
    ] {
        let path = folder.file(&format!("{name}.s"), source.replace("sol_sha256", name));
        let value = json(&["run", &path, "--input", &input, "--engine", "all"]);
        assert_eq!(value["agree"], true);
        let engine = &value["engines"][0];
        // 14 instructions, 85 + 10 for the hash, 100 for the return data.
        assert_eq!(engine["compute_units"], 209);
        let data = engine["return_data"]["base64"]
            .as_str()
            .expect("return data");
        assert_eq!(data, to_base64(expected), "{name}");
    }
}

/// Hexadecimal digits as base64.
fn to_base64(digits: &str) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(hex::decode(digits).expect("the digits are hexadecimal"))
}

#[test]
fn program_addresses_are_the_published_ones() {
    let folder = Folder::new("addresses");
    let mut input = b"TalkingSquirrels".to_vec();
    input.extend(address("BPFLoader1111111111111111111111111111111111"));
    let input = folder.file("seeds", input);
    let value = json(&[
        "run",
        &program("address.s"),
        "--input",
        &input,
        "--engine",
        "all",
    ]);
    assert_eq!(value["agree"], true);
    let log = &value["engines"][0]["log"];
    assert_eq!(
        log[0],
        "Program log: HwRVBufQ4haG5XSgpspwKtNd3PC9GM9m1196uJW36vds"
    );
    assert_eq!(value["engines"][0]["compute_units"], 20 + 1_500 + 100);
}

#[test]
fn the_document_sets_the_clock() {
    let folder = Folder::new("clock");
    let document = folder.file(
        "clock.json",
        r#"{ "sysvars": { "clock": { "unix_timestamp": 1234567890 } }, "budget": 1000 }"#,
    );
    let value = json(&["run", &program("clock.s"), "--accounts", &document]);
    assert_eq!(value["engines"][0]["result"]["r0"], 1_234_567_890);
    assert_eq!(value["budget"], 1_000);
}

#[test]
fn log_lines_read_as_on_chain() {
    let folder = Folder::new("log");
    let input = folder.file("text", "hello");
    let path = folder.file(
        "log.s",
        "mov64 r2, 5\nsyscall sol_log_\nmov64 r1, 1\nmov64 r2, 2\nmov64 r3, 3\nmov64 r4, 4\n\
         mov64 r5, 255\nsyscall sol_log_64_\nsyscall sol_log_compute_units_\nmov64 r0, 0\nexit",
    );
    let value = json(&["run", &path, "--input", &input, "--budget", "10000"]);
    let log = &value["engines"][0]["log"];
    assert_eq!(log[0], "Program log: hello");
    assert_eq!(log[1], "Program log: 0x1, 0x2, 0x3, 0x4, 0xff");
    assert_eq!(log[2], "Program consumption: 9691 units remaining");
}

#[test]
fn syscalls_fail_in_the_words_of_agave() {
    let folder = Folder::new("failures");
    let input = folder.file("input", [0xff; 32]);
    for (source, expected) in [
        ("syscall abort", "SBF program panicked"),
        (
            "mov64 r2, 0\nmov64 r3, 7\nmov64 r4, 9\nsyscall sol_panic_",
            "SBF program Panicked in  at 7:9",
        ),
        (
            "mov64 r2, r1\nadd64 r2, 1\nmov64 r3, 2\nsyscall sol_memcpy_",
            "Overlapping copy",
        ),
        (
            "mov64 r2, 1025\nsyscall sol_set_return_data",
            "Return data too large (1025 > 1024)",
        ),
        (
            "mov64 r2, 20001\nsyscall sol_sha256",
            "Hashing too many sequences",
        ),
        (
            "add64 r1, 1\nsyscall sol_get_clock_sysvar",
            "Unaligned pointer",
        ),
        (
            "mov64 r2, 4\nsyscall sol_log_",
            "invalid utf-8 sequence of 1 bytes from index 0: [255, 255, 255, 255]",
        ),
        (
            "mov64 r2, 99\nsyscall sol_log_",
            "Access violation reading 99 bytes at address 0x400000000 (in input region)",
        ),
        (
            "lddw r3, 0x100000000\nsyscall sol_memset_",
            "Computational budget exceeded",
        ),
    ] {
        // The clock needs 40 bytes, so its alignment is looked at only with enough input.
        let input = if source.contains("clock") {
            folder.file("long", [0; 64])
        } else {
            input.clone()
        };
        let path = folder.file("failure.s", format!("{source}\nexit"));
        let value = json(&["run", &path, "--input", &input, "--engine", "all"]);
        assert_eq!(value["agree"], true);
        assert_eq!(value["exit_status"], 1);
        let failure = value["engines"][0]["result"]["failure"].as_str();
        assert_eq!(failure, Some(format!("Syscall error: {expected}").as_str()));
    }
}

#[test]
fn curve_points_add_and_subtract() {
    let folder = Folder::new("curve");
    // The base point of Curve25519 in Edwards form, twice.
    let mut point = [0x66; 32];
    point[0] = 0x58;
    let input = folder.file("points", point.repeat(3));
    let path = folder.file(
        "curve.s",
        "mov64 r6, r1
         mov64 r1, 0
         mov64 r2, r6
         syscall sol_curve_validate_point
         jne r0, 0, end
         ; sum = first + second, in place of the third
         mov64 r1, 0
         mov64 r2, 0
         mov64 r3, r6
         mov64 r4, r6
         add64 r4, 32
         mov64 r5, r6
         add64 r5, 64
         syscall sol_curve_group_op
         jne r0, 0, end
         ; sum - first, in place of the sum
         mov64 r1, 0
         mov64 r2, 1
         mov64 r3, r5
         mov64 r4, r6
         syscall sol_curve_group_op
         jne r0, 0, end
         ldxdw r0, [r6+0]
         ldxdw r1, [r6+64]
         sub64 r0, r1
         end:
         exit",
    );
    let value = json(&["run", &path, "--input", &input, "--engine", "all"]);
    assert_eq!(value["agree"], true);
    assert_eq!(value["engines"][0]["result"]["r0"], 0);
}

#[test]
fn an_unknown_syscall_is_named_when_it_is_called() {
    let folder = Folder::new("unknown");
    let path = folder.file(
        "unknown.s",
        "mov64 r0, 0\njeq r1, 0, +1\nsyscall sol_made_up\nexit",
    );
    for version in ["v0", "v3"] {
        let finished = sbpf_cranelift(&["run", &path, "--sbpf-version", version, "--quiet"]);
        assert_eq!(
            finished.stdout,
            "failed: Syscall error: the program called sol_made_up, a syscall that is not \
             available outside a validator\n"
        );
        assert_eq!(finished.status, 1);
    }
    // Not called, not reported.
    let path = folder.file(
        "uncalled.s",
        "mov64 r0, 0\nja end\nsyscall sol_made_up\nend:\nexit",
    );
    assert_eq!(sbpf_cranelift(&["run", &path]).status, 0);
}

#[test]
fn an_elf_file_that_calls_other_programs_says_so() {
    let folder = Folder::new("invoke");
    // A real program: creating an associated token account calls the system program.
    let elf = bundled(address("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"));
    let path = folder.file("associated_token.so", elf);
    let wallet = "11111111111111111111111111111112";
    let mint = "11111111111111111111111111111113";
    let token = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
    // The program derives this address itself and logs nothing of it, so it is computed here.
    let associated = associated_address(address(wallet), address(token), address(mint));
    let associated = bs58::encode(associated).into_string();
    let document = folder.file(
        "create.json",
        format!(
            r#"{{
                "program_id": "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
                "instruction_data": {{ "hex": "00" }},
                "accounts": [
                    {{ "pubkey": "11111111111111111111111111111114", "lamports": 1000000000,
                       "is_signer": true, "is_writable": true }},
                    {{ "pubkey": "{associated}", "is_writable": true }},
                    {{ "pubkey": "{wallet}" }},
                    {{ "pubkey": "{mint}", "owner": "{token}", "lamports": 1461600,
                       "data": {{ "zeros": 82 }} }},
                    {{ "pubkey": "11111111111111111111111111111111", "executable": true,
                       "owner": "NativeLoader1111111111111111111111111111111" }},
                    {{ "pubkey": "{token}", "executable": true,
                       "owner": "BPFLoader2111111111111111111111111111111111" }}
                ]
            }}"#
        ),
    );
    let value = json(&["run", &path, "--accounts", &document, "--engine", "all"]);
    assert_eq!(value["agree"], true);
    let engine = &value["engines"][0];
    assert_eq!(engine["log"][0], "Program log: Create");
    assert_eq!(
        engine["result"]["failure"],
        "Syscall error: the program called sol_invoke_signed_rust, a syscall that is not \
         available outside a validator"
    );
}

/// The associated token account of `wallet`, derived as the program does.
fn associated_address(wallet: [u8; 32], token: [u8; 32], mint: [u8; 32]) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    let program = address("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
    (0..=u8::MAX)
        .rev()
        .map(|bump| -> [u8; 32] {
            let hasher = Sha256::new()
                .chain_update(wallet)
                .chain_update(token)
                .chain_update(mint)
                .chain_update([bump])
                .chain_update(program)
                .chain_update("ProgramDerivedAddress");
            hasher.finalize().into()
        })
        .find(|hash| {
            let point = curve25519_dalek::edwards::CompressedEdwardsY(*hash);
            point.decompress().is_none()
        })
        .expect("one of 256 addresses is off the curve")
}

// ── Errors ──────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_missing_file_is_one_line() {
    let folder = Folder::new("missing");
    let absent = folder.absent();
    // Each system has its own words for it.
    let error = fs::read(&absent).expect_err("it is absent").to_string();
    let reason = error.split(" (os error").next().unwrap_or_default();
    if cfg!(unix) {
        assert_eq!(reason, "No such file or directory");
    }
    let line = format!("{absent}: {}", reason.trim_end());
    assert_refused(&["run", &absent], &line);
    assert_refused(&["dump", &absent], &line);
    assert_refused(&["run", &program("sum.s"), "--input", &absent], &line);
    assert_refused(&["run", &program("sum.s"), "--accounts", &absent], &line);
    let path = folder.0.to_str().expect("the path is UTF-8");
    assert_refused(&["run", path], &format!("{path}: is a directory"));
}

#[test]
fn truncated_and_foreign_elf_files_are_one_line() {
    let folder = Folder::new("foreign");
    let elf = bundled(address("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"));
    let path = folder.file("short.so", &elf[..40]);
    let line = "truncated: an ELF header has 64 bytes, the file has 40";
    assert_refused(&["run", &path], &format!("{path}: {line}"));

    let path = folder.file("cut.so", &elf[..70_000]);
    let finished = sbpf_cranelift(&["run", &path]);
    assert!(
        finished
            .stderr
            .contains("truncated: its section headers end at offset")
    );
    assert_eq!(finished.stderr.lines().count(), 1);
    assert_eq!(finished.status, 2);

    let mut foreign = elf.clone();
    foreign[18..20].copy_from_slice(&62_u16.to_le_bytes());
    let path = folder.file("foreign.so", &foreign);
    let line = "an ELF file for x86-64 (machine 62 at offset 18), not for sBPF";
    assert_refused(&["run", &path], &format!("{path}: {line}"));
    assert_refused(&["dump", &path], &format!("{path}: {line}"));

    let path = folder.file("bytes.so", [b'a', b'\n', 0xff]);
    let line =
        "neither an ELF file (no magic at offset 0) nor assembly text (byte 0xff at offset 2)";
    assert_refused(&["run", &path], &format!("{path}: {line}"));
    let path = folder.file("empty.so", "");
    assert_refused(&["run", &path], &format!("{path}: the file is empty"));
}

#[test]
fn malformed_assembly_is_one_line_with_its_place() {
    let folder = Folder::new("assembly");
    for (source, line) in [
        (
            "mov64 r0, 1\nmov64 r1 @\nexit",
            "2:10: unexpected '@', expected letter or digit, expected '_', expected '.', expected \
             whitespaces, expected end of input",
        ),
        (
            "; comment\n\nfrob r1\nexit",
            "3: invalid instruction \"frob\"",
        ),
        ("ja nowhere\nexit", "1: label not found nowhere"),
        (
            "mov64 r0, 0\nmov64 r0, 0x100000000\nexit",
            "2: invalid immediate 4294967296",
        ),
        (
            "start:\nadd64 r1\nexit",
            "2: unexpected operands: [Register(1)]",
        ),
        (
            // The assembler itself panics on this one.
            "exit\nmov64 r0, -0x8000000000000000",
            "2: the assembler gave up: attempt to multiply with overflow",
        ),
        (
            "exit\n.fill 0xffffffffff, 0",
            "2: .fill makes the program longer than 1048576 instructions",
        ),
    ] {
        let path = folder.file("malformed.s", source);
        // In a build without overflow checks, that literal wraps and is merely out of range.
        if line.contains("gave up") && !cfg!(debug_assertions) {
            assert_eq!(sbpf_cranelift(&["run", &path]).status, 2);
        } else {
            assert_refused(&["run", &path], &format!("{path}:{line}"));
        }
    }
    let path = folder.file("comments.s", "; nothing\n");
    assert_refused(
        &["run", &path],
        &format!("{path}: there is no instruction in this file"),
    );
}

#[test]
fn a_program_that_fails_verification_is_one_line_with_its_instruction() {
    let folder = Folder::new("verification");
    let path = folder.file("register.s", "mov64 r0, 0\nmov64 r11, 1\nexit");
    let line = "verification failed: invalid destination register (insn #1)";
    assert_refused(&["run", &path], &format!("{path}: {line}"));
    let path = folder.file(
        "jump.so",
        v3_elf(&[0x05, 0, 9, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]),
    );
    let line = "verification failed: jump out of code to #10 (insn #0)";
    assert_refused(&["run", &path], &format!("{path}: {line}"));
}

#[test]
fn bad_json_is_one_line_with_line_and_column() {
    let folder = Folder::new("json");
    let zeros = "11111111111111111111111111111111";
    for (text, line) in [
        ("{\n  \"accounts\": [", ":2:15: EOF while parsing a list"),
        (
            "{\n \"accounts\": [\n {\"pubkey\": 3}]}",
            ":3:13: invalid type: integer `3`, expected a string",
        ),
        (
            "{\"program_id\": \"abc\"}",
            ":1:21: \"abc\" has 3 bytes, an address has 32",
        ),
        (
            "{\n\"instruction_data\": {\"hex\": \"0g\"}}",
            ":2:34: \"0g\" is not hex: Invalid character 'g' at position 1",
        ),
        (
            "{\"accounts\": [{\"pubkey\": \"ZEROS\", \"data\": {\"zeros\": 99999999999}}]}",
            ": account 0 has 99999999999 bytes, more than the 10485760 allowed here",
        ),
        (
            "{\"accounts\": [{\"pubkey\": \"ZEROS\"}, {\"pubkey\": \"ZEROS\", \"lamports\": 1}]}",
            ": account 1 has the address of account 0, so it must have nothing but the address",
        ),
    ] {
        let path = folder.file("bad.json", text.replace("ZEROS", zeros));
        let arguments = ["run", &program("sum.s"), "--accounts", &path];
        assert_refused(&arguments, &format!("{path}{line}"));
    }
}

#[test]
fn bad_options_are_one_line() {
    let sum = program("sum.s");
    for (arguments, line) in [
        (
            vec!["run", &sum, "--heap", "much"],
            "invalid value 'much' for '--heap <BYTES>': invalid digit found in string",
        ),
        (
            vec!["run", &sum, "--heap", "0x10000001"],
            "--heap: 268435457 bytes of heap are more than 268435456",
        ),
        (
            vec!["run", &sum, "--budget", "18446744073709551616"],
            "invalid value '18446744073709551616' for '--budget <N>': number too large to fit in \
             target type",
        ),
        (
            vec!["run", &sum, "--budget", "-1"],
            "invalid value '-1' for '--budget <N>': invalid digit found in string",
        ),
        (
            vec!["run", &sum, "--engine", "steam"],
            "invalid value 'steam' for '--engine <ENGINE>' [possible values: cranelift, \
             interpreter, hand-written, all]",
        ),
        (
            vec!["run", "--sample", "nothing"],
            "--sample: there is no \"nothing\"; there are token-2022-transfer, token-transfer, memo, \
             associated-token-create, lookup-table-extend, stake-delegate",
        ),
        (vec!["walk"], "unrecognized subcommand 'walk'"),
        (
            vec!["dump", &sum, "--function", "7up"],
            "invalid value '7up' for '--function <NAME|PC>': a name can't start with a digit, and \
             it is not a pc",
        ),
    ] {
        assert_refused(&arguments, line);
    }
    let folder = Folder::new("options");
    let elf = folder.file("program.so", v3_elf(&returns(0)));
    let line = format!(
        "--sbpf-version: is for assembly; {elf} is an ELF file, whose header gives the version"
    );
    assert_refused(&["run", &elf, "--sbpf-version", "v0"], &line);
}

#[test]
fn help_has_examples_and_exit_statuses() {
    for arguments in [
        vec!["--help"],
        vec!["run", "--help"],
        vec!["dump", "--help"],
        vec!["explore", "--help"],
        vec!["graph", "--help"],
        vec!["cache", "--help"],
        vec!["swap-in", "--help"],
    ] {
        let finished = sbpf_cranelift(&arguments);
        assert_eq!(finished.status, 0);
        assert!(finished.stdout.contains("Examples:"), "{arguments:?}");
    }
    let finished = sbpf_cranelift(&["run", "--help"]);
    assert!(finished.stdout.contains("Exit status:"));
}

// ── Stored code ─────────────────────────────────────────────────────────────────────────────────

#[test]
fn stored_code_is_not_compiled_again() {
    let folder = Folder::new("cache");
    let (cache, sum) = (folder.absent(), program("sum.s"));
    // An earlier run of this test made it.
    let _ = fs::remove_dir_all(&cache);
    let run = || json(&["run", &sum, "--cache", &cache])["engines"][0].clone();
    assert_eq!(run()["code_from_cache"], false);
    let again = run();
    assert_eq!(again["code_from_cache"], true);
    let status = || json_without_status(&["cache", "status", "--dir", &cache]);
    assert_eq!(status()["programs"], 1);
    let warm = json_without_status(&["cache", "warm", &sum, &program("hash.s"), "--dir", &cache]);
    assert_eq!(warm[0]["code_from"], "directory");
    assert_eq!(warm[1]["code_from"], "compiled");
    assert_eq!(warm[1]["stored"], true);
    let before = status();
    assert_eq!(before["programs"], 2);
    let cleared = json_without_status(&["cache", "clear", "--dir", &cache]);
    assert_eq!(cleared["removed_programs"], 2);
    assert_eq!(cleared["removed_bytes"], before["bytes"]);
    assert_eq!(status()["bytes"], 0);
    assert_eq!(run()["code_from_cache"], false);
}

/// Runs a command that prints JSON about something else than a run.
fn json_without_status(arguments: &[&str]) -> Value {
    let finished = sbpf_cranelift(&[arguments, &["--json"]].concat());
    assert_eq!((finished.status, finished.stderr.as_str()), (0, ""));
    serde_json::from_str(&finished.stdout).expect("the output is JSON")
}

#[test]
fn a_directory_that_can_not_hold_code_is_told_in_one_line() {
    let folder = Folder::new("no_cache");
    let (file, sum) = (folder.file("file", ""), program("sum.s"));
    let finished = sbpf_cranelift(&["run", &sum, "--cache", &file]);
    assert_eq!(finished.status, 0, "it runs nevertheless");
    let lines: Vec<_> = finished.stderr.lines().collect();
    assert!(
        !lines.is_empty()
            && lines
                .iter()
                .all(|line| line.starts_with("warning: cache: "))
    );
    let finished = sbpf_cranelift(&["cache", "warm", &sum, "--dir", &file]);
    assert_eq!((finished.status, finished.stderr.as_str()), (1, ""));
    assert!(
        finished.stdout.contains("not stored"),
        "{}",
        finished.stdout
    );
    assert_refused(
        &["cache", "status"],
        "--dir: is missing, and SBPF_CRANELIFT_CACHE is not set",
    );
    let absent = folder.absent();
    let finished = sbpf_cranelift(&["cache", "warm", &absent, "--dir", &file]);
    assert_eq!((finished.status, finished.stdout.as_str()), (2, ""));
    assert!(finished.stderr.starts_with(&format!("error: {absent}: ")));
}

// ── No input makes it panic ─────────────────────────────────────────────────────────────────────

#[test]
fn damaged_programs_never_panic() {
    let folder = Folder::new("damaged");
    let elf = bundled(address("Memo4c2pN8afCj432Lb7RMVKi9PbQnnW7ewFFaV3oAH"));
    // A small generator of numbers, so that every run damages the same bytes.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..60_u32 {
        let mut damaged = elf.clone();
        for _ in 0..=round % 4 {
            let at = (next() % damaged.len() as u64) as usize;
            damaged[at] = next() as u8;
        }
        if round % 3 == 0 {
            damaged.truncate((next() % elf.len() as u64) as usize);
        }
        let path = folder.file("damaged.so", &damaged);
        let arguments = ["run", &path, "--engine", "interpreter", "--budget", "10000"];
        let finished = sbpf_cranelift(&arguments);
        assert!((0..=2).contains(&finished.status), "{}", finished.stderr);
        let lines = usize::from(finished.status == 2);
        assert_eq!(
            finished.stderr.lines().count(),
            lines,
            "{}",
            finished.stderr
        );
    }
}
