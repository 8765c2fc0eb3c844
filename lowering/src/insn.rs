//! Decoded instructions: what they mean, independent of how a version encodes it.

use {
    sbpf_runtime::{abi::Exception, site::RegisterSet},
    std::fmt,
};

/// Operand width of arithmetic and of comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// The low 32 bits.
    W32,
    /// All 64 bits.
    W64,
}

/// How a 32-bit result fills its register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// With zeros.
    Zero,
    /// With copies of bit 31.
    Sign,
}

/// A second operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// A register.
    Register(u8),
    /// A constant, extended to 64 bits as the instruction asks for.
    Immediate(i64),
}

/// Arithmetic that can't fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the operations")]
pub enum Arithmetic {
    Add,
    Subtract,
    /// `source - destination`
    ReverseSubtract,
    Multiply,
    MultiplyHighUnsigned,
    MultiplyHighSigned,
    Or,
    And,
    Xor,
    ShiftLeft,
    ShiftRight,
    ShiftRightSigned,
    Move,
    /// `-destination`
    Negate,
}

/// Division, which fails on zero and, if signed, on overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the operations")]
pub enum Division {
    Quotient,
    Remainder,
    SignedQuotient,
    SignedRemainder,
}

impl Division {
    /// Whether operands are signed.
    pub fn is_signed(self) -> bool {
        matches!(self, Self::SignedQuotient | Self::SignedRemainder)
    }
}

/// What an atomic operation does to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the operations")]
pub enum AtomicOperation {
    Add,
    Or,
    And,
    Xor,
    Exchange,
    /// Writes the source if the memory equals r0; the memory's old value goes to r0.
    CompareExchange,
}

/// Conditions of jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the conditions")]
pub enum Condition {
    Equal,
    NotEqual,
    /// `destination & source != 0`
    AnyBit,
    Above,
    AboveOrEqual,
    Below,
    BelowOrEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What an instruction does.
///
/// Sizes are in bytes, offsets in bytes from the base register, targets are pcs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are named in the sentence above each variant"
)]
pub enum Operation {
    /// `destination = destination op source`
    Arithmetic(Arithmetic, Width, Extension, Operand),
    /// `destination = destination op source`, or an exception
    Divide(Division, Width, Operand),
    /// `destination = destination op source`; a quotient by zero is 0, a remainder by zero is the
    /// destination, and what overflows wraps
    DivideTotally(Division, Width, Operand),
    /// `destination = source`, its low `bits` bits sign-extended to the width
    MoveSigned { bits: u8, width: Width, source: u8 },
    /// Keeps the low `bits` bits, reversing their bytes if `swap`.
    ByteOrder { bits: u8, swap: bool },
    /// `destination = [base + offset]`, `size` bytes, extended
    Load {
        size: u32,
        base: u8,
        offset: i32,
        extension: Extension,
    },
    /// `[base + offset] = source`, `size` bytes; the base is the destination field
    Store {
        size: u32,
        base: u8,
        offset: i32,
        source: Operand,
    },
    /// `[base + offset] = [base + offset] op source`, atomically, 4 or 8 bytes; with `fetch` the old
    /// value goes to the source register, or to r0
    Atomic {
        operation: AtomicOperation,
        fetch: bool,
        size: u32,
        base: u8,
        offset: i32,
        source: u8,
    },
    /// Goes on at `target`.
    Jump { target: u32 },
    /// Goes on at `target` if `destination condition source`.
    Branch {
        condition: Condition,
        width: Width,
        source: Operand,
        target: u32,
    },
    /// Calls the function at `target`.
    Call { target: u32 },
    /// Calls a syscall by its number in the program's table.
    Syscall { index: u32 },
    /// Calls the function whose address is in a register.
    CallRegister { register: u8 },
    /// Returns r0.
    Exit,
    /// Fails when executed.
    Raise(Exception),
    /// Fails when executed, with another exception if the call depth is exceeded.
    CallAndRaise(Exception),
}

/// One decoded instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insn {
    /// What it does.
    pub operation: Operation,
    /// The destination register, where the operation has one.
    pub destination: u8,
    /// Slots of 8 bytes it occupies: 2 for `lddw`, else 1.
    pub slots: u8,
}

