//! Reading clock, rent and the other sysvars (agave's `syscalls/src/sysvar.rs`).

use {
    super::{
        Error, consume,
        cost::{CPI_BYTES_PER_UNIT, MEM_OP_BASE_COST, SYSVAR_BASE_COST},
        error::InstructionError,
        syscall, translate,
    },
    crate::cli::{
        context::Context,
        pubkey::PUBKEY_BYTES,
        sysvars::{Layout, Sysvars},
    },
};

/// `sol_get_sysvar`: there is no such sysvar.
const SYSVAR_NOT_FOUND: u64 = 2;
/// `sol_get_sysvar`: the slice runs past the sysvar's end.
const OFFSET_LENGTH_EXCEEDS_SYSVAR: u64 = 1;

/// Writes the struct that `layout` makes of the sysvars to `address`.
///
/// # Errors
/// The meter, or memory that is not the program's or not aligned.
fn get(context: &mut Context, address: u64, layout: fn(&Sysvars) -> Layout) -> Result<u64, Error> {
    let Layout { bytes, align } = layout(&context.environment.sysvars);
    consume(context, SYSVAR_BASE_COST.saturating_add(bytes.len() as u64))?;
    translate::write(context, address, &bytes, align)?;
    Ok(0)
}

syscall! {
    /// `sol_get_clock_sysvar(result)`.
    Clock(context, address) { get(context, address, Sysvars::clock_layout) }
}

syscall! {
    /// `sol_get_rent_sysvar(result)`.
    Rent(context, address) { get(context, address, Sysvars::rent_layout) }
}

syscall! {
    /// `sol_get_epoch_schedule_sysvar(result)`.
    EpochSchedule(context, address) { get(context, address, Sysvars::epoch_schedule_layout) }
}

syscall! {
    /// `sol_get_epoch_rewards_sysvar(result)`.
    EpochRewards(context, address) { get(context, address, Sysvars::epoch_rewards_layout) }
}

syscall! {
    /// `sol_get_last_restart_slot(result)`.
    LastRestartSlot(context, address) { get(context, address, Sysvars::last_restart_slot_layout) }
}

syscall! {
    /// `sol_get_sysvar(id, result, offset, length)`: a slice of a sysvar's packed bytes. The order
    /// of the checks is SIMD-0127's.
    Slice(context, id, result, offset, length) {
        let id_cost = PUBKEY_BYTES as u64 / CPI_BYTES_PER_UNIT;
        let copy_cost = MEM_OP_BASE_COST.max(length / CPI_BYTES_PER_UNIT);
        consume(
            context,
            SYSVAR_BASE_COST.saturating_add(id_cost).saturating_add(copy_cost),
        )?;
        translate::check_writable(context, result, length, 1)?;
        let id = translate::read_pubkey(context, id)?;
        let end = offset
            .checked_add(length)
            .ok_or(InstructionError::ArithmeticOverflow)?;
        result
            .checked_add(length)
            .ok_or(InstructionError::ArithmeticOverflow)?;
        let Some(bytes) = context.environment.sysvars.packed(&id) else {
            return Ok(SYSVAR_NOT_FOUND);
        };
        let range = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
        let Some(part) = range.and_then(|(offset, end)| bytes.get(offset..end)) else {
            return Ok(OFFSET_LENGTH_EXCEEDS_SYSVAR);
        };
        translate::write(context, result, part, 1)?;
        Ok(0)
    }
}
