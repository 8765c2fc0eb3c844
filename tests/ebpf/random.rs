//! Random programs on both engines, at many limits.

use {
    crate::{
        agreement::{CHARGE, Case, FAIL_IF_ODD, MIX},
        assembly::*,
    },
    rand::{Rng, SeedableRng, seq::IndexedRandom},
    rand_chacha::ChaCha8Rng,
    std::panic::{AssertUnwindSafe, catch_unwind},
};

/// Programs, unless the environment asks for another number.
const PROGRAMS: u64 = 300;

/// Instructions of a program.
const LENGTH: usize = 60;

struct Generator {
    random: ChaCha8Rng,
    /// Whether `rbpf` has to understand it.
    common: bool,
}

impl Generator {
    fn register(&mut self) -> u8 {
        // r6 to r8 hold addresses.
        *[0, 1, 2, 3, 4, 5, 9]
            .choose(&mut self.random)
            .expect("it is not empty")
    }

    fn immediate(&mut self) -> i32 {
        match self.random.random_range(0..4) {
            0 => self.random.random_range(-3..70),
            1 => 1 << self.random.random_range(0..32),
            _ => self.random.random(),
        }
    }

    fn arithmetic(&mut self) -> [u8; 8] {
        let code = self.random.random_range(0..13) << 4;
        let mut class = if self.random.random() { 7 } else { 4 };
        let is_register = self.random.random();
        let source = if is_register { self.register() } else { 0 };
        let mut immediate = if is_register { 0 } else { self.immediate() };
        let mut bit = if is_register { 8 } else { 0 };
        let (mut offset, mut field) = (0, source);
        // `rbpf` keeps the upper half at a 32-bit remainder by zero, and overflows at `-i64::MIN`.
        match code {
            0x90 if self.common => class = 7,
            0x80 if self.common => class = 4,
            _ => {}
        }
        match code {
            0x30 | 0x90 if !self.common => offset = self.random.random_range(0..2),
            0x30 | 0x90 if !is_register => immediate |= 1,
            0x80 => (bit, immediate, field) = (0, 0, 0),
            0xb0 if is_register && !self.common => {
                let widths = if class == 7 {
                    &[0, 8, 16, 32][..]
                } else {
                    &[0, 8, 16]
                };
                offset = *widths.choose(&mut self.random).expect("it is not empty");
            }
            _ => {}
        }
        insn(
            class | bit | code,
            self.register(),
            field,
            offset,
            immediate,
        )
    }

    fn byte_order(&mut self) -> [u8; 8] {
        let opcodes = if self.common {
            &[0xd4, 0xdc][..]
        } else {
            &[0xd4, 0xdc, 0xd7]
        };
        let opcode = *opcodes.choose(&mut self.random).expect("it is not empty");
        let bits = *[16, 32, 64]
            .choose(&mut self.random)
            .expect("it is not empty");
        insn(opcode, self.register(), 0, 0, bits)
    }

    /// An access through r6 (the context), r7 (a map), r8 (the stack) or r10.
    fn access(&mut self) -> [u8; 8] {
        let bases = if self.common {
            &[6, 10][..]
        } else {
            &[6, 7, 8, 10, 10]
        };
        let base = *bases.choose(&mut self.random).expect("it is not empty");
        let is_outside = !self.common && self.random.random_ratio(1, 60);
        let mut offset: i16 = self.random.random_range(0..57);
        if base == 10 {
            offset -= 64;
        }
        if is_outside {
            offset += if self.random.random() { 5000 } else { -5000 };
        }
        let size = *[0x00, 0x08, 0x10, 0x18]
            .choose(&mut self.random)
            .expect("it is not empty");
        let kinds = if self.common { 3 } else { 6 };
        match self.random.random_range(0..kinds) {
            0 => insn(0x61 | size, self.register(), base, offset, 0),
            1 => insn(0x63 | size, base, self.register(), offset, 0),
            2 => insn(0x62 | size, base, 0, offset, self.immediate()),
            3 if size != 0x18 => insn(0x81 | size, self.register(), base, offset, 0),
            _ => {
                let opcode = if self.random.random() { 0xc3 } else { 0xdb };
                let codes = [0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1];
                let code = *codes.choose(&mut self.random).expect("it is not empty");
                insn(opcode, base, self.register(), offset, code)
            }
        }
    }

    /// A jump to one of `targets` from `pc`.
    fn jump(&mut self, pc: usize, targets: &[usize]) -> [u8; 8] {
        let target = *targets.choose(&mut self.random).expect("there is the end");
        let distance = target as i32 - pc as i32 - 1;
        let codes = [1u8, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13];
        let code = codes.choose(&mut self.random).expect("it is not empty") << 4;
        let class = if self.random.random() { 5 } else { 6 };
        match self.random.random_range(0..10) {
            0 => insn(0x05, 0, 0, distance as i16, 0),
            1 if !self.common => insn(0x06, 0, 0, 0, distance),
            2 if !self.common => local(distance),
            3..7 => {
                let source = self.register();
                insn(
                    class | 8 | code,
                    self.register(),
                    source,
                    distance as i16,
                    0,
                )
            }
            _ => {
                let mut immediate = self.immediate();
                if self.common && class == 5 {
                    // `rbpf` zero-extends it for some conditions.
                    immediate &= i32::MAX;
                }
                insn(class | code, self.register(), 0, distance as i16, immediate)
            }
        }
    }

    /// A program that starts with its addresses in r6 to r8.
    fn program(&mut self) -> Vec<[u8; 8]> {
        let mut text = vec![copy(6, 1)];
        if !self.common {
            text.extend(constant(7, 2, 0));
            text.extend([copy(8, 10), insn(0x07, 8, 0, 0, -64)]);
        }
        for register in [0, 1, 2, 3, 4, 5, 9] {
            text.push(set(register, self.immediate()));
        }
        let first = text.len();
        let end = first + LENGTH;
        for pc in first..end {
            let targets: Vec<usize> = match self.common || self.random.random_ratio(4, 5) {
                true => (pc + 1..=end).collect(),
                false => (first..=end).collect(),
            };
            let next = match self.random.random_range(0..16) {
                0..7 => self.arithmetic(),
                7 => self.byte_order(),
                8..13 => self.access(),
                13 if !self.common => {
                    let helpers = [MIX, MIX, CHARGE, FAIL_IF_ODD];
                    helper(*helpers.choose(&mut self.random).expect("it is not empty") as i32)
                }
                _ => self.jump(pc, &targets),
            };
            text.push(next);
        }
        text.push(EXIT);
        text
    }
}

/// The program of a seed.
pub(crate) fn program(seed: u64, common: bool) -> Vec<[u8; 8]> {
    let random = ChaCha8Rng::seed_from_u64(seed);
    Generator { random, common }.program()
}

#[test]
fn engines_agree_on_random_programs() {
    let programs = std::env::var("EBPF_PROGRAMS").ok();
    let programs = programs
        .and_then(|text| text.parse().ok())
        .unwrap_or(PROGRAMS);
    let mut finished = 0;
    for seed in 0..programs {
        let text = program(seed, false);
        let case = Case::new(&text, (0..64).collect());
        let agreed = catch_unwind(AssertUnwindSafe(|| case.agree(3_000)));
        let observed = agreed.unwrap_or_else(|_| panic!("the engines differ on seed {seed}"));
        finished += u64::from(observed.outcome.result.is_ok());
    }
    assert!(
        finished > programs / 5,
        "only {finished} of {programs} programs finished"
    );
}
