//! Golden tests of the CLIF: what the lowering makes of small programs, in files that a reviewer
//! can read.
//!
//! Each file of `tests/golden` has a header in TOML (lines that start with `;!`), assembly text,
//! and after a line of dashes the CLIF. `SBPF_BLESS=1 cargo test --test golden` writes the CLIF
//! anew; the difference then shows what a change does to generated code. Every program also runs
//! on all engines, so that no golden file shows code that is wrong.

mod common;

use {
    common::*,
    sbpf_cranelift::dump::{self, DumpOptions, Stage},
    serde::Deserialize,
    similar::TextDiff,
    std::{
        fs,
        path::{Path, PathBuf},
    },
};

/// The line between program and CLIF.
const SEPARATOR: &str = "----\n";

/// The settings of a golden file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Header {
    /// The version of sBPF.
    version: String,
    /// `Config::enable_instruction_meter`
    meter: bool,
    /// `Config::enable_address_translation`; a program without it is shown, not run.
    translation: bool,
    /// `Config::enable_stack_frame_gaps`
    gaps: bool,
    /// `Config::aligned_memory_mapping`
    aligned: bool,
    /// Shows the functions that are not made of the program's instructions as well.
    machinery: bool,
    /// `Config::sanitize_user_provided_values`
    sanitize: bool,
    /// Shows functions as they are when each is compiled at its first call.
    lazy: bool,
    /// `CompileOptions::guard_speculation`
    guards: bool,
    /// The machine, which decides the convention of callbacks.
    target: String,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            version: "V3".to_string(),
            meter: true,
            translation: true,
            gaps: true,
            aligned: true,
            machinery: false,
            sanitize: false,
            lazy: false,
            guards: false,
            target: "x86_64-unknown-linux-gnu".to_string(),
        }
    }
}

impl Header {
    fn version(&self) -> SBPFVersion {
        let found = SBPFVersion::ALL
            .iter()
            .find(|version| format!("{version:?}") == self.version);
        *found.unwrap_or_else(|| panic!("there is no version {}", self.version))
    }
}

/// A golden file in its parts.
struct Golden {
    header: Header,
    /// Header and program as they stand in the file.
    source: String,
    /// The program for the assembler, which knows no comments.
    assembly: String,
    expected: String,
}

impl Golden {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            .replace("\r\n", "\n");
        let (source, expected) = text.split_once(SEPARATOR).unwrap_or((&text, ""));
        let header: String = source
            .lines()
            .filter_map(|line| line.strip_prefix(";!"))
            .map(|line| format!("{line}\n"))
            .collect();
        let assembly = source
            .lines()
            .map(|line| line.split(';').next().unwrap_or_default())
            .map(|line| format!("{line}\n"))
            .collect();
        Self {
            header: toml::from_str(&header)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            source: source.to_string(),
            assembly,
            expected: expected.to_string(),
        }
    }

    fn case(&self) -> Case {
        let mut case = Case::assembly(self.header.version(), &self.assembly)
            .unverified()
            .configure(|config| {
                config.enable_instruction_meter = self.header.meter;
                config.enable_address_translation = self.header.translation;
                config.enable_stack_frame_gaps = self.header.gaps;
                config.aligned_memory_mapping = self.header.aligned;
                mitigate(config, self.header.sanitize, 0);
            });
        case.compilation.guard_speculation = self.header.guards;
        case
    }

    /// The CLIF of all functions that the header asks for.
    fn render(&self) -> String {
        let case = self.case();
        let executable = case
            .program
            .load(&case.config, &[])
            .unwrap_or_else(|error| panic!("{}\n{error}", self.assembly));
        let mut options = DumpOptions::default();
        options.stages = vec![Stage::Clif];
        options.lazy = self.header.lazy;
        options.compile.guard_speculation = self.header.guards;
        options.target = Some(self.header.target.parse().expect("a target triple"));
        let text = dump::render(&executable, &options).expect("the program can be lowered");
        // The first piece is a summary of the program.
        text.split("\n;;; ")
            .skip(1)
            .filter(|section| self.header.machinery || section.starts_with("clif: unit"))
            .map(|section| format!(";;; {}\n", section.trim_end()))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// All golden files, in order of their names.
fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the directory is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "sbpf")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "golden files are there");
    files
}

/// One test, so that no program runs from a file that is just being written.
#[test]
fn clif_is_as_expected_and_engines_agree() {
    let blesses = std::env::var_os("SBPF_BLESS").is_some_and(|value| value == "1");
    let mut report = String::new();
    for path in files() {
        let golden = Golden::read(&path);
        if golden.header.translation
            && let Err(failure) = golden.case().try_check()
        {
            panic!("{}:\n{failure}", path.display());
        }
        let actual = golden.render();
        if actual == golden.expected {
            continue;
        }
        if blesses {
            fs::write(&path, format!("{}{SEPARATOR}{actual}", golden.source))
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let difference = TextDiff::from_lines(&golden.expected, &actual);
        let difference = difference.unified_diff().context_radius(3).to_string();
        report.push_str(&format!("{name} (expected, then actual):\n{difference}\n"));
    }
    assert!(
        report.is_empty(),
        "{report}SBPF_BLESS=1 accepts the new CLIF."
    );
}
