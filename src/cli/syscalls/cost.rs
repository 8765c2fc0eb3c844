//! What syscalls cost in compute units.
//!
//! The values are the defaults of agave's `SVMTransactionExecutionCost` and
//! `SVMTransactionExecutionBudget` (`program-runtime/src/execution_budget.rs`), whose field names
//! are kept.

/// A syscall that does no work.
pub(super) const SYSCALL_BASE_COST: u64 = 100;
/// `sol_log_64_`.
pub(super) const LOG_64_UNITS: u64 = 100;
/// `sol_log_pubkey`.
pub(super) const LOG_PUBKEY_UNITS: u64 = 100;
/// One try at a program address.
pub(super) const CREATE_PROGRAM_ADDRESS_UNITS: u64 = 1_500;
/// A hash before its first byte; the same for all three hashes.
pub(super) const SHA256_BASE_COST: u64 = 85;
/// Two bytes of a hash.
pub(super) const SHA256_BYTE_COST: u64 = 1;
/// Slices that one hash may be made of.
pub(super) const SHA256_MAX_SLICES: u64 = 20_000;
/// Bytes copied for one unit.
pub(super) const CPI_BYTES_PER_UNIT: u64 = 250;
/// Reading a sysvar, before its bytes.
pub(super) const SYSVAR_BASE_COST: u64 = 100;
/// The least a memory operation costs.
pub(super) const MEM_OP_BASE_COST: u64 = 10;

/// Costs of one curve's operations.
pub(super) struct CurveCost {
    /// Validating a point.
    pub(super) validate_point: u64,
    /// Adding two points.
    pub(super) add: u64,
    /// Subtracting two points.
    pub(super) subtract: u64,
    /// Multiplying a point by a scalar.
    pub(super) multiply: u64,
    /// A multiscalar multiplication with one point.
    pub(super) msm_base: u64,
    /// Each further point of it.
    pub(super) msm_incremental: u64,
}

/// Curve25519 in Edwards form.
pub(super) const EDWARDS: CurveCost = CurveCost {
    validate_point: 159,
    add: 473,
    subtract: 475,
    multiply: 2_177,
    msm_base: 2_273,
    msm_incremental: 758,
};

/// Ristretto.
pub(super) const RISTRETTO: CurveCost = CurveCost {
    validate_point: 169,
    add: 521,
    subtract: 519,
    multiply: 2_208,
    msm_base: 2_303,
    msm_incremental: 788,
};
