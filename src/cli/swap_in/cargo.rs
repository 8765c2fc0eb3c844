//! What cargo knows of a package.

use {
    crate::cli::failure::Failure,
    serde::Deserialize,
    std::{
        collections::BTreeMap,
        path::{Path, PathBuf},
        process::Command,
    },
};

/// The name of the crate that is swapped.
pub(super) const SOLANA_SBPF: &str = "solana-sbpf";

/// The part of `cargo metadata` that matters here.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    /// All packages that the dependency resolution chose.
    pub(super) packages: Vec<Package>,
    /// Where the lock file is.
    pub(super) workspace_root: PathBuf,
}

/// A package that was chosen.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    /// Its name.
    pub(super) name: String,
    /// Its version, in full.
    pub(super) version: String,
    /// Where its manifest is.
    pub(super) manifest_path: PathBuf,
    /// `[package.metadata]`
    pub(super) metadata: Option<BTreeMap<String, serde_json::Value>>,
}

impl Metadata {
    /// Packages of `solana-sbpf`, whatever the version.
    pub(super) fn solana_sbpf(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| package.name == SOLANA_SBPF)
    }
}

/// Runs `cargo metadata` with `arguments` in `folder`.
///
/// # Errors
/// What cargo says, or that there is none.
pub(super) fn metadata(folder: &Path, arguments: &[&Path]) -> Result<Metadata, Failure> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1"])
        .args(arguments.iter().map(|argument| argument.as_os_str()))
        .current_dir(folder)
        .output()
        .map_err(|error| Failure::io(Path::new("cargo"), &error))?;
    if !output.status.success() {
        return Err(Failure::at("cargo metadata", reason(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Failure::at("cargo metadata", error.to_string()))
}

/// The errors among what cargo printed, with their causes, in one line.
fn reason(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("error"))
        .map(str::trim)
        .filter(|line| !line.is_empty() && *line != "Caused by:")
        .map(|line| line.strip_prefix("error: ").unwrap_or(line))
        .collect();
    lines.join(": ")
}
