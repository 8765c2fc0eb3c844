//! Every stage of a compilation as text.
//!
//! [`render`] gives a string, [`write()`] streams: one function at a time is held in memory, so the
//! dump of a large program costs time in proportion to its size and little memory.
//!
//! The unit of a dump is the **unit** of compilation: the blocks that become one native function.
//! A function of the program is one unit or, if it is large or shares blocks with others, several.
//!
//! # Dumps of every compilation
//!
//! The environment variable `SBPF_CRANELIFT_DUMP` dumps each program that is compiled, without a
//! change to the embedder:
//!
//! ```text
//! SBPF_CRANELIFT_DUMP=STAGES[:FUNCTION][>DIRECTORY]
//! ```
//!
//! `STAGES` is a list of `insns`, `cfg`, `clif`, `vcode` and `asm` with commas between, or `all`;
//! `FUNCTION` a name or a pc; `DIRECTORY` a directory that gets one file for each program, named
//! after a hash of its text. Without a directory the dump goes to standard error. For example
//! `clif,asm`, `clif:entrypoint`, `all:120>/tmp/dumps`. What goes wrong with a dump is reported to
//! standard error and never affects the compilation.

pub mod anatomy;
#[cfg(feature = "disassembly")]
mod assembly;
mod environment;
mod listing;
mod select;
mod text;

pub(crate) use environment::from_environment;

use {
    crate::{CompileError, CompileOptions, config},
    sbpf_lowering::{comments::Names, decode::Program},
    solana_sbpf::{elf::Executable, vm::ContextObject},
    std::{collections::BTreeMap, fmt, io, str::FromStr},
    target_lexicon::Triple,
};

/// A stage of compilation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Decoded instructions with their bytes, in blocks with cost and live registers.
    Instructions,
    /// The blocks, what they need, and where control goes from them.
    ControlFlow,
    /// Cranelift IR, annotated with pc, mnemonic, roles of blocks and fields of the context.
    Clif,
    /// Cranelift's machine IR after register allocation.
    Vcode,
    /// Native disassembly with pcs; needs the feature `disassembly`.
    Assembly,
}

impl Stage {
    /// All stages, in the order in which a program passes through them.
    pub const ALL: [Self; 5] = [
        Self::Instructions,
        Self::ControlFlow,
        Self::Clif,
        Self::Vcode,
        Self::Assembly,
    ];

    /// Its short name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Instructions => "insns",
            Self::ControlFlow => "cfg",
            Self::Clif => "clif",
            Self::Vcode => "vcode",
            Self::Assembly => "asm",
        }
    }

    /// Whether it is shown only of functions that are made of the program's instructions.
    fn is_of_program(self) -> bool {
        matches!(self, Self::Instructions | Self::ControlFlow)
    }

    fn needs_code(self) -> bool {
        matches!(self, Self::Vcode | Self::Assembly)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no [`Stage`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no stage {0:?}; there are insns, cfg, clif, vcode, asm")]
pub struct UnknownStage(String);

impl FromStr for Stage {
    type Err = UnknownStage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|stage| stage.name() == text);
        found.ok_or_else(|| UnknownStage(text.to_string()))
    }
}

/// Which function to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionSelector {
    /// The one with an instruction at this pc.
    Pc(usize),
    /// The one of this name.
    Name(String),
}

impl fmt::Display for FunctionSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pc(pc) => write!(f, "at pc {pc}"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

/// Text that can be neither a pc nor a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedSelector {
    /// There is nothing.
    #[error("a function has a name or a pc, not nothing")]
    Empty,
    /// It starts like a number.
    #[error("a name can't start with a digit, and it is not a pc")]
    Digit,
}

impl FromStr for FunctionSelector {
    type Err = MalformedSelector;

    /// Digits (or `0x…`) are a pc, anything else is a name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pc = match text.strip_prefix("0x") {
            Some(digits) => usize::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        };
        match (pc, text.chars().next()) {
            (Some(pc), _) => Ok(Self::Pc(pc)),
            (None, None) => Err(MalformedSelector::Empty),
            (None, Some('0'..='9' | '+')) => Err(MalformedSelector::Digit),
            (None, Some(_)) => Ok(Self::Name(text.to_string())),
        }
    }
}

/// What to show, and for which machine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DumpOptions {
    /// The stages, in the order in which they are shown of each function.
    pub stages: Vec<Stage>,
    /// Only this function; all if left out.
    pub function: Option<FunctionSelector>,
    /// The machine that code is generated for; the one that this runs on if left out.
    pub target: Option<Triple>,
    /// Names of functions by pc, beyond those that the executable has kept.
    ///
    /// `Config::enable_symbol_and_section_labels` keeps names, but it also makes every symbol the
    /// start of a function, so that other code is generated. To see the code of a program that is
    /// loaded without labels, pass their names here.
    pub names: BTreeMap<usize, String>,
    /// How the program is compiled.
    pub compile: CompileOptions,
    /// Shows functions as they are when each is compiled by itself at its first call, see
    /// [`CompiledProgram::compile_lazily`](crate::CompiledProgram::compile_lazily).
    pub lazy: bool,
}

impl Default for DumpOptions {
    /// The annotated CLIF of all functions, for this machine.
    fn default() -> Self {
        Self {
            stages: vec![Stage::Clif],
            function: None,
            target: None,
            names: BTreeMap::new(),
            compile: CompileOptions::default(),
            lazy: false,
        }
    }
}

