//! Why a program can't be lowered.

/// A program that this compiler refuses; the interpreter may still run it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoweringError {
    /// The text is not a whole number of instructions.
    #[error("the text section has {0} bytes, which is no multiple of 8")]
    TextLength(usize),
    /// The text has more instructions than this compiler takes.
    #[error("the text section has {instructions} instructions, more than {limit}")]
    TooManyInstructions {
        /// Slots in the text.
        instructions: usize,
        /// The most that are taken.
        limit: usize,
    },
    /// The program would take too long to compile.
    #[error("the program needs about {effort} instructions of Cranelift IR, more than {limit}")]
    TooMuchCode {
        /// The estimate.
        effort: u64,
        /// The most that is taken.
        limit: u64,
    },
    /// The entry point is not in the text.
    #[error("the entry point at pc {0} is outside of the text section")]
    EntryOutsideText(usize),
    /// A register that does not exist, or a write to r10 where it is read-only.
    #[error("the instruction at pc {pc} uses r{register}, which it must not")]
    Register {
        /// Where.
        pc: usize,
        /// Number of the register.
        register: u8,
    },
    /// A jump to before the text.
    #[error("the jump at pc {pc} leads to {target}, outside of the text section")]
    JumpOutsideText {
        /// Where.
        pc: usize,
        /// The pc it leads to.
        target: i64,
    },
    /// An `lddw` whose second half is missing.
    #[error("the lddw at pc {0} lacks its second half")]
    IncompleteLoad(usize),
    /// Limits of a program's frames that generated code can't honour.
    #[error("frames of {frame_size} bytes and a call depth of {max_call_depth} are not supported")]
    Frames {
        /// `Config::stack_frame_size`
        frame_size: usize,
        /// `Config::max_call_depth`
        max_call_depth: usize,
    },
}
