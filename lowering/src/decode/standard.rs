//! The table of opcodes of standard eBPF (RFC 9669).
//!
//! What the RFC does not define, or a selected conformance group does not have, decodes to an
//! instruction that fails when it is executed, as do fields that have to be zero and are not.
//! Constants in two halves arrive here with their value: what maps and variables they stand for is
//! the loader's to know.

use {
    super::{Encoded, branch, check_registers, condition, insn, load, store},
    crate::{
        decode::Program,
        dialect::ConformanceGroups,
        error::LoweringError,
        insn::{
            Arithmetic::{self, *},
            AtomicOperation, Division, Extension, Insn,
            Operand::*,
            Operation,
            Width::{self, *},
        },
    },
    sbpf_runtime::abi::Exception,
};

/// Bits of the immediate of an atomic operation: the old value of memory is wanted.
const FETCH: i32 = 1;

/// The conformance group that an instruction belongs to, or `None` if there is no such instruction
/// or it is one of the deprecated `packet` group.
///
/// Registers, jump targets and fields that have to be zero are not looked at.
pub fn group(encoded: [u8; 8]) -> Option<ConformanceGroups> {
    let encoded = Encoded::read(&encoded, 0)?;
    group_of(&encoded)
}

fn group_of(encoded: &Encoded) -> Option<ConformanceGroups> {
    let class = encoded.opcode & 7;
    let code = encoded.operation_code();
    let is_wide = class == 7;
    let base = if is_wide {
        ConformanceGroups::BASE64
    } else {
        ConformanceGroups::BASE32
    };
    let divmul = if is_wide {
        ConformanceGroups::DIVMUL64
    } else {
        ConformanceGroups::DIVMUL32
    };
    match (class, code) {
        (0, _) => (encoded.opcode == 0x18).then_some(ConformanceGroups::BASE64),
        (1..=3, _) => group_of_access(encoded),
        (4 | 7, 0x20 | 0x30 | 0x90) => Some(divmul),
        (4 | 7, 0xd0) => match encoded.immediate {
            16 | 32 => Some(ConformanceGroups::BASE32),
            64 => Some(ConformanceGroups::BASE64),
            _ => None,
        },
        (4 | 7, 0x00..=0xc0) => Some(base),
        (5, 0x00 | 0x80 | 0x90) => Some(ConformanceGroups::BASE32),
        (6, 0x00) => Some(ConformanceGroups::BASE32),
        (5, _) => condition(code).map(|_| ConformanceGroups::BASE64),
        (6, _) => condition(code).map(|_| ConformanceGroups::BASE32),
        _ => None,
    }
}

fn group_of_access(encoded: &Encoded) -> Option<ConformanceGroups> {
    let size = size(encoded.opcode);
    let is_wide = size == 8;
    match (encoded.opcode & 0xe0, encoded.opcode & 7) {
        (MEM, _) | (MEMSX, 1) if !is_wide => Some(ConformanceGroups::BASE32),
        (MEM, _) => Some(ConformanceGroups::BASE64),
        (ATOMIC, 3) if is_wide => Some(ConformanceGroups::ATOMIC64),
        (ATOMIC, 3) if size == 4 => Some(ConformanceGroups::ATOMIC32),
        _ => None,
    }
}

/// Modes of access.
const MEM: u8 = 0x60;
const MEMSX: u8 = 0x80;
const ATOMIC: u8 = 0xc0;

/// The size of an access in bytes.
fn size(opcode: u8) -> u32 {
    match opcode & 0x18 {
        0x00 => 4,
        0x08 => 2,
        0x10 => 1,
        _ => 8,
    }
}

/// Decodes an instruction.
///
/// # Errors
/// See [`super::decode`].
pub(super) fn decode(
    program: &Program<'_>,
    encoded: &Encoded,
    groups: ConformanceGroups,
) -> Result<Insn, LoweringError> {
    let unsupported = Ok(insn(Operation::Raise(Exception::UnsupportedInstruction), 0));
    match group_of(encoded) {
        Some(group) if groups.contains(group) => {}
        _ => return unsupported,
    }
    let decoded = match encoded.opcode & 7 {
        0 => load_immediate(program, encoded)?,
        1..=3 => access(encoded),
        4 => arithmetic(encoded, W32),
        7 => arithmetic(encoded, W64),
        5 => jump(program, encoded, W64)?,
        _ => jump(program, encoded, W32)?,
    };
    match decoded {
        Some(decoded) => check_registers(&decoded, encoded.pc, &program.dialect),
        None => unsupported,
    }
}

