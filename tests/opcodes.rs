//! Every opcode of every version on a grid of edge operands.

mod common;

use {
    common::{
        opcodes::{Binary, IMMEDIATES, OPERANDS, advance, binaries, jumps, unaries},
        *,
    },
    solana_sbpf::ebpf::*,
};

/// Versions whose ALU instructions differ.
const DIALECTS: [SBPFVersion; 3] = [SBPFVersion::V0, SBPFVersion::V2, SBPFVersion::V3];

/// A case whose input holds `operands`, with results written to the heap.
fn grid_case(text: &Text, operands: &[u64]) -> Case {
    let input: Vec<u8> = operands
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    Case::text(text, &[])
        .input(input)
        .memory(|layout| {
            layout.replacing(RegionSpec::writable(MM_HEAP_START, pattern(2, 8 * 1024)))
        })
        .sweep_up_to(60)
}

/// A loop over `operands` (pairs or singles): r1 and r2 from r6, `body`, r1 to r7.
fn grid_loop(
    version: SBPFVersion,
    pairs: bool,
    operands: &[u64],
    body: impl FnOnce(&mut Text),
) -> Case {
    let mut text = Text::new(version);
    text.constant(6, MM_INPUT_START);
    text.constant(7, MM_HEAP_START);
    text.constant(8, MM_INPUT_START + 8 * operands.len() as u64);
    let start = text.pc();
    text.load(Size::Double, 1, 6, 0);
    if pairs {
        text.load(Size::Double, 2, 6, 8);
    }
    body(&mut text);
    advance(&mut text, if pairs { 2 } else { 1 });
    let distance = start as i64 - text.pc() as i64 - 1;
    text.push(JLT64_REG, 6, 8, distance as i16, 0);
    text.exit();
    grid_case(&text, operands)
}

/// All pairs of edge operands that `binary` has a result for.
fn pairs(binary: &Binary) -> Vec<u64> {
    pairs_where(|left, right| binary.has_result(left, right))
}

fn pairs_where(is_wanted: impl Fn(u64, u64) -> bool) -> Vec<u64> {
    let mut pairs = Vec::new();
    for left in OPERANDS {
        for right in OPERANDS {
            if is_wanted(left, right) {
                pairs.extend([left, right]);
            }
        }
    }
    pairs
}

#[test]
fn binary_registers_from_memory() {
    for version in SBPFVersion::ALL {
        for binary in binaries(*version).iter().filter(|binary| !binary.immediate) {
            grid_loop(*version, true, &pairs(binary), |text| {
                text.push(binary.opcode, 1, 2, 0, 0);
            })
            .check()
            .succeeds();
        }
    }
}

#[test]
fn binary_immediates_from_memory() {
    for version in SBPFVersion::ALL {
        for binary in binaries(*version).iter().filter(|binary| binary.immediate) {
            for immediate in IMMEDIATES {
                if !binary.takes_immediate(immediate) {
                    continue;
                }
                let operands: Vec<u64> = OPERANDS
                    .into_iter()
                    .filter(|operand| binary.has_result(*operand, immediate as u64))
                    .collect();
                grid_loop(*version, false, &operands, |text| {
                    text.push(binary.opcode, 1, 0, 0, immediate);
                })
                .check()
                .succeeds();
            }
        }
    }
}

/// Operands that are constants of the program, so that a compiler may fold the operation.
#[test]
fn binary_constants() {
    const FEW: [u64; 8] = [
        0,
        1,
        33,
        0x7fff_ffff,
        0x8000_0000,
        1 << 63,
        u64::MAX,
        0xffff_fffe,
    ];
    for version in DIALECTS {
        for binary in binaries(version) {
            let mut text = Text::new(version);
            text.constant(7, MM_HEAP_START);
            let mut slot = 0;
            for left in FEW {
                for right in FEW {
                    let taken = !binary.immediate || binary.takes_immediate(right as i32);
                    let right = if binary.immediate {
                        right as i32 as u64
                    } else {
                        right
                    };
                    if !taken || !binary.has_result(left, right) {
                        continue;
                    }
                    text.constant(1, left);
                    if !binary.immediate {
                        text.constant(2, right);
                    }
                    let immediate = if binary.immediate { right as i32 } else { 0 };
                    text.push(
                        binary.opcode,
                        1,
                        if binary.immediate { 0 } else { 2 },
                        0,
                        immediate,
                    );
                    text.store(Size::Double, 7, slot * 8, 1);
                    slot += 1;
                }
            }
            text.exit();
            grid_case(&text, &[]).check().succeeds();
        }
    }
}

