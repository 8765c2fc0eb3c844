//! Division, guarded so that the host's own division never faults.
//!
//! sBPF raises exceptions where standard eBPF has defined results.

use {
    crate::{
        alu::type_of,
        function::{FunctionCx, Position},
        insn::{
            Division, Extension, Operand,
            Width::{self, *},
        },
    },
    cranelift_codegen::ir::{InstBuilder, Value, condcodes::IntCC},
    sbpf_runtime::abi::Exception,
};

impl FunctionCx<'_> {
    pub(crate) fn divide(
        &mut self,
        at: Position,
        division: Division,
        width: Width,
        destination: u8,
        source: Operand,
    ) {
        let dividend = self.operand(width, Operand::Register(destination));
        let divisor = self.operand(width, source);
        if may_equal(source, width, 0) {
            let is_zero = self.compare_constant(width, divisor, 0);
            self.raise_if(is_zero, at, Exception::DivideByZero);
        }
        if division.is_signed() && may_equal(source, width, -1) {
            let minimum = match width {
                W32 => i64::from(i32::MIN),
                W64 => i64::MIN,
            };
            let is_minimum = self.compare_constant(width, dividend, minimum);
            let is_minus_one = self.compare_constant(width, divisor, -1);
            let overflows = self.builder.ins().band(is_minimum, is_minus_one);
            self.raise_if(overflows, at, Exception::DivideOverflow);
        }
        let ins = self.builder.ins();
        let result = match division {
            Division::Quotient => ins.udiv(dividend, divisor),
            Division::Remainder => ins.urem(dividend, divisor),
            Division::SignedQuotient => ins.sdiv(dividend, divisor),
            Division::SignedRemainder => ins.srem(dividend, divisor),
        };
        let result = self.widen(result, width, Extension::Zero);
        self.set_register(destination, result);
    }

    /// Division of standard eBPF, which has a result for all operands.
    ///
    /// The guards replace a divisor rather than branch: `x / 1` and `x % 1` are what they are for.
    pub(crate) fn divide_totally(
        &mut self,
        division: Division,
        width: Width,
        destination: u8,
        source: Operand,
    ) {
        let dividend = self.operand(width, Operand::Register(destination));
        let divisor = self.operand(width, source);
        let one = self.builder.ins().iconst(type_of(width), 1);
        let is_zero = may_equal(source, width, 0).then(|| self.compare_constant(width, divisor, 0));
        let mut safe = divisor;
        if let Some(is_zero) = is_zero {
            safe = self.builder.ins().select(is_zero, one, safe);
        }
        let is_minus_one = (division.is_signed() && may_equal(source, width, -1))
            .then(|| self.compare_constant(width, divisor, -1));
        if let Some(is_minus_one) = is_minus_one {
            safe = self.builder.ins().select(is_minus_one, one, safe);
        }
        let ins = self.builder.ins();
        let mut result = match division {
            Division::Quotient => ins.udiv(dividend, safe),
            Division::Remainder => ins.urem(dividend, safe),
            Division::SignedQuotient => ins.sdiv(dividend, safe),
            Division::SignedRemainder => ins.srem(dividend, safe),
        };
        if let Some(is_minus_one) = is_minus_one
            && division == Division::SignedQuotient
        {
            // Negation wraps where the quotient overflows.
            let negated = self.builder.ins().ineg(dividend);
            result = self.builder.ins().select(is_minus_one, negated, result);
        }
        if let Some(is_zero) = is_zero {
            let by_zero = match division {
                Division::Quotient | Division::SignedQuotient => {
                    self.builder.ins().iconst(type_of(width), 0)
                }
                Division::Remainder | Division::SignedRemainder => dividend,
            };
            result = self.builder.ins().select(is_zero, by_zero, result);
        }
        let result = self.widen(result, width, Extension::Zero);
        self.set_register(destination, result);
    }

    fn compare_constant(&mut self, width: Width, value: Value, constant: i64) -> Value {
        let constant = match width {
            W32 => i64::from(constant as u32),
            W64 => constant,
        };
        let constant = self.builder.ins().iconst(type_of(width), constant);
        self.builder.ins().icmp(IntCC::Equal, value, constant)
    }
}

/// Whether an operand can have this value, as far as is known without running.
fn may_equal(operand: Operand, width: Width, value: i64) -> bool {
    match (operand, width) {
        (Operand::Register(_), _) => true,
        (Operand::Immediate(constant), W32) => constant as i32 == value as i32,
        (Operand::Immediate(constant), W64) => constant == value,
    }
}
