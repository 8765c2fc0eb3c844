//! Every instruction of RFC 9669 on edge operands, against its definition in the RFC's tables.

use crate::{agreement::Case, assembly::*};

/// Operands at which something changes.
const OPERANDS: [u64; 22] = [
    0,
    1,
    2,
    3,
    7,
    31,
    32,
    33,
    63,
    64,
    0x7f,
    0x80,
    0x8000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_8000_0000,
    0xffff_ffff_ffff_ffff,
    0x1234_5678_9abc_def0,
];

/// Immediates at which something changes.
const IMMEDIATES: [i32; 14] = [
    0,
    1,
    2,
    3,
    31,
    32,
    63,
    64,
    0x7f,
    0x1234_5678,
    i32::MAX,
    i32::MIN,
    -1,
    -2,
];

/// Binary operations: code, offset field, and the definition for 64 and for 32 bits.
type Definition = (
    &'static str,
    u8,
    i16,
    fn(u64, u64) -> u64,
    fn(u32, u32) -> u32,
);

const BINARY: [Definition; 14] = [
    ("add", 0x00, 0, u64::wrapping_add, u32::wrapping_add),
    ("sub", 0x10, 0, u64::wrapping_sub, u32::wrapping_sub),
    ("mul", 0x20, 0, u64::wrapping_mul, u32::wrapping_mul),
    (
        "div",
        0x30,
        0,
        |a, b| a.checked_div(b).unwrap_or(0),
        |a, b| a.checked_div(b).unwrap_or(0),
    ),
    (
        "sdiv",
        0x30,
        1,
        |a, b| {
            if b == 0 {
                0
            } else {
                (a as i64).wrapping_div(b as i64) as u64
            }
        },
        |a, b| {
            if b == 0 {
                0
            } else {
                (a as i32).wrapping_div(b as i32) as u32
            }
        },
    ),
    ("or", 0x40, 0, |a, b| a | b, |a, b| a | b),
    ("and", 0x50, 0, |a, b| a & b, |a, b| a & b),
    ("lsh", 0x60, 0, |a, b| a << (b & 63), |a, b| a << (b & 31)),
    ("rsh", 0x70, 0, |a, b| a >> (b & 63), |a, b| a >> (b & 31)),
    (
        "mod",
        0x90,
        0,
        |a, b| a.checked_rem(b).unwrap_or(a),
        |a, b| a.checked_rem(b).unwrap_or(a),
    ),
    (
        "smod",
        0x90,
        1,
        |a, b| {
            if b == 0 {
                a
            } else {
                (a as i64).wrapping_rem(b as i64) as u64
            }
        },
        |a, b| {
            if b == 0 {
                a
            } else {
                (a as i32).wrapping_rem(b as i32) as u32
            }
        },
    ),
    ("xor", 0xa0, 0, |a, b| a ^ b, |a, b| a ^ b),
    ("mov", 0xb0, 0, |_, b| b, |_, b| b),
    (
        "arsh",
        0xc0,
        0,
        |a, b| ((a as i64) >> (b & 63)) as u64,
        |a, b| ((a as i32) >> (b & 31)) as u32,
    ),
];

