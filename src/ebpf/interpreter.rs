//! The reference: executes decoded instructions one by one, as RFC 9669 describes them.
//!
//! Compiled code hands over to it where the meter may end and where an access is not inside of a
//! region, and is compared with it in tests.

use {
    super::{
        error::Fault, helpers::Helpers, memory::Memory, options::FRAME_SIZE, program::Program,
    },
    sbpf_lowering::insn::{
        Arithmetic, AtomicOperation, Condition, Division, Extension, Insn, Operand, Operation,
        Width,
    },
    sbpf_runtime::abi::Exception,
};

/// What a frame keeps for its caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// Where the caller goes on.
    pub(super) return_pc: u32,
    /// r6 to r9 of the caller.
    pub(super) saved: [u64; 4],
}

/// A program while it is interpreted.
pub(super) struct Interpreter<'a, 'm, 'h> {
    program: &'a Program,
    memory: &'a Memory<'m>,
    helpers: &'a mut Helpers<'h>,
    /// r0 to r10.
    pub(super) registers: [u64; 11],
    /// The next instruction, or the one that failed or exited.
    pub(super) pc: u32,
    /// Instructions left; 0 without a meter.
    pub(super) meter: i64,
    /// Callers, the outermost first.
    pub(super) frames: Vec<Frame>,
}

impl<'a, 'm, 'h> Interpreter<'a, 'm, 'h> {
    /// An interpreter at pc 0.
    pub(super) fn new(
        program: &'a Program,
        memory: &'a Memory<'m>,
        helpers: &'a mut Helpers<'h>,
        registers: [u64; 11],
        meter: i64,
    ) -> Self {
        Self {
            program,
            memory,
            helpers,
            registers,
            pc: 0,
            meter,
            frames: Vec::new(),
        }
    }

    /// Executes the program to its end.
    pub(super) fn run(&mut self) -> Result<u64, Fault> {
        loop {
            if let Some(result) = self.step()? {
                return Ok(result);
            }
        }
    }

    /// Executes one instruction; returns r0 if it ends the program.
    pub(super) fn step(&mut self) -> Result<Option<u64>, Fault> {
        let program = self.program;
        if program.inner.options.meter {
            if self.meter <= 0 {
                return Err(Fault::InstructionLimit);
            }
            self.meter -= 1;
        }
        let Some(insn) = program.inner.insns.get(self.pc as usize) else {
            return Err(Fault::Unverified);
        };
        let mut next = self.pc + u32::from(insn.slots);
        match insn.operation {
            Operation::Jump { target } => next = target,
            Operation::Branch {
                condition,
                width,
                source,
                target,
            } => {
                let (left, right) = self.operands(insn, width, source);
                if holds(condition, width, left, right) {
                    next = target;
                }
            }
            Operation::Call { target } => {
                self.push_frame(next)?;
                next = target;
            }
            Operation::Syscall { index } => self.call_helper(index)?,
            Operation::Exit => match self.frames.pop() {
                Some(frame) => {
                    self.registers[6..10].copy_from_slice(&frame.saved);
                    self.registers[10] -= u64::from(FRAME_SIZE);
                    next = frame.return_pc;
                }
                None => return Ok(Some(self.registers[0])),
            },
            _ => self.execute(insn)?,
        }
        self.pc = next;
        Ok(None)
    }

    /// Executes an instruction that goes on with the next.
    fn execute(&mut self, insn: &Insn) -> Result<(), Fault> {
        let destination = usize::from(insn.destination);
        match insn.operation {
            Operation::Arithmetic(operation, width, _, source) => {
                let (left, right) = self.operands(insn, width, source);
                self.registers[destination] = arithmetic(operation, width, left, right);
            }
            Operation::DivideTotally(division, width, source) => {
                let (left, right) = self.operands(insn, width, source);
                self.registers[destination] = divide(division, width, left, right);
            }
            Operation::MoveSigned {
                bits,
                width,
                source,
            } => {
                let extended = sign_extend(self.registers[usize::from(source)], u32::from(bits));
                self.registers[destination] = truncate(width, extended);
            }
            Operation::ByteOrder { bits, swap } => {
                let value = self.registers[destination];
                self.registers[destination] = byte_order(value, bits, swap);
            }
            Operation::Load {
                size,
                base,
                offset,
                extension,
            } => {
                let value = self.memory.load(self.address(base, offset), size)?;
                self.registers[destination] = match extension {
                    Extension::Zero => value,
                    Extension::Sign => sign_extend(value, 8 * size),
                };
            }
            Operation::Store {
                size,
                base,
                offset,
                source,
            } => {
                let value = self.operand(source);
                self.memory.store(self.address(base, offset), size, value)?;
            }
            Operation::Atomic {
                operation,
                fetch,
                size,
                base,
                offset,
                source,
            } => {
                let address = self.address(base, offset);
                self.atomic(operation, fetch, size, address, source)?;
            }
            Operation::Raise(Exception::CallDepthExceeded) => return Err(Fault::CallDepth),
            _ => return Err(Fault::Unverified),
        }
        Ok(())
    }

    fn atomic(
        &mut self,
        operation: AtomicOperation,
        fetch: bool,
        size: u32,
        address: u64,
        source: u8,
    ) -> Result<(), Fault> {
        let width = if size == 4 { Width::W32 } else { Width::W64 };
        if !self.memory.is_writable(address, size) {
            return Err(Fault::AccessViolation {
                address,
                size,
                store: true,
            });
        }
        let old = self.memory.load(address, size)?;
        let operand = self.registers[usize::from(source)];
        let expected = truncate(width, self.registers[0]);
        let (new, fetched) = match operation {
            AtomicOperation::Add => (old.wrapping_add(operand), source),
            AtomicOperation::Or => (old | operand, source),
            AtomicOperation::And => (old & operand, source),
            AtomicOperation::Xor => (old ^ operand, source),
            AtomicOperation::Exchange => (operand, source),
            AtomicOperation::CompareExchange if old == expected => (operand, 0),
            AtomicOperation::CompareExchange => (old, 0),
        };
        self.memory.store(address, size, new)?;
        if fetch {
            self.registers[usize::from(fetched)] = old;
        }
        Ok(())
    }

