//! Traces, profiles and backtraces of the command line.

#![cfg(feature = "cli")]

#[path = "common/binary.rs"]
mod binary;
#[path = "common/elf.rs"]
#[allow(unreachable_pub, reason = "the harness of other tests has it, too")]
mod elf;

use {
    binary::command,
    gimli::write::{Address, DwarfUnit, EndianVec, LineProgram, LineString, Sections},
    serde_json::Value,
    solana_sbpf::program::SBPFVersion,
    std::{
        collections::BTreeMap,
        fs,
        path::{Path, PathBuf},
        process::Output,
    },
};

/// Calls itself until no frame is left.
const RECURSION: &str = "\
entrypoint:
  mov64 r6, 1
  call deeper
  exit
deeper:
  add64 r6, 1
  call deeper
  exit
";

/// A loop that calls a function three times, and a syscall at the end.
const LOOP: &str = "\
entrypoint:
  mov64 r6, 3
again:
  call helper
  sub64 r6, 1
  jne r6, 0, again
  mov64 r1, r10
  sub64 r1, 16
  mov64 r2, 8
  syscall sol_log_
  mov64 r0, 0
  exit
helper:
  mov64 r0, 7
  exit
";

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("the folder can be made");
    folder
}

fn run(arguments: &[&str]) -> Output {
    let output = command().arg("run").args(arguments).output();
    output.expect("the binary starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it is UTF-8")
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let lines = text(bytes).lines();
    lines
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect()
}

/// Writes `source` to a file and returns its path.
fn program(folder: &Path, source: &str) -> String {
    let path = folder.join("program.s");
    fs::write(&path, source).expect("it can be written");
    path.to_str().expect("it is UTF-8").to_string()
}

#[test]
fn a_trace_has_the_registers_before_each_instruction() {
    let folder = folder("trace_registers");
    let program = program(&folder, LOOP);
    let output = run(&[&program, "--trace"]);
    let trace = lines(&output.stdout);
    assert!(text(&output.stderr).contains("returned r0 = 0"));
    // Three turns of five, the instructions around them, and the first.
    assert_eq!(trace.len(), 1 + 3 * 5 + 6);
    let first = &trace[0];
    assert_eq!((&first["index"], &first["pc"]), (&0.into(), &0.into()));
    assert_eq!(first["instruction"], "mov64 r6, 3");
    assert_eq!(first["registers"][6], "0x0");
    assert_eq!(trace[1]["registers"][6], "0x3");
    let inside = &trace[2];
    assert_eq!(
        (&inside["opcode"], &inside["depth"]),
        (&"mov64".into(), &1.into())
    );
    assert_eq!(trace.last().expect("there is one")["opcode"], "exit");
    for (index, line) in trace.iter().enumerate() {
        assert_eq!(line["index"], index);
        assert_eq!(line["registers"].as_array().map(Vec::len), Some(11));
    }
    // The syscall is charged before the next instruction.
    let units = |line: &Value| line["units"].as_u64().expect("it is a number");
    let log = trace.iter().position(|line| line["opcode"] == "syscall");
    let log = log.expect("it is called");
    assert_eq!(units(&trace[log]), log as u64);
    assert_eq!(units(&trace[log + 1]), log as u64 + 101);
}

