//! Whether a host is really built with the swap-in.

use {
    super::{
        cargo::{self, Package, SOLANA_SBPF},
        manifests::MARKER,
    },
    crate::cli::{failure::Failure, run::Printout},
    serde_json::{Value, json},
    std::{fmt::Write, path::Path},
};

/// Checks the host whose manifest this is, or the one in the current folder.
///
/// # Errors
/// When cargo can't tell.
pub(super) fn check(manifest: Option<&Path>) -> Result<(Printout, Value), Failure> {
    let metadata = match manifest {
        Some(manifest) => cargo::metadata(Path::new("."), &["--manifest-path".as_ref(), manifest])?,
        None => cargo::metadata(Path::new("."), &[])?,
    };
    let mut text = String::new();
    let mut used = 0;
    let mut unused = 0;
    let mut found = Vec::new();
    for package in metadata.solana_sbpf() {
        let (version, path) = (&package.version, package.manifest_path.display());
        found.push(json!({
            "version": version.to_string(),
            "manifest": path.to_string(),
            "swapped_in": is_swap_in(package),
        }));
        // Writing to a string never fails.
        let _ = if is_swap_in(package) {
            used += 1;
            writeln!(text, "{SOLANA_SBPF} {version}: swapped in, {path}")
        } else {
            unused += 1;
            writeln!(
                text,
                "{SOLANA_SBPF} {version}: not swapped in, {path}\n  the host asks for {version}, so \
                 the patch must be written with --sbpf {version}",
            )
        };
    }
    if used + unused == 0 {
        text = format!("{SOLANA_SBPF}: not among the dependencies of this host\n");
    }
    let is_in_use = used > 0 && unused == 0;
    let value = json!({ "in_use": is_in_use, "solana_sbpf": found });
    let status = u8::from(!is_in_use);
    Ok((Printout { text, status }, value))
}

fn is_swap_in(package: &Package) -> bool {
    package
        .metadata
        .as_ref()
        .is_some_and(|metadata| metadata.contains_key(MARKER))
}