/// The same register as both operands.
#[test]
fn binary_same_register() {
    for version in SBPFVersion::ALL {
        for binary in binaries(*version).iter().filter(|binary| !binary.immediate) {
            let operands: Vec<u64> = OPERANDS
                .into_iter()
                .filter(|operand| binary.has_result(*operand, *operand))
                .collect();
            grid_loop(*version, false, &operands, |text| {
                text.push(binary.opcode, 1, 1, 0, 0);
            })
            .check()
            .succeeds();
        }
    }
}

/// Every pair of registers, because some of them sit in host registers that shifts, products and
/// divisions need.
#[test]
fn binary_register_pairs() {
    for version in DIALECTS {
        let binaries: Vec<Binary> = binaries(version)
            .into_iter()
            .filter(|binary| !binary.immediate)
            .collect();
        for binary in binaries {
            let mut text = Text::new(version);
            for dst in 0..10 {
                for src in 0..10 {
                    for register in 0..10 {
                        text.mov(register, 77 + 13 * i32::from(register));
                    }
                    text.push(binary.opcode, dst, src, 0, 0);
                    // Every register is observed: r0 to r9 are folded into r0.
                    for register in 1..10 {
                        text.push(multiply_opcode(version), 0, 0, 0, 31);
                        text.push(ADD64_REG, 0, register, 0, 0);
                    }
                    text.store(Size::Double, 10, -8, 0);
                    text.load(Size::Double, 9, 10, -16);
                    text.push(XOR64_REG, 9, 0, 0, 0);
                    text.push(LSH64_IMM, 9, 0, 0, 1);
                    text.store(Size::Double, 10, -16, 9);
                }
            }
            text.load(Size::Double, 0, 10, -16);
            text.exit();
            Case::text(&text, &[]).check().succeeds();
        }
    }
}

/// The opcode of a 64-bit product by an immediate.
fn multiply_opcode(version: SBPFVersion) -> u8 {
    if version.enable_pqr() {
        LMUL64_IMM
    } else {
        MUL64_IMM
    }
}

#[test]
fn unary() {
    for version in SBPFVersion::ALL {
        for (opcode, immediate) in unaries(*version) {
            grid_loop(*version, false, &OPERANDS, |text| {
                text.push(opcode, 1, 0, 0, immediate);
            })
            .check()
            .succeeds();
        }
    }
}

/// What a compiler may take for an extension, and what it may not.
#[test]
fn shifts_there_and_back() {
    for version in DIALECTS {
        for up in [1, 8, 31, 32, 33, 48, 56, 63] {
            for down in [up, 16, 32] {
                for opcode in [RSH64_IMM, ARSH64_IMM] {
                    grid_loop(version, false, &OPERANDS, |text| {
                        text.push(MOV64_REG, 2, 1, 0, 0);
                        text.push(LSH64_IMM, 1, 0, 0, up);
                        text.push(opcode, 1, 0, 0, down);
                    })
                    .check()
                    .succeeds();
                }
            }
        }
    }
}

#[test]
fn constants() {
    for version in SBPFVersion::ALL {
        let mut text = Text::new(*version);
        text.constant(7, MM_HEAP_START);
        for (slot, operand) in OPERANDS.into_iter().enumerate() {
            text.constant(3, operand);
            text.store(Size::Double, 7, 8 * slot as i16, 3);
        }
        text.exit();
        Case::text(&text, &[]).check().succeeds();
    }
}

#[test]
fn jumps_on_registers() {
    for version in SBPFVersion::ALL {
        let operands = pairs_where(|_, _| true);
        for (opcode, _) in jumps(*version)
            .into_iter()
            .filter(|(_, immediate)| !immediate)
        {
            grid_loop(*version, true, &operands, |text| {
                text.push(opcode, 1, 2, 1, 0);
                text.push(XOR64_IMM, 1, 0, 0, 0x55);
            })
            .check()
            .succeeds();
        }
    }
}

/// What a compiler may take for a choice between two values: constants of all kinds, registers, the ones that
/// are compared among them.
#[test]
fn jumps_over_one_move() {
    for version in SBPFVersion::ALL {
        let operands = pairs_where(|_, _| true);
        for (opcode, immediate) in jumps(*version) {
            let source = if immediate { 0 } else { 2 };
            let constant = if immediate { -1 } else { 0 };
            grid_loop(*version, true, &operands, |text| {
                for (kept, moved) in [(1, 0), (0, 1), (1, 1), (5, -7)] {
                    text.mov(3, kept);
                    text.push(opcode, 1, source, 1, constant);
                    text.mov(3, moved);
                    text.push(LSH64_IMM, 5, 0, 0, 3);
                    text.push(XOR64_REG, 5, 3, 0, 0);
                }
                for (mov, destination, moved) in [
                    (MOV64_REG, 3, 1),
                    (MOV32_REG, 4, 2),
                    (MOV64_REG, 1, 3),
                    (MOV64_REG, 2, 2),
                    (MOV64_REG, 2, 4),
                ] {
                    text.push(opcode, 1, source, 1, constant);
                    text.push(mov, destination, moved, 0, 0);
                }
                for register in 2..6 {
                    text.push(XOR64_REG, 1, register, 0, 0);
                }
            })
            .check()
            .succeeds();
        }
    }
}

