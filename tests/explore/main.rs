//! `sbpf-cranelift explore` and `graph`: what they write, and the page in a real browser.

#![cfg(feature = "cli")]

#[path = "../common/binary.rs"]
mod binary;
mod browser;
mod graphs;
mod page;

use {
    binary::command,
    std::{
        fs,
        path::{Path, PathBuf},
    },
};

/// What a command printed, which must have succeeded without a word of complaint.
fn output(arguments: &[&str]) -> String {
    let output = command().args(arguments).output();
    let output = output.expect("the binary starts");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

/// Checks that a command is refused with exit status 2 and one line with these words.
fn assert_refused(arguments: &[&str], words: &str) {
    let output = command().args(arguments).output();
    let output = output.expect("the binary starts");
    let line = String::from_utf8(output.stderr).expect("the errors are UTF-8");
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert!(
        line.starts_with("error: ") && line.contains(words),
        "{line}"
    );
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(output.stdout.is_empty());
}

/// The program of most tests: two functions, a loop, accesses that share a check.
fn program() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/explored.s");
    text(&path)
}

/// A path for a file that a test writes.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("explore");
    fs::create_dir_all(&folder).expect("the folder can be made");
    folder.join(name)
}

/// A path as text.
fn text(path: &Path) -> String {
    path.to_str().expect("the path is UTF-8").to_string()
}

/// A profile of the program: its loop has sixteen turns.
fn profile(name: &str) -> String {
    let path = scratch(name);
    let count = |pc: u32| if (6..11).contains(&pc) { 16 } else { 1 };
    let counts: Vec<String> = (0..16)
        .map(|pc| format!("\"{pc}\": {}", count(pc)))
        .collect();
    let document = format!(
        "{{ \"format\": 1, \"program\": \"explored.s\", \"counts\": {{ {} }} }}",
        counts.join(", ")
    );
    fs::write(&path, document).expect("the file can be written");
    text(&path)
}
