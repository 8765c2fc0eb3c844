//! Names of compiled functions in perf and gdb, where these are installed and allowed to work.

#![cfg(all(feature = "cli", target_os = "linux"))]

#[path = "common/binary.rs"]
mod binary;

use {
    binary::command,
    sbpf_cranelift::{
        CodeOrigin, CompileOptions, CompiledProgram, GeneratedCode, NativeNameFormat, NativeNames,
    },
    solana_sbpf::{assembler::assemble, elf::Executable, program::BuiltinProgram, vm::Config},
    std::{
        env, fs,
        path::{Path, PathBuf},
        process::{Command, Output},
        sync::Arc,
    },
    test_context::Nothing,
};

/// A context object without anything in it.
mod test_context {
    use solana_sbpf::{memory_region::MemoryMapping, vm::ContextObject};
    use std::ptr::NonNull;

    pub(crate) struct Nothing;

    impl ContextObject for Nothing {
        fn consume(&mut self, _: u64) {}
        fn get_remaining(&self) -> u64 {
            0
        }
        fn active_mapping_ptr(&mut self) -> NonNull<MemoryMapping> {
            NonNull::dangling()
        }
    }
}

/// Spends its time in one function, and logs in another.
const SOURCE: &str = "\
entrypoint:
  mov64 r6, 30000
again:
  call busy
  sub64 r6, 1
  jne r6, 0, again
  call logs
  mov64 r0, 0
  exit
busy:
  mov64 r7, 200
turn:
  add64 r8, r7
  mul64 r8, 3
  sub64 r7, 1
  jne r7, 0, turn
  exit
logs:
  mov64 r1, r10
  sub64 r1, 16
  mov64 r2, 8
  syscall sol_log_
  mov64 r0, 0
  exit
";

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("the folder can be made");
    fs::write(folder.join("program.s"), SOURCE).expect("it can be written");
    folder
}

/// What `program` prints in `folder`; `None`, and a word about it, if it can't be run here.
fn tool(folder: &Path, program: &str, arguments: &[&str]) -> Option<Output> {
    if env::var_os("SBPF_RUNNER").is_some() {
        eprintln!("skipped: this machine doesn't run the binary itself");
        return None;
    }
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env_remove("SBPF_CRANELIFT_NATIVE_NAMES")
        .output();
    if output.is_err() {
        eprintln!("skipped: there is no {program}");
    }
    output.ok()
}

fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_sbpf-cranelift")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Options of a run of the program that takes a moment.
const RUN: [&str; 7] = [
    "run",
    "program.s",
    "--budget",
    "1_000_000_000",
    "--quiet",
    "--repeat",
    "20",
];

