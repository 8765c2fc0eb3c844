//! Two shifts put together: a rotation if they fit, and what they are if they do not.

use crate::{agreement::Case, assembly::*};

const VALUE: u64 = 0x8123_4567_89ab_cdef;

/// What shifts of two values and their combination come to. Opcodes are those with 32 bits; 3 more is 64.
fn combined(width: u32, [up, down]: [u32; 2], [left, right]: [u64; 2], opcode: u8) -> u64 {
    let (left, right) = match width {
        64 => (left << up, right >> down),
        _ => (
            u64::from((left as u32) << up),
            u64::from(right as u32 >> down),
        ),
    };
    let sum = match opcode {
        0x4c => left | right,
        0xac => left ^ right,
        _ => left.wrapping_add(right),
    };
    match width {
        64 => sum,
        _ => u64::from(sum as u32),
    }
}

fn check(width: u32, amounts: [u32; 2], other: i32, opcode: u8, swaps: bool) {
    let wide = if width == 64 { 3 } else { 0 };
    let [up, down] = amounts.map(|amount| amount as i32);
    let (first, second) = if swaps { (3, 2) } else { (2, 3) };
    let text = [
        &constant(2, 0, VALUE)[..],
        &[
            copy(3, 2),
            insn(0x07, 3, 0, 0, other),
            insn(0x64 | wide, 2, 0, 0, up),
            insn(0x74 | wide, 3, 0, 0, down),
            insn(opcode | wide, first, second, 0, 0),
            copy(0, first),
            EXIT,
        ],
    ]
    .concat();
    let values = [VALUE, VALUE.wrapping_add(other as u64)];
    let expected = combined(width, amounts, values, opcode);
    let found = Case::new(&text, Vec::new()).result();
    assert_eq!(
        found, expected,
        "{width} {amounts:?} {other} {opcode:#x} {swaps}"
    );
}

/// The same without the instruction that may change the other value, so that both are one.
fn check_same(width: u32, amounts: [u32; 2], opcode: u8) {
    let wide = if width == 64 { 3 } else { 0 };
    let [up, down] = amounts.map(|amount| amount as i32);
    let text = [
        &constant(2, 0, VALUE)[..],
        &[
            copy(0, 2),
            insn(0x64 | wide, 2, 0, 0, up),
            insn(0x74 | wide, 0, 0, 0, down),
            insn(opcode | wide, 0, 2, 0, 0),
            EXIT,
        ],
    ]
    .concat();
    let expected = combined(width, amounts, [VALUE; 2], opcode);
    let found = Case::new(&text, Vec::new()).result();
    assert_eq!(found, expected, "{width} {amounts:?} {opcode:#x}");
}

#[test]
fn shifts_that_are_a_rotation_and_others() {
    for width in [64, 32] {
        for opcode in [0x4c, 0xac, 0x0c] {
            for up in 0..width {
                check_same(width, [up, (width - up) % width], opcode);
            }
            for amounts in [[8, 8], [13, width - 12], [1, 1], [width - 1, width - 1]] {
                check_same(width, amounts, opcode);
            }
            for other in [0, 1] {
                check(width, [13, width - 13], other, opcode, false);
                check(width, [7, width - 7], other, opcode, true);
            }
        }
    }
}

#[test]
fn signed_shifts_are_no_part_of_a_rotation() {
    let text = [
        &constant(2, 0, VALUE)[..],
        &[
            copy(0, 2),
            insn(0x67, 2, 0, 0, 13),
            insn(0xc7, 0, 0, 0, 51),
            insn(0x4f, 0, 2, 0, 0),
            EXIT,
        ],
    ]
    .concat();
    let expected = VALUE << 13 | (VALUE as i64 >> 51) as u64;
    assert_eq!(Case::new(&text, Vec::new()).result(), expected);
}

#[test]
fn shifts_there_and_back() {
    for value in [VALUE, !VALUE, 0x7fff_8080] {
        for up in 0..64 {
            for down in [up, (up + 1) % 64, 32, 48, 56] {
                for (opcode, is_signed) in [(0x77, false), (0xc7, true)] {
                    let text = [
                        &constant(0, 0, value)[..],
                        &[insn(0x67, 0, 0, 0, up), insn(opcode, 0, 0, 0, down), EXIT],
                    ]
                    .concat();
                    let expected = match is_signed {
                        true => ((value << up) as i64 >> down) as u64,
                        false => (value << up) >> down,
                    };
                    let found = Case::new(&text, Vec::new()).result();
                    assert_eq!(found, expected, "{value:#x} {up} {down} {is_signed}");
                }
            }
        }
    }
}
