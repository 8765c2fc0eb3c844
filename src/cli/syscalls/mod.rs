//! The syscalls that programs need outside a validator.
//!
//! Each does what agave's does: it charges the same compute units at the same moment, checks in
//! the same order, and fails with the same text. What needs a bank or other programs
//! (`sol_invoke_signed_*`, the stake of a vote account, …) is absent; see [`missing`].

mod address;
mod control;
mod cost;
mod curve;
mod error;
mod hashing;
mod logging;
mod memory;
mod missing;
mod return_data;
mod sysvar;
mod translate;

pub(crate) use address::find_program_address;
pub(crate) use missing::{Import, MISSING_SLOTS, known_missing};

use {
    super::context::Context,
    sbpf_cranelift::{MemoryOperation, MemorySyscall, Operation},
    solana_sbpf::{elf::ElfError, program::BuiltinProgram},
};

/// What a syscall fails with; its text becomes that of `EbpfError::SyscallError`.
type Error = Box<dyn std::error::Error>;

/// Declares a syscall: a type that implements `BuiltinFunctionDefinition<Context>`.
///
/// The arguments named are the first of the five registers r1 to r5.
macro_rules! syscall {
    ($(#[$attribute:meta])* $name:ident($context:ident $(, $argument:ident)*) $body:block) => {
        $(#[$attribute])*
        pub(super) struct $name;

        impl solana_sbpf::program::BuiltinFunctionDefinition<$crate::cli::context::Context>
            for $name
        {
            type Error = $crate::cli::syscalls::Error;

            fn rust(
                context: &mut $crate::cli::context::Context,
                first: u64,
                second: u64,
                third: u64,
                fourth: u64,
                fifth: u64,
            ) -> Result<u64, Self::Error> {
                fn body(
                    $context: &mut $crate::cli::context::Context,
                    [$($argument,)* ..]: [u64; 5],
                ) -> Result<u64, $crate::cli::syscalls::Error> {
                    $body
                }
                let arguments = [first, second, third, fourth, fifth];
                $crate::cli::context::Context::timed(context, |context| body(context, arguments))
            }
        }
    };
}
use syscall;

/// Takes `amount` compute units from the meter.
///
/// # Errors
/// `ComputationalBudgetExceeded` when there were fewer.
fn consume(context: &mut Context, amount: u64) -> Result<(), Error> {
    if context.try_consume(amount) {
        Ok(())
    } else {
        Err(error::InstructionError::ComputationalBudgetExceeded.into())
    }
}

/// What compiled code does by itself, as [`memory`] does it.
pub(crate) fn known_memory_syscalls() -> Vec<MemorySyscall> {
    [
        ("sol_memcpy_", Operation::Copy),
        ("sol_memmove_", Operation::Move),
        ("sol_memset_", Operation::Fill),
        ("sol_memcmp_", Operation::Compare),
    ]
    .map(|(name, operation)| MemorySyscall {
        name: name.to_string(),
        operation: MemoryOperation {
            operation,
            base_cost: cost::MEM_OP_BASE_COST,
            bytes_per_unit: cost::CPI_BYTES_PER_UNIT,
        },
    })
    .into()
}

/// Registers every syscall there is, and one that fails by name for each of `missing`.
///
/// # Errors
/// When two names have the same hash.
pub(crate) fn register(
    loader: &mut BuiltinProgram<Context>,
    missing: &[String],
) -> Result<(), ElfError> {
    loader.register_definition::<control::Abort>("abort")?;
    loader.register_definition::<control::Panic>("sol_panic_")?;
    loader.register_definition::<control::AllocFree>("sol_alloc_free_")?;
    loader.register_definition::<control::StackHeight>("sol_get_stack_height")?;
    loader.register_definition::<control::RemainingUnits>("sol_remaining_compute_units")?;

    loader.register_definition::<logging::Log>("sol_log_")?;
    loader.register_definition::<logging::Log64>("sol_log_64_")?;
    loader.register_definition::<logging::LogPubkey>("sol_log_pubkey")?;
    loader.register_definition::<logging::LogComputeUnits>("sol_log_compute_units_")?;
    loader.register_definition::<logging::LogData>("sol_log_data")?;

    loader.register_definition::<memory::Memcpy>("sol_memcpy_")?;
    loader.register_definition::<memory::Memmove>("sol_memmove_")?;
    loader.register_definition::<memory::Memset>("sol_memset_")?;
    loader.register_definition::<memory::Memcmp>("sol_memcmp_")?;

    loader.register_definition::<hashing::Sha256>("sol_sha256")?;
    loader.register_definition::<hashing::Keccak256>("sol_keccak256")?;
    loader.register_definition::<hashing::Blake3>("sol_blake3")?;

    loader.register_definition::<address::Create>("sol_create_program_address")?;
    loader.register_definition::<address::TryFind>("sol_try_find_program_address")?;

    loader.register_definition::<curve::ValidatePoint>("sol_curve_validate_point")?;
    loader.register_definition::<curve::GroupOperation>("sol_curve_group_op")?;
    loader.register_definition::<curve::MultiscalarMultiply>("sol_curve_multiscalar_mul")?;

    loader.register_definition::<sysvar::Clock>("sol_get_clock_sysvar")?;
    loader.register_definition::<sysvar::Rent>("sol_get_rent_sysvar")?;
    loader.register_definition::<sysvar::EpochSchedule>("sol_get_epoch_schedule_sysvar")?;
    loader.register_definition::<sysvar::EpochRewards>("sol_get_epoch_rewards_sysvar")?;
    loader.register_definition::<sysvar::LastRestartSlot>("sol_get_last_restart_slot")?;
    loader.register_definition::<sysvar::Slice>("sol_get_sysvar")?;

    loader.register_definition::<return_data::Set>("sol_set_return_data")?;
    loader.register_definition::<return_data::Get>("sol_get_return_data")?;

    missing::register(loader, missing)
}
