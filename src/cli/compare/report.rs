//! All that was measured, as a file that can be compared with later.

use {
    super::{compilation::CompilationRow, execution::ExecutionRow},
    crate::cli::{failure::Failure, program::read_file},
    serde::{Deserialize, Serialize, de::DeserializeOwned},
    std::{fmt, fs, path::Path},
};

/// Bytes that a saved report may have.
const REPORT_BYTES_LIMIT: u64 = 64 << 20;

/// All that was measured.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Where and how.
    pub(crate) circumstances: Circumstances,
    /// Subjects on every engine.
    pub(crate) execution: Vec<ExecutionRow>,
    /// Programs through every compiler.
    pub(crate) compilation: Vec<CompilationRow>,
}

/// Where and how it was measured.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Circumstances {
    /// Version of this crate.
    pub(crate) version: String,
    /// The machine.
    pub(crate) machine: String,
    /// Rounds of all engines.
    pub(crate) rounds: usize,
    /// Whether samples were short.
    pub(crate) quick: bool,
    /// Whether the code that measures is optimised.
    pub(crate) optimised: bool,
}

impl Circumstances {
    /// Those of this process.
    pub(crate) fn here(rounds: usize, quick: bool) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_string(),
            machine: format!("{} {}", std::env::consts::ARCH, std::env::consts::OS),
            rounds,
            quick,
            optimised: !cfg!(debug_assertions),
        }
    }
}

impl fmt::Display for Circumstances {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            machine,
            rounds,
            quick,
            optimised,
        } = self;
        write!(formatter, "sbpf-cranelift {version} on {machine}")?;
        if !optimised {
            formatter.write_str(", in a build without optimisation, whose figures say little")?;
        }
        let length = if *quick { "short" } else { "long" };
        write!(formatter, "; {rounds} rounds of {length} samples")
    }
}

impl Report {
    /// Reads a report that was saved before.
    ///
    /// # Errors
    /// When the file can't be read or is no such report.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        read(path)
    }

    /// All figures as JSON.
    ///
    /// # Errors
    /// When a figure can't be written, which would be a defect.
    pub(crate) fn to_json(&self) -> Result<String, Failure> {
        to_json(self)
    }
}

/// Reads a report of either dialect.
///
/// # Errors
/// When the file can't be read or is no such report.
pub(crate) fn read<R: DeserializeOwned>(path: &Path) -> Result<R, Failure> {
    let bytes = read_file(path, REPORT_BYTES_LIMIT)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let what = format!("is no report that compare --json has saved: {error}");
        Failure::at(path.display().to_string(), what)
    })
}

/// A report of either dialect as JSON.
///
/// # Errors
/// When a figure can't be written, which would be a defect.
pub(crate) fn to_json(report: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(report);
    json.map(|json| json + "\n")
        .map_err(|error| Failure::new(format!("can't write JSON: {error}")))
}

/// Where and how something was measured, and what it is compared with.
pub(crate) fn circumstances(here: &Circumstances, before: Option<&Circumstances>) -> String {
    before.map_or_else(
        || here.to_string(),
        |before| format!("{here} (changes since {before})"),
    )
}

/// Makes sure that a file can be written, before the work for it is done.
///
/// # Errors
/// When it can't.
pub(crate) fn check_writable(path: &Path) -> Result<(), Failure> {
    let file = fs::File::options().append(true).create(true).open(path);
    file.map(drop).map_err(|error| Failure::io(path, &error))
}

/// Writes a file.
///
/// # Errors
/// When that fails.
pub(crate) fn write_file(path: &Path, contents: &str) -> Result<(), Failure> {
    fs::write(path, contents).map_err(|error| Failure::io(path, &error))
}