impl Insn {
    /// Whether it ends a basic block.
    pub fn ends_block(&self) -> bool {
        !matches!(
            self.operation,
            Operation::Arithmetic(..)
                | Operation::Divide(..)
                | Operation::DivideTotally(..)
                | Operation::MoveSigned { .. }
                | Operation::ByteOrder { .. }
                | Operation::Load { .. }
                | Operation::Store { .. }
                | Operation::Atomic { .. }
        )
    }

    /// Whether it only computes a register, and can't fail.
    pub fn is_pure(&self) -> bool {
        matches!(
            self.operation,
            Operation::Arithmetic(..)
                | Operation::DivideTotally(..)
                | Operation::MoveSigned { .. }
                | Operation::ByteOrder { .. }
        )
    }

    /// The size, base and offset of a memory access.
    pub fn access(&self) -> Option<(u32, u8, i32)> {
        match self.operation {
            Operation::Load {
                size, base, offset, ..
            }
            | Operation::Store {
                size, base, offset, ..
            }
            | Operation::Atomic {
                size, base, offset, ..
            } => Some((size, base, offset)),
            _ => None,
        }
    }

    /// Whether it writes memory.
    pub fn stores(&self) -> bool {
        matches!(
            self.operation,
            Operation::Store { .. } | Operation::Atomic { .. }
        )
    }

    /// The register that an atomic operation puts the old value of memory into.
    fn fetched(&self) -> RegisterSet {
        match self.operation {
            Operation::Atomic {
                operation: AtomicOperation::CompareExchange,
                ..
            } => RegisterSet::of(0),
            Operation::Atomic {
                fetch: true,
                source,
                ..
            } => RegisterSet::of(source),
            _ => RegisterSet::EMPTY,
        }
    }

    /// The registers it reads, apart from what a callee reads.
    pub fn reads(&self) -> RegisterSet {
        let destination = RegisterSet::of(self.destination);
        let operand = |operand: Operand| match operand {
            Operand::Register(register) => RegisterSet::of(register),
            Operand::Immediate(_) => RegisterSet::EMPTY,
        };
        match self.operation {
            Operation::Arithmetic(Arithmetic::Move, _, _, source) => operand(source),
            Operation::Arithmetic(_, _, _, source)
            | Operation::Divide(_, _, source)
            | Operation::DivideTotally(_, _, source) => destination.union(operand(source)),
            Operation::MoveSigned { source, .. } => RegisterSet::of(source),
            Operation::ByteOrder { .. } => destination,
            Operation::Load { base, .. } => RegisterSet::of(base),
            Operation::Store { base, source, .. } => RegisterSet::of(base).union(operand(source)),
            Operation::Atomic {
                operation,
                base,
                source,
                ..
            } => {
                let expected = match operation {
                    AtomicOperation::CompareExchange => RegisterSet::of(0),
                    _ => RegisterSet::EMPTY,
                };
                RegisterSet::of(base)
                    .union(RegisterSet::of(source))
                    .union(expected)
            }
            Operation::Branch { source, .. } => destination.union(operand(source)),
            // `Interpreter::dispatch_syscall` shows all of them to the syscall.
            Operation::Syscall { .. } => RegisterSet::range(0, 5),
            // A target that is not the start of a function may read any of them.
            Operation::CallRegister { .. } => RegisterSet::range(0, 9),
            Operation::Exit => RegisterSet::of(0),
            Operation::Raise(Exception::Bailout) => RegisterSet::range(0, 9),
            Operation::Jump { .. }
            | Operation::Call { .. }
            | Operation::Raise(_)
            | Operation::CallAndRaise(_) => RegisterSet::EMPTY,
        }
    }

    /// The registers it writes, apart from what a callee writes.
    pub fn writes(&self) -> RegisterSet {
        match self.operation {
            Operation::Arithmetic(..)
            | Operation::Divide(..)
            | Operation::DivideTotally(..)
            | Operation::MoveSigned { .. }
            | Operation::ByteOrder { .. }
            | Operation::Load { .. } => RegisterSet::of(self.destination),
            Operation::Atomic { .. } => self.fetched(),
            Operation::Syscall { .. } => RegisterSet::of(0),
            _ => RegisterSet::EMPTY,
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register(register) => write!(f, "r{register}"),
            Self::Immediate(value) => write!(f, "{value:#x}"),
        }
    }
}

impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = |width: Width| if width == Width::W32 { 32 } else { 64 };
        let destination = self.destination;
        match self.operation {
            Operation::Arithmetic(Arithmetic::Negate, width, ..) => {
                write!(f, "neg{} r{destination}", bits(width))
            }
            Operation::Arithmetic(operation, width, extension, source) => {
                let name = match operation {
                    Arithmetic::Add => "add",
                    Arithmetic::Subtract => "sub",
                    Arithmetic::ReverseSubtract => "rsub",
                    Arithmetic::Multiply => "mul",
                    Arithmetic::MultiplyHighUnsigned => "uhmul",
                    Arithmetic::MultiplyHighSigned => "shmul",
                    Arithmetic::Or => "or",
                    Arithmetic::And => "and",
                    Arithmetic::Xor => "xor",
                    Arithmetic::ShiftLeft => "lsh",
                    Arithmetic::ShiftRight => "rsh",
                    Arithmetic::ShiftRightSigned => "arsh",
                    Arithmetic::Move | Arithmetic::Negate => "mov",
                };
                let signed = width == Width::W32 && extension == Extension::Sign;
                let sign = if signed { "s" } else { "" };
                write!(f, "{name}{}{sign} r{destination}, {source}", bits(width))
            }
            Operation::Divide(division, width, source)
            | Operation::DivideTotally(division, width, source) => {
                let name = match division {
                    Division::Quotient => "div",
                    Division::Remainder => "mod",
                    Division::SignedQuotient => "sdiv",
                    Division::SignedRemainder => "srem",
                };
                write!(f, "{name}{} r{destination}, {source}", bits(width))
            }
            Operation::ByteOrder { bits, swap } => {
                write!(f, "{}{bits} r{destination}", if swap { "be" } else { "le" })
            }
            Operation::MoveSigned {
                bits: narrow,
                width,
                source,
            } => {
                write!(
                    f,
                    "movsx{narrow}to{} r{destination}, r{source}",
                    bits(width)
                )
            }
            Operation::Load {
                size,
                base,
                offset,
                extension,
            } => {
                let sign = if extension == Extension::Sign {
                    "s"
                } else {
                    ""
                };
                write!(
                    f,
                    "load{}{sign} r{destination}, [r{base}{offset:+}]",
                    size * 8
                )
            }
            Operation::Atomic {
                operation,
                fetch,
                size,
                base,
                offset,
                source,
            } => {
                let name = match operation {
                    AtomicOperation::Add => "add",
                    AtomicOperation::Or => "or",
                    AtomicOperation::And => "and",
                    AtomicOperation::Xor => "xor",
                    AtomicOperation::Exchange => "xchg",
                    AtomicOperation::CompareExchange => "cmpxchg",
                };
                let always = matches!(
                    operation,
                    AtomicOperation::Exchange | AtomicOperation::CompareExchange
                );
                let fetch = if fetch && !always { "fetch_" } else { "" };
                write!(
                    f,
                    "atomic_{fetch}{name}{} [r{base}{offset:+}], r{source}",
                    size * 8
                )
            }
            Operation::Store {
                size,
                base,
                offset,
                source,
            } => {
                write!(f, "store{} [r{base}{offset:+}], {source}", size * 8)
            }
            Operation::Jump { target } => write!(f, "ja {target}"),
            Operation::Branch {
                condition,
                width,
                source,
                target,
            } => {
                let name = match condition {
                    Condition::Equal => "jeq",
                    Condition::NotEqual => "jne",
                    Condition::AnyBit => "jset",
                    Condition::Above => "jgt",
                    Condition::AboveOrEqual => "jge",
                    Condition::Below => "jlt",
                    Condition::BelowOrEqual => "jle",
                    Condition::Greater => "jsgt",
                    Condition::GreaterOrEqual => "jsge",
                    Condition::Less => "jslt",
                    Condition::LessOrEqual => "jsle",
                };
                write!(
                    f,
                    "{name}{} r{destination}, {source}, {target}",
                    bits(width)
                )
            }
            Operation::Call { target } => write!(f, "call {target}"),
            Operation::Syscall { index } => write!(f, "syscall {index}"),
            Operation::CallRegister { register } => write!(f, "callx r{register}"),
            Operation::Exit => f.write_str("exit"),
            Operation::Raise(exception) => write!(f, "raise {exception:?}"),
            Operation::CallAndRaise(exception) => write!(f, "call then raise {exception:?}"),
        }
    }
}