/// Runs `body` on r1 and r2 of all pairs, which must be `expected` in r1 afterwards. The body must
/// leave r6 to r9 alone.
fn check(name: &str, body: &[[u8; 8]], pairs: &[(u64, u64)], expected: impl Fn(u64, u64) -> u64) {
    let mut text = vec![copy(6, 1), copy(7, 1), insn(0x0f, 7, 2, 0, 0)];
    text.extend(constant(8, 2, 0));
    text.extend([insn(0x79, 1, 6, 0, 0), insn(0x79, 2, 6, 8, 0)]);
    text.extend(body);
    text.extend([
        insn(0x7b, 8, 1, 0, 0),
        insn(0x07, 8, 0, 0, 8),
        insn(0x07, 6, 0, 0, 16),
        insn(0xad, 6, 7, -(body.len() as i16) - 6, 0),
        EXIT,
    ]);
    let context = pairs
        .iter()
        .flat_map(|(a, b)| [a.to_le_bytes(), b.to_le_bytes()]);
    let mut case = Case::new(&text, context.flatten().collect());
    case.map = vec![0; 8 * pairs.len()];
    let observed = case.agree(1 << 20);
    assert!(
        observed.outcome.result.is_ok(),
        "{name}: {:?}",
        observed.outcome
    );
    for ((a, b), word) in pairs.iter().zip(observed.map.as_chunks::<8>().0) {
        let (found, expected) = (u64::from_le_bytes(*word), expected(*a, *b));
        assert_eq!(
            found, expected,
            "{name} of {a:#x} and {b:#x}: {found:#x}, not {expected:#x}"
        );
    }
}

fn pairs() -> Vec<(u64, u64)> {
    OPERANDS
        .iter()
        .flat_map(|a| OPERANDS.map(|b| (*a, b)))
        .collect()
}

fn singles() -> Vec<(u64, u64)> {
    OPERANDS.map(|a| (a, 0)).to_vec()
}

#[test]
fn arithmetic_with_a_register() {
    for (name, code, offset, wide, narrow) in BINARY {
        check(name, &[insn(code | 0x0f, 1, 2, offset, 0)], &pairs(), wide);
        let zero_extended = |a, b| u64::from(narrow(a as u32, b as u32));
        check(
            name,
            &[insn(code | 0x0c, 1, 2, offset, 0)],
            &pairs(),
            zero_extended,
        );
        // Both operands in one register.
        check(
            name,
            &[insn(code | 0x0f, 1, 1, offset, 0)],
            &singles(),
            |a, _| wide(a, a),
        );
    }
}

#[test]
fn arithmetic_with_an_immediate() {
    for (name, code, offset, wide, narrow) in BINARY {
        for immediate in IMMEDIATES {
            let body = [insn(code | 0x07, 1, 0, offset, immediate)];
            check(name, &body, &singles(), |a, _| {
                wide(a, i64::from(immediate) as u64)
            });
            let body = [insn(code | 0x04, 1, 0, offset, immediate)];
            let expected = |a, _| u64::from(narrow(a as u32, immediate as u32));
            check(name, &body, &singles(), expected);
        }
    }
}

#[test]
fn negation_and_sign_extension() {
    check("neg64", &[insn(0x87, 1, 0, 0, 0)], &singles(), |a, _| {
        a.wrapping_neg()
    });
    let neg32 = |a, _| u64::from((a as u32).wrapping_neg());
    check("neg32", &[insn(0x84, 1, 0, 0, 0)], &singles(), neg32);
    type Extension = (i16, fn(u64) -> i64);
    let wide: [Extension; 3] = [
        (8, |a| i64::from(a as i8)),
        (16, |a| i64::from(a as i16)),
        (32, |a| i64::from(a as i32)),
    ];
    for (bits, extend) in wide {
        let body = [copy(2, 1), insn(0xbf, 1, 2, bits, 0)];
        check("movsx64", &body, &singles(), |a, _| extend(a) as u64);
        if bits < 32 {
            let body = [copy(2, 1), insn(0xbc, 1, 2, bits, 0)];
            check("movsx32", &body, &singles(), |a, _| {
                u64::from(extend(a) as u32)
            });
        }
    }
}

