//! Standard eBPF on the command line: `run`, `dump` and `conformance-plugin` of the real binary.

use {
    crate::assembly::*,
    std::{
        io::Write,
        path::PathBuf,
        process::{Command, Stdio},
    },
};

/// Exit status, standard output and standard error.
type Finished = (i32, String, String);

fn sbpf_cranelift(arguments: &[&str], input: &str) -> Finished {
    let binary = env!("CARGO_BIN_EXE_sbpf-cranelift");
    // The program that executes binaries of another machine, with its arguments.
    let runner = std::env::var("SBPF_RUNNER").unwrap_or_default();
    let words: Vec<&str> = runner.split_whitespace().chain([binary]).collect();
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .args(arguments)
        .env_remove("SBPF_CRANELIFT_DUMP")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    // A program that refuses its arguments does not read.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the binary exits");
    (
        output.status.code().expect("it has a status"),
        String::from_utf8(output.stdout).expect("the output is UTF-8"),
        String::from_utf8(output.stderr).expect("the errors are UTF-8"),
    )
}

fn hexadecimal(text: &[[u8; 8]]) -> String {
    let bytes = text.as_flattened().iter();
    bytes.map(|byte| format!("{byte:02x} ")).collect()
}

/// A file with the bytes of a program.
fn file(name: &str, text: &[[u8; 8]]) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text.as_flattened()).expect("it can be written");
    path.display().to_string()
}

/// Adds the first two bytes of the context.
fn adds() -> Vec<[u8; 8]> {
    let loads = [insn(0x71, 0, 1, 0, 0), insn(0x71, 2, 1, 1, 0)];
    [&loads[..], &[insn(0x0f, 0, 2, 0, 0), EXIT]].concat()
}

#[test]
fn the_plugin_speaks_the_suite_s_protocol() {
    let program = hexadecimal(&adds());
    for engine in ["cranelift", "interpreter"] {
        let options = ["conformance-plugin", "--engine", engine];
        // Both orders: the suite's runner passes the memory first.
        for arguments in [
            [&options[..], &["f0 11  "]].concat(),
            [&["f0 11  "], &options[..]].concat(),
        ] {
            let finished = sbpf_cranelift(&arguments, &program);
            assert_eq!(finished, (0, "101\n".into(), String::new()));
        }
        let (status, output, error) = sbpf_cranelift(&options, &program);
        assert_eq!((status, output), (1, String::new()));
        let expected =
            "error: the program failed at pc 0: access violation reading 1 bytes at 0x0\n";
        assert_eq!(error, expected);
    }
    // The helper that the suite calls.
    let program = hexadecimal(&[set(1, -1), helper(5), EXIT]);
    let (_, output, _) = sbpf_cranelift(&["conformance-plugin"], &program);
    assert_eq!(output, "ffffffffffffffff\n");
}