    fn push_frame(&mut self, return_pc: u32) -> Result<(), Fault> {
        if self.frames.len() + 1 >= self.program.inner.options.call_depth as usize {
            return Err(Fault::CallDepth);
        }
        let [r6, r7, r8, r9] = [6, 7, 8, 9].map(|register| self.registers[register]);
        self.frames.push(Frame {
            return_pc,
            saved: [r6, r7, r8, r9],
        });
        self.registers[10] += u64::from(FRAME_SIZE);
        Ok(())
    }

    fn call_helper(&mut self, index: u32) -> Result<(), Fault> {
        let [_, arguments @ .., _, _, _, _, _] = &self.registers;
        let number = self.program.inner.helpers[index as usize];
        let (result, meter) = self
            .helpers
            .call(number, arguments, self.memory, self.meter)?;
        self.registers[0] = result;
        self.meter = meter;
        Ok(())
    }

    fn address(&self, base: u8, offset: i32) -> u64 {
        self.registers[usize::from(base)].wrapping_add_signed(i64::from(offset))
    }

    fn operand(&self, operand: Operand) -> u64 {
        match operand {
            Operand::Register(register) => self.registers[usize::from(register)],
            Operand::Immediate(value) => value as u64,
        }
    }

    /// Destination and source, zero-extended from `width`.
    fn operands(&self, insn: &Insn, width: Width, source: Operand) -> (u64, u64) {
        let left = self.registers[usize::from(insn.destination)];
        (truncate(width, left), truncate(width, self.operand(source)))
    }
}

fn truncate(width: Width, value: u64) -> u64 {
    match width {
        Width::W32 => u64::from(value as u32),
        Width::W64 => value,
    }
}

/// The low `bits` bits as a signed number.
fn sign_extend(value: u64, bits: u32) -> u64 {
    let unused = 64 - bits;
    ((value << unused) as i64 >> unused) as u64
}

/// A number of `width` as a signed one.
fn signed(width: Width, value: u64) -> i64 {
    match width {
        Width::W32 => i64::from(value as i32),
        Width::W64 => value as i64,
    }
}

/// Operands and result are zero-extended.
fn arithmetic(operation: Arithmetic, width: Width, left: u64, right: u64) -> u64 {
    let shift = match width {
        Width::W32 => right as u32 % 32,
        Width::W64 => right as u32 % 64,
    };
    let result = match operation {
        Arithmetic::Add => left.wrapping_add(right),
        Arithmetic::Subtract => left.wrapping_sub(right),
        Arithmetic::ReverseSubtract => right.wrapping_sub(left),
        Arithmetic::Multiply => left.wrapping_mul(right),
        Arithmetic::MultiplyHighUnsigned => ((u128::from(left) * u128::from(right)) >> 64) as u64,
        Arithmetic::MultiplyHighSigned => {
            ((i128::from(left as i64) * i128::from(right as i64)) >> 64) as u64
        }
        Arithmetic::Or => left | right,
        Arithmetic::And => left & right,
        Arithmetic::Xor => left ^ right,
        Arithmetic::ShiftLeft => left << shift,
        Arithmetic::ShiftRight => left >> shift,
        Arithmetic::ShiftRightSigned => (signed(width, left) >> shift) as u64,
        Arithmetic::Move => right,
        Arithmetic::Negate => left.wrapping_neg(),
    };
    truncate(width, result)
}

/// Operands and result are zero-extended.
fn divide(division: Division, width: Width, left: u64, right: u64) -> u64 {
    let (signed_left, signed_right) = (signed(width, left), signed(width, right));
    let result = match (division, right) {
        (Division::Quotient | Division::SignedQuotient, 0) => 0,
        (Division::Remainder | Division::SignedRemainder, 0) => left,
        (Division::Quotient, _) => left / right,
        (Division::Remainder, _) => left % right,
        (Division::SignedQuotient, _) => signed_left.wrapping_div(signed_right) as u64,
        (Division::SignedRemainder, _) => signed_left.wrapping_rem(signed_right) as u64,
    };
    truncate(width, result)
}

fn byte_order(value: u64, bits: u8, swap: bool) -> u64 {
    match (bits, swap) {
        (16, true) => u64::from((value as u16).swap_bytes()),
        (16, false) => u64::from(value as u16),
        (32, true) => u64::from((value as u32).swap_bytes()),
        (32, false) => u64::from(value as u32),
        (_, true) => value.swap_bytes(),
        (_, false) => value,
    }
}

fn holds(condition: Condition, width: Width, left: u64, right: u64) -> bool {
    let (signed_left, signed_right) = (signed(width, left), signed(width, right));
    match condition {
        Condition::Equal => left == right,
        Condition::NotEqual => left != right,
        Condition::AnyBit => left & right != 0,
        Condition::Above => left > right,
        Condition::AboveOrEqual => left >= right,
        Condition::Below => left < right,
        Condition::BelowOrEqual => left <= right,
        Condition::Greater => signed_left > signed_right,
        Condition::GreaterOrEqual => signed_left >= signed_right,
        Condition::Less => signed_left < signed_right,
        Condition::LessOrEqual => signed_left <= signed_right,
    }
}