#[test]
fn byte_order() {
    type Definition = (u8, i32, fn(u64) -> u64);
    let definitions: [Definition; 9] = [
        (0xd4, 16, |a| u64::from(a as u16)),
        (0xd4, 32, |a| u64::from(a as u32)),
        (0xd4, 64, |a| a),
        (0xdc, 16, |a| u64::from((a as u16).to_be())),
        (0xdc, 32, |a| u64::from((a as u32).to_be())),
        (0xdc, 64, |a| a.to_be()),
        (0xd7, 16, |a| u64::from((a as u16).swap_bytes())),
        (0xd7, 32, |a| u64::from((a as u32).swap_bytes())),
        (0xd7, 64, |a| a.swap_bytes()),
    ];
    for (opcode, bits, definition) in definitions {
        let body = [insn(opcode, 1, 0, 0, bits)];
        check("byte order", &body, &singles(), |a, _| definition(a));
    }
}

#[test]
fn constants() {
    for value in OPERANDS {
        check("lddw", &constant(1, 0, value), &[(0, 0)], |_, _| value);
    }
}

#[test]
fn conditional_jumps() {
    type Holds = (u8, fn(u64, u64) -> bool, fn(u32, u32) -> bool);
    let definitions: [Holds; 11] = [
        (0x10, |a, b| a == b, |a, b| a == b),
        (0x20, |a, b| a > b, |a, b| a > b),
        (0x30, |a, b| a >= b, |a, b| a >= b),
        (0x40, |a, b| a & b != 0, |a, b| a & b != 0),
        (0x50, |a, b| a != b, |a, b| a != b),
        (0x60, |a, b| a as i64 > b as i64, |a, b| a as i32 > b as i32),
        (
            0x70,
            |a, b| a as i64 >= b as i64,
            |a, b| a as i32 >= b as i32,
        ),
        (0xa0, |a, b| a < b, |a, b| a < b),
        (0xb0, |a, b| a <= b, |a, b| a <= b),
        (
            0xc0,
            |a, b| (a as i64) < b as i64,
            |a, b| (a as i32) < b as i32,
        ),
        (
            0xd0,
            |a, b| a as i64 <= b as i64,
            |a, b| a as i32 <= b as i32,
        ),
    ];
    for (code, wide, narrow) in definitions {
        let body = |jump: [u8; 8]| [set(3, 1), jump, set(3, 0), copy(1, 3)];
        let jump = insn(code | 0x0d, 1, 2, 1, 0);
        check("jump64", &body(jump), &pairs(), |a, b| {
            u64::from(wide(a, b))
        });
        let jump = insn(code | 0x0e, 1, 2, 1, 0);
        check("jump32", &body(jump), &pairs(), |a, b| {
            u64::from(narrow(a as u32, b as u32))
        });
        for immediate in IMMEDIATES {
            let jump = insn(code | 0x05, 1, 0, 1, immediate);
            let expected = |a, _| u64::from(wide(a, i64::from(immediate) as u64));
            check("jump64", &body(jump), &singles(), expected);
            let jump = insn(code | 0x06, 1, 0, 1, immediate);
            let expected = |a, _| u64::from(narrow(a as u32, immediate as u32));
            check("jump32", &body(jump), &singles(), expected);
        }
    }
}

#[test]
fn unconditional_jumps() {
    let short = insn(0x05, 0, 0, 1, 0);
    let long = insn(0x06, 0, 0, 0, 1);
    for jump in [short, long] {
        check("ja", &[jump, set(1, 9)], &[(3, 0)], |a, _| a);
    }
    // Farther than 16 bits reach, there and back.
    let mut text = vec![set(0, 1), insn(0x06, 0, 0, 0, 40_001)];
    text.extend(vec![insn(0x07, 0, 0, 0, 5); 40_000]);
    text.extend([EXIT, insn(0x07, 0, 0, 0, 100), insn(0x06, 0, 0, 0, -3)]);
    assert_eq!(Case::new(&text, Vec::new()).result(), 101);
}

