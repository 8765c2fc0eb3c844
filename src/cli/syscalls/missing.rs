//! Syscalls that a program imports and that are not available here.
//!
//! Such a program still loads and runs; only calling one is an error, which names it. A builtin is
//! a plain `fn` without captured state, so each missing name gets one of [`MISSING_SLOTS`]
//! functions that differ in a constant, and the name is looked up in the context by that constant.

use {
    super::{Error, error::SyscallError},
    crate::cli::context::Context,
    solana_sbpf::{
        elf::ElfError,
        program::{BuiltinCodegen, BuiltinFunction, BuiltinFunctionDefinition, BuiltinProgram},
    },
};

/// A syscall that fails with the name in slot `SLOT` of the context.
struct Missing<const SLOT: usize>;

impl<const SLOT: usize> BuiltinFunctionDefinition<Context> for Missing<SLOT> {
    type Error = Error;

    fn rust(
        context: &mut Context,
        _first: u64,
        _second: u64,
        _third: u64,
        _fourth: u64,
        _fifth: u64,
    ) -> Result<u64, Error> {
        let name = context.environment.missing_syscalls.get(SLOT).cloned();
        Err(SyscallError::NotAvailable(name.unwrap_or_default()).into())
    }
}

/// A name that a program imports.
pub(crate) type Import = String;

/// The two functions that make a builtin.
type Entry = (BuiltinFunction<Context>, BuiltinCodegen<Context>);

/// The functions of eight slots from `$first` on.
macro_rules! eight_slots {
    ($($first:literal)*) => {
        [$(
            slot::<$first>(),
            slot::<{ $first + 1 }>(),
            slot::<{ $first + 2 }>(),
            slot::<{ $first + 3 }>(),
            slot::<{ $first + 4 }>(),
            slot::<{ $first + 5 }>(),
            slot::<{ $first + 6 }>(),
            slot::<{ $first + 7 }>(),
        )*]
    };
}

/// The functions of one slot.
fn slot<const SLOT: usize>() -> Entry {
    (Missing::<SLOT>::vm, Missing::<SLOT>::codegen)
}

/// How many missing syscalls can be told apart.
pub(crate) const MISSING_SLOTS: usize = 64;

/// The functions of all slots.
fn slots() -> [Entry; MISSING_SLOTS] {
    eight_slots!(0 8 16 24 32 40 48 56)
}

/// Registers `names`, each in the slot of its position; those beyond the last slot stay unknown.
///
/// # Errors
/// When two names have the same hash.
pub(super) fn register(
    loader: &mut BuiltinProgram<Context>,
    names: &[Import],
) -> Result<(), ElfError> {
    names
        .iter()
        .zip(slots())
        .try_for_each(|(name, entry)| loader.register_function(name, entry))
}

/// Syscalls of agave that are not available here.
///
/// They are always registered: the text of a V3 program holds only the hash of a syscall's name,
/// so an unknown one could not be reported by name, and the verifier would refuse the program.
pub(crate) fn known_missing() -> Vec<Import> {
    [
        "sol_invoke_signed_c",
        "sol_invoke_signed_rust",
        "sol_get_processed_sibling_instruction",
        "sol_get_fees_sysvar",
        "sol_get_epoch_stake",
        "sol_secp256k1_recover",
        "sol_alt_bn128_group_op",
        "sol_alt_bn128_compression",
        "sol_big_mod_exp",
        "sol_poseidon",
        "sol_curve_decompress",
        "sol_curve_pairing_map",
    ]
    .map(str::to_string)
    .to_vec()
}