#[test]
fn traces_are_filtered() {
    let folder = folder("trace_filters");
    let program = program(&folder, LOOP);
    let file = folder.join("trace.jsonl");
    let to_file = format!("--trace={}", file.display());
    let output = run(&[
        &program,
        &to_file,
        "--trace-opcode",
        "call,sub64",
        "--trace-pc",
        "1..4",
    ]);
    assert!(text(&output.stdout).contains("returned r0 = 0"));
    let written = fs::read(&file).expect("it was written");
    let pcs: Vec<_> = lines(&written)
        .iter()
        .map(|line| line["pc"].clone())
        .collect();
    assert_eq!(pcs, [1, 2, 1, 2, 1, 2]);

    let output = run(&[&program, "--trace", "--trace-function", "entrypoint"]);
    assert!(lines(&output.stdout).iter().all(|line| line["depth"] == 0));
    let output = run(&[&program, "--trace", "--trace-function", "nobody"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "error: --trace-function: there is no function \"nobody\"\n"
    );
    let output = run(&[&program, "--trace-opcode", "exit"]);
    assert_eq!(output.status.code(), Some(2), "only with --trace");
}

#[test]
fn profiles_count_what_was_executed() {
    let folder = folder("profiles");
    let program = program(&folder, LOOP);
    let (graph, counts) = (folder.join("graph.svg"), folder.join("counts.json"));
    let output = command()
        .args(["run", &program, "--profile"])
        .arg(&graph)
        .arg("--profile-json")
        .arg(&counts)
        .output()
        .expect("the binary starts");
    assert!(output.status.success());
    let profile: Value =
        serde_json::from_slice(&fs::read(&counts).expect("it was written")).expect("it is JSON");
    assert_eq!(profile["format"], 1);
    assert_eq!(profile["program"], program.as_str());
    let counts: BTreeMap<String, u64> =
        serde_json::from_value(profile["counts"].clone()).expect("they are numbers");
    assert_eq!(counts["0"], 1);
    assert_eq!(counts["2"], 3);
    assert_eq!(counts.values().sum::<u64>(), 22);

    let graph = fs::read_to_string(&graph).expect("it was written");
    assert!(graph.starts_with("<svg xmlns=") && graph.ends_with("</svg>\n"));
    assert!(graph.contains(": 122 compute units</text>"));
    assert!(graph.contains("<title>entrypoint: 122 compute units (100.00 %), 16 of its own<"));
    assert!(graph.contains("<title>sol_log_ (syscall): 100 compute units (81.97 %), 100 of"));
    assert!(graph.contains(": 6 compute units (4.92 %), 6 of its own<"));
}

#[test]
fn counts_are_the_instructions_of_a_real_program() {
    let folder = folder("real_profile");
    let counts = folder.join("counts.json");
    let counts = counts.to_str().expect("it is UTF-8");
    let output = run(&[
        "--engine",
        "interpreter",
        "--json",
        "--profile-json",
        counts,
    ]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(report["backtrace"], Value::Null);
    let profile: Value =
        serde_json::from_slice(&fs::read(counts).expect("it was written")).expect("it is JSON");
    let counts = profile["counts"].as_object().expect("it is an object");
    let executed: u64 = counts.values().filter_map(Value::as_u64).sum();
    let units = report["engines"][0]["compute_units"].as_u64();
    // Syscalls are charged beside their instruction.
    assert!(executed > 1_000 && Some(executed) < units, "{executed}");
}

/// The pc of every frame.
fn backtrace(arguments: &[&str]) -> (Value, Vec<u64>) {
    let output = run(&[arguments, &["--json"]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let frames = report["backtrace"].as_array().expect("there are frames");
    let pcs = frames.iter().filter_map(|frame| frame["pc"].as_u64());
    (report.clone(), pcs.collect())
}

#[test]
fn the_frame_that_did_not_fit_is_none() {
    let folder = folder("recursion");
    let program = program(&folder, RECURSION);
    for engine in ["cranelift", "interpreter", "all"] {
        let (report, pcs) = backtrace(&[&program, "--engine", engine]);
        let failure = &report["engines"][0]["result"]["debug"];
        assert_eq!(failure, "CallDepthExceeded");
        // 64 frames are possible, and the call of the 65th failed.
        let mut expected = vec![4; 63];
        expected.push(1);
        assert_eq!(pcs, expected, "{engine}");
        assert_eq!(report["engines"][0]["final_pc"], 4);
    }
}

#[test]
fn a_backtrace_names_functions_and_offsets() {
    let folder = folder("backtrace");
    let source = "\
entrypoint:
  mov64 r6, 0
  call inner
  exit
inner:
  mov64 r1, -8
  ldxdw r0, [r1+0]
  exit
";
    let program = program(&folder, source);
    let output = run(&[&program]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    let frames: Vec<_> = shown
        .lines()
        .skip_while(|line| !line.starts_with("backtrace"))
        .take(2)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(frames, ["backtrace pc 4 function_3+1", "pc 1 entrypoint+1"]);
    let quiet = run(&[&program, "--quiet"]);
    assert!(!text(&quiet.stdout).contains("backtrace"));
}

#[test]
fn an_exhausted_budget_and_a_call_to_nowhere_show_where_they_happened() {
    let folder = folder("backtrace_ends");
    let looping = program(&folder, RECURSION);
    assert_eq!(backtrace(&[&looping, "--budget", "7"]).1, [4, 4, 4, 1]);
    let source = "\
entrypoint:
  call inner
  exit
inner:
  mov64 r1, 0
  callx r1
  exit
";
    let nowhere = program(&folder, source);
    let (report, pcs) = backtrace(&[&nowhere]);
    assert_eq!(
        report["engines"][0]["result"]["debug"],
        "CallOutsideTextSegment"
    );
    assert_eq!(pcs, [3, 0]);
}

#[test]
fn lines_of_source_come_from_dwarf() {
    // mov64 r1, 0; ldxdw r0, [r1+0] (V3's encoding); exit
    let text_bytes = [
        [0xb7, 1, 0, 0, 0, 0, 0, 0],
        [0x79, 0x10, 0, 0, 0, 0, 0, 0],
        [0x95, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    let elf = with_sections(
        elf::strict(SBPFVersion::V3, &[], &text_bytes, 0),
        text_bytes.len() as u64,
        &line_sections(&[(0, 10), (8, 12), (16, 15)], 24),
    );
    let path = folder("lines").join("program.so");
    fs::write(&path, elf).expect("it can be written");
    let path = path.to_str().expect("it is UTF-8");
    let (report, pcs) = backtrace(&[path]);
    assert_eq!(pcs, [1]);
    assert_eq!(report["backtrace"][0]["file"], "src/lib.rs");
    assert_eq!(report["backtrace"][0]["line"], 12);
    assert!(text(&run(&[path]).stdout).contains("entrypoint+1 at src/lib.rs:12\n"));

    // Damage costs the lines, nothing else.
    let damaged = with_sections(
        elf::strict(SBPFVersion::V3, &[], &text_bytes, 0),
        text_bytes.len() as u64,
        &[(".debug_info".to_string(), vec![0xff; 40])],
    );
    fs::write(path, damaged).expect("it can be written");
    let (report, _) = backtrace(&[path]);
    assert_eq!(report["backtrace"][0]["line"], Value::Null);
}

/// Where V3 has its instructions.
const TEXT_ADDRESS: u64 = 1 << 32;

/// Debug information that maps offsets in the text to lines of `src/lib.rs`.
fn line_sections(rows: &[(u64, u64)], length: u64) -> Vec<(String, Vec<u8>)> {
    let encoding = gimli::Encoding {
        address_size: 8,
        format: gimli::Format::Dwarf32,
        version: 4,
    };
    let mut unit = DwarfUnit::new(encoding);
    let string = |text: &str| LineString::String(text.into());
    let mut program = LineProgram::new(
        encoding,
        gimli::LineEncoding::default(),
        string("."),
        None,
        string("src/lib.rs"),
        None,
    );
    let directory = program.default_directory();
    let file = program.add_file(string("src/lib.rs"), directory, None);
    program.begin_sequence(Some(Address::Constant(TEXT_ADDRESS)));
    for (offset, line) in rows {
        let row = program.row();
        (row.address_offset, row.line, row.file) = (*offset, *line, file);
        program.generate_row();
    }
    program.end_sequence(length);
    unit.unit.line_program = program;
    let root = unit.unit.root();
    let entry = unit.unit.get_mut(root);
    let value = gimli::write::AttributeValue::Address(Address::Constant(TEXT_ADDRESS));
    entry.set(gimli::DW_AT_low_pc, value);
    entry.set(
        gimli::DW_AT_high_pc,
        gimli::write::AttributeValue::Udata(length),
    );
    let mut sections = Sections::new(EndianVec::new(gimli::LittleEndian));
    unit.write(&mut sections).expect("it can be written");
    let mut written = Vec::new();
    sections
        .for_each(|id, data| {
            written.push((id.name().to_string(), data.slice().to_vec()));
            Ok::<_, gimli::Error>(())
        })
        .expect("nothing fails");
    written
}

/// `elf` with section headers: its text, `sections`, and their names.
fn with_sections(mut elf: Vec<u8>, text: u64, sections: &[(String, Vec<u8>)]) -> Vec<u8> {
    let text_offset = elf.len() as u64 - text;
    let mut names = b"\0.text\0.shstrtab\0".to_vec();
    // Name, type, address, offset, size.
    let mut headers = vec![(0, 0, 0, 0, 0), (1, 1, TEXT_ADDRESS, text_offset, text)];
    for (name, bytes) in sections {
        headers.push((names.len(), 1, 0, elf.len() as u64, bytes.len() as u64));
        names.extend(name.bytes().chain([0]));
        elf.extend(bytes);
    }
    headers.push((7, 3, 0, elf.len() as u64, names.len() as u64));
    elf.extend(&names);
    let offset = elf.len() as u64;
    for (name, kind, address, offset, size) in &headers {
        elf.extend((*name as u32).to_le_bytes());
        elf.extend((*kind as u32).to_le_bytes());
        for word in [0, *address, *offset, *size, 0, 1, 0] {
            elf.extend(u64::to_le_bytes(word));
        }
    }
    elf[40..48].copy_from_slice(&offset.to_le_bytes());
    let count = headers.len() as u16;
    elf[58..60].copy_from_slice(&64_u16.to_le_bytes());
    elf[60..62].copy_from_slice(&count.to_le_bytes());
    elf[62..64].copy_from_slice(&(count - 1).to_le_bytes());
    elf
}
