//! The real crate's source, from cargo's own registry.
//!
//! A throw-away manifest has cargo choose the version and download it if need be. Cargo records the
//! registry's checksum in the lock file; only an archive with that checksum is unpacked.

use {
    super::cargo::{self, SOLANA_SBPF},
    crate::cli::failure::Failure,
    flate2::read::GzDecoder,
    sha2::{Digest, Sha256},
    std::{
        fs,
        io::Read,
        path::{Component, Path, PathBuf},
    },
    tar::Archive,
};

/// Files that are not needed: manifests, which are written anew, and what is never built.
const LEFT_OUT: &[&str] = &[
    "Cargo.toml",
    "Cargo.toml.orig",
    "Cargo.lock",
    ".cargo_vcs_info.json",
    "benches/",
    "examples/",
];

/// A crate as it was published.
#[derive(Debug)]
pub(super) struct Source {
    files: Vec<(String, Vec<u8>)>,
    /// Its manifest.
    pub(super) manifest: String,
}

impl Source {
    /// Takes `solana-sbpf` of this version from cargo's registry, working in `folder`.
    ///
    /// # Errors
    /// When cargo can't get it, or the archive is not what the registry has recorded.
    pub(super) fn of_registry(version: &str, folder: &Path) -> Result<Self, Failure> {
        let workshop = folder.join(".fetch");
        let archive = write_manifest(&workshop, version).and_then(|()| fetch(&workshop, version));
        // Also when that failed; what is left behind does no harm.
        let _ = fs::remove_dir_all(&workshop);
        Self::unpack(&archive?, &format!("{SOLANA_SBPF}-{version}"))
    }

    /// The files that belong into the copy, with `/` in their paths.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .filter(|(path, _)| {
                !LEFT_OUT.iter().any(|left_out| {
                    path == left_out || left_out.ends_with('/') && path.starts_with(left_out)
                })
            })
            .map(|(path, contents)| (path.as_str(), contents.as_slice()))
    }

    fn unpack(archive: &[u8], root: &str) -> Result<Self, Failure> {
        let unreadable =
            |error: &std::io::Error| Failure::at(format!("{root}.crate"), error.to_string());
        let mut archive = Archive::new(GzDecoder::new(archive));
        let mut files = Vec::new();
        for entry in archive.entries().map_err(|error| unreadable(&error))? {
            let mut entry = entry.map_err(|error| unreadable(&error))?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = entry.path().map_err(|error| unreadable(&error))?;
            let Some(name) = name_below(&path, root) else {
                let what = format!("{} is outside of the crate", path.display());
                return Err(Failure::at(format!("{root}.crate"), what));
            };
            let mut contents = Vec::new();
            entry
                .read_to_end(&mut contents)
                .map_err(|error| unreadable(&error))?;
            files.push((name, contents));
        }
        let manifest = files
            .iter()
            .find(|(name, _)| name == "Cargo.toml")
            .and_then(|(_, contents)| String::from_utf8(contents.clone()).ok())
            .ok_or_else(|| Failure::at(format!("{root}.crate"), "has no manifest"))?;
        Ok(Self { files, manifest })
    }
}

/// The path below `root` with `/`, if it has only names in it.
fn name_below(path: &Path, root: &str) -> Option<String> {
    let names: Option<Vec<&str>> = path
        .strip_prefix(root)
        .ok()?
        .components()
        .map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    names.map(|names| names.join("/"))
}

fn write_manifest(workshop: &Path, version: &str) -> Result<(), Failure> {
    let manifest = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\n{SOLANA_SBPF} = {{ version = \"={version}\", default-features = false }}\n"
    );
    let write = |name: &str, contents: &str| {
        let path = workshop.join(name);
        let folder = path.parent().unwrap_or(workshop);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, contents))
            .map_err(|error| Failure::io(&path, &error))
    };
    write("src/lib.rs", "")?;
    write("Cargo.toml", &manifest)
}

/// The archive, checked.
fn fetch(workshop: &Path, version: &str) -> Result<Vec<u8>, Failure> {
    // What is there already needs no network.
    let metadata = cargo::metadata(workshop, &["--offline".as_ref()])
        .or_else(|_| cargo::metadata(workshop, &[]))?;
    let package = metadata.solana_sbpf().next().ok_or_else(|| {
        Failure::at(
            "cargo metadata",
            format!("does not list {SOLANA_SBPF} {version}"),
        )
    })?;
    let path = archive_path(&package.manifest_path, version).ok_or_else(|| {
        let what = "is not where cargo unpacks the crates of a registry";
        Failure::at(package.manifest_path.display().to_string(), what)
    })?;
    let archive = fs::read(&path).map_err(|error| Failure::io(&path, &error))?;
    let recorded = recorded_checksum(&metadata.workspace_root.join("Cargo.lock"), version)?;
    let found = hex::encode(Sha256::digest(&archive));
    if found == recorded {
        Ok(archive)
    } else {
        let what = format!("has the checksum {found}, but the registry recorded {recorded}");
        Err(Failure::at(path.display().to_string(), what))
    }
}

/// From `registry/src/INDEX/NAME-VERSION/Cargo.toml` to `registry/cache/INDEX/NAME-VERSION.crate`.
fn archive_path(manifest: &Path, version: &str) -> Option<PathBuf> {
    let index = manifest.parent()?.parent()?;
    let sources = index.parent()?;
    let registry = sources.parent()?;
    let is_unpacked = sources.ends_with("src");
    let name = format!("{SOLANA_SBPF}-{version}.crate");
    is_unpacked.then(|| {
        registry
            .join("cache")
            .join(index.file_name().unwrap_or_default())
            .join(name)
    })
}

/// What the lock file says about the crate.
fn recorded_checksum(lock_file: &Path, version: &str) -> Result<String, Failure> {
    let text = fs::read_to_string(lock_file).map_err(|error| Failure::io(lock_file, &error))?;
    let lock: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| Failure::at("Cargo.lock", error.to_string()))?;
    let is_it = |package: &&toml::Value| {
        let field = |name| package.get(name).and_then(toml::Value::as_str);
        field("name") == Some(SOLANA_SBPF) && field("version") == Some(version)
    };
    lock.get("package")
        .and_then(toml::Value::as_array)
        .and_then(|packages| packages.iter().find(is_it))
        .and_then(|package| package.get("checksum")?.as_str())
        .map(str::to_owned)
        .ok_or_else(|| {
            let what = format!("records no checksum of {SOLANA_SBPF} {version}");
            Failure::at("Cargo.lock", what)
        })
}
