//! Names of compiled functions for native tools: perf, gdb and valgrind.
//!
//! | file | its one idea |
//! |---|---|
//! | `symbols` | what the functions in a program's code are called, and which instructions they hold |
//! | `perf_map` | a text file of addresses and names |
//! | `jitdump` | a file of code and names |
//! | `object_file` | an object file in memory, with symbols and unwind tables, for gdb |
//! | `mapped_file` | a file that code is executed from, for valgrind |
//!
//! Functions are called by the name of the sBPF function and the pc that their code starts with,
//! `transfer+120`. Nothing here can fail a compilation: what goes wrong is told once on standard
//! error.

#[cfg(target_os = "linux")]
mod jitdump;
#[cfg(all(target_os = "linux", feature = "gdb"))]
mod mapped_file;
#[cfg(feature = "gdb")]
mod object_file;
#[cfg(unix)]
mod perf_map;
mod symbols;

pub(crate) use symbols::{Announced, Symbols};

use {
    crate::CompileOptions,
    solana_sbpf::{elf::Executable, vm::ContextObject},
    std::{
        borrow::Cow,
        collections::BTreeMap,
        env, fmt,
        str::FromStr,
        sync::{LazyLock, Mutex, PoisonError},
    },
};

/// Says which tools are told names, as a list with commas between, where the caller does not.
const VARIABLE: &str = "SBPF_CRANELIFT_NATIVE_NAMES";

/// A way to tell a native tool the names of functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum NativeNameFormat {
    /// A line for each function in `/tmp/perf-PID.map`, which `perf report` reads. Unix.
    PerfMap,
    /// Code and names in `jit-PID.dump` in the current directory, which `perf inject --jit` joins
    /// with what `perf record -k mono` recorded. Linux.
    JitDump,
    /// The interface through which gdb learns of code: names and unwind tables, and a symbol
    /// for each sBPF instruction, so that a backtrace shows pcs. Needs the feature `gdb`.
    Gdb,
    /// A file that code is executed from, by which valgrind and its tools, callgrind among them, know
    /// the names. Linux. Needs the feature `gdb`.
    Valgrind,
}

impl NativeNameFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::PerfMap, Self::JitDump, Self::Gdb, Self::Valgrind];

    /// Its name in the environment and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::PerfMap => "perf-map",
            Self::JitDump => "jitdump",
            Self::Gdb => "gdb",
            Self::Valgrind => "valgrind",
        }
    }
}

impl fmt::Display for NativeNameFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A word that names no [`NativeNameFormat`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("names can't be given as {0:?}, only as perf-map, jitdump, gdb or valgrind")]
pub struct UnknownNativeNameFormat(String);

impl FromStr for NativeNameFormat {
    type Err = UnknownNativeNameFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| UnknownNativeNameFormat(text.to_string()))
    }
}

/// Which native tools are told the names of a program's functions.
///
/// The default is what the environment variable `SBPF_CRANELIFT_NATIVE_NAMES` had when it was asked
/// for first, a list like `perf-map,gdb`; none, if it is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NativeNames {
    /// How they are told.
    pub formats: Vec<NativeNameFormat>,
    /// Names of functions by pc, beyond those that the executable has kept.
    pub functions: BTreeMap<usize, String>,
}

impl Default for NativeNames {
    fn default() -> Self {
        static FORMATS: LazyLock<Vec<NativeNameFormat>> = LazyLock::new(from_environment);
        Self {
            formats: FORMATS.clone(),
            functions: BTreeMap::new(),
        }
    }
}

impl NativeNames {
    /// Names in these formats, whatever the environment says.
    pub fn new(formats: impl IntoIterator<Item = NativeNameFormat>) -> Self {
        Self {
            formats: formats.into_iter().collect(),
            functions: BTreeMap::new(),
        }
    }

    /// Whether any tool is told anything.
    pub(crate) fn is_any(&self) -> bool {
        !self.formats.is_empty()
    }

    /// Whether code generation is to say how frames are unwound.
    pub(crate) fn needs_unwind_info(&self) -> bool {
        cfg!(feature = "gdb") && self.formats.contains(&NativeNameFormat::Gdb)
    }

    /// `options` with the names that `executable` has kept, if any tool is told names.
    pub(crate) fn with_functions_of<C: ContextObject>(
        &self,
        executable: &Executable<C>,
        options: &CompileOptions,
    ) -> Option<CompileOptions> {
        let registered = executable.get_function_registry().iter();
        let names = registered.map(|(_, (name, pc))| (pc, String::from_utf8_lossy(name)));
        self.with_functions(names.filter(|(_, name)| !name.is_empty()), options)
    }

    /// `options` with these names where there are none yet, if any tool is told names.
    pub(crate) fn with_functions<'n>(
        &self,
        names: impl Iterator<Item = (usize, Cow<'n, str>)>,
        options: &CompileOptions,
    ) -> Option<CompileOptions> {
        if !self.is_any() {
            return None;
        }
        let mut options = options.clone();
        let functions = &mut options.native_names.functions;
        for (pc, name) in names {
            functions.entry(pc).or_insert_with(|| name.into_owned());
        }
        Some(options)
    }
}

fn from_environment() -> Vec<NativeNameFormat> {
    let Some(value) = env::var_os(VARIABLE) else {
        return Vec::new();
    };
    let words = value.to_string_lossy();
    let words = words.split(',').map(str::trim);
    words
        .filter(|word| !word.is_empty())
        .filter_map(|word| {
            let format = word.parse();
            format
                .map_err(|error| complain(&format!("{VARIABLE}: {error}")))
                .ok()
        })
        .collect()
}

/// Tells a problem on standard error, each only once.
fn complain(problem: &str) {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if !told.iter().any(|before| before == problem) {
        told.push(problem.to_string());
        eprintln!("warning: native names: {problem}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_have_names() {
        for format in NativeNameFormat::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        assert!("lldb".parse::<NativeNameFormat>().is_err());
    }
}
