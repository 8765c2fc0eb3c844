//! Program addresses: derived from seeds, and off the curve so that nobody has their key.
//!
//! The derivation is `Pubkey::create_program_address` of `solana-pubkey`.

use {
    super::{
        Error, consume,
        cost::CREATE_PROGRAM_ADDRESS_UNITS,
        error::{PubkeyError, SyscallError},
        memory::is_nonoverlapping,
        syscall, translate,
    },
    crate::cli::{
        context::Context,
        pubkey::{PUBKEY_BYTES, Pubkey},
    },
    curve25519_dalek::edwards::CompressedEdwardsY,
    sha2::{Digest as _, Sha256},
};

/// Seeds that an address may have.
const MAX_SEEDS: usize = 16;
/// Bytes that a seed may have.
const MAX_SEED_LENGTH: u64 = 32;
/// What is hashed after the seeds and the program's address.
const MARKER: &[u8] = b"ProgramDerivedAddress";

/// Derives an address from `seeds` for `program`.
///
/// # Errors
/// Too many or too long seeds, or an address on the curve.
fn create(seeds: &[Vec<u8>], program: &Pubkey) -> Result<Pubkey, PubkeyError> {
    let too_long = |seed: &Vec<u8>| seed.len() as u64 > MAX_SEED_LENGTH;
    if seeds.len() > MAX_SEEDS || seeds.iter().any(too_long) {
        return Err(PubkeyError::MaxSeedLengthExceeded);
    }
    let mut hasher = Sha256::new();
    for seed in seeds {
        hasher.update(seed);
    }
    hasher.update(program.0);
    hasher.update(MARKER);
    let hash: [u8; PUBKEY_BYTES] = hasher.finalize().into();
    if CompressedEdwardsY(hash).decompress().is_some() {
        return Err(PubkeyError::InvalidSeeds);
    }
    Ok(Pubkey(hash))
}

/// The address that `program` derives from `seeds` and the largest bump seed that gives one, which
/// is returned too.
pub(crate) fn find_program_address(seeds: &[Vec<u8>], program: &Pubkey) -> Option<(Pubkey, u8)> {
    (1..=u8::MAX).rev().find_map(|bump| {
        let seeds = [seeds, &[vec![bump]]].concat();
        create(&seeds, program).ok().map(|address| (address, bump))
    })
}

/// Reads the seeds and the program's address.
///
/// # Errors
/// `BadSeeds`, or memory that is not the program's.
fn read_inputs(
    context: &Context,
    seeds: u64,
    count: u64,
    program: u64,
) -> Result<(Vec<Vec<u8>>, Pubkey), Error> {
    let slices = translate::read_slices(context, seeds, count)?;
    let bad_seeds = || SyscallError::BadSeeds(PubkeyError::MaxSeedLengthExceeded).into();
    if slices.len() > MAX_SEEDS {
        return Err(bad_seeds());
    }
    let mut seeds = Vec::with_capacity(slices.len());
    for slice in slices {
        if slice.length > MAX_SEED_LENGTH {
            return Err(bad_seeds());
        }
        seeds.push(translate::read(context, slice.address, slice.length)?);
    }
    let program = translate::read_pubkey(context, program)?;
    Ok((seeds, program))
}

syscall! {
    /// `sol_create_program_address(seeds, count, program, result)`: 0, or 1 when these seeds give
    /// no address.
    Create(context, seeds, count, program, result) {
        consume(context, CREATE_PROGRAM_ADDRESS_UNITS)?;
        let (seeds, program) = read_inputs(context, seeds, count, program)?;
        let Ok(address) = create(&seeds, &program) else {
            return Ok(1);
        };
        translate::write(context, result, &address.0, 1)?;
        Ok(0)
    }
}

syscall! {
    /// `sol_try_find_program_address(seeds, count, program, result, bump)`: tries bump seeds from
    /// 255 down to 1, each for the price of a creation; 0, or 1 when none gives an address.
    TryFind(context, seeds, count, program, result, bump) {
        consume(context, CREATE_PROGRAM_ADDRESS_UNITS)?;
        let (mut seeds, program) = read_inputs(context, seeds, count, program)?;
        let bump_position = seeds.len();
        seeds.push(vec![u8::MAX]);
        for bump_seed in (1..=u8::MAX).rev() {
            seeds[bump_position] = vec![bump_seed];
            if let Ok(address) = create(&seeds, &program) {
                translate::check_writable(context, bump, 1, 1)?;
                translate::check_writable(context, result, PUBKEY_BYTES as u64, 1)?;
                if !is_nonoverlapping(bump, 1, result, PUBKEY_BYTES as u64) {
                    return Err(SyscallError::CopyOverlapping.into());
                }
                translate::write(context, bump, &[bump_seed], 1)?;
                translate::write(context, result, &address.0, 1)?;
                return Ok(0);
            }
            consume(context, CREATE_PROGRAM_ADDRESS_UNITS)?;
        }
        Ok(1)
    }
}