#[test]
fn the_plugin_refuses_what_is_no_program() {
    for (input, expected) in [
        ("zz", "standard input: "),
        ("", "the program is empty"),
        ("95 00", "the text section has 2 bytes"),
        (
            "07 00 01 00 01 00 00 00 95 00 00 00 00 00 00 00",
            "the instruction at pc 0 (0x07)",
        ),
    ] {
        let (status, output, error) = sbpf_cranelift(&["conformance-plugin"], input);
        assert_eq!((status, output), (2, String::new()));
        assert!(error.starts_with(&format!("error: {expected}")), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
    let (status, ..) = sbpf_cranelift(&["conformance-plugin", "--elf"], &hexadecimal(&adds()));
    assert_eq!(status, 2);
}

#[test]
fn run_compares_the_engines() {
    let path = file("adds.bin", &adds());
    let run = ["run", &path, "--dialect", "ebpf", "--engine", "all"];
    let (status, output, error) = sbpf_cranelift(&[&run[..], &["--mem", "0x2002"]].concat(), "");
    assert_eq!((status, error), (0, String::new()));
    assert_eq!(output.matches("r0 = 0x22").count(), 2);
    assert!(output.ends_with("engines agree on result, instructions, pc and memory\n"));
    let (status, output, _) = sbpf_cranelift(&[&run[..], &["--mem", "20", "-q"]].concat(), "");
    assert_eq!(status, 1);
    let violation = "access violation reading 1 bytes at 0x300000001\n";
    assert_eq!(
        output,
        format!("interpreter  {violation}cranelift    {violation}")
    );
    // The context from a file, which is the program's own here.
    let arguments = [&run[..], &["--mem", &path, "--json"]].concat();
    let (_, output, _) = sbpf_cranelift(&arguments, "");
    let value: serde_json::Value = serde_json::from_str(&output).expect("it is JSON");
    assert_eq!(value["agree"], true);
    assert_eq!(value["engines"][1]["result"], "0x81");
    assert_eq!(value["engines"][1]["instructions"], 4);
    let (_, output, _) = sbpf_cranelift(&[&run[..], &["--budget", "2", "-q"]].concat(), "");
    assert!(
        output.contains("access violation") && !output.contains("differ"),
        "{output}"
    );
}

/// Counts in the value of map 3 that the first byte of the context chooses.
fn counts() -> Vec<[u8; 8]> {
    [
        &[
            insn(0x71, 3, 1, 0, 0),
            insn(0x63, 10, 3, -4, 0),
            copy(2, 10),
            insn(0x07, 2, 0, 0, -4),
        ],
        &constant(1, 1, 3)[..],
        &[
            helper(1),
            insn(0x15, 0, 0, 3, 0),
            set(1, 1),
            insn(0xdb, 0, 1, 0, 0),
            insn(0x79, 0, 0, 0, 0),
            EXIT,
        ],
    ]
    .concat()
}

#[test]
fn run_gives_maps() {
    let path = file("counts.bin", &counts());
    let run = |mem: &str, map: &str| {
        let run = [
            "run",
            &path,
            "--dialect",
            "ebpf",
            "--engine",
            "all",
            "--json",
        ];
        let given = ["--mem", mem, "--map", map, "--map", "5/2=zeros:3"];
        let (status, output, error) = sbpf_cranelift(&[&run[..], &given].concat(), "");
        assert_eq!(error, "");
        let value: serde_json::Value = serde_json::from_str(&output).expect("it is JSON");
        assert_eq!(value["agree"], true);
        (status, value["engines"][1].clone())
    };
    let (status, engine) = run("02", "3=zeros:32");
    assert_eq!((status, &engine["result"]), (0, &"0x1".into()));
    let left = [&[0; 16][..], &[1], &[0; 15]].concat();
    assert_eq!(engine["maps"]["3"], hex(&left));
    assert_eq!(engine["maps"]["5"], "000000");
    // Values of four bytes, and one that starts beyond the last whole one.
    let (_, engine) = run("01", "3/4=0000 0000 0500 0000 0000 0000 00");
    assert_eq!(engine["result"], "0x6");
    assert_eq!(engine["maps"]["3"], "00000000060000000000000000");
    let (_, engine) = run("03", "3/4=0000 0000 0500 0000 0000 0000 00");
    assert_eq!(engine["result"], "0x0");
    // From a file, which is the program's own here.
    let (_, engine) = run("00", &format!("3={path}"));
    let first = u64::from_le_bytes(counts()[0]) + 1;
    assert_eq!(engine["result"], format!("{first:#x}"));
    let (status, engine) = run("00", "4=zeros:8");
    let error = "helper 1 failed: r1 is no map that was given";
    assert_eq!((status, &engine["error"]), (1, &error.into()));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn maps_have_the_names_of_an_elf_file() {
    let Some((_, bytes)) = crate::clang::compile("maps.c").into_iter().next() else {
        return;
    };
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("maps-on-the-command-line.o");
    std::fs::write(&path, bytes).expect("it can be written");
    let path = path.display().to_string();
    let run = [
        "run",
        &path,
        "--dialect",
        "ebpf",
        "--mem",
        "02",
        "-q",
        "--map",
    ];
    let finished = sbpf_cranelift(&[&run[..], &["counters=zeros:32"]].concat(), "");
    let one = "cranelift    r0 = 0x1\n".to_string();
    assert_eq!(finished, (0, one, String::new()));
    let (status, _, error) = sbpf_cranelift(&[&run[..], &["others=zeros:32"]].concat(), "");
    let expected = "the program can have no map \"others\"; its maps are counters\n";
    assert_eq!((status, error), (2, format!("error: --map: {expected}")));
}

#[test]
fn run_tells_native_tools_names() {
    let path = file("named.bin", &adds());
    let run = ["run", &path, "--dialect", "ebpf", "--mem", "0102"];
    let finished = sbpf_cranelift(&[&run[..], &["-q", "--native-names", "gdb"]].concat(), "");
    assert_eq!(
        finished,
        (0, "cranelift    r0 = 0x3\n".into(), String::new())
    );
}

#[test]
fn run_and_dump_refuse_in_one_line() {
    let path = file("refuses.bin", &adds());
    let run = ["run", path.as_str(), "--dialect", "ebpf"];
    let dump = ["dump", path.as_str()];
    for (command, options, expected) in [
        (
            &run[..],
            &["--mem", "xyz"][..],
            "--mem: \"xyz\" is no file and no hexadecimal",
        ),
        (&run, &["--section", "xdp"], "--section: "),
        (
            &run,
            &["--heap", "1"],
            "--heap: is for programs of --dialect sbpf",
        ),
        (&run, &["--engine", "hand-written"], "--engine: "),
        (
            &run,
            &["--map", "counters"],
            "--map: \"counters\" is not NAME=VALUES",
        ),
        (
            &run,
            &["--map", "3/0=00"],
            "--map: \"0\" is no size of a value",
        ),
        (
            &run,
            &["--map", "3=zeros:x"],
            "--map: there can't be \"x\" zeros",
        ),
        (
            &run,
            &["--map", "3=xyz"],
            "--map: \"xyz\" is no file and no hexadecimal",
        ),
        (
            &run,
            &["--map", "65537=00"],
            "--map: the program can have no map \"65537\"",
        ),
        (
            &run,
            &["--map", "3=00", "--map", "3/4=00"],
            "--map: there is more than one map \"3\"",
        ),
        (
            &run[..2],
            &["--map", "3=00"],
            "--map: is for programs of --dialect ebpf",
        ),
        (
            &run[..2],
            &["--mem", "00"],
            "--mem: is for programs of --dialect ebpf",
        ),
        (
            &dump,
            &["--section", "xdp"],
            "--section: is for programs of --dialect ebpf",
        ),
    ] {
        let (status, output, error) = sbpf_cranelift(&[command, options].concat(), "");
        assert_eq!((status, output), (2, String::new()), "{error}");
        assert!(error.starts_with(&format!("error: {expected}")), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
}

#[test]
fn dump_shows_all_stages() {
    let path = file(
        "calls.bin",
        &[
            set(1, 1),
            helper(12),
            local(1),
            EXIT,
            insn(0xdb, 10, 0, -8, 1),
            EXIT,
        ],
    );
    let stages = [
        "dump",
        &path,
        "--dialect",
        "ebpf",
        "--emit",
        "insns,cfg,clif,vcode",
    ];
    let (status, output, error) = sbpf_cranelift(&stages, "");
    assert_eq!((status, error), (0, String::new()));
    assert!(
        output.starts_with("; eBPF; instruction slots: 6"),
        "{output}"
    );
    for part in [
        "entry",
        "helper 12",
        "atomic_fetch_add64 [r10-8], r0",
        "atomic_rmw",
    ] {
        assert!(output.contains(part), "{part} is missing");
    }
}

#[test]
fn compare_measures_workloads() {
    let compare = [
        "compare",
        "--dialect",
        "ebpf",
        "--quick",
        "--rounds",
        "1",
        "--filter",
    ];
    let (status, output, error) = sbpf_cranelift(&[&compare[..], &["packet"]].concat(), "");
    assert_eq!((status, error), (0, String::new()));
    assert!(
        output.contains("packet") && output.contains("interpreter"),
        "{output}"
    );
    let (status, _, error) = sbpf_cranelift(&[&compare[..], &["nothing"]].concat(), "");
    let expected = "error: --filter: nothing has \"nothing\" in its name\n".to_string();
    assert_eq!((status, error), (2, expected));
}

const COMPARE: [&str; 6] = ["compare", "--dialect", "ebpf", "--quick", "--rounds", "1"];

/// Fields of JSON, one in the other.
fn field<'j>(value: &'j serde_json::Value, path: &str) -> &'j serde_json::Value {
    value.pointer(path).unwrap_or_else(|| panic!("no {path}"))
}

#[test]
fn compare_measures_files() {
    let program = file("compared.bin", &adds());
    // Counts in its memory, which has to be put back for it to do the same again.
    let counts = [
        insn(0x79, 0, 1, 0, 0),
        insn(0x07, 0, 0, 0, 1),
        insn(0x7b, 1, 0, 0, 0),
        EXIT,
    ];
    let counter = file("counter.bin", &counts);
    let [json, html] = ["compared.json", "compared.html"].map(|name| {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        path.display().to_string()
    });
    let memory = ["--mem", "0102030405060708"];
    let files = [&program[..], &counter, "--json", &json, "--html", &html];
    let (status, output, error) = sbpf_cranelift(&[&COMPARE[..], &files, &memory].concat(), "");
    assert_eq!((status, error), (0, String::new()), "{output}");
    for part in ["Execution", "Ratios", "Code that was run", "counter.bin"] {
        assert!(output.contains(part), "{part} is missing: {output}");
    }
    let text = std::fs::read_to_string(&json).expect("it is written");
    let report: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    for (index, instructions) in [4, 4].into_iter().enumerate() {
        let at = |field: &str| format!("/programs/{index}/{field}");
        assert_eq!(field(&report, &at("instructions")), instructions);
        assert_eq!(field(&report, &at("engines/0/engine")), "cranelift");
        let time = field(&report, &at("engines/0/nanoseconds/median")).as_f64();
        assert!(time.is_some_and(|time| time > 0.0));
    }
    let page = std::fs::read_to_string(&html).expect("it is written");
    for part in ["<svg", "Time of one run", "compared.bin"] {
        assert!(page.contains(part), "{part} is missing");
    }
    let since = [
        &COMPARE[..],
        &[&counter, "--baseline", &json, "--markdown"],
        &memory,
    ]
    .concat();
    let (status, output, _) = sbpf_cranelift(&since, "");
    assert_eq!(status, 0);
    assert!(
        output.contains("### Ratios") && output.contains(" %)"),
        "{output}"
    );
    // One program fails: the other one is measured.
    let (status, output, _) = sbpf_cranelift(
        &[&COMPARE[..], &[&program, &counter, "--mem", "0102"]].concat(),
        "",
    );
    assert_eq!(status, 1);
    assert!(
        output.contains("not measured: ") && output.contains("compared.bin"),
        "{output}"
    );
}

#[test]
fn compare_gives_maps() {
    let path = file("compared-counts.bin", &counts());
    let given = [&path[..], "--mem", "02", "--map", "3=zeros:32"];
    let (status, output, error) = sbpf_cranelift(&[&COMPARE[..], &given].concat(), "");
    assert_eq!((status, error), (0, String::new()), "{output}");
    assert!(output.contains("Code that was run"), "{output}");
    let (status, output, _) = sbpf_cranelift(&[&COMPARE[..], &given[..3]].concat(), "");
    assert_eq!(status, 1);
    assert!(output.contains("not measured: "), "{output}");
}

#[test]
fn compare_compiles_c() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ebpf/programs/siphash.c");
    let memory: String = [1u64, 2, 2, 3, 4]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let arguments = [&COMPARE[..], &[source, "--mem", &memory]].concat();
    let (status, output, error) = sbpf_cranelift(&arguments, "");
    if error.contains("no clang here") {
        eprintln!("skipped: {error}");
        return;
    }
    assert_eq!((status, error), (0, String::new()), "{output}");
    // Where there is a compiler for eBPF, there is one for this machine.
    assert!(output.contains("native"), "{output}");
}

#[test]
fn compare_refuses_in_one_line() {
    let path = file("refused.bin", &adds());
    for (options, expected) in [
        (
            &["--only", "execution"][..],
            "--only: is for programs of --dialect sbpf",
        ),
        (&[&path, "--section", "xdp"], "--section: "),
        (&[&path, "--mem", "xyz"], "--mem: "),
        (&[&path, "--map", "xyz"], "--map: "),
        (&["missing.bin"], "missing.bin: "),
        (&["--baseline", &path], "is no report"),
    ] {
        let (status, output, error) = sbpf_cranelift(&[&COMPARE[..], options].concat(), "");
        assert_eq!((status, output), (2, String::new()), "{error}");
        assert!(error.contains(expected), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
    let (status, _, error) = sbpf_cranelift(&["compare", &path, "--mem", "00"], "");
    assert_eq!(status, 2);
    assert!(
        error.contains("--mem: is for programs of --dialect ebpf"),
        "{error}"
    );
}
