//! What syscalls fail with, in agave's words.
//!
//! Variants and texts are those of agave's `SyscallError` (`syscalls/src/lib.rs`),
//! `MemoryTranslationError` and the used part of `InstructionError`: tools and tests match on them.

use std::str::Utf8Error;

/// Failures of syscalls themselves.
#[derive(Debug, thiserror::Error)]
pub(super) enum SyscallError {
    /// A string argument is not UTF-8.
    #[error("{0}: {1:?}")]
    InvalidString(Utf8Error, Vec<u8>),
    /// `abort`.
    #[error("SBF program panicked")]
    Abort,
    /// `sol_panic_`: file, line, column.
    #[error("SBF program Panicked in {0} at {1}:{2}")]
    Panic(String, u64, u64),
    /// Too many seeds, or one that is too long.
    #[error("Could not create program address with signer seeds: {0}")]
    BadSeeds(PubkeyError),
    /// Source and destination overlap.
    #[error("Overlapping copy")]
    CopyOverlapping,
    /// More return data than allowed.
    #[error("Return data too large ({0} > {1})")]
    ReturnDataTooLarge(u64, u64),
    /// More slices than one hash may have.
    #[error("Hashing too many sequences")]
    TooManySlices,
    /// A length out of range.
    #[error("InvalidLength")]
    InvalidLength,
    /// A curve or an operation that does not exist.
    #[error("InvalidAttribute")]
    InvalidAttribute,
    /// The program called a syscall that this command line does not have.
    #[error("the program called {0}, a syscall that is not available outside a validator")]
    NotAvailable(String),
}

/// Failures of address derivation (`solana-pubkey`).
#[derive(Debug, thiserror::Error)]
pub(super) enum PubkeyError {
    /// Too many seeds, or one that is too long.
    #[error("Length of the seed is too long for address generation")]
    MaxSeedLengthExceeded,
    /// The address lies on the curve.
    #[error("Provided seeds do not result in a valid address")]
    InvalidSeeds,
}

/// Failures of pointers before the memory is looked up (agave's `MemoryTranslationError`).
#[derive(Debug, thiserror::Error)]
pub(super) enum MemoryTranslationError {
    /// The host address is not aligned for the type behind it.
    #[error("Unaligned pointer")]
    UnalignedPointer,
    /// The length overflows.
    #[error("InvalidLength")]
    InvalidLength,
}

/// The part of `InstructionError` that syscalls give.
#[derive(Debug, thiserror::Error)]
pub(super) enum InstructionError {
    /// The meter ran out inside a syscall.
    #[error("Computational budget exceeded")]
    ComputationalBudgetExceeded,
    /// Offset and length overflow.
    #[error("Program arithmetic overflowed")]
    ArithmeticOverflow,
}
