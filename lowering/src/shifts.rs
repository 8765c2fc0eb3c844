//! What two shifts by constants are together, for which programs have no instruction.
//!
//! - A **rotation**: both parts of a value, shifted and put together. Cranelift would make a shift of two
//!   registers of it, which takes three times as long.
//! - An **extension**: the low half of a value, shifted to its upper end and back.

use cranelift_codegen::ir::{
    DataFlowGraph, InstructionData, Opcode, Type, Value, ValueDef,
    types::{I8, I16, I32, I64},
};

/// What is narrowed, and to which type, if it is extended again by a shift to the right of `left` by
/// `right`.
pub(crate) fn extension(dfg: &DataFlowGraph, left: Value, right: Value) -> Option<(Value, Type)> {
    let up = Shift::of(dfg, left)?;
    let is_extension = up.opcode == Opcode::Ishl
        && dfg.value_type(up.value) == I64
        && constant(dfg, right)? == up.amount;
    let narrow = match up.amount {
        32 => I32,
        48 => I16,
        56 => I8,
        _ => return None,
    };
    is_extension.then_some((up.value, narrow))
}

/// What is rotated to the left, and by how much, if that is what `left` and `right` are together.
pub(crate) fn rotation(dfg: &DataFlowGraph, left: Value, right: Value) -> Option<[Value; 2]> {
    let (left, right) = (Shift::of(dfg, left)?, Shift::of(dfg, right)?);
    let (up, down) = match (left.opcode, right.opcode) {
        (Opcode::Ishl, Opcode::Ushr) => (left, right),
        (Opcode::Ushr, Opcode::Ishl) => (right, left),
        _ => return None,
    };
    let bits = i64::from(dfg.value_type(up.value).bits());
    // So neither is 0, and no bit is in both.
    let is_whole = up.amount > 0 && down.amount > 0 && up.amount + down.amount == bits;
    (is_whole && origin(dfg, up.value) == origin(dfg, down.value)).then_some([up.value, up.by])
}

/// A value shifted by a constant.
struct Shift {
    opcode: Opcode,
    value: Value,
    by: Value,
    amount: i64,
}

impl Shift {
    fn of(dfg: &DataFlowGraph, value: Value) -> Option<Self> {
        let InstructionData::Binary {
            opcode,
            args: [value, by],
        } = *made_by(dfg, widened(dfg, value))?
        else {
            return None;
        };
        Some(Self {
            opcode,
            value,
            by,
            amount: constant(dfg, by)?,
        })
    }
}

/// The number that a value always is.
pub(crate) fn constant(dfg: &DataFlowGraph, value: Value) -> Option<i64> {
    match *made_by(dfg, value)? {
        InstructionData::UnaryImm {
            opcode: Opcode::Iconst,
            imm,
        } => Some(imm.bits()),
        _ => None,
    }
}

/// The instruction that a value is the result of.
fn made_by(dfg: &DataFlowGraph, value: Value) -> Option<&InstructionData> {
    match dfg.value_def(value) {
        ValueDef::Result(inst, 0) => Some(&dfg.insts[inst]),
        _ => None,
    }
}

/// The operand of an instruction of this kind.
fn operand(dfg: &DataFlowGraph, wanted: Opcode, value: Value) -> Option<Value> {
    match *made_by(dfg, value)? {
        InstructionData::Unary { opcode, arg } if opcode == wanted => Some(arg),
        _ => None,
    }
}

/// What was widened to be a register and is narrowed again.
fn widened(dfg: &DataFlowGraph, value: Value) -> Value {
    let wide = operand(dfg, Opcode::Ireduce, value);
    let narrow = wide.and_then(|wide| {
        operand(dfg, Opcode::Uextend, wide).or_else(|| operand(dfg, Opcode::Sextend, wide))
    });
    match narrow {
        Some(narrow) if dfg.value_type(narrow) == dfg.value_type(value) => narrow,
        _ => value,
    }
}

/// The register that a value is, or is the low half of.
fn origin(dfg: &DataFlowGraph, value: Value) -> Value {
    let value = dfg.resolve_aliases(widened(dfg, value));
    match operand(dfg, Opcode::Ireduce, value) {
        Some(wide) => dfg.resolve_aliases(wide),
        None => value,
    }
}