#[test]
fn jumps_on_immediates() {
    for version in SBPFVersion::ALL {
        for (opcode, _) in jumps(*version)
            .into_iter()
            .filter(|(_, immediate)| *immediate)
        {
            for immediate in IMMEDIATES {
                grid_loop(*version, false, &OPERANDS, |text| {
                    text.push(opcode, 1, 0, 2, immediate);
                    text.push(XOR64_IMM, 1, 0, 0, 0x55);
                    text.push(JA, 0, 0, 0, 0);
                })
                .check()
                .succeeds();
            }
        }
    }
}

/// Comparisons that a compiler can decide, both ways, with a fault on the dead side.
#[test]
fn jumps_on_constants() {
    for version in DIALECTS {
        for (opcode, immediate) in jumps(version) {
            for (left, right) in [(0, 0), (1, -1), (-1, 1), (i32::MIN, i32::MAX), (5, 4)] {
                let mut text = Text::new(version);
                text.mov(1, left);
                text.mov(2, right);
                let source = if immediate { 0 } else { 2 };
                text.push(opcode, 1, source, 2, if immediate { right } else { 0 });
                text.mov(0, 1);
                text.exit();
                text.mov(0, 2);
                text.exit();
                Case::text(&text, &[]).check().succeeds();
            }
        }
    }
}

/// Jumps that compare a register with itself, jump to the next instruction, or to themselves.
#[test]
fn jumps_to_odd_places() {
    for version in DIALECTS {
        for (opcode, immediate) in jumps(version) {
            for offset in [0, -1] {
                let mut text = Text::new(version);
                text.mov(3, 9);
                text.push(
                    opcode,
                    3,
                    if immediate { 0 } else { 3 },
                    offset,
                    if immediate { 9 } else { 0 },
                );
                text.mov(0, 7);
                text.exit();
                Case::text(&text, &[]).budget(50).check();
            }
        }
    }
}

#[test]
fn memory_of_every_size() {
    for version in SBPFVersion::ALL {
        for size in Size::ALL {
            let mut text = Text::new(*version);
            text.constant(6, MM_INPUT_START + 100);
            text.constant(3, 0x8182_8384_8586_8788);
            for (index, offset) in [-100i16, -9, 0, 1, 3, 17, 40].into_iter().enumerate() {
                text.load(size, 1, 6, offset);
                text.store(Size::Double, 10, -8 * (index as i16 + 1), 1);
                text.store(size, 6, offset, 3);
                text.store_immediate(size, 6, offset + 20, -2 - index as i32);
                text.load(size, 6, 6, 127 - offset);
                text.store(Size::Double, 10, -256 - 8 * (index as i16 + 1), 6);
                text.constant(6, MM_INPUT_START + 100);
            }
            text.exit();
            Case::text(&text, &[])
                .input(pattern(3, 512))
                .check()
                .succeeds();
        }
    }
}

/// All 256 opcode bytes in every version, with and without the verifier's blessing.
#[test]
fn every_opcode_byte() {
    for version in SBPFVersion::ALL {
        for opcode in 0..=u8::MAX {
            // These alone would run into the end or call something; `calls` and `errors` do.
            if matches!(opcode, CALL_IMM | CALL_REG) {
                continue;
            }
            for (dst, src, immediate) in [(1, 2, 16), (2, 1, 32), (3, 3, 5), (9, 0, 64)] {
                let mut text = Text::new(*version);
                text.constant(1, MM_INPUT_START + 64);
                text.constant(2, MM_INPUT_START + 128);
                text.copy(3, 2);
                text.copy(9, 2);
                text.copy(0, 1);
                text.push(opcode, dst, src, 0, immediate);
                // Also the second half of an lddw.
                text.push(0, 0, 0, 0, 77);
                text.push(XOR64_REG, 0, 1, 0, 0);
                text.push(XOR64_REG, 0, dst, 0, 0);
                text.exit();
                // Without lddw's second half the unknown opcode 0 fails the oracle; then it's the
                // plain form that is interesting.
                let wide = opcode == LD_DW_IMM && !version.disable_lddw();
                if !wide {
                    let after = text.pc() - 4;
                    text.bytes.drain(8 * after..8 * (after + 1));
                }
                let case = Case::text(&text, &[]).unverified().budget(100);
                let case = match case.prepare() {
                    Ok(_) => case,
                    Err(_) => case.interpreter_only("it rejects unknown opcodes as it compiles"),
                };
                case.check();
            }
        }
    }
}
