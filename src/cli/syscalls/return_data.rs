//! Data that a program hands to its caller.

use {
    super::{
        consume,
        cost::{CPI_BYTES_PER_UNIT, SYSCALL_BASE_COST},
        error::SyscallError,
        memory::is_nonoverlapping,
        syscall, translate,
    },
    crate::cli::pubkey::PUBKEY_BYTES,
};

/// Bytes of return data allowed (`solana-cpi`).
const MAX_RETURN_DATA: u64 = 1_024;

syscall! {
    /// `sol_set_return_data(bytes, length)`.
    Set(context, address, length) {
        consume(context, (length / CPI_BYTES_PER_UNIT).saturating_add(SYSCALL_BASE_COST))?;
        if length > MAX_RETURN_DATA {
            return Err(SyscallError::ReturnDataTooLarge(length, MAX_RETURN_DATA).into());
        }
        let bytes = translate::read(context, address, length)?;
        context.return_data = (context.environment.program_id, bytes);
        Ok(0)
    }
}

syscall! {
    /// `sol_get_return_data(result, length, program)`: copies as much as fits and returns the
    /// whole length.
    Get(context, result, length, program) {
        consume(context, SYSCALL_BASE_COST)?;
        let whole = context.return_data.1.len() as u64;
        let length = length.min(whole);
        if length != 0 {
            let pubkey_bytes = PUBKEY_BYTES as u64;
            consume(context, length.saturating_add(pubkey_bytes) / CPI_BYTES_PER_UNIT)?;
            translate::check_writable(context, result, length, 1)?;
            translate::check_writable(context, program, pubkey_bytes, 1)?;
            if !is_nonoverlapping(result, length, program, pubkey_bytes) {
                return Err(SyscallError::CopyOverlapping.into());
            }
            let (setter, bytes) = &context.return_data;
            let part = bytes.get(..length as usize).unwrap_or_default();
            translate::write(context, result, part, 1)?;
            translate::write(context, program, &setter.0, 1)?;
        }
        Ok(whole)
    }
}
