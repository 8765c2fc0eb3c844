//! Hashes over a list of slices (agave's `SyscallHash`).

use {
    super::{
        Error, consume,
        cost::{MEM_OP_BASE_COST, SHA256_BASE_COST, SHA256_BYTE_COST, SHA256_MAX_SLICES},
        error::SyscallError,
        syscall, translate,
    },
    crate::cli::context::Context,
    sha2::Digest as _,
};

/// Bytes of every hash here.
const HASH_BYTES: usize = 32;

/// Hashes the slices with `update` and `finish` of a hasher in `state`.
///
/// The destination is checked before any slice is read, and written last.
///
/// # Errors
/// `TooManySlices`, the meter, or memory that is not the program's.
fn hash<State>(
    context: &mut Context,
    name: &str,
    [slices, count, result]: [u64; 3],
    mut state: State,
    update: impl Fn(&mut State, &[u8]),
    finish: impl FnOnce(State) -> [u8; HASH_BYTES],
) -> Result<u64, Error> {
    if SHA256_MAX_SLICES < count {
        context.write_log(format!(
            "{name} Hashing {count} sequences in one syscall is over the limit {SHA256_MAX_SLICES}"
        ));
        return Err(SyscallError::TooManySlices.into());
    }
    consume(context, SHA256_BASE_COST)?;
    translate::check_writable(context, result, HASH_BYTES as u64, 1)?;
    for slice in translate::read_slices(context, slices, count)? {
        let bytes = translate::read(context, slice.address, slice.length)?;
        let cost = SHA256_BYTE_COST.saturating_mul(slice.length / 2);
        consume(context, MEM_OP_BASE_COST.max(cost))?;
        update(&mut state, &bytes);
    }
    translate::write(context, result, &finish(state), 1)?;
    Ok(0)
}

syscall! {
    /// `sol_sha256(slices, count, result)`.
    Sha256(context, slices, count, result) {
        hash(
            context,
            "Sha256",
            [slices, count, result],
            sha2::Sha256::new(),
            |state, bytes| state.update(bytes),
            |state| state.finalize().into(),
        )
    }
}

syscall! {
    /// `sol_keccak256(slices, count, result)`: Keccak with its original padding, not SHA-3.
    Keccak256(context, slices, count, result) {
        hash(
            context,
            "Keccak256",
            [slices, count, result],
            sha3::Keccak256::new(),
            |state, bytes| state.update(bytes),
            |state| state.finalize().into(),
        )
    }
}

syscall! {
    /// `sol_blake3(slices, count, result)`.
    Blake3(context, slices, count, result) {
        hash(
            context,
            "Blake3",
            [slices, count, result],
            blake3::Hasher::new(),
            |state, bytes| {
                state.update(bytes);
            },
            |state| *state.finalize().as_bytes(),
        )
    }
}
