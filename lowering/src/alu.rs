//! Arithmetic that can't fail: 64-bit operations are CLIF's own, 32-bit ones narrow their operands
//! and widen the result as the version says.

use {
    crate::{
        function::FunctionCx,
        insn::{
            Arithmetic::{self, *},
            Extension, Operand,
            Width::{self, *},
        },
        shifts,
    },
    cranelift_codegen::ir::{
        InstBuilder, Type, Value,
        types::{I8, I16, I32, I64},
    },
};

impl FunctionCx<'_> {
    pub(crate) fn arithmetic(
        &mut self,
        operation: Arithmetic,
        width: Width,
        extension: Extension,
        destination: u8,
        source: Operand,
    ) {
        let result = match (operation, width, source) {
            (Move, W32, Operand::Immediate(value)) => {
                self.chosen(W64, extend_constant(value, extension))
            }
            (Move, ..) => {
                let value = self.operand(width, source);
                self.widen(value, width, extension)
            }
            _ => {
                let left = self.operand(width, Operand::Register(destination));
                let right = self.operand(width, source);
                let value = self.binary(operation, left, right);
                self.widen(value, width, extension)
            }
        };
        self.set_register(destination, result);
    }

    fn binary(&mut self, operation: Arithmetic, left: Value, right: Value) -> Value {
        let dfg = &self.builder.func.dfg;
        match operation {
            Or | Xor | Add => {
                if let Some([value, amount]) = shifts::rotation(dfg, left, right) {
                    return self.builder.ins().rotl(value, amount);
                }
            }
            ShiftRight | ShiftRightSigned => {
                if let Some((value, narrow)) = shifts::extension(dfg, left, right) {
                    let value = self.builder.ins().ireduce(narrow, value);
                    return match operation {
                        ShiftRight => self.builder.ins().uextend(I64, value),
                        _ => self.builder.ins().sextend(I64, value),
                    };
                }
            }
            _ => {}
        }
        let ins = self.builder.ins();
        match operation {
            Add => ins.iadd(left, right),
            Subtract => ins.isub(left, right),
            ReverseSubtract => ins.isub(right, left),
            Multiply => ins.imul(left, right),
            MultiplyHighUnsigned => ins.umulhi(left, right),
            MultiplyHighSigned => ins.smulhi(left, right),
            Or => ins.bor(left, right),
            And => ins.band(left, right),
            Xor => ins.bxor(left, right),
            ShiftLeft => ins.ishl(left, right),
            ShiftRight => ins.ushr(left, right),
            ShiftRightSigned => ins.sshr(left, right),
            Negate => ins.ineg(left),
            Move => right,
        }
    }

    /// Sign-extends the low `bits` bits of a register to `width`.
    pub(crate) fn move_signed(&mut self, destination: u8, bits: u8, width: Width, source: u8) {
        let value = self.register(source);
        let narrow = match bits {
            8 => self.builder.ins().ireduce(I8, value),
            16 => self.builder.ins().ireduce(I16, value),
            _ => self.builder.ins().ireduce(I32, value),
        };
        let extended = if type_of(width) == self.builder.func.dfg.value_type(narrow) {
            narrow
        } else {
            self.builder.ins().sextend(type_of(width), narrow)
        };
        let result = self.widen(extended, width, Extension::Zero);
        self.set_register(destination, result);
    }

    /// Keeps the low `bits` bits, in reverse byte order if `swap` (the host is little-endian).
    pub(crate) fn byte_order(&mut self, destination: u8, bits: u8, swap: bool) {
        let value = self.register(destination);
        let narrow = match bits {
            16 => self.builder.ins().ireduce(I16, value),
            32 => self.builder.ins().ireduce(I32, value),
            _ => value,
        };
        let ordered = if swap {
            self.builder.ins().bswap(narrow)
        } else {
            narrow
        };
        let wide = match bits {
            64 => ordered,
            _ => self.builder.ins().uextend(I64, ordered),
        };
        self.set_register(destination, wide);
    }

    /// An operand in the type of `width`.
    pub(crate) fn operand(&mut self, width: Width, operand: Operand) -> Value {
        match (operand, width) {
            (Operand::Register(register), W64) => self.register(register),
            (Operand::Register(register), W32) => {
                let value = self.register(register);
                self.builder.ins().ireduce(I32, value)
            }
            (Operand::Immediate(value), width) => self.chosen(width, value),
        }
    }

    /// A result of `width` as the 64 bits of a register.
    pub(crate) fn widen(&mut self, value: Value, width: Width, extension: Extension) -> Value {
        match (width, extension) {
            (W64, _) => value,
            (W32, Extension::Zero) => self.builder.ins().uextend(I64, value),
            (W32, Extension::Sign) => self.builder.ins().sextend(I64, value),
        }
    }
}

/// The CLIF type of a width.
pub(crate) fn type_of(width: Width) -> Type {
    match width {
        W32 => I32,
        W64 => I64,
    }
}

fn extend_constant(value: i64, extension: Extension) -> i64 {
    match extension {
        Extension::Zero => i64::from(value as u32),
        Extension::Sign => i64::from(value as i32),
    }
}
