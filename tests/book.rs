//! What the book shows is so: its CLIF is in the golden files, its commands work.

#[cfg(feature = "cli")]
#[path = "common/binary.rs"]
mod binary;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

/// A fenced block of a chapter.
struct Block {
    chapter: String,
    language: String,
    lines: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(directory: &Path, extension: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn blocks(language: &str) -> Result<Vec<Block>, Box<dyn Error>> {
    let mut blocks = Vec::new();
    for path in files(&root().join("src/book"), "md")? {
        let mut open: Option<Block> = None;
        for line in fs::read_to_string(&path)?.lines() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(language), None) => {
                    open = Some(Block {
                        chapter: path.display().to_string(),
                        language: language.to_owned(),
                        lines: Vec::new(),
                    });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => block.lines.push(line.to_owned()),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block is not closed", path.display());
    }
    blocks.retain(|block| block.language == language);
    assert!(!blocks.is_empty(), "no block of {language}");
    Ok(blocks)
}

#[test]
fn clif_is_that_of_golden_files() -> Result<(), Box<dyn Error>> {
    let mut golden = Vec::new();
    for path in files(&root().join("tests/golden"), "sbpf")? {
        let text = fs::read_to_string(path)?;
        golden.push(text.lines().map(str::to_owned).collect::<Vec<_>>());
    }
    for block in blocks("clif")? {
        let is_there = golden.iter().any(|text| {
            text.windows(block.lines.len())
                .any(|found| found == block.lines)
        });
        assert!(
            is_there,
            "{}: in no golden file:\n{}",
            block.chapter,
            block.lines.join("\n")
        );
    }
    Ok(())
}

#[cfg(feature = "cli")]
#[test]
fn commands_work() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    for program in files(&root().join("tests/programs"), "s")? {
        let name = program.file_name().ok_or("a file without a name")?;
        fs::copy(&program, directory.path().join(name))?;
    }
    for block in blocks("console")? {
        for line in block.lines {
            let words = line
                .strip_prefix("$ sbpf-cranelift ")
                .ok_or_else(|| format!("{}: not a command of ours: {line}", block.chapter))?;
            let output = binary::command()
                .args(words.split_whitespace())
                .current_dir(directory.path())
                .output()?;
            assert!(
                output.status.success(),
                "{}: {line}: {}\n{}",
                block.chapter,
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    Ok(())
}
