//! Tables of opcodes by shape, and operands at the edges of what they distinguish.

use {
    super::text::{Size, Text},
    solana_sbpf::{ebpf::*, program::SBPFVersion},
};

/// What makes a division fail instead of giving a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Division {
    /// Whether only the low 32 bits count.
    pub narrow: bool,
    /// Whether MIN by -1 overflows.
    pub signed: bool,
}

/// A two-operand ALU instruction.
#[derive(Debug, Clone, Copy)]
pub struct Binary {
    /// The opcode byte.
    pub opcode: u8,
    /// Whether the second operand is the immediate.
    pub immediate: bool,
    /// Set for divisions and remainders.
    pub division: Option<Division>,
    /// Set for shifts: how many bits the operand has.
    pub shift: Option<u32>,
}

impl Binary {
    /// Whether the operation has a result for these operands (`right` extended as an immediate is).
    pub fn has_result(&self, left: u64, right: u64) -> bool {
        let Some(division) = self.division else {
            return true;
        };
        let (zero, minus_one, minimum) = if division.narrow {
            (
                right as u32 == 0,
                right as i32 == -1,
                left as i32 == i32::MIN,
            )
        } else {
            (right == 0, right as i64 == -1, left as i64 == i64::MIN)
        };
        let overflow = division.signed && minus_one && minimum;
        !zero && !overflow
    }

    /// Whether the verifier takes `immediate` for this operation.
    pub fn takes_immediate(&self, immediate: i32) -> bool {
        match (self.division, self.shift) {
            (Some(_), _) => immediate != 0,
            (_, Some(bits)) => (0..bits as i32).contains(&immediate),
            _ => true,
        }
    }
}

const PLAIN: [(u8, u8); 14] = [
    (ADD32_IMM, ADD32_REG),
    (SUB32_IMM, SUB32_REG),
    (OR32_IMM, OR32_REG),
    (AND32_IMM, AND32_REG),
    (XOR32_IMM, XOR32_REG),
    (MOV32_IMM, MOV32_REG),
    (ADD64_IMM, ADD64_REG),
    (SUB64_IMM, SUB64_REG),
    (OR64_IMM, OR64_REG),
    (AND64_IMM, AND64_REG),
    (XOR64_IMM, XOR64_REG),
    (MOV64_IMM, MOV64_REG),
    (MUL32_IMM, MUL32_REG),
    (MUL64_IMM, MUL64_REG),
];

const PRODUCTS: [(u8, u8); 4] = [
    (LMUL32_IMM, LMUL32_REG),
    (LMUL64_IMM, LMUL64_REG),
    (UHMUL64_IMM, UHMUL64_REG),
    (SHMUL64_IMM, SHMUL64_REG),
];

const SHIFTS: [(u8, u8, u32); 6] = [
    (LSH32_IMM, LSH32_REG, 32),
    (RSH32_IMM, RSH32_REG, 32),
    (ARSH32_IMM, ARSH32_REG, 32),
    (LSH64_IMM, LSH64_REG, 64),
    (RSH64_IMM, RSH64_REG, 64),
    (ARSH64_IMM, ARSH64_REG, 64),
];

/// Opcodes, narrow, signed.
const OLD_DIVISIONS: [(u8, u8, bool, bool); 4] = [
    (DIV32_IMM, DIV32_REG, true, false),
    (MOD32_IMM, MOD32_REG, true, false),
    (DIV64_IMM, DIV64_REG, false, false),
    (MOD64_IMM, MOD64_REG, false, false),
];

const NEW_DIVISIONS: [(u8, u8, bool, bool); 8] = [
    (UDIV32_IMM, UDIV32_REG, true, false),
    (UREM32_IMM, UREM32_REG, true, false),
    (UDIV64_IMM, UDIV64_REG, false, false),
    (UREM64_IMM, UREM64_REG, false, false),
    (SDIV32_IMM, SDIV32_REG, true, true),
    (SREM32_IMM, SREM32_REG, true, true),
    (SDIV64_IMM, SDIV64_REG, false, true),
    (SREM64_IMM, SREM64_REG, false, true),
];

