//! Random programs for tests of the analyses.

use {
    sbpf_lowering::{
        decode::Program,
        dialect::{CallxRegister, Dialect, FrameLayout},
    },
    std::collections::HashMap,
};

fn dialect() -> Dialect {
    Dialect {
        standard: None,
        explicit_sign_extension: false,
        swapped_subtraction: false,
        product_quotient_remainder: false,
        negation: true,
        load_double_word: true,
        little_endian: true,
        moved_memory_classes: false,
        jump32: true,
        callx_register: CallxRegister::Destination,
        static_syscalls: true,
        frames: FrameLayout::Fixed {
            size: 4096,
            stride: 1,
        },
        meter: true,
        translation: true,
        regions_adjoin: false,
        direct_functions: false,
        hides_constants: false,
        padding_rate: 0,
    }
}

/// So many rounds; fewer on Miri, where each takes a thousand times as long.
pub(crate) const fn rounds(count: u64) -> u64 {
    if cfg!(miri) {
        count.div_ceil(25)
    } else {
        count
    }
}

/// A generator of numbers that is the same everywhere (Marsaglia's xorshift).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number less than `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Conditional and unconditional jumps, calls, exits and arithmetic, to random places or over one instruction.
pub(crate) fn random_text(random: &mut Random, length: u64) -> Vec<u8> {
    let mut text = Vec::new();
    for pc in 0..length {
        let offset = random.below(length) as i64 - pc as i64 - 1;
        let (opcode, source, offset, immediate) = match random.below(10) {
            0 => (0x05, 0, offset, 0),
            1 | 2 => (0x15, 0, offset, 7),
            3 if pc + 2 < length => (0x15, 0, 1, 7),
            4 => (0x85, 1, 0, offset),
            5 => (0x95, 0, 0, 0),
            6 => (0xb7, 0, 0, 1),
            _ => (0x07, 0, 0, 1),
        };
        text.extend([opcode, source << 4]);
        text.extend((offset as i16).to_le_bytes());
        text.extend((immediate as i32).to_le_bytes());
    }
    text
}

/// A program of this text that starts at its first instruction.
pub(crate) fn program<'a>(text: &'a [u8], starts: &[usize]) -> Program<'a> {
    Program {
        text,
        text_address: 0x1_0000_0000,
        entry: 0,
        function_starts: starts.to_vec(),
        functions: HashMap::new(),
        syscalls: HashMap::new(),
        dialect: dialect(),
    }
}
