//! A fingerprint of the sources that shape generated code, so that code which another state of
//! them has stored is not taken for this one's. A version number alone tells only releases apart.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut files = Vec::new();
    // The swap-in has the other crates beside this one; published crates have none.
    for folder in [
        "src",
        "lowering/src",
        "runtime/src",
        "../lowering/src",
        "../runtime/src",
    ] {
        let folder = root.join(folder);
        if folder.is_dir() {
            println!("cargo:rerun-if-changed={}", folder.display());
            collect(&folder, &mut files)?;
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.strip_prefix(&root).unwrap_or(&file).hash(&mut hasher);
        fs::read(&file)?.hash(&mut hasher);
    }
    println!(
        "cargo:rustc-env=SOURCE_FINGERPRINT={:016x}",
        hasher.finish()
    );
    Ok(())
}

/// All files below `folder`, but for the command line, which shapes no code.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            files.push(path);
        } else if !path.ends_with("src/cli") {
            collect(&path, files)?;
        }
    }
    Ok(())
}
