//! Constants that the program chose, kept out of the code.
//!
//! Whoever chooses the constants of a program could otherwise have bytes of his choice among the
//! code, and jump there by means of a defect elsewhere. So such a constant is in the code combined
//! with a key, which is another one for each compilation, and taken apart again with the key in the
//! context, which the program can't read.
//!
//! - A **constant** is `constant ^ key ^ ctx.key`. What one byte of the program's choice gives
//!   away, so do constants of one byte: they and those of set low bytes stay as they are.
//! - An **offset into the frame** is `(frame - ctx.key) + (offset + key)`; the difference is made once
//!   for each unit.
//! - **Numbers of sites and pcs** go to callbacks and the context. They take them apart, so that hidden
//!   ones cost generated code nothing.
//! - **Offsets in a group** of accesses that share a check are kept within a byte
//!   (`accesses`).
//!
//! Distances of jumps and calls are what they are; the random layout of functions blurs those between
//! functions.

use {
    crate::{
        alu::type_of,
        function::{Analysis, FunctionCx},
        insn::Width::{self, *},
    },
    cranelift_codegen::ir::{
        InstBuilder, Type, Value,
        types::{I32, I64},
    },
    sbpf_runtime::abi::{FRAME_POINTER, offset},
};

/// What hides constants.
///
/// No byte of it is 0, and its low 32 bits are a number of 31 bits with its sign, so that an offset
/// less that number fits 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    /// A key made of 64 random bits.
    pub fn new(random: u64) -> Self {
        let bytes = random.to_le_bytes();
        let mut bytes = bytes.map(|byte| if byte == 0 { 0xa5 } else { byte });
        // The sign has to be in the two upper bits.
        bytes[3] = bytes[3] & 0x7f | (bytes[3] & 0x40) << 1;
        if bytes[3] == 0 {
            bytes[3] = 0x25;
        }
        Self(u64::from_le_bytes(bytes))
    }

    /// What [`sbpf_runtime::run::Image`] is given.
    pub fn bits(self) -> u64 {
        self.0
    }

    fn low(self) -> i32 {
        self.0 as i32
    }
}

/// Whether a constant gives away no more than a byte: one of 8 bits, of 8 bits behind set ones, or
/// of set low bytes.
pub fn is_harmless(constant: i64) -> bool {
    let bits = constant as u64;
    let sets_low_bytes = bits.trailing_ones().is_multiple_of(8) && bits & bits.wrapping_add(1) == 0;
    bits <= 0xff || !bits <= 0xff || sets_low_bytes
}

impl Analysis<'_> {
    /// A number as it is in the code.
    pub(crate) fn combined(&self, number: u32) -> u32 {
        number ^ self.key.map_or(0, |key| key.low() as u32)
    }
}

