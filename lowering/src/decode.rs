//! Bytes to instructions: the table of opcodes of sBPF. Standard eBPF has its own in `standard`.
//!
//! The rules are those of `Interpreter::step` in `solana-sbpf`, resolved for one dialect. An
//! opcode that a version does not have decodes to an instruction that fails when it is executed.

mod standard;

pub use standard::group;

use {
    crate::{
        dialect::{CallxRegister, Dialect},
        error::LoweringError,
        insn::{
            Arithmetic::{self, *},
            Condition::{self, *},
            Division, Extension, Insn,
            Operand::{self, *},
            Operation,
            Width::{self, *},
        },
    },
    sbpf_runtime::abi::Exception,
    std::collections::HashMap,
};

/// The most instructions of a program that are compiled: 10 MiB of text, the largest account on
/// Solana.
pub const MAX_INSTRUCTIONS: usize = 10 * 1024 * 1024 / 8;

/// A program to compile.
#[derive(Debug, Clone)]
pub struct Program<'a> {
    /// The text section, 8 bytes an instruction.
    pub text: &'a [u8],
    /// Virtual address of the text section.
    pub text_address: u64,
    /// The pc at which execution starts.
    pub entry: usize,
    /// Further pcs at which functions may start, for `callx`. Those outside of the text are
    /// ignored.
    pub function_starts: Vec<usize>,
    /// Functions by the immediate of `call`, where the dialect has no static syscalls.
    pub functions: HashMap<u32, usize>,
    /// Numbers of syscalls by the immediate of `call`.
    pub syscalls: HashMap<u32, u32>,
    /// The instruction set.
    pub dialect: Dialect,
}