impl Encoded {
    /// Whether fields that an instruction does not use are zero, as they have to be.
    fn unused(&self, fields: &[i64]) -> Option<()> {
        fields.iter().all(|field| *field == 0).then_some(())
    }
}

fn load_immediate(program: &Program<'_>, low: &Encoded) -> Result<Option<Insn>, LoweringError> {
    let high =
        Encoded::read(program.text, low.pc + 1).ok_or(LoweringError::IncompleteLoad(low.pc))?;
    let zero = [
        i64::from(low.source),
        i64::from(low.offset),
        i64::from(high.opcode),
        i64::from(high.destination),
        i64::from(high.source),
        i64::from(high.offset),
    ];
    let value = i64::from(low.immediate as u32) | i64::from(high.immediate) << 32;
    let operation = Operation::Arithmetic(Move, W64, Extension::Zero, Immediate(value));
    Ok(low.unused(&zero).map(|()| Insn {
        operation,
        destination: low.destination,
        slots: 2,
    }))
}

fn access(encoded: &Encoded) -> Option<Insn> {
    let size = size(encoded.opcode);
    let (immediate, source) = (i64::from(encoded.immediate), i64::from(encoded.source));
    match (encoded.opcode & 0xe0, encoded.opcode & 7) {
        (MEM, 1) => {
            encoded.unused(&[immediate])?;
            Some(load(encoded, size))
        }
        (MEMSX, 1) => {
            encoded.unused(&[immediate])?;
            let operation = Operation::Load {
                size,
                base: encoded.source,
                offset: i32::from(encoded.offset),
                extension: Extension::Sign,
            };
            Some(insn(operation, encoded.destination))
        }
        (MEM, 2) => {
            encoded.unused(&[source])?;
            Some(store(encoded, size, encoded.signed()))
        }
        (MEM, 3) => {
            encoded.unused(&[immediate])?;
            Some(store(encoded, size, Register(encoded.source)))
        }
        (ATOMIC, 3) => atomic(encoded, size),
        _ => None,
    }
}

fn atomic(encoded: &Encoded, size: u32) -> Option<Insn> {
    let fetch = encoded.immediate & FETCH != 0;
    let operation = match (encoded.immediate & !FETCH, fetch) {
        (0x00, _) => AtomicOperation::Add,
        (0x40, _) => AtomicOperation::Or,
        (0x50, _) => AtomicOperation::And,
        (0xa0, _) => AtomicOperation::Xor,
        (0xe0, true) => AtomicOperation::Exchange,
        (0xf0, true) => AtomicOperation::CompareExchange,
        _ => return None,
    };
    let operation = Operation::Atomic {
        operation,
        fetch,
        size,
        base: encoded.destination,
        offset: i32::from(encoded.offset),
        source: encoded.source,
    };
    Some(insn(operation, 0))
}

fn arithmetic(encoded: &Encoded, width: Width) -> Option<Insn> {
    let is_register = encoded.opcode & super::SOURCE != 0;
    let operand = encoded.operand();
    let (source, immediate) = (i64::from(encoded.source), i64::from(encoded.immediate));
    let offset = i64::from(encoded.offset);
    let other = if is_register { immediate } else { source };
    let alu = |operation: Arithmetic| {
        encoded.unused(&[offset, other])?;
        let operation = Operation::Arithmetic(operation, width, Extension::Zero, operand);
        Some(insn(operation, encoded.destination))
    };
    let divide = |unsigned: Division, signed: Division| {
        encoded.unused(&[other])?;
        let division = match offset {
            0 => unsigned,
            1 => signed,
            _ => return None,
        };
        let operation = Operation::DivideTotally(division, width, operand);
        Some(insn(operation, encoded.destination))
    };
    match encoded.operation_code() {
        0x00 => alu(Add),
        0x10 => alu(Subtract),
        0x20 => alu(Multiply),
        0x30 => divide(Division::Quotient, Division::SignedQuotient),
        0x40 => alu(Or),
        0x50 => alu(And),
        0x60 => alu(ShiftLeft),
        0x70 => alu(ShiftRight),
        0x80 if !is_register => {
            encoded.unused(&[immediate])?;
            alu(Negate)
        }
        0x90 => divide(Division::Remainder, Division::SignedRemainder),
        0xa0 => alu(Xor),
        0xb0 if offset == 0 || !is_register => alu(Move),
        0xb0 => move_signed(encoded, width),
        0xc0 => alu(ShiftRightSigned),
        0xd0 => byte_order(encoded, width),
        _ => None,
    }
}

