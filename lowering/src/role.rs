//! What a CLIF block is for, in the terms of the machine: meter, address translation, exception.

use {
    crate::comments,
    sbpf_runtime::{abi::Exception, site::RegisterSet},
    std::fmt,
};

/// What a CLIF block is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Takes the parameters.
    Entry,
    /// Counts the turns of a loop before the first one, and checks what they access.
    Counts {
        /// The loop.
        pc: u32,
    },
    /// A turn of such a loop.
    Turn {
        /// The loop.
        pc: u32,
    },
    /// Checks that the budget lasts to the next checkpoint.
    Check {
        /// Where.
        pc: u32,
        /// Instructions of the longest way to it.
        needed: u32,
    },
    /// A basic block.
    Basic {
        /// The block's first pc.
        pc: u32,
        /// Its instructions.
        cost: u32,
    },
    /// The budget may not last to the next checkpoint.
    Budget {
        /// The pc of the checkpoint.
        pc: u32,
    },
    /// The translation that a group in a loop keeps does not fit.
    Refill {
        /// The first access of the group.
        pc: u32,
    },
    /// The access callback has found the range.
    Found {
        /// The first access of the group.
        pc: u32,
    },
    /// The region cache has the start of the range; has it the end?
    TranslationEnd {
        /// The first access of the group.
        pc: u32,
    },
    /// The region cache has the range.
    Translation {
        /// The first access of the group.
        pc: u32,
    },
    /// The host address is known, one way or the other.
    Translated {
        /// The first access of the group.
        pc: u32,
    },
    /// An earlier check has left the host address.
    Covered {
        /// The first access of the group.
        pc: u32,
    },
    /// The region cache does not have the range.
    Access {
        /// The first access of the group.
        pc: u32,
    },
    /// The interpreter has executed the stretch.
    Interpreted {
        /// The first access of the group.
        pc: u32,
    },
    /// Goes on behind a stretch of accesses, whoever has executed it.
    StretchEnd {
        /// The first access of the stretch's last group.
        pc: u32,
    },
    /// Raises an exception.
    Raise {
        /// Where.
        pc: u32,
        /// Which.
        exception: Exception,
    },
    /// A syscall has ended the program, or the budget may not last behind it.
    SyscallEnds {
        /// The call.
        pc: u32,
    },
    /// A callee has ended the program, or the budget may not last behind the call.
    Unwind {
        /// Where the frame would have gone on.
        pc: u32,
    },
    /// A `callx` does not call what it was expected to.
    Unlikely {
        /// The call.
        pc: u32,
    },
    /// A syscall is no plain function.
    CallBack {
        /// The call.
        pc: u32,
    },
    /// Goes on with what a `callx` or a syscall has returned, or calls what does not return at once.
    Called {
        /// The call.
        pc: u32,
    },
    /// A function would return at once.
    ReturnsEarly {
        /// The call.
        pc: u32,
    },
    /// A function in place of its call.
    Inlined {
        /// The call.
        pc: u32,
    },
    /// A division by what the host can't divide by.
    SpecialDivisor,
    /// An atomic operation on memory that is not aligned.
    Unaligned,
    /// Goes on after a function or a syscall.
    Returned,
    /// Jumps into another unit.
    TailCall {
        /// The pc it jumps to.
        pc: u32,
    },
    /// A function that is called is not compiled yet.
    Uncompiled {
        /// The call or jump.
        pc: u32,
    },
    /// It is compiled now.
    Compiled {
        /// The call or jump.
        pc: u32,
    },
    /// It can't be compiled.
    Refused {
        /// The call or jump.
        pc: u32,
    },
    /// Stores registers, and goes on in the block that exceptions of one kind share.
    SharedStore {
        /// Which registers.
        registers: RegisterSet,
    },
    /// Tells apart why a syscall's program does not go on.
    SharedBehind,
    /// Records an exception.
    SharedRaise,
    /// Notes a frame that is left.
    SharedUnwind,
    /// Leaves from the innermost frame.
    SharedLeave,
    /// Leaves a frame.
    SharedUnwound,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry => f.write_str("entry"),
            Self::Counts { pc } => write!(f, "counts the turns at pc {pc}"),
            Self::Turn { pc } => write!(f, "counted turn at pc {pc}"),
            Self::Check { pc, needed } => write!(f, "meter: pc {pc} needs {needed}"),
            Self::Basic { pc, cost } => write!(f, "block: pc {pc}, cost {cost}"),
            Self::Budget { pc } => write!(f, "exception: the budget may end behind pc {pc}"),
            Self::Refill { pc } => write!(f, "address translation: refill at pc {pc}"),
            Self::Found { pc } => write!(f, "address translation: found at pc {pc}"),
            Self::TranslationEnd { pc } => {
                write!(f, "address translation: end of the range at pc {pc}")
            }
            Self::Translation { pc } => write!(f, "address translation: hit at pc {pc}"),
            Self::Translated { pc } => write!(f, "address translation: done at pc {pc}"),
            Self::Covered { pc } => write!(f, "address translation: covered at pc {pc}"),
            Self::Access { pc } => write!(f, "address translation: miss at pc {pc}"),
            Self::Interpreted { pc } => write!(f, "address translation: interpreted from pc {pc}"),
            Self::StretchEnd { pc } => {
                write!(f, "address translation: behind the stretch of pc {pc}")
            }
            Self::Raise { pc, exception } => write!(f, "exception: {exception:?} at pc {pc}"),
            Self::SyscallEnds { pc } => {
                write!(
                    f,
                    "exception: the program or its budget ends at the syscall at pc {pc}"
                )
            }
            Self::Unwind { pc } => write!(
                f,
                "exception: the program or its budget ends at the return to pc {pc}"
            ),
            Self::Unlikely { pc } => write!(f, "unexpected target at pc {pc}"),
            Self::CallBack { pc } => write!(f, "through the runtime at pc {pc}"),
            Self::Called { pc } => write!(f, "called at pc {pc}"),
            Self::ReturnsEarly { pc } => write!(f, "returns early at pc {pc}"),
            Self::Inlined { pc } => write!(f, "inlined at pc {pc}"),
            Self::SpecialDivisor => f.write_str("division by 0 or -1"),
            Self::Unaligned => f.write_str("atomic operation on unaligned memory"),
            Self::Returned => f.write_str("returned"),
            Self::TailCall { pc } => write!(f, "tail call to pc {pc}"),
            Self::Uncompiled { pc } => write!(f, "not compiled yet: called at pc {pc}"),
            Self::Compiled { pc } => write!(f, "compiled now: called at pc {pc}"),
            Self::Refused { pc } => write!(f, "not to be compiled: called at pc {pc}"),
            Self::SharedStore { registers } => {
                write!(f, "exception: store {}", comments::registers(*registers))
            }
            Self::SharedBehind => f.write_str("exception: behind(meter, exception)"),
            Self::SharedRaise => f.write_str("exception: raise(meter, exception)"),
            Self::SharedUnwind => f.write_str("exception: unwind(site, meter, result)"),
            Self::SharedLeave => f.write_str("exception: leave"),
            Self::SharedUnwound => f.write_str("exception: return a negative meter"),
        }
    }
}

