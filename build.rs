//! A fingerprint of the sources that shape generated code, so that code which another state of
//! them has stored is not taken for this one's. A version number alone tells only releases apart.
//!
//! And the pictures of the book as text: documentation has no folder of its own for them.

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
    pictures(&root.join("pictures"))
}

/// Writes a definition of each picture, by which `![…][NAME]` shows it wherever the text is. Chapters
/// define them once more as files; the first definition is the one that counts.
fn pictures(folder: &Path) -> io::Result<()> {
    let mut definitions = String::new();
    // Published crates and the swap-in have none.
    if folder.is_dir() {
        println!("cargo:rerun-if-changed={}", folder.display());
        let mut files = Vec::new();
        collect(folder, &mut files)?;
        files.sort();
        for file in files {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            let data = base64(&fs::read(&file)?);
            definitions += &format!("[{name}]: data:image/png;base64,{data}\n");
        }
    }
    let output = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(output.join("pictures.md"), definitions + "\n")
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 0x3f;
            text.push(match digit <= chunk.len() {
                true => char::from(DIGITS[value as usize]),
                false => '=',
            });
        }
    }
    text
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
