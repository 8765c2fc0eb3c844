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
        role::Role,
    },
    cranelift_codegen::ir::{BlockArg, InstBuilder, Value, condcodes::IntCC},
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
        let result = self.quotient(division, dividend, divisor);
        let result = self.widen(result, width, Extension::Zero);
        self.set_register(destination, result);
    }

    /// Division of standard eBPF, which has a result for all operands.
    ///
    /// The divisors that the host's division can't be given, 0 and, if signed, -1, are off the usual
    /// path.
    pub(crate) fn divide_totally(
        &mut self,
        division: Division,
        width: Width,
        destination: u8,
        source: Operand,
    ) {
        let dividend = self.operand(width, Operand::Register(destination));
        let divisor = self.operand(width, source);
        let is_special =
            may_equal(source, width, 0) || division.is_signed() && may_equal(source, width, -1);
        let result = match (is_special, source) {
            (false, _) => self.quotient(division, dividend, divisor),
            (true, Operand::Immediate(_)) => {
                self.special_quotient(division, width, dividend, divisor)
            }
            (true, Operand::Register(_)) => self.guarded(division, width, dividend, divisor),
        };
        let result = self.widen(result, width, Extension::Zero);
        self.set_register(destination, result);
    }

    fn quotient(&mut self, division: Division, dividend: Value, divisor: Value) -> Value {
        let ins = self.builder.ins();
        match division {
            Division::Quotient => ins.udiv(dividend, divisor),
            Division::Remainder => ins.urem(dividend, divisor),
            Division::SignedQuotient => ins.sdiv(dividend, divisor),
            Division::SignedRemainder => ins.srem(dividend, divisor),
        }
    }

    /// A division by a register.
    fn guarded(
        &mut self,
        division: Division,
        width: Width,
        dividend: Value,
        divisor: Value,
    ) -> Value {
        let special = self.cold_block(Role::SpecialDivisor);
        let usual = self.builder.create_block();
        let done = self.builder.create_block();
        let result = self.builder.append_block_param(done, type_of(width));
        let is_special = match division.is_signed() {
            false => self.compare_constant(width, divisor, 0),
            true => {
                // -1 and 0 are 0 and 1 then.
                let one = self.builder.ins().iconst(type_of(width), 1);
                let next = self.builder.ins().iadd(divisor, one);
                let ins = self.builder.ins();
                ins.icmp(IntCC::UnsignedLessThanOrEqual, next, one)
            }
        };
        self.builder
            .ins()
            .brif(is_special, special, &[], usual, &[]);
        self.builder.seal_block(special);
        self.builder.seal_block(usual);
        self.builder.switch_to_block(special);
        let found = self.special_quotient(division, width, dividend, divisor);
        self.builder.ins().jump(done, &[BlockArg::Value(found)]);
        self.builder.switch_to_block(usual);
        let found = self.quotient(division, dividend, divisor);
        self.builder.ins().jump(done, &[BlockArg::Value(found)]);
        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
        result
    }

    /// A division by 0 or -1.
    fn special_quotient(
        &mut self,
        division: Division,
        width: Width,
        dividend: Value,
        divisor: Value,
    ) -> Value {
        let zero = self.builder.ins().iconst(type_of(width), 0);
        match division {
            Division::Quotient => zero,
            Division::Remainder => dividend,
            Division::SignedQuotient => {
                let is_zero = self.compare_constant(width, divisor, 0);
                // It wraps where the quotient overflows.
                let negated = self.builder.ins().ineg(dividend);
                self.builder.ins().select(is_zero, zero, negated)
            }
            Division::SignedRemainder => {
                let is_zero = self.compare_constant(width, divisor, 0);
                self.builder.ins().select(is_zero, dividend, zero)
            }
        }
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