/// All two-operand ALU instructions of `version`.
pub fn binaries(version: SBPFVersion) -> Vec<Binary> {
    let pqr = version.enable_pqr();
    let mut binaries = Vec::new();
    let mut add = |opcodes: (u8, u8), division, shift| {
        for (opcode, immediate) in [(opcodes.0, true), (opcodes.1, false)] {
            binaries.push(Binary {
                opcode,
                immediate,
                division,
                shift,
            });
        }
    };
    let products: &[(u8, u8)] = if pqr { &PRODUCTS } else { &[] };
    // The last two of the plain ones gave way to the products.
    let plain = if pqr { &PLAIN[..12] } else { &PLAIN[..] };
    for opcodes in plain.iter().chain(products) {
        add(*opcodes, None, None);
    }
    for (immediate, register, bits) in SHIFTS {
        add((immediate, register), None, Some(bits));
    }
    let divisions: &[_] = if pqr { &NEW_DIVISIONS } else { &OLD_DIVISIONS };
    for (immediate, register, narrow, signed) in divisions {
        let division = Division {
            narrow: *narrow,
            signed: *signed,
        };
        add((*immediate, *register), Some(division), None);
    }
    if version.disable_lddw() {
        binaries.push(Binary {
            opcode: HOR64_IMM,
            immediate: true,
            division: None,
            shift: None,
        });
    }
    binaries
}

/// One-operand ALU instructions of `version`: opcode and immediate.
pub fn unaries(version: SBPFVersion) -> Vec<(u8, i32)> {
    let mut unaries: Vec<(u8, i32)> = [16, 32, 64].map(|width| (BE, width)).into();
    if !version.disable_le() {
        unaries.extend([16, 32, 64].map(|width| (LE, width)));
    }
    if !version.disable_neg() {
        unaries.extend([(NEG32, 0), (NEG64, 0)]);
    }
    unaries
}

/// Conditional jumps of `version`: opcode, and whether the second operand is the immediate.
pub fn jumps(version: SBPFVersion) -> Vec<(u8, bool)> {
    const CONDITIONS: [u8; 11] = [
        BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE, BPF_JSET, BPF_JNE, BPF_JSGT, BPF_JSGE,
        BPF_JSLT, BPF_JSLE,
    ];
    let classes: &[u8] = if version.enable_jmp32() {
        &[BPF_JMP64, BPF_JMP32]
    } else {
        &[BPF_JMP64]
    };
    let mut jumps = Vec::new();
    for class in classes {
        for condition in CONDITIONS {
            jumps.push((class | condition | BPF_K, true));
            jumps.push((class | condition | BPF_X, false));
        }
    }
    jumps
}

/// 64-bit operands at the edges.
pub const OPERANDS: [u64; 24] = [
    0,
    1,
    2,
    7,
    31,
    32,
    33,
    63,
    64,
    0x7f,
    0x80,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0xffff_ffff_0000_0000,
    0xffff_ffff_8000_0000,
    0xffff_ffff_7fff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0x8000_0000_0000_0001,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
    0x0123_4567_89ab_cdef,
];

/// Immediates at the edges.
pub const IMMEDIATES: [i32; 16] = [
    0,
    1,
    2,
    3,
    16,
    31,
    32,
    33,
    63,
    64,
    0x1234_5678,
    i32::MAX,
    i32::MIN,
    i32::MIN + 1,
    -2,
    -1,
];

/// Stores r1 to r7, and advances r6 by `operands` doubles and r7 by one.
pub fn advance(text: &mut Text, operands: i32) {
    text.store(Size::Double, 7, 0, 1);
    text.push(ADD64_IMM, 6, 0, 0, 8 * operands);
    text.push(ADD64_IMM, 7, 0, 0, 8);
}
