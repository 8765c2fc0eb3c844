//! `sbpf-cranelift swap-in`, as a host uses it: what it writes, what it refuses, and `--check`.

#![cfg(feature = "cli")]

#[path = "common/binary.rs"]
mod binary;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// An empty folder of this test, below cargo's own for such things.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("swap-in")
        .join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("the folder can be made");
    path
}

fn swap_in(current: &Path, arguments: &[&str]) -> Output {
    binary::command()
        .arg("swap-in")
        .args(arguments)
        .current_dir(current)
        .output()
        .expect("the binary starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it is UTF-8")
}

/// A host that asks for this version, with these lines pasted.
fn host(path: &Path, version: &str, pasted: &str) {
    let manifest = format!(
        "[package]\nname = \"host\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nsolana-sbpf = \"={version}\"\n\n{pasted}"
    );
    fs::create_dir_all(path.join("src")).expect("the folder can be made");
    fs::write(path.join("src/lib.rs"), "").expect("the file can be written");
    fs::write(path.join("Cargo.toml"), manifest).expect("the file can be written");
}

#[test]
fn an_unknown_version_is_refused() {
    let output = swap_in(&folder("unknown"), &["--sbpf", "0.22.0", "--out", "out"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "error: --sbpf: solana-sbpf 0.22.0 is not known; known are 0.26.0, 0.24.0, 0.23.0, \
         0.21.1, 0.21.0\n"
    );
}

#[test]
fn other_people_s_folders_are_left_alone() {
    let folder = folder("not_empty");
    fs::write(folder.join("letter.txt"), "Dear reader").expect("the file can be written");
    let output = swap_in(&folder, &["--sbpf", "0.26", "--out", "."]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr).lines().count(), 1);
    assert!(text(&output.stderr).contains("is not empty"));
    assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 1);
}

#[test]
fn a_host_is_swapped_and_checked() {
    if Command::new("cargo").arg("--version").output().is_err() {
        // As on wine.
        eprintln!("there is no cargo here: nothing was tested");
        return;
    }
    // Below the host, where cargo would take a crate for a member of the host's workspace.
    let folder = folder("host");
    let output = swap_in(&folder, &["--sbpf", "0.26", "--out", "vendor/solana-sbpf"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let pasted = text(&output.stdout);
    assert_eq!(pasted.lines().count(), 3);

    host(&folder, "0.26.0", pasted);
    let output = swap_in(&folder, &["--check"]);
    assert_eq!(text(&output.stderr), "");
    assert!(text(&output.stdout).starts_with("solana-sbpf 0.26.0: swapped in, "));
    assert_eq!(output.status.code(), Some(0));

    host(&folder, "0.26.0", "");
    let output = swap_in(&folder, &["--check"]);
    assert!(text(&output.stdout).starts_with("solana-sbpf 0.26.0: not swapped in, "));
    assert_eq!(output.status.code(), Some(1));

    // Written again, nothing changes.
    let written = |name: &str| {
        let metadata = fs::metadata(folder.join("vendor/solana-sbpf").join(name));
        metadata.and_then(|metadata| metadata.modified()).ok()
    };
    let before = (written("src/lib.rs"), written("upstream/src/vm.rs"));
    assert!(before.0.is_some() && before.1.is_some());
    swap_in(&folder, &["--sbpf", "0.26", "--out", "vendor/solana-sbpf"]);
    assert_eq!(
        before,
        (written("src/lib.rs"), written("upstream/src/vm.rs"))
    );
}

#[test]
fn a_folder_without_a_host_is_refused() {
    let folder = folder("no_host");
    // Even if there is a manifest further up.
    let output = swap_in(&folder, &["--check", "--manifest-path", "Cargo.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr).lines().count(), 1);
}
