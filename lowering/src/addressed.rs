//! Which functions a `callx` may call: those whose address a program has.
//!
//! An address is a constant in the code, computed by a few instructions or by one, or a word of the read-only
//! data, which the caller finds. A function that nothing calls directly is also taken for one, as the program
//! has it for some reason. Where a `callx` leads anywhere else the interpreter takes over.

use {
    crate::{
        decode::Program,
        insn::{Arithmetic, Insn, Operand, Operation, Width},
    },
    sbpf_runtime::abi::REGISTERS,
};

/// Values of registers that are constants where instructions follow each other.
#[derive(Debug, Default)]
pub(crate) struct Constants {
    of: [Option<u64>; REGISTERS],
}

impl Constants {
    /// Goes on behind an instruction. Returns the pc of the instruction whose address it has computed, if it
    /// has.
    pub(crate) fn follow(&mut self, insn: &Insn, program: &Program<'_>) -> Option<u32> {
        let value = match insn.operation {
            Operation::Arithmetic(operation, width, _, Operand::Immediate(operand)) => {
                let before = self.of[usize::from(insn.destination)];
                compute(operation, before, operand as u64).map(|value| match width {
                    // However it is extended: no address has so high a bit.
                    Width::W32 => u64::from(value as u32),
                    Width::W64 => value,
                })
            }
            _ => None,
        };
        for register in insn.writes().iter() {
            self.of[usize::from(register)] = value;
        }
        let offset = value?.wrapping_sub(program.text_address);
        let is_inside = offset < program.text.len() as u64 && offset.is_multiple_of(8);
        is_inside.then_some((offset / 8) as u32)
    }
}

/// The result of the operations that make up constants.
fn compute(operation: Arithmetic, before: Option<u64>, operand: u64) -> Option<u64> {
    Some(match operation {
        Arithmetic::Move => operand,
        Arithmetic::Add => before?.wrapping_add(operand),
        Arithmetic::Or => before? | operand,
        Arithmetic::ShiftLeft => before?.wrapping_shl(operand as u32),
        _ => return None,
    })
}
