//! Files that other crates ship, found through `cargo metadata`.
//!
//! Where cargo can't be started, as on an emulated machine, `SBPF_CARGO_METADATA` names a file with
//! its output.

use {
    serde_json::Value,
    std::{
        path::{Path, PathBuf},
        process::Command,
    },
};

/// The output of a cargo command.
fn cargo(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// What cargo knows about the packages of this workspace.
fn metadata() -> Vec<u8> {
    if let Some(path) = std::env::var_os("SBPF_CARGO_METADATA") {
        let path = Path::new(&path);
        return std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    // Packages for other platforms need not be here, so the platform has to be named.
    let about = String::from_utf8(cargo(&["--version", "--verbose"])).expect("cargo speaks UTF-8");
    let host = about
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("cargo knows its host");
    cargo(&[
        "metadata",
        "--format-version=1",
        "--offline",
        "--filter-platform",
        host,
    ])
}

/// Where the sources of package `name` are, at the version this workspace is locked to.
pub fn package_directory(name: &str, version: &str) -> PathBuf {
    let metadata: Value = serde_json::from_slice(&metadata()).expect("cargo speaks JSON");
    let packages = metadata["packages"].as_array().expect("there are packages");
    let package = packages
        .iter()
        .find(|package| package["name"] == name && package["version"] == version)
        .unwrap_or_else(|| panic!("{name} {version} is not among the packages"));
    let manifest = package["manifest_path"].as_str().expect("a path is text");
    Path::new(manifest)
        .parent()
        .expect("a manifest is in a directory")
        .to_path_buf()
}

/// Name and contents of all `.so` files in `directory`, sorted by name.
pub fn shared_objects(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("the directory can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "so"))
        .map(|path| {
            let name = path.file_name().expect("a file has a name");
            let bytes = std::fs::read(&path).expect("the file can be read");
            (name.to_string_lossy().into_owned(), bytes)
        })
        .collect();
    files.sort();
    files
}