impl Program<'_> {
    /// Instruction slots in the text.
    pub fn len(&self) -> usize {
        self.text.len() / 8
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The fields of an encoded instruction.
struct Encoded {
    pc: usize,
    opcode: u8,
    destination: u8,
    source: u8,
    offset: i16,
    immediate: i32,
}

impl Encoded {
    fn read(text: &[u8], pc: usize) -> Option<Self> {
        let [opcode, registers, o0, o1, immediate @ ..] =
            *text.get(pc * 8..)?.first_chunk::<8>()?;
        Some(Self {
            pc,
            opcode,
            destination: registers & 0xf,
            source: registers >> 4,
            offset: i16::from_le_bytes([o0, o1]),
            immediate: i32::from_le_bytes(immediate),
        })
    }

    fn signed(&self) -> Operand {
        Immediate(i64::from(self.immediate))
    }

    fn unsigned(&self) -> Operand {
        Immediate(i64::from(self.immediate as u32))
    }

    /// The second operand: the register if the opcode's source bit is set.
    fn operand(&self) -> Operand {
        if self.opcode & SOURCE != 0 {
            Register(self.source)
        } else {
            self.signed()
        }
    }

    fn operation_code(&self) -> u8 {
        self.opcode & 0xf0
    }
}

/// The bit that selects a register as the second operand.
const SOURCE: u8 = 0x08;

/// Decodes the instruction at `pc`.
///
/// # Errors
/// When its registers or its jump target are such that no verified program has them.
///
/// # Panics
/// Never; `pc` must be in the text, otherwise the result is an instruction that fails.
pub fn decode(program: &Program<'_>, pc: usize) -> Result<Insn, LoweringError> {
    let Some(encoded) = Encoded::read(program.text, pc) else {
        return Ok(insn(Operation::Raise(Exception::ExecutionOverrun), 0));
    };
    if let Some(groups) = program.dialect.standard {
        return standard::decode(program, &encoded, groups);
    }
    let decoded = match encoded.opcode & 7 {
        0 => return load_double_word(program, &encoded),
        1..=3 => memory(&encoded, &program.dialect),
        4 => alu32(&encoded, &program.dialect),
        5 => return jump64(program, &encoded),
        6 if program.dialect.product_quotient_remainder => product_quotient_remainder(&encoded),
        6 if program.dialect.jump32 => match condition(encoded.operation_code()) {
            Some(condition) => Some(branch(program, &encoded, condition, W32)?),
            None => None,
        },
        7 => alu64(&encoded, &program.dialect),
        _ => None,
    };
    let Some(decoded) = decoded else {
        return Ok(insn(Operation::Raise(Exception::UnsupportedInstruction), 0));
    };
    check_registers(&decoded, pc, &program.dialect)
}

fn insn(operation: Operation, destination: u8) -> Insn {
    Insn {
        operation,
        destination,
        slots: 1,
    }
}

fn check_registers(insn: &Insn, pc: usize, dialect: &Dialect) -> Result<Insn, LoweringError> {
    if let Some(register) = insn
        .reads()
        .union(insn.writes())
        .iter()
        .find(|register| *register > 10)
    {
        return Err(LoweringError::Register { pc, register });
    }
    let moves_frame = matches!(
        insn.operation,
        Operation::Arithmetic(Add, W64, _, Immediate(_)) if dialect.frame_pointer_is_variable()
    );
    if insn.writes().contains(10) && !moves_frame {
        return Err(LoweringError::Register { pc, register: 10 });
    }
    Ok(*insn)
}

fn load_double_word(program: &Program<'_>, low: &Encoded) -> Result<Insn, LoweringError> {
    if low.opcode != 0x18 || !program.dialect.load_double_word {
        return Ok(insn(Operation::Raise(Exception::UnsupportedInstruction), 0));
    }
    let high = Encoded::read(program.text, low.pc + 1)
        .ok_or(LoweringError::IncompleteLoad(low.pc))?
        .immediate;
    let value = i64::from(low.immediate as u32) | i64::from(high) << 32;
    let operation = Operation::Arithmetic(Move, W64, Extension::Zero, Immediate(value));
    let decoded = Insn {
        operation,
        destination: low.destination,
        slots: 2,
    };
    check_registers(&decoded, low.pc, &program.dialect)
}

/// The size of an access in the classes LDX, ST and STX, or `None` if the mode is not MEM.
fn classic_size(opcode: u8) -> Option<u32> {
    match opcode & 0xf8 {
        0x60 => Some(4),
        0x68 => Some(2),
        0x70 => Some(1),
        0x78 => Some(8),
        _ => None,
    }
}

/// The size of an access in the ALU classes (SIMD-0173).
fn moved_size(encoded: &Encoded) -> Option<u32> {
    match encoded.operation_code() {
        0x20 => Some(1),
        0x30 => Some(2),
        0x80 => Some(4),
        0x90 => Some(8),
        _ => None,
    }
}

fn load(encoded: &Encoded, size: u32) -> Insn {
    let (base, offset) = (encoded.source, i32::from(encoded.offset));
    let operation = Operation::Load {
        size,
        base,
        offset,
        extension: Extension::Zero,
    };
    insn(operation, encoded.destination)
}

fn store(encoded: &Encoded, size: u32, source: Operand) -> Insn {
    let (base, offset) = (encoded.destination, i32::from(encoded.offset));
    insn(
        Operation::Store {
            size,
            base,
            offset,
            source,
        },
        0,
    )
}

fn memory(encoded: &Encoded, dialect: &Dialect) -> Option<Insn> {
    if dialect.moved_memory_classes {
        return None;
    }
    let size = classic_size(encoded.opcode)?;
    Some(match encoded.opcode & 7 {
        1 => load(encoded, size),
        2 => store(encoded, size, encoded.signed()),
        _ => store(encoded, size, Register(encoded.source)),
    })
}

fn alu32(encoded: &Encoded, dialect: &Dialect) -> Option<Insn> {
    let is_register = encoded.opcode & SOURCE != 0;
    if let (true, true, Some(size)) = (
        dialect.moved_memory_classes,
        is_register,
        moved_size(encoded),
    ) {
        return Some(load(encoded, size));
    }
    let operand = encoded.operand();
    let explicit = dialect.explicit_sign_extension;
    let extended = if explicit {
        Extension::Zero
    } else {
        Extension::Sign
    };
    let moved = if explicit && is_register {
        Extension::Sign
    } else {
        Extension::Zero
    };
    let pqr = dialect.product_quotient_remainder;
    let alu = |operation: Arithmetic, extension: Extension| {
        Some(insn(
            Operation::Arithmetic(operation, W32, extension, operand),
            encoded.destination,
        ))
    };
    let divide = |division| {
        Some(insn(
            Operation::Divide(division, W32, operand),
            encoded.destination,
        ))
    };
    match encoded.operation_code() {
        0x00 => alu(Add, extended),
        0x10 => alu(subtraction(encoded, dialect), extended),
        0x20 if !pqr => alu(Multiply, extended),
        0x30 if !pqr => divide(Division::Quotient),
        0x40 => alu(Or, Extension::Zero),
        0x50 => alu(And, Extension::Zero),
        0x60 => alu(ShiftLeft, Extension::Zero),
        0x70 => alu(ShiftRight, Extension::Zero),
        0x80 if dialect.negation && !is_register => alu(Negate, Extension::Zero),
        0x90 if !pqr => divide(Division::Remainder),
        0xa0 => alu(Xor, Extension::Zero),
        0xb0 => alu(Move, moved),
        0xc0 => alu(ShiftRightSigned, Extension::Zero),
        0xd0 if is_register => Some(byte_order(encoded, true)),
        0xd0 if dialect.little_endian => Some(byte_order(encoded, false)),
        _ => None,
    }
}

fn alu64(encoded: &Encoded, dialect: &Dialect) -> Option<Insn> {
    let is_register = encoded.opcode & SOURCE != 0;
    let operand = encoded.operand();
    if let (true, Some(size)) = (dialect.moved_memory_classes, moved_size(encoded)) {
        return Some(store(encoded, size, operand));
    }
    let pqr = dialect.product_quotient_remainder;
    let with = |operation: Arithmetic, operand: Operand| {
        let operation = Operation::Arithmetic(operation, W64, Extension::Zero, operand);
        Some(insn(operation, encoded.destination))
    };
    let alu = |operation| with(operation, operand);
    let divide = |division| {
        Some(insn(
            Operation::Divide(division, W64, operand),
            encoded.destination,
        ))
    };
    match encoded.operation_code() {
        0x00 => alu(Add),
        0x10 => alu(subtraction(encoded, dialect)),
        0x20 if !pqr => alu(Multiply),
        0x30 if !pqr => divide(Division::Quotient),
        0x40 => alu(Or),
        0x50 => alu(And),
        0x60 => alu(ShiftLeft),
        0x70 => alu(ShiftRight),
        0x80 if dialect.negation && !is_register => alu(Negate),
        0x90 if !pqr => divide(Division::Remainder),
        0xa0 => alu(Xor),
        0xb0 => alu(Move),
        0xc0 => alu(ShiftRightSigned),
        0xf0 if !dialect.load_double_word && !is_register => {
            with(Or, Immediate(i64::from(encoded.immediate) << 32))
        }
        _ => None,
    }
}

/// `sub`, whose operands V2 swaps when one is an immediate.
fn subtraction(encoded: &Encoded, dialect: &Dialect) -> Arithmetic {
    let swapped = dialect.swapped_subtraction && encoded.opcode & SOURCE == 0;
    if swapped { ReverseSubtract } else { Subtract }
}

fn byte_order(encoded: &Encoded, swap: bool) -> Insn {
    match encoded.immediate {
        bits @ (16 | 32 | 64) => insn(
            Operation::ByteOrder {
                bits: bits as u8,
                swap,
            },
            encoded.destination,
        ),
        _ => insn(Operation::Raise(Exception::InvalidInstruction), 0),
    }
}

fn product_quotient_remainder(encoded: &Encoded) -> Option<Insn> {
    let width = if encoded.opcode & 0x10 != 0 { W64 } else { W32 };
    let signed = encoded.operand();
    let unsigned = match signed {
        Immediate(_) => encoded.unsigned(),
        register @ Register(_) => register,
    };
    let alu = |operation: Arithmetic, width: Width, operand: Operand| {
        let operation = Operation::Arithmetic(operation, width, Extension::Zero, operand);
        Some(insn(operation, encoded.destination))
    };
    let divide = |division, operand| {
        Some(insn(
            Operation::Divide(division, width, operand),
            encoded.destination,
        ))
    };
    match (encoded.opcode & 0xe0, width) {
        (0x20, W64) => alu(MultiplyHighUnsigned, W64, unsigned),
        (0x40, _) => divide(Division::Quotient, unsigned),
        (0x60, _) => divide(Division::Remainder, unsigned),
        (0x80, _) => alu(Multiply, width, signed),
        (0xa0, W64) => alu(MultiplyHighSigned, W64, signed),
        (0xc0, _) => divide(Division::SignedQuotient, signed),
        (0xe0, _) => divide(Division::SignedRemainder, signed),
        _ => None,
    }
}

fn condition(operation_code: u8) -> Option<Condition> {
    Some(match operation_code {
        0x10 => Equal,
        0x20 => Above,
        0x30 => AboveOrEqual,
        0x40 => AnyBit,
        0x50 => NotEqual,
        0x60 => Greater,
        0x70 => GreaterOrEqual,
        0xa0 => Below,
        0xb0 => BelowOrEqual,
        0xc0 => Less,
        0xd0 => LessOrEqual,
        _ => return None,
    })
}

/// Where a jump leads: `None` if behind the text, where only the interpreter can follow.
fn target(program: &Program<'_>, encoded: &Encoded) -> Result<Option<u32>, LoweringError> {
    let target = encoded.pc as i64 + 1 + i64::from(encoded.offset);
    if target < 0 {
        return Err(LoweringError::JumpOutsideText {
            pc: encoded.pc,
            target,
        });
    }
    Ok((target < program.len() as i64).then_some(target as u32))
}

fn branch(
    program: &Program<'_>,
    encoded: &Encoded,
    condition: Condition,
    width: Width,
) -> Result<Insn, LoweringError> {
    let source = encoded.operand();
    let operation = match target(program, encoded)? {
        Some(target) => Operation::Branch {
            condition,
            width,
            source,
            target,
        },
        None => Operation::Raise(Exception::Bailout),
    };
    Ok(insn(operation, encoded.destination))
}

fn jump64(program: &Program<'_>, encoded: &Encoded) -> Result<Insn, LoweringError> {
    let unsupported = insn(Operation::Raise(Exception::UnsupportedInstruction), 0);
    let decoded = match encoded.opcode {
        0x05 => match target(program, encoded)? {
            Some(target) => insn(Operation::Jump { target }, 0),
            None => insn(Operation::Raise(Exception::Bailout), 0),
        },
        0x85 => call(program, encoded),
        0x8d => {
            let register = match program.dialect.callx_register {
                CallxRegister::Immediate => u8::try_from(encoded.immediate).unwrap_or(u8::MAX),
                CallxRegister::Source => encoded.source,
                CallxRegister::Destination => encoded.destination,
            };
            if register > 10 {
                return Err(LoweringError::Register {
                    pc: encoded.pc,
                    register,
                });
            }
            insn(Operation::CallRegister { register }, 0)
        }
        0x95 => insn(Operation::Exit, 0),
        _ => match condition(encoded.operation_code()) {
            Some(condition) => branch(program, encoded, condition, W64)?,
            None => unsupported,
        },
    };
    check_registers(&decoded, encoded.pc, &program.dialect)
}

/// `call`: a syscall, a function, both or neither, as `ebpf::CALL_IMM` in the interpreter.
fn call(program: &Program<'_>, encoded: &Encoded) -> Insn {
    let key = encoded.immediate as u32;
    let is_static = program.dialect.static_syscalls;
    let syscall = match encoded.source == 0 || !is_static {
        true => program.syscalls.get(&key).copied(),
        false => None,
    };
    let function = if !is_static {
        program.functions.get(&key).map(|target| *target as u64)
    } else {
        let target = (encoded.pc as i64 + 1).saturating_add(i64::from(encoded.immediate)) as u64;
        (encoded.source == 1 && target < program.len() as u64).then_some(target)
    };
    let operation = match (syscall, function) {
        // The interpreter does both; it may as well do so here.
        (Some(_), Some(_)) => Operation::Raise(Exception::Bailout),
        (Some(index), None) => Operation::Syscall { index },
        (None, Some(target)) if target < program.len() as u64 => Operation::Call {
            target: target as u32,
        },
        (None, Some(_)) => Operation::CallAndRaise(Exception::CallOutsideTextSegment),
        (None, None) => Operation::Raise(Exception::UnsupportedInstruction),
    };
    insn(operation, 0)
}