#[test]
fn callgrind_knows_functions() {
    let folder = folder("callgrind");
    let file = folder.join("callgrind.out");
    let output = format!("--callgrind-out-file={}", file.display());
    let valgrind = ["--tool=callgrind", &output, "--quiet"];
    // An interpreter of machine code is slow: not for as long as the others.
    let run = ["run", "program.s", "--budget", "100_000", "--repeat", "1"];
    let names = ["--engine", "cranelift", "--native-names", "valgrind"];
    let arguments = [&valgrind[..], &[binary()], &run, &names].concat();
    let Some(output) = tool(&folder, "valgrind", &arguments) else {
        return;
    };
    let told = text(&output.stderr);
    assert!(!told.contains("native names"), "{told}");
    let profile = fs::read_to_string(&file).expect("callgrind has written it");
    for name in ["sbpf_entry", "entrypoint+0", "function_7+7"] {
        // A name is written out where it comes first, be it as that of a callee.
        let is_function = |line: &str| line.starts_with("fn=") || line.starts_with("cfn=");
        let ends_with_it = |line: &str| is_function(line) && line.ends_with(name);
        assert!(profile.lines().any(ends_with_it), "no {name}");
    }
    let left: Vec<_> = fs::read_dir(env::temp_dir())
        .expect("it is there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("sbpf-cranelift-") && name.ends_with(".so"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn gdb_shows_functions_and_pcs_and_unwinds_to_main() {
    let folder = folder("gdb");
    let callbacks = Path::new(env!("CARGO_MANIFEST_DIR")).join("runtime/src/callbacks.rs");
    let callbacks = fs::read_to_string(callbacks).expect("it is there");
    let mut lines = callbacks.lines();
    let line = 1 + lines
        .position(|line| line.contains("fn syscall<"))
        .expect("there is such a function");
    let breakpoint = format!("break callbacks.rs:{line}");
    let gdb = [
        "-batch",
        "-nx",
        "-ex",
        &breakpoint,
        "-ex",
        "run",
        "-ex",
        "bt",
        "--args",
    ];
    let arguments = [&gdb[..], &[binary()], &RUN, &["--native-names", "gdb"]].concat();
    let Some(output) = tool(&folder, "gdb", &arguments) else {
        return;
    };
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    if stderr.contains("trace") && !stdout.contains("\n#0 ") {
        eprintln!("skipped: gdb may not run a program here: {stderr}");
        return;
    }
    let frames: Vec<&str> = stdout
        .lines()
        .filter(|line| line.starts_with('#'))
        .collect();
    let frame = |words: &str| frames.iter().position(|frame| frame.contains(words));
    let logs = frame(" in function_13+16 ()").expect("the syscall is at pc 16");
    assert_eq!(frame(" in entrypoint+4 ()"), Some(logs + 1), "{frames:#?}");
    assert_eq!(frame(" in sbpf_entry ()"), Some(logs + 2), "{frames:#?}");
    let last = frames.last().expect("there are some");
    assert!(last.contains(" main ()"), "{frames:#?}");
}

#[test]
fn perf_reads_the_map() {
    let folder = folder("perf_map");
    let record = ["record", "-e", "cpu-clock", "-o", "perf.data", binary()];
    let arguments = [&record[..], &RUN, &["--native-names", "perf-map"]].concat();
    let Some(recorded) = tool(&folder, "perf", &arguments) else {
        return;
    };
    if !recorded.status.success() {
        eprintln!(
            "skipped: perf may not record here: {}",
            text(&recorded.stderr)
        );
        return;
    }
    assert_report(&folder, "perf.data");
}

#[test]
fn perf_injects_the_dump() {
    let folder = folder("jitdump");
    let record = [
        "record",
        "-k",
        "mono",
        "-e",
        "cpu-clock",
        "-o",
        "perf.data",
        binary(),
    ];
    let arguments = [&record[..], &RUN, &["--native-names", "jitdump"]].concat();
    let Some(recorded) = tool(&folder, "perf", &arguments) else {
        return;
    };
    if !recorded.status.success() {
        eprintln!(
            "skipped: perf may not record here: {}",
            text(&recorded.stderr)
        );
        return;
    }
    let inject = ["inject", "--jit", "-i", "perf.data", "-o", "jit.data"];
    let injected = tool(&folder, "perf", &inject).expect("there was a perf");
    assert!(injected.status.success(), "{}", text(&injected.stderr));
    assert_report(&folder, "jit.data");
    for entry in fs::read_dir(&folder).expect("it is a folder").flatten() {
        fs::remove_file(entry.path()).expect("it can be removed");
    }
}

/// The busy function has most of the time.
fn assert_report(folder: &Path, data: &str) {
    let report = ["report", "--stdio", "-i", data];
    let report = tool(folder, "perf", &report).expect("there was a perf");
    let report = text(&report.stdout);
    let mut lines = report.lines();
    let first = lines
        .find(|line| !line.starts_with('#') && !line.is_empty())
        .unwrap_or_default();
    assert!(first.ends_with("function_7+7"), "{report}");
}

#[test]
fn the_environment_chooses_too_and_mistakes_only_warn() {
    let folder = folder("environment");
    let run = |formats: &str| {
        command()
            .args(RUN)
            .current_dir(&folder)
            .env("SBPF_CRANELIFT_NATIVE_NAMES", formats)
            .output()
            .expect("the binary starts")
    };
    let output = run("jitdump");
    assert_eq!(text(&output.stderr), "");
    let dumps = || {
        let entries = fs::read_dir(&folder).expect("it is a folder").flatten();
        let paths = entries.map(|entry| entry.path());
        paths.filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "dump")
        })
    };
    let dump = dumps().next().expect("it was written");
    let bytes = fs::read(&dump).expect("it can be read");
    fs::remove_file(dump).expect("it can be removed");
    assert_eq!(bytes[..4], 0x4a69_5444_u32.to_ne_bytes());
    assert!(bytes.windows(13).any(|window| window == b"function_7+7\0"));

    // mov64 r0, 7; exit
    let standard = [[0xb7, 0, 0, 0, 7, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]].concat();
    fs::write(folder.join("standard.bin"), standard).expect("it can be written");
    let output = command()
        .args(["run", "standard.bin", "--dialect", "ebpf"])
        .current_dir(&folder)
        .env("SBPF_CRANELIFT_NATIVE_NAMES", "jitdump")
        .output();
    assert!(output.expect("the binary starts").status.success());
    let dump = dumps().next().expect("it was written");
    let bytes = fs::read(&dump).expect("it can be read");
    fs::remove_file(dump).expect("it can be removed");
    assert!(bytes.windows(13).any(|window| window == b"entrypoint+0\0"));

    let output = run("lldb");
    assert!(output.status.success());
    let warning = text(&output.stderr);
    assert!(warning.starts_with("warning: native names: "), "{warning}");
    assert_eq!(warning.lines().count(), 1);
    assert!(dumps().next().is_none());

    let refused = command()
        .args(["run", "program.s", "--native-names", "lldb"])
        .output()
        .expect("the binary starts");
    assert_eq!(refused.status.code(), Some(2));
}

