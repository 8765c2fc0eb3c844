//! What a program means by the value it returns.

/// Names of the runtime's own errors, from 2 on: `ProgramError` of `solana-program-error`, whose
/// code is in the upper 32 bits of r0.
const RUNTIME_ERRORS: [&str; 25] = [
    "InvalidArgument",
    "InvalidInstructionData",
    "InvalidAccountData",
    "AccountDataTooSmall",
    "InsufficientFunds",
    "IncorrectProgramId",
    "MissingRequiredSignature",
    "AccountAlreadyInitialized",
    "UninitializedAccount",
    "NotEnoughAccountKeys",
    "AccountBorrowFailed",
    "MaxSeedLengthExceeded",
    "InvalidSeeds",
    "BorshIoError",
    "AccountNotRentExempt",
    "UnsupportedSysvar",
    "IllegalOwner",
    "MaxAccountsDataAllocationsExceeded",
    "InvalidRealloc",
    "MaxInstructionTraceLengthExceeded",
    "BuiltinProgramsMustConsumeComputeUnits",
    "InvalidAccountOwner",
    "ArithmeticOverflow",
    "Immutable",
    "IncorrectAuthority",
];

/// The error that `r0`, returned by a program, stands for; none when it is zero.
pub(crate) fn name(r0: u64) -> Option<String> {
    let (runtime, custom) = (r0 >> 32, r0 as u32);
    let known = usize::try_from(runtime)
        .ok()
        .and_then(|code| code.checked_sub(2))
        .and_then(|index| RUNTIME_ERRORS.get(index))
        .filter(|_| custom == 0);
    match (r0, known) {
        (0, _) => None,
        (_, Some(name)) => Some((*name).to_string()),
        // The code 1 stands for a custom error of zero, which could not be told from success.
        (0x1_0000_0000, None) => Some("custom program error 0x0".to_string()),
        (_, None) => Some(format!("custom program error {custom:#x}")),
    }
}