impl FunctionCx<'_> {
    /// A constant that the program chose, in the type of `width`.
    pub(crate) fn chosen(&mut self, width: Width, constant: i64) -> Value {
        let ty = type_of(width);
        let narrow = constant as i32;
        let constant = match width {
            W32 => i64::from(narrow),
            W64 => constant,
        };
        let key = match self.analysis.key {
            Some(key) if !is_harmless(constant) => key,
            _ => return self.plain(ty, constant),
        };
        let hidden = narrow ^ key.low();
        if width == W32 {
            return self.hidden_narrow(hidden);
        }
        if u32::try_from(constant).is_ok() {
            let value = self.hidden_narrow(hidden);
            return self.builder.ins().uextend(I64, value);
        }
        if i64::from(narrow) == constant {
            let key = self.load_key_signed();
            let hidden = self.builder.ins().iconst(I64, i64::from(hidden));
            return self.builder.ins().bxor(key, hidden);
        }
        let hidden = self.constant(constant ^ key.bits() as i64);
        let key = self.load_context(I64, offset::KEY);
        self.builder.ins().bxor(hidden, key)
    }

    /// A number that a callback takes apart.
    pub(crate) fn hidden_number(&mut self, number: u32) -> Value {
        let number = self.analysis.combined(number);
        self.builder.ins().iconst(I32, i64::from(number))
    }

    /// [`Self::hidden_number`] with 64 bits, for the context.
    pub(crate) fn hidden_wide_number(&mut self, number: u32) -> Value {
        let number = self.analysis.combined(number);
        self.constant(i64::from(number))
    }

    /// Makes what hidden offsets into the frame are relative to, if the unit has any. They go
    /// through one value, made at the entry.
    ///
    /// It is a difference because x86_64 would make a sum anew in the address of each access, from two
    /// registers that both had to be kept for it.
    pub(crate) fn prepare_hidden_frame(&mut self) {
        if self.analysis.key.is_none() {
            return;
        }
        let analysis = self.analysis;
        let dialect = &analysis.program.dialect;
        let blocks = &analysis.units.unit(self.unit).blocks;
        let mut insns = blocks.iter().flat_map(|block| analysis.graph.insns(*block));
        let is_needed = insns.any(|(_, insn)| {
            insn.access().is_some_and(|(size, base, offset)| {
                base == FRAME_POINTER
                    && dialect.is_in_frame(offset, size)
                    && !is_harmless(i64::from(offset))
            })
        });
        if is_needed {
            let key = self.load_key_signed();
            self.hidden_frame = Some(self.builder.ins().isub(self.frame, key));
        }
    }

    /// An address in the frame, as a value and an offset from it.
    pub(crate) fn frame_address(&mut self, offset: i32) -> (Value, i32) {
        match (self.analysis.key, self.hidden_frame) {
            (Some(key), Some(frame)) if !is_harmless(i64::from(offset)) => {
                (frame, offset + key.low())
            }
            _ => (self.frame, offset),
        }
    }

    /// An address off a register, as a value and an offset from it.
    pub(crate) fn chosen_address(&mut self, base: Value, offset: i32) -> (Value, i32) {
        let offset64 = i64::from(offset);
        if self.analysis.key.is_none() || is_harmless(offset64) {
            return (base, offset);
        }
        let offset = self.chosen(W64, offset64);
        (self.builder.ins().iadd(base, offset), 0)
    }

    fn plain(&mut self, ty: Type, constant: i64) -> Value {
        // CLIF keeps narrow constants zero-extended.
        let constant = match ty {
            I32 => i64::from(constant as u32),
            _ => constant,
        };
        self.builder.ins().iconst(ty, constant)
    }

    fn hidden_narrow(&mut self, hidden: i32) -> Value {
        let hidden = self.plain(I32, i64::from(hidden));
        let key = self.load_context(I32, offset::KEY);
        self.builder.ins().bxor(hidden, key)
    }

    /// The low half of the key with its sign.
    fn load_key_signed(&mut self) -> Value {
        let flags = crate::function::TRUSTED;
        let context = self.context();
        self.builder.ins().sload32(flags, context, offset::KEY)
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, is_harmless};

    #[test]
    fn constants_of_a_byte_are_harmless() {
        for constant in [0, 1, 0xff, -1, -256, 0xffff, 0xffff_ffff, 0xff_ffff_ffff] {
            assert!(is_harmless(constant), "{constant:#x}");
        }
        for constant in [
            0x100,
            0x1ff,
            -257,
            0x7fff_ffff,
            i64::MIN,
            i64::MAX,
            0x1_0000_0000,
        ] {
            assert!(!is_harmless(constant), "{constant:#x}");
        }
    }

    #[test]
    fn keys_have_no_zeros_and_room_for_offsets() {
        for random in [
            0,
            u64::MAX,
            0x80 << 24,
            0x7f << 24,
            0xbf00_0000,
            0x4000_0000,
            0x1234,
        ] {
            let key = Key::new(random);
            assert!(
                key.bits().to_le_bytes().iter().all(|byte| *byte != 0),
                "{key:x?}"
            );
            assert!(key.low().checked_mul(2).is_some(), "{key:x?}");
        }
    }
}
