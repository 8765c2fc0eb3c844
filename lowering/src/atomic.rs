//! Atomic operations of standard eBPF.
//!
//! Memory that is not aligned in the host is changed by a load and a store: not every machine has
//! atomic operations on it, and RFC 9669 asks for none.

use {
    crate::{
        alu::type_of,
        function::FunctionCx,
        insn::{
            AtomicOperation, Extension, Operand,
            Width::{self, *},
        },
        memory::MEMORY,
        role::Role,
    },
    cranelift_codegen::ir::{AtomicRmwOp, BlockArg, InstBuilder, Value, condcodes::IntCC},
};

impl FunctionCx<'_> {
    /// Changes `size` bytes at a host address; hands back what they were if `fetch` or if they are
    /// compared.
    pub(crate) fn atomic(
        &mut self,
        operation: AtomicOperation,
        fetch: bool,
        size: u32,
        source: u8,
        (base, offset): (Value, i32),
    ) {
        let width = if size == 4 { W32 } else { W64 };
        let offset = self.constant(i64::from(offset));
        let address = self.builder.ins().iadd(base, offset);
        let operand = self.operand(width, Operand::Register(source));
        let is_compared = operation == AtomicOperation::CompareExchange;
        // Only a comparison has a use for it.
        let expected = match is_compared {
            true => self.operand(width, Operand::Register(0)),
            false => operand,
        };

        let unaligned = self.cold_block(Role::Unaligned);
        let aligned = self.builder.create_block();
        let done = self.builder.create_block();
        let old = self.builder.append_block_param(done, type_of(width));
        let low_bits = self.constant(i64::from(size - 1));
        let misalignment = self.builder.ins().band(address, low_bits);
        self.builder
            .ins()
            .brif(misalignment, unaligned, &[], aligned, &[]);
        self.builder.seal_block(unaligned);
        self.builder.seal_block(aligned);

        self.builder.switch_to_block(unaligned);
        let found = self.load_change_store(operation, width, address, operand, expected);
        self.builder.ins().jump(done, &[BlockArg::Value(found)]);

        self.builder.switch_to_block(aligned);
        let found = self.atomically(operation, width, address, operand, expected);
        self.builder.ins().jump(done, &[BlockArg::Value(found)]);

        self.builder.seal_block(done);
        self.builder.switch_to_block(done);
        if fetch || is_compared {
            let old = self.widen(old, width, Extension::Zero);
            self.set_register(if is_compared { 0 } else { source }, old);
        }
    }

    fn atomically(
        &mut self,
        operation: AtomicOperation,
        width: Width,
        address: Value,
        operand: Value,
        expected: Value,
    ) -> Value {
        let operation = match operation {
            AtomicOperation::Add => AtomicRmwOp::Add,
            AtomicOperation::Or => AtomicRmwOp::Or,
            AtomicOperation::And => AtomicRmwOp::And,
            AtomicOperation::Xor => AtomicRmwOp::Xor,
            AtomicOperation::Exchange => AtomicRmwOp::Xchg,
            AtomicOperation::CompareExchange => {
                return self
                    .builder
                    .ins()
                    .atomic_cas(MEMORY, address, expected, operand);
            }
        };
        let ty = type_of(width);
        self.builder
            .ins()
            .atomic_rmw(ty, MEMORY, operation, address, operand)
    }

    fn load_change_store(
        &mut self,
        operation: AtomicOperation,
        width: Width,
        address: Value,
        operand: Value,
        expected: Value,
    ) -> Value {
        let ty = type_of(width);
        let old = self.builder.ins().load(ty, MEMORY, address, 0);
        let ins = self.builder.ins();
        let new = match operation {
            AtomicOperation::Add => ins.iadd(old, operand),
            AtomicOperation::Or => ins.bor(old, operand),
            AtomicOperation::And => ins.band(old, operand),
            AtomicOperation::Xor => ins.bxor(old, operand),
            AtomicOperation::Exchange => operand,
            AtomicOperation::CompareExchange => {
                let is_equal = ins.icmp(IntCC::Equal, old, expected);
                self.builder.ins().select(is_equal, operand, old)
            }
        };
        self.builder.ins().store(MEMORY, new, address, 0);
        old
    }
}
