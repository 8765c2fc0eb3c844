//! Standard eBPF on the command line.

pub(crate) mod compare;
pub(crate) mod conformance;
mod maps;
pub(crate) mod run;

use {
    super::{failure::Failure, input::REGION_BYTES_LIMIT, program::read_file},
    clap::ValueEnum,
    sbpf_cranelift::ebpf::{Helpers, Memory, Options, Outcome, Program},
    std::path::Path,
};

/// A way to run a program of standard eBPF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EbpfEngine {
    /// Compiled by this crate.
    Cranelift,
    /// Interpreted by this crate.
    Interpreter,
}

impl EbpfEngine {
    /// Runs a program once.
    ///
    /// # Errors
    /// When it can't be compiled.
    pub(crate) fn run(
        self,
        program: &Program,
        memory: &mut Memory<'_>,
        helpers: &mut Helpers<'_>,
        limit: u64,
    ) -> Result<Outcome, Failure> {
        match self {
            Self::Interpreter => Ok(program.interpret(memory, helpers, limit)),
            Self::Cranelift => {
                let compiled = program
                    .compile()
                    .map_err(|error| Failure::new(error.to_string()))?;
                Ok(compiled.run(memory, helpers, limit))
            }
        }
    }
}

/// A program of a file: ELF, or else plain instructions; how it is to be compiled, it keeps.
///
/// # Errors
/// When it is none.
pub(crate) fn load(
    name: &str,
    bytes: &[u8],
    section: Option<&str>,
    options: &Options,
) -> Result<Program, Failure> {
    let program = match (bytes.starts_with(b"\x7fELF"), section) {
        (true, _) => Program::from_elf(bytes, section, options),
        (false, None) => Program::from_bytes(bytes, options),
        (false, Some(_)) => {
            let what = format!("{name} is no ELF file, so it has no sections");
            return Err(Failure::at("--section", what));
        }
    };
    program.map_err(|error| Failure::at(name, error.to_string()))
}

/// The memory of a program, as `--mem` gives it.
///
/// # Errors
/// When it is neither a file nor hexadecimal.
pub(crate) fn memory(argument: Option<&str>) -> Result<Vec<u8>, Failure> {
    argument.map_or_else(|| Ok(Vec::new()), |argument| bytes("--mem", argument))
}

/// The bytes of a file or, where there is none of this name, in hexadecimal.
///
/// # Errors
/// When it is neither.
fn bytes(place: &str, argument: &str) -> Result<Vec<u8>, Failure> {
    let path = Path::new(argument);
    if path.exists() {
        return read_file(path, REGION_BYTES_LIMIT);
    }
    hexadecimal(place, argument)
        .map_err(|_| Failure::at(place, format!("{argument:?} is no file and no hexadecimal")))
}

/// Bytes in hexadecimal, with white space and a leading `0x` as people like it.
///
/// # Errors
/// When it is something else.
pub(crate) fn hexadecimal(place: &str, text: &str) -> Result<Vec<u8>, Failure> {
    let text = text.trim();
    let text = text.strip_prefix("0x").unwrap_or(text);
    let digits: String = text.split_whitespace().collect();
    hex::decode(digits).map_err(|error| Failure::at(place, error.to_string()))
}