fn executable() -> Arc<Executable<Nothing>> {
    let source = SOURCE.replace("syscall sol_log_", "mov64 r0, 0");
    #[cfg_attr(not(feature = "hand-written"), expect(unused_mut))]
    let mut config = Config::default();
    // Functions with names keep their order.
    #[cfg(feature = "hand-written")]
    {
        config.noop_instruction_rate = 0;
    }
    let loader = Arc::new(BuiltinProgram::new_loader(config));
    Arc::new(assemble(&source, loader).expect("it is correct"))
}

#[test]
fn names_change_no_code() {
    for target in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] {
        let code = |formats: &[NativeNameFormat]| {
            let mut options = CompileOptions::default();
            options.target = Some(target.parse().expect("it is a triple"));
            options.seed = Some(1);
            options.native_names = NativeNames::new(formats.iter().copied());
            let code = GeneratedCode::generate(&executable(), &options);
            code.expect("it compiles").bytes().to_vec()
        };
        assert_eq!(code(&[]), code(&NativeNameFormat::ALL), "{target}");
    }
}

#[test]
fn code_with_names_is_no_other_programs() {
    let executable = executable();
    let compile = |formats: &[NativeNameFormat]| {
        let mut options = CompileOptions::default();
        options.seed = Some(1);
        options.native_names = NativeNames::new(formats.iter().copied());
        CompiledProgram::compile_with(&executable, &options).expect("it compiles")
    };
    let named = compile(&[NativeNameFormat::Gdb]);
    assert_eq!(named.origin(), CodeOrigin::Compiled);
    let plain = compile(&[]);
    assert_eq!(plain.origin(), CodeOrigin::Compiled);
    assert_eq!(compile(&[]).origin(), CodeOrigin::Memory);
    assert_eq!(
        compile(&[NativeNameFormat::Gdb]).origin(),
        CodeOrigin::Compiled
    );
    assert_eq!(named.machine_code(), plain.machine_code());
}