#[test]
fn loads_and_stores() {
    let sizes: [(u8, u32); 4] = [(0x10, 1), (0x08, 2), (0x00, 4), (0x18, 8)];
    for (size, bytes) in sizes {
        let mask = u64::MAX >> (64 - 8 * bytes);
        let signed = move |a: u64| {
            let unused = 64 - 8 * bytes;
            ((a << unused) as i64 >> unused) as u64
        };
        // On the stack, in its frame, and through a copy of r10.
        for base in [10, 4] {
            let prologue = [
                copy(4, 10),
                insn(0x7a, 10, 0, -8, -1),
                insn(0x7a, 10, 0, -16, -1),
            ];
            let store = insn(0x63 | size, base, 1, -13, 0);
            let load = insn(0x61 | size, 1, base, -13, 0);
            let body = [&prologue[..], &[store, load]].concat();
            check("stx, ldx", &body, &singles(), |a, _| a & mask);
            let whole = insn(0x79, 1, base, -13, 0);
            let body = [&prologue[..], &[store, whole]].concat();
            check("stx", &body, &singles(), |a, _| a & mask | !mask);
            if bytes < 8 {
                let load = insn(0x81 | size, 1, base, -13, 0);
                let body = [&prologue[..], &[store, load]].concat();
                check("stx, ldxs", &body, &singles(), move |a, _| signed(a));
            }
            for immediate in IMMEDIATES {
                let store = insn(0x62 | size, base, 0, -13, immediate);
                let body = [&prologue[..], &[store, whole]].concat();
                let value = i64::from(immediate) as u64;
                check("st", &body, &singles(), |_, _| value & mask | !mask);
            }
        }
    }
}

#[test]
fn atomic_operations() {
    type Change = (i32, fn(u64, u64) -> u64);
    let changes: [Change; 5] = [
        (0x00, u64::wrapping_add),
        (0x40, |old, operand| old | operand),
        (0x50, |old, operand| old & operand),
        (0xa0, |old, operand| old ^ operand),
        (0xe0, |_, operand| operand),
    ];
    // In the frame, and through a copy of r10; aligned, and not.
    for (base, offset) in [(10, -8), (4, -8), (10, -13), (4, -13)] {
        for (opcode, mask) in [(0xdb, u64::MAX), (0xc3, u64::from(u32::MAX))] {
            let prologue = [copy(4, 10), insn(0x7b, base, 1, offset, 0)];
            let whole = insn(0x79, 1, base, offset, 0);
            for (code, change) in changes {
                let new = |old: u64, operand| change(old, operand) & mask | old & !mask;
                let fetch = insn(opcode, base, 2, offset, code | 1);
                let body = [&prologue[..], &[fetch, whole]].concat();
                check("atomic, fetching", &body, &pairs(), new);
                let body = [&prologue[..], &[fetch, copy(1, 2)]].concat();
                check("what it fetches", &body, &pairs(), |old, _| old & mask);
                if code != 0xe0 {
                    let plain = insn(opcode, base, 2, offset, code);
                    let body = [&prologue[..], &[plain, whole]].concat();
                    check("atomic", &body, &pairs(), new);
                    let body = [&prologue[..], &[plain, copy(1, 2)]].concat();
                    check("its source", &body, &pairs(), |_, operand| operand);
                }
            }
            // r0 is what is expected: something else, or what is there.
            let exchange = insn(opcode, base, 2, offset, 0xf1);
            let body = [&prologue[..], &[set(0, 7), exchange, whole]].concat();
            check("cmpxchg", &body, &pairs(), |old, operand| {
                match old & mask == 7 {
                    true => operand & mask | old & !mask,
                    false => old,
                }
            });
            let body = [&prologue[..], &[copy(0, 1), exchange, whole]].concat();
            check("cmpxchg", &body, &pairs(), |old, operand| {
                operand & mask | old & !mask
            });
            let body = [&prologue[..], &[set(0, 7), exchange, copy(1, 0)]].concat();
            check("cmpxchg", &body, &pairs(), |old, _| old & mask);
            let body = [&prologue[..], &[exchange, copy(1, 2)]].concat();
            check("cmpxchg", &body, &pairs(), |_, operand| operand);
        }
    }
}
