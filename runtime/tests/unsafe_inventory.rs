//! `UNSAFE.md` lists every use of `unsafe` outside of tests with its reason, as the code gives it.
//!
//! After a change, `SBPF_BLESS=1 cargo test -p sbpf-runtime --test unsafe_inventory` writes it anew,
//! and a reviewer sees in one file what was added.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Where code with `unsafe` may be, seen from the workspace.
const FOLDERS: [&str; 4] = ["runtime/src", "lowering/src", "src", "swap-in/facade/src"];

const HEADER: &str = "\
# Every use of `unsafe`

Written by `SBPF_BLESS=1 cargo test -p sbpf-runtime --test unsafe_inventory`, which fails where this
file and the code differ. `lowering` forbids `unsafe`; tests are not listed. A *block* says why it is
sound, a *function* what its caller has to see to.
";

/// A use of `unsafe`.
struct Use {
    file: String,
    place: String,
    kind: &'static str,
    reason: String,
}

#[test]
fn every_use_is_listed_with_its_reason() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut uses = Vec::new();
    for folder in FOLDERS {
        for file in sources(&workspace.join(folder)) {
            let text = fs::read_to_string(&file).expect("it can be read");
            let name = file
                .strip_prefix(&workspace)
                .expect("it is in the workspace");
            let name = name.to_string_lossy().replace('\\', "/");
            uses.extend(find(&name, &text));
        }
    }
    let without = uses.iter().filter(|found| found.reason.is_empty());
    let without: Vec<String> = without
        .map(|found| format!("{}: a {} of {}", found.file, found.kind, found.place))
        .collect();
    assert!(without.is_empty(), "without a reason: {without:#?}");
    let table = table(&uses);
    let path = workspace.join("runtime/UNSAFE.md");
    if env::var_os("SBPF_BLESS").is_some() {
        fs::write(&path, &table).expect("it can be written");
    }
    let written = fs::read_to_string(&path)
        .unwrap_or_default()
        .replace('\r', "");
    assert!(
        written == table,
        "runtime/UNSAFE.md differs from the code: write it anew with SBPF_BLESS=1, and review it"
    );
}

/// All Rust files in a folder and those below it, in the order of their names.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The uses in a file, up to its unit tests.
fn find(file: &str, text: &str) -> Vec<Use> {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.iter().position(|line| *line == "mod tests {");
    let mut uses = Vec::new();
    let mut place = String::new();
    for (number, line) in lines[..tests.unwrap_or(lines.len())].iter().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        if let Some(name) = function(code) {
            place = name;
        }
        let Some((before, after)) = code.split_once("unsafe ") else {
            continue;
        };
        let is_word = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        // A type of functions promises nothing, nor does the lint's name.
        if !is_word || before.contains("type ") || before.contains('"') || before.contains('<') {
            continue;
        }
        let (kind, reason) = if after.starts_with("fn") || after.contains(" fn ") {
            ("function", documented(&lines[..number]))
        } else if after.starts_with("impl") {
            place = after.trim_end_matches(['{', '}', ' ']).to_string();
            ("implementation", reasoned(&lines[..number]))
        } else if after.starts_with("extern") {
            place = "foreign functions".to_string();
            ("declaration", reasoned(&lines[..number]))
        } else {
            ("block", reasoned(&lines[..number]))
        };
        uses.push(Use {
            file: file.to_string(),
            place: place.clone(),
            kind,
            reason,
        });
    }
    uses
}

/// The name of the function that a line begins.
fn function(code: &str) -> Option<String> {
    let (before, after) = code.split_once("fn ")?;
    let is_item = before.is_empty() || before.ends_with(' ');
    let name: String = after
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (is_item && !name.is_empty()).then_some(name)
}

/// What `// SAFETY:` says above, at most a statement away.
fn reasoned(above: &[&str]) -> String {
    // Not that of another use.
    let last = above.iter().rposition(|line| line.contains("unsafe "));
    let near = last
        .map_or(0, |last| last + 1)
        .max(above.len().saturating_sub(8));
    let Some(start) = above[near..]
        .iter()
        .rposition(|line| line.contains("// SAFETY:"))
    else {
        return String::new();
    };
    let comment = above[near + start..].iter().map(|line| line.trim());
    let comment = comment.take_while(|line| line.starts_with("//"));
    let words = comment.map(|line| line.trim_start_matches('/').trim());
    let text = words.collect::<Vec<_>>().join(" ");
    text.trim_start_matches("SAFETY:").trim().to_string()
}

/// What a function's documentation says under `# Safety`.
fn documented(above: &[&str]) -> String {
    let docs = above.iter().rev().map(|line| line.trim());
    let docs = docs.take_while(|line| line.starts_with("///") || line.starts_with("#["));
    let mut lines: Vec<&str> = docs
        .map(|line| line.trim_start_matches('/').trim())
        .collect();
    lines.reverse();
    let safety = lines.iter().position(|line| *line == "# Safety");
    let lines = safety.map_or(&[][..], |safety| &lines[safety + 1..]);
    let lines = lines.iter().take_while(|line| !line.starts_with('#'));
    lines
        .copied()
        .collect::<Vec<_>>()
        .join(" ")
        .trim()
        .to_string()
}

/// The list as Markdown.
fn table(uses: &[Use]) -> String {
    let mut text = HEADER.to_string();
    let mut file = "";
    for found in uses {
        if found.file != file {
            file = &found.file;
            text.push_str(&format!(
                "\n## `{file}`\n\n| where | what | reason |\n|---|---|---|\n"
            ));
        }
        let reason = found.reason.replace('|', "\\|");
        text.push_str(&format!(
            "| `{}` | {} | {reason} |\n",
            found.place, found.kind
        ));
    }
    text
}

#[test]
fn uses_are_found() {
    let text = "\
/// Does it.
///
/// # Safety
/// Not on Sundays.
unsafe fn does(x: u8) {
    // SAFETY: it is
    // Monday.
    let y =
        unsafe { x() };
    unsafe { y() }
}
";
    let uses = find("a.rs", text);
    let all: Vec<_> = uses
        .iter()
        .map(|found| (found.kind, found.place.as_str(), found.reason.as_str()))
        .collect();
    assert_eq!(
        all,
        [
            ("function", "does", "Not on Sundays."),
            ("block", "does", "it is Monday."),
            ("block", "does", ""),
        ]
    );
}
