//! Copying, filling and comparing memory (agave's `syscalls/src/mem_ops.rs`).

use {
    super::{
        Error, consume,
        cost::{CPI_BYTES_PER_UNIT, MEM_OP_BASE_COST},
        error::SyscallError,
        syscall, translate,
    },
    crate::cli::context::Context,
};

/// Charges for an operation on `length` bytes.
///
/// # Errors
/// When the meter runs out.
fn charge(context: &mut Context, length: u64) -> Result<(), Error> {
    consume(context, MEM_OP_BASE_COST.max(length / CPI_BYTES_PER_UNIT))
}

/// Whether two ranges have no byte in common; the lengths may run past the address space.
pub(super) fn is_nonoverlapping(
    first: u64,
    first_length: u64,
    second: u64,
    second_length: u64,
) -> bool {
    if first > second {
        first.saturating_sub(second) >= second_length
    } else {
        second.saturating_sub(first) >= first_length
    }
}

syscall! {
    /// `sol_memcpy_(destination, source, length)`: ranges that overlap are an error.
    Memcpy(context, destination, source, length) {
        charge(context, length)?;
        if !is_nonoverlapping(source, length, destination, length) {
            return Err(SyscallError::CopyOverlapping.into());
        }
        translate::copy(context, destination, source, length)?;
        Ok(0)
    }
}

syscall! {
    /// `sol_memmove_(destination, source, length)`.
    Memmove(context, destination, source, length) {
        charge(context, length)?;
        translate::copy(context, destination, source, length)?;
        Ok(0)
    }
}

syscall! {
    /// `sol_memset_(destination, value, length)`: the low byte of the value counts.
    Memset(context, destination, value, length) {
        charge(context, length)?;
        translate::fill(context, destination, length, value as u8)?;
        Ok(0)
    }
}

syscall! {
    /// `sol_memcmp_(first, second, length, result)`: writes the difference of the first two bytes
    /// that differ as an `i32`, or zero.
    Memcmp(context, first, second, length, result) {
        charge(context, length)?;
        let first = translate::read(context, first, length)?;
        let second = translate::read(context, second, length)?;
        let difference = first
            .iter()
            .zip(&second)
            .find(|(left, right)| left != right)
            .map_or(0, |(left, right)| i32::from(*left) - i32::from(*right));
        translate::write(context, result, &difference.to_le_bytes(), align_of::<i32>())?;
        Ok(0)
    }
}
