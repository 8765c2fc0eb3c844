//! Why a program is refused, and why it fails.

use {super::helpers::HelperError, sbpf_lowering::error::LoweringError};

/// Why a program fails while it runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The meter does not allow for one more instruction.
    #[error("the limit of instructions is reached")]
    InstructionLimit,
    /// An access is not inside of one region, or writes to one that may only be read.
    #[error("access violation {} {size} bytes at {address:#x}", if *.store { "writing" } else { "reading" })]
    AccessViolation {
        /// The first address.
        address: u64,
        /// Bytes.
        size: u32,
        /// Whether they are written.
        store: bool,
    },
    /// A call needs one more frame than there may be.
    #[error("the limit of nested calls is reached")]
    CallDepth,
    /// No helper is registered under the number of a call.
    #[error("there is no helper {0}")]
    UnknownHelper(u32),
    /// A helper has failed.
    #[error("helper {number} failed: {error}")]
    Helper {
        /// Its number.
        number: u32,
        /// What it says.
        error: HelperError,
    },
    /// Compiled code met what the verifier rules out.
    #[error("an instruction that the verifier rules out")]
    Unverified,
}

/// Why a program is no program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The verifier rejects it.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The file can't be used.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// A call depth of 0, or one beyond [`super::Options::GREATEST_CALL_DEPTH`].
    #[error("a call depth of {0} is not supported")]
    CallDepth(u32),
}

/// What the verifier has found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// There is no instruction.
    #[error("the program is empty")]
    Empty,
    /// The entry is no instruction of the program.
    #[error("the entry at pc {0} is no instruction of the program")]
    Entry(usize),
    /// Control can fall off the end.
    #[error("the last instruction, at pc {0}, neither exits nor jumps")]
    FallsOffTheEnd(usize),
    /// A jump or call leads into the second half of a 64-bit constant.
    #[error("pc {pc} leads to pc {target}, the second half of a 64-bit constant")]
    IntoConstant {
        /// Where.
        pc: usize,
        /// Where to.
        target: usize,
    },
    /// The RFC has no such instruction.
    #[error("there is no instruction with the opcode {opcode:#04x} at pc {pc}")]
    UnknownOpcode {
        /// Where.
        pc: usize,
        /// The first byte.
        opcode: u8,
    },
    /// An instruction of the `packet` group, which is deprecated.
    #[error("the legacy packet access at pc {0} is not supported")]
    Packet(usize),
    /// An instruction of a group that is not selected.
    #[error("the instruction at pc {0} is not in the selected conformance groups")]
    Group(usize),
    /// A field that has to be zero is not, or has a value that is not defined.
    #[error("the instruction at pc {pc} ({opcode:#04x}) has a field with an undefined value")]
    Field {
        /// Where.
        pc: usize,
        /// The first byte.
        opcode: u8,
    },
    /// A call of a helper by its BTF number.
    #[error("the call at pc {0} is of a kernel function by its BTF number")]
    BtfCall(usize),
    /// A constant stands for a variable of the platform that there is not.
    #[error("the constant at pc {pc} is the platform's variable {variable}, which is not given")]
    Variable {
        /// Where.
        pc: usize,
        /// Its number.
        variable: i32,
    },
    /// A constant stands for a map whose number is out of the range that there is.
    #[error("the constant at pc {pc} is of map {map}, beyond what is possible")]
    Map {
        /// Where.
        pc: usize,
        /// Its number.
        map: u32,
    },
    /// A register, a jump or a length that is wrong.
    #[error(transparent)]
    Structure(#[from] LoweringError),
}

/// Why an ELF file is no collection of programs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// It is no ELF file, or a broken one.
    #[error("not a usable ELF file: {0}")]
    Malformed(#[from] object::Error),
    /// It is an ELF file of something else.
    #[error("the ELF file is not of eBPF for a little-endian machine")]
    Machine,
    /// There is no such program.
    #[error("there is no program {name:?}; there are {known}")]
    NoSuchProgram {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// There is no code at all.
    #[error("the ELF file has no program")]
    NoProgram,
    /// The sections of data are too large.
    #[error("the sections of data are larger than 256 MiB")]
    TooMuchData,
    /// A symbol that is used is not defined.
    #[error("the symbol {0:?} is not defined")]
    Undefined(String),
    /// A relocation of a kind, or at a place, that is not known.
    #[error(
        "a relocation of type {kind} in section {section:?} at offset {offset:#x} is not known"
    )]
    Relocation {
        /// Where.
        section: String,
        /// Where in the section.
        offset: u64,
        /// `R_BPF_…`
        kind: u32,
    },
}
