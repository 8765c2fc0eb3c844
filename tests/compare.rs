//! `sbpf-cranelift compare`, as a person or a script sees it: tables, files and one-line errors.
//! No figure is checked: they are different each time.

#![cfg(feature = "cli")]

use {
    serde_json::Value,
    std::{
        fs,
        path::{Path, PathBuf},
        process::Command,
    },
};

/// What the binary did.
struct Finished {
    status: i32,
    stdout: String,
    stderr: String,
}

/// Runs `compare` with few rounds and these arguments, by the program that `SBPF_RUNNER` names if
/// this machine doesn't execute the binary itself.
fn compare(arguments: &[&str]) -> Finished {
    let binary = env!("CARGO_BIN_EXE_sbpf-cranelift");
    let runner = std::env::var("SBPF_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace().chain([binary]);
    let mut command = Command::new(words.next().expect("there is the binary"));
    let output = command
        .args(words)
        .args(["compare", "--quick", "--rounds", "1"])
        .args(arguments)
        .output()
        .expect("the binary starts");
    Finished {
        status: output.status.code().expect("the binary exits"),
        stdout: String::from_utf8(output.stdout).expect("the output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("the errors are UTF-8"),
    }
}

/// The output of `compare`, which has nothing to complain about.
fn tables(arguments: &[&str]) -> String {
    let finished = compare(arguments);
    assert_eq!(finished.stderr, "");
    assert_eq!(finished.status, 0, "{}", finished.stdout);
    finished.stdout
}

/// Checks that `arguments` are refused with exit status 2 and one line that starts so.
fn assert_refused(arguments: &[&str], start: &str) {
    let finished = compare(arguments);
    let line = finished.stderr.strip_suffix('\n').expect("there is a line");
    assert!(line.starts_with(&format!("error: {start}")), "{line}");
    assert!(!line.contains('\n'), "{line}");
    assert_eq!(finished.status, 2);
    assert_eq!(finished.stdout, "");
}

/// A path for a file that a test writes.
fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

/// A program that returns 7, for the assembler.
fn small_program(name: &str) -> PathBuf {
    let path = scratch(name);
    fs::write(&path, "entrypoint:\nmov r0, 7\nexit\n").expect("the file can be written");
    path
}

/// The JSON in a file.
fn json(path: &Path) -> Value {
    let bytes = fs::read(path).expect("the file was written");
    serde_json::from_slice(&bytes).expect("it is JSON")
}

#[test]
fn a_program_is_run_and_compiled() {
    let program = small_program("compared.s");
    let output = tables(&[text(&program)]);
    for title in [
        "Execution",
        "Code that was run",
        "Compilation",
        "Code size",
        "Passes",
    ] {
        assert!(output.lines().any(|line| line == title), "{title}");
    }
    assert!(output.contains("compared.s"));
    assert!(output.contains("Register allocation"));
    assert!(output.ends_with("; 1 rounds of short samples\n"));
}

#[test]
fn a_workload_has_a_native_twin_and_a_mean() {
    let output = tables(&["--only", "execution", "--filter", "LCG"]);
    let line = output.lines().find(|line| line.contains("LCG"));
    let cells: Vec<_> = line.expect("it is there").split_whitespace().collect();
    // Name, instructions, interpreter, hand-written, cranelift, native.
    assert!(cells[5].parse::<f64>().is_ok(), "{cells:?}");
    assert!(output.contains("geometric mean, arithmetic (1)"));
    assert!(!output.contains("Compilation"));
}

#[test]
fn only_the_means_when_quiet() {
    let output = tables(&["--only", "execution", "--filter", "lcg", "--quiet"]);
    assert!(output.contains("geometric mean, all workloads (1)"));
    assert!(!output.lines().any(|line| line.starts_with("  LCG")));
}

#[test]
fn a_bench_has_filters_for_words() {
    let output = tables(&["LCG", "--only", "execution", "--bench"]);
    assert!(output.contains("geometric mean, all workloads (1)"));
}

/// Programs whose memory is put back between runs, with syscalls.
#[test]
fn real_programs_end_alike_on_all_engines() {
    let file = scratch("real.json");
    let output = tables(&[
        "associated-token-create",
        "lookup-table-extend",
        "--only",
        "execution",
        "--json",
        text(&file),
    ]);
    assert!(output.contains("geometric mean, given (2)"));
    let report = json(&file);
    for row in report["execution"].as_array().expect("there are rows") {
        assert_eq!(row["ending"], "returned 0x0", "{row}");
        assert!(row["instructions"].as_u64() > Some(1_000), "{row}");
        assert!(row["syscall_nanoseconds"].is_number(), "{row}");
    }
}

/// A run that fails is as good as any other.
#[test]
fn a_failure_can_be_timed() {
    let path = scratch("failing.s");
    let source = "entrypoint:\nmov r1, -8\nldxdw r0, [r1+0]\nexit\n";
    fs::write(&path, source).expect("the file can be written");
    let file = scratch("failing.json");
    tables(&[text(&path), "--only", "execution", "--json", text(&file)]);
    let ending = &json(&file)["execution"][0]["ending"];
    let ending = ending.as_str().expect("it is text");
    assert!(ending.starts_with("Access violation"), "{ending}");
}

/// A program that can't be compiled is said to be missing; the others are measured all the same.
#[test]
fn what_cannot_be_measured_is_named() {
    let path = scratch("too-long.s");
    let source = format!("entrypoint:\n{}exit\n", "mov r0, 0\n".repeat(10 << 17));
    fs::write(&path, source).expect("the file can be written");
    let program = small_program("short.s");
    let finished = compare(&[text(&path), text(&program), "--only", "compilation"]);
    assert_eq!(finished.status, 1);
    assert!(finished.stdout.contains("short.s"));
    let reason = "not measured: too-long.s: cranelift can't compile it: the text section has";
    assert!(finished.stdout.contains(reason), "{}", finished.stdout);
}

#[test]
fn markdown_is_for_documents() {
    let program = small_program("document.s");
    let output = tables(&[text(&program), "--only", "compilation", "--markdown"]);
    assert!(output.starts_with("### Compilation\n\n"));
    assert!(output.contains("| document.s"));
}

#[test]
fn figures_are_compared_with_a_baseline() {
    let program = small_program("changed.s");
    let file = scratch("before.json");
    let page = scratch("after.html");
    let before = tables(&[text(&program), "--json", text(&file)]);
    assert!(!before.contains(" %)"));
    let report = json(&file);
    let row = &report["compilation"][0];
    assert_eq!(row["program"], "changed.s");
    assert_eq!(row["targets"].as_array().map(Vec::len), Some(4));
    assert!(
        row["passes"]
            .as_array()
            .is_some_and(|passes| passes.len() > 5)
    );
    let after = tables(&[
        text(&program),
        "--baseline",
        text(&file),
        "--html",
        text(&page),
    ]);
    // Our code is the same each time.
    assert!(after.contains("(±0 %)"));
    assert!(after.contains("(changes since sbpf-cranelift "));
    let page = fs::read_to_string(page).expect("the page was written");
    assert!(page.contains("<small class=\"\">±0 %</small>"));
}

#[test]
fn the_page_needs_nothing_else() {
    let path = scratch("<b> & co.s");
    let path = if cfg!(windows) {
        scratch("b & co.s")
    } else {
        path
    };
    fs::copy(small_program("page.s"), &path).expect("the file can be written");
    let file = scratch("page.html");
    tables(&[text(&path), "--html", text(&file)]);
    let page = fs::read_to_string(file).expect("the page was written");
    assert!(page.starts_with("<!doctype html>"));
    assert_eq!(page.matches("<svg").count(), 3);
    assert!(page.contains("prefers-color-scheme: dark"));
    for reference in ["src=", "href=", "@import", "url(", "<script"] {
        assert!(!page.contains(reference), "{reference}");
    }
    let links = page.matches("http").count();
    assert_eq!(links, page.matches("http://www.w3.org/2000/svg").count());
    // Names are text, whatever is in them.
    assert!(!page.contains("<b> "));
    assert!(page.contains("&#38; co.s") || page.contains("&amp; co.s"));
}

#[test]
fn bad_input_is_refused_in_one_line() {
    let program = small_program("good.s");
    assert_refused(&["no-such-program"], "no-such-program: ");
    assert_refused(&["--filter", "no such name"], "--filter: nothing has");
    assert_refused(&[text(&program), "--rounds", "0"], "");
    assert_refused(&["--accounts", "call.json"], "");
    assert_refused(&["--baseline", "no-such-file"], "no-such-file: ");
    let file = scratch("bad.json");
    for contents in ["{", "[]", "{\"execution\": 1}", ""] {
        fs::write(&file, contents).expect("the file can be written");
        let start = format!("{}: is no report", text(&file));
        assert_refused(&["--baseline", text(&file)], &start);
    }
    fs::write(&file, "{\"heap\": 1099511627776}").expect("the file can be written");
    let start = "--accounts: 1099511627776 bytes of heap";
    assert_refused(&[text(&program), "--accounts", text(&file)], start);
    let place = scratch("no-such-folder").join("file");
    let start = format!("{}: ", text(&place));
    assert_refused(&[text(&program), "--json", text(&place)], &start);
    assert_refused(&[text(&program), "--html", text(&place)], &start);
}
