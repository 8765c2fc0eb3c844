//! Our own sources, so that the binary needs no repository.

use {
    super::versions::Known,
    include_dir::{Dir, include_dir},
};

/// The manifest of the workspace and of the adapter.
pub(super) const ROOT_MANIFEST: &str = include_str!("../../../Cargo.toml");
/// The manifest of the facade.
pub(super) const FACADE_MANIFEST: &str = include_str!("../../../swap-in/facade/Cargo.toml");

/// The build script of the adapter.
pub(super) const BUILD_SCRIPT: &str = include_str!("../../../build.rs");

const LOWERING_MANIFEST: &str = include_str!("../../../lowering/Cargo.toml");
const RUNTIME_MANIFEST: &str = include_str!("../../../runtime/Cargo.toml");

static ADAPTER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src");
static FACADE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/swap-in/facade/src");
static LOWERING: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/lowering/src");
static RUNTIME: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/runtime/src");

/// A file: its path with `/`, and its contents.
type File = (String, &'static [u8]);

/// Sources of the facade for a version.
pub(super) fn facade(known: &Known) -> Vec<File> {
    replaced(files(&FACADE), "modules.rs", known.modules)
}

/// Sources of the adapter for a version: the library without the command line.
pub(super) fn adapter(known: &Known) -> Vec<File> {
    let mut files = files(&ADAPTER);
    files.retain(|(path, _)| {
        path != "main.rs" && !path.starts_with("cli/") && !path.starts_with("ebpf/")
    });
    replaced(files, "compat.rs", known.compat)
}

/// The crates that don't depend on the version: folder, manifest, sources.
pub(super) fn crates() -> [(&'static str, &'static str, Vec<File>); 2] {
    [
        ("lowering", LOWERING_MANIFEST, files(&LOWERING)),
        ("runtime", RUNTIME_MANIFEST, files(&RUNTIME)),
    ]
}

fn replaced(mut files: Vec<File>, name: &str, by: Option<&'static [u8]>) -> Vec<File> {
    for (path, contents) in &mut files {
        if let (true, Some(by)) = (path == name, by) {
            *contents = by;
        }
    }
    files
}

fn files(directory: &'static Dir<'static>) -> Vec<File> {
    let mut found: Vec<File> = directory
        .files()
        .map(|file| (portable(file.path()), file.contents()))
        .collect();
    for directory in directory.dirs() {
        found.extend(files(directory));
    }
    found
}

fn portable(path: &std::path::Path) -> String {
    let components: Vec<_> = path
        .components()
        .map(|component| component.as_os_str().to_string_lossy())
        .collect();
    components.join("/")
}