/// Why there is no dump, or only a part of one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// No function has this name.
    #[error("there is no function {name:?}; {known}")]
    NoSuchFunction {
        /// The name asked for.
        name: String,
        /// The names that there are, as a sentence.
        known: String,
    },
    /// The text is shorter than that.
    #[error("there is no pc {pc}; the text has {slots} instruction slots")]
    PcOutsideText {
        /// The pc asked for.
        pc: usize,
        /// Slots in the text.
        slots: usize,
    },
    /// Nothing leads to the function, so it is not compiled.
    #[error("the function {function} is not compiled: no instruction at pc {pc} can be reached")]
    NotReachable {
        /// What was asked for.
        function: FunctionSelector,
        /// Its pc.
        pc: usize,
    },
    /// This build can't disassemble.
    #[error("the stage asm needs the feature `disassembly`, which this build is without")]
    NoDisassembler,
    /// The disassembler gave up.
    #[error("disassembling failed: {0}")]
    Disassembly(String),
    /// The program can't be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The text can't be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// The stages of compiling `executable` as text.
///
/// # Errors
/// See [`DumpError`].
pub fn render<C: ContextObject>(
    executable: &Executable<C>,
    options: &DumpOptions,
) -> Result<String, DumpError> {
    let mut text = Vec::new();
    write(executable, options, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Writes the stages of compiling `executable` to `output`, in many small pieces.
///
/// Nothing is written if the options do not fit the program.
///
/// # Errors
/// See [`DumpError`].
pub fn write<C: ContextObject>(
    executable: &Executable<C>,
    options: &DumpOptions,
    output: &mut impl io::Write,
) -> Result<(), DumpError> {
    let (program, _) = config::program(executable)?;
    let names = names(executable, &program, &options.names);
    let title = format!("sBPF {:?}", executable.get_sbpf_version());
    text::write(&title, &program, &names, options, output)
}

/// Writes the stages of compiling a program of standard eBPF to `output`.
///
/// # Errors
/// See [`DumpError`].
#[cfg(feature = "ebpf")]
pub fn write_ebpf(
    program: &crate::ebpf::Program,
    options: &DumpOptions,
    output: &mut impl io::Write,
) -> Result<(), DumpError> {
    let names = names_of_ebpf(program, &options.names);
    text::write("eBPF", &program.lowering(), &names, options, output)
}

/// What the functions and helpers of a program of standard eBPF are called.
#[cfg(feature = "ebpf")]
fn names_of_ebpf(program: &crate::ebpf::Program, more: &BTreeMap<usize, String>) -> Names {
    let helpers = program.helpers().iter();
    let mut names = Names {
        syscalls: helpers.map(|number| format!("helper {number}")).collect(),
        ..Names::default()
    };
    name_functions(&mut names, more.clone());
    name_functions(&mut names, program.names().clone());
    name_functions(&mut names, [(program.entry(), "entry".to_string())]);
    names
}

/// What the program's functions and syscalls are called.
fn names<C: ContextObject>(
    executable: &Executable<C>,
    program: &Program<'_>,
    more: &BTreeMap<usize, String>,
) -> Names {
    let syscalls = config::registered_syscalls(executable).into_iter();
    let mut names = Names {
        syscalls: syscalls
            .map(|(_, name, _)| printable(&String::from_utf8_lossy(name)))
            .collect(),
        ..Names::default()
    };
    let registered = executable.get_function_registry().iter();
    let text = |name| String::from_utf8_lossy(name).into_owned();
    name_functions(&mut names, more.clone());
    name_functions(
        &mut names,
        registered.map(|(_, (name, pc))| (pc, text(name))),
    );
    name_functions(&mut names, [(program.entry, "entrypoint".to_string())]);
    names
}

/// Adds names of functions by pc, where there is none yet.
fn name_functions(names: &mut Names, functions: impl IntoIterator<Item = (usize, String)>) {
    let functions = functions.into_iter();
    for (pc, name) in functions.filter(|(_, name)| !name.is_empty()) {
        if let Ok(pc) = u32::try_from(pc) {
            names
                .functions
                .entry(pc)
                .or_insert_with(|| printable(&name));
        }
    }
}

/// `name` without line breaks and what else would spoil a listing.
fn printable(name: &str) -> String {
    let escape = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    name.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::{FunctionSelector, MalformedSelector, Stage};

    #[test]
    fn stages_read_back_what_they_print() {
        for stage in Stage::ALL {
            assert_eq!(stage.to_string().parse(), Ok(stage));
        }
        assert!("".parse::<Stage>().is_err());
    }

    #[test]
    fn selectors_are_pcs_or_names() {
        assert_eq!("0x10".parse(), Ok(FunctionSelector::Pc(16)));
        assert_eq!("12".parse(), Ok(FunctionSelector::Pc(12)));
        assert_eq!(
            "main".parse(),
            Ok(FunctionSelector::Name("main".to_string()))
        );
        assert_eq!(
            "7up".parse::<FunctionSelector>(),
            Err(MalformedSelector::Digit)
        );
        assert_eq!(
            "".parse::<FunctionSelector>(),
            Err(MalformedSelector::Empty)
        );
    }
}