fn move_signed(encoded: &Encoded, width: Width) -> Option<Insn> {
    encoded.unused(&[i64::from(encoded.immediate)])?;
    let bits = match (encoded.offset, width) {
        (8, _) => 8,
        (16, _) => 16,
        (32, W64) => 32,
        _ => return None,
    };
    let operation = Operation::MoveSigned {
        bits,
        width,
        source: encoded.source,
    };
    Some(insn(operation, encoded.destination))
}

/// `le` and `be` of the class ALU, `bswap` of the class ALU64; the machine is little-endian.
fn byte_order(encoded: &Encoded, width: Width) -> Option<Insn> {
    let is_big_endian = encoded.opcode & super::SOURCE != 0;
    encoded.unused(&[i64::from(encoded.source), i64::from(encoded.offset)])?;
    let swap = match width {
        W32 => is_big_endian,
        W64 if is_big_endian => return None,
        W64 => true,
    };
    let bits = encoded.immediate as u8;
    Some(insn(
        Operation::ByteOrder { bits, swap },
        encoded.destination,
    ))
}

fn jump(
    program: &Program<'_>,
    encoded: &Encoded,
    width: Width,
) -> Result<Option<Insn>, LoweringError> {
    let (source, immediate) = (i64::from(encoded.source), i64::from(encoded.immediate));
    let (destination, offset) = (i64::from(encoded.destination), i64::from(encoded.offset));
    let is_register = encoded.opcode & super::SOURCE != 0;
    let zero: &[i64] = match (encoded.operation_code(), width) {
        (0x00 | 0x80 | 0x90, _) if is_register => return Ok(None),
        (0x00, W64) => &[source, destination, immediate],
        (0x00, W32) => &[source, destination, offset],
        (0x80, _) => &[destination, offset],
        (0x90, _) => &[source, destination, offset, immediate],
        _ if is_register => &[immediate],
        _ => &[source],
    };
    if encoded.unused(zero).is_none() {
        return Ok(None);
    }
    Ok(match (encoded.operation_code(), width) {
        (0x00, W64) => Some(jump_by(program, encoded, offset)?),
        (0x00, W32) => Some(jump_by(program, encoded, immediate)?),
        (0x80, _) => call(program, encoded)?,
        (0x90, _) => Some(insn(Operation::Exit, 0)),
        (code, _) => match condition(code) {
            Some(condition) => {
                target(program, encoded.pc, offset)?;
                Some(branch(program, encoded, condition, width)?)
            }
            None => None,
        },
    })
}

/// The pc that is `distance` instructions behind the next one.
fn target(program: &Program<'_>, pc: usize, distance: i64) -> Result<u32, LoweringError> {
    let target = pc as i64 + 1 + distance;
    match u32::try_from(target) {
        Ok(inside) if (inside as usize) < program.len() => Ok(inside),
        _ => Err(LoweringError::JumpOutsideText { pc, target }),
    }
}

fn jump_by(program: &Program<'_>, encoded: &Encoded, distance: i64) -> Result<Insn, LoweringError> {
    let target = target(program, encoded.pc, distance)?;
    Ok(insn(Operation::Jump { target }, 0))
}

/// A call of a helper by its static number, or of a function of the program. Helpers by their BTF
/// number exist in no runtime but a kernel.
fn call(program: &Program<'_>, encoded: &Encoded) -> Result<Option<Insn>, LoweringError> {
    let operation = match encoded.source {
        0 => match program.syscalls.get(&(encoded.immediate as u32)) {
            Some(&index) => Operation::Syscall { index },
            None => return Ok(None),
        },
        1 => Operation::Call {
            target: target(program, encoded.pc, i64::from(encoded.immediate))?,
        },
        _ => return Ok(None),
    };
    Ok(Some(insn(operation, 0)))
}