impl Role {
    /// The pc that the block belongs to, if it belongs to one.
    pub(crate) fn pc(self) -> Option<u32> {
        match self {
            Self::Counts { pc }
            | Self::Turn { pc }
            | Self::Check { pc, .. }
            | Self::Basic { pc, .. }
            | Self::Budget { pc }
            | Self::Refill { pc }
            | Self::Found { pc }
            | Self::TranslationEnd { pc }
            | Self::Translation { pc }
            | Self::Translated { pc }
            | Self::Covered { pc }
            | Self::Access { pc }
            | Self::Interpreted { pc }
            | Self::StretchEnd { pc }
            | Self::Raise { pc, .. }
            | Self::SyscallEnds { pc }
            | Self::Unwind { pc }
            | Self::Unlikely { pc }
            | Self::CallBack { pc }
            | Self::Called { pc }
            | Self::ReturnsEarly { pc }
            | Self::Inlined { pc }
            | Self::Uncompiled { pc }
            | Self::Compiled { pc }
            | Self::Refused { pc } => Some(pc),
            Self::Entry
            | Self::SpecialDivisor
            | Self::Unaligned
            | Self::Returned
            | Self::TailCall { .. }
            | Self::SharedStore { .. }
            | Self::SharedBehind
            | Self::SharedRaise
            | Self::SharedUnwind
            | Self::SharedLeave
            | Self::SharedUnwound => None,
        }
    }

    /// Whether the block executes instructions of the program.
    pub(crate) fn has_instructions(self) -> bool {
        matches!(
            self,
            Self::Basic { .. }
                | Self::Turn { .. }
                | Self::Translated { .. }
                | Self::Covered { .. }
                | Self::StretchEnd { .. }
                | Self::Called { .. }
                | Self::Returned
        )
    }
}
