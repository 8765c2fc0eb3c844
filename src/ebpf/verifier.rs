//! What RFC 9669 rules out without running a program: undefined instructions and fields, registers
//! that do not exist or may not be written, jumps to what is no instruction.

use {
    super::error::VerifyError,
    sbpf_lowering::{
        decode::{self, Program},
        insn::{Insn, Operation},
    },
    sbpf_runtime::abi::Exception,
};

/// Verifies all of a program; returns its instructions by pc. In the second half of a constant
/// there is one that fails.
///
/// # Errors
/// See [`VerifyError`].
pub(super) fn verify(program: &Program<'_>) -> Result<Vec<Insn>, VerifyError> {
    sbpf_lowering::check_length(program)?;
    if program.is_empty() {
        return Err(VerifyError::Empty);
    }
    let mut insns = Vec::with_capacity(program.len());
    let mut is_start = Vec::with_capacity(program.len());
    let mut last = 0;
    while insns.len() < program.len() {
        last = insns.len();
        let insn = decode::decode(program, last)?;
        if let Operation::Raise(_) = insn.operation {
            return Err(reason(program, last));
        }
        insns.push(insn);
        is_start.push(true);
        if insn.slots == 2 {
            insns.push(SECOND_HALF);
            is_start.push(false);
        }
    }
    if !matches!(
        insns[last].operation,
        Operation::Exit | Operation::Jump { .. }
    ) {
        return Err(VerifyError::FallsOffTheEnd(last));
    }
    let is_start = |pc: usize| is_start.get(pc).copied().unwrap_or_default();
    for (pc, insn) in insns.iter().enumerate() {
        if let Operation::Jump { target }
        | Operation::Branch { target, .. }
        | Operation::Call { target } = insn.operation
            && !is_start(target as usize)
        {
            let target = target as usize;
            return Err(VerifyError::IntoConstant { pc, target });
        }
    }
    if !is_start(program.entry) {
        return Err(VerifyError::Entry(program.entry));
    }
    Ok(insns)
}

/// What is decoded in the second half of a constant.
const SECOND_HALF: Insn = Insn {
    operation: Operation::Raise(Exception::UnsupportedInstruction),
    destination: 0,
    slots: 1,
};

/// Why the instruction at `pc` is none.
fn reason(program: &Program<'_>, pc: usize) -> VerifyError {
    let Some(&bytes) = program.text[8 * pc..].first_chunk::<8>() else {
        return VerifyError::FallsOffTheEnd(pc);
    };
    let opcode = bytes[0];
    let groups = program.dialect.standard;
    match (decode::group(bytes), opcode) {
        // Absolute and indirect loads of up to 4 bytes.
        (None, 0x20 | 0x28 | 0x30 | 0x40 | 0x48 | 0x50) => VerifyError::Packet(pc),
        // A byte order of another width.
        (None, 0xd4 | 0xdc | 0xd7) => VerifyError::Field { pc, opcode },
        (None, _) => VerifyError::UnknownOpcode { pc, opcode },
        (Some(group), _) if !groups.is_some_and(|groups| groups.contains(group)) => {
            VerifyError::Group(pc)
        }
        (Some(_), 0x85) if bytes[1] == 0x20 => VerifyError::BtfCall(pc),
        (Some(_), _) => VerifyError::Field { pc, opcode },
    }
}
