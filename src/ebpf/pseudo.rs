//! 64-bit constants that stand for something: maps, variables, code (RFC 9669, section 5.4).
//!
//! They get their values when a program is loaded. In user space maps have no file descriptors:
//! their numbers are those under which the caller gives them.

use super::{
    error::VerifyError,
    memory::{Memory, TEXT, map_address},
    options::Options,
};

/// `lddw`
const LOAD: u8 = 0x18;

/// The value that stands for a map where a program passes the map itself to a helper.
///
/// It is the address of nothing.
pub const fn map_handle(map: u32) -> u64 {
    0x7fff_ffff_0000_0000 | map as u64
}

/// The number of the map that a handle stands for.
pub(super) const fn map_of_handle(handle: u64) -> Option<u32> {
    let map = handle as u32;
    if map_handle(map) == handle {
        Some(map)
    } else {
        None
    }
}

/// Replaces all constants that stand for something by their values.
///
/// # Errors
/// When there is no such map or variable. What is no valid instruction is left to the verifier.
pub(super) fn resolve(text: &mut [u8], options: &Options) -> Result<(), VerifyError> {
    let mut pc = 0;
    while let Some(slots) = text.get_mut(8 * pc..8 * pc + 16) {
        if slots[0] != LOAD {
            pc += 1;
            continue;
        }
        let word = |at: usize| {
            i32::from_le_bytes([slots[at], slots[at + 1], slots[at + 2], slots[at + 3]])
        };
        if let Some(value) = value(pc, slots[1] >> 4, word(4), word(12), options)? {
            slots[1] &= 0x0f;
            slots[4..8].copy_from_slice(&(value as u32).to_le_bytes());
            slots[12..16].copy_from_slice(&((value >> 32) as u32).to_le_bytes());
        }
        pc += 2;
    }
    Ok(())
}

/// What a constant stands for, if it does for something.
fn value(
    pc: usize,
    source: u8,
    low: i32,
    high: i32,
    options: &Options,
) -> Result<Option<u64>, VerifyError> {
    let map = || match low as u32 {
        map if map <= Memory::GREATEST_MAP => Ok(map),
        map => Err(VerifyError::Map { pc, map }),
    };
    Ok(match (source, high) {
        (1 | 5, 0) => Some(map_handle(map()?)),
        (2 | 6, _) => Some(map_address(map()?).wrapping_add(u64::from(high as u32))),
        (3, 0) => match options.variables.get(&low) {
            Some(&value) => Some(value),
            None => return Err(VerifyError::Variable { pc, variable: low }),
        },
        (4, 0) => {
            let target = (pc as i64 + 1).wrapping_add(i64::from(low));
            Some(TEXT.wrapping_add((target as u64).wrapping_mul(8)))
        }
        _ => None,
    })
}
