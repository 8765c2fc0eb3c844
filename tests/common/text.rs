//! Raw encoding of instructions, for what the assembler can't say.

use solana_sbpf::{ebpf, program::SBPFVersion};

/// Width of a memory access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 1 byte.
    Byte,
    /// 2 bytes.
    Half,
    /// 4 bytes.
    Word,
    /// 8 bytes.
    Double,
}

impl Size {
    /// All sizes, ascending.
    pub const ALL: [Self; 4] = [Self::Byte, Self::Half, Self::Word, Self::Double];

    /// The width in bytes.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Word => 4,
            Self::Double => 8,
        }
    }

    /// The suffix in assembly text.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Byte => "b",
            Self::Half => "h",
            Self::Word => "w",
            Self::Double => "dw",
        }
    }

    /// Opcode of a load.
    pub fn load(self, version: SBPFVersion) -> u8 {
        match (self, version.move_memory_instruction_classes()) {
            (Self::Byte, false) => ebpf::LD_B_REG,
            (Self::Half, false) => ebpf::LD_H_REG,
            (Self::Word, false) => ebpf::LD_W_REG,
            (Self::Double, false) => ebpf::LD_DW_REG,
            (Self::Byte, true) => ebpf::LD_1B_REG,
            (Self::Half, true) => ebpf::LD_2B_REG,
            (Self::Word, true) => ebpf::LD_4B_REG,
            (Self::Double, true) => ebpf::LD_8B_REG,
        }
    }

    /// Opcode of a store of a register.
    pub fn store(self, version: SBPFVersion) -> u8 {
        match (self, version.move_memory_instruction_classes()) {
            (Self::Byte, false) => ebpf::ST_B_REG,
            (Self::Half, false) => ebpf::ST_H_REG,
            (Self::Word, false) => ebpf::ST_W_REG,
            (Self::Double, false) => ebpf::ST_DW_REG,
            (Self::Byte, true) => ebpf::ST_1B_REG,
            (Self::Half, true) => ebpf::ST_2B_REG,
            (Self::Word, true) => ebpf::ST_4B_REG,
            (Self::Double, true) => ebpf::ST_8B_REG,
        }
    }

    /// Opcode of a store of an immediate.
    pub fn store_immediate(self, version: SBPFVersion) -> u8 {
        match (self, version.move_memory_instruction_classes()) {
            (Self::Byte, false) => ebpf::ST_B_IMM,
            (Self::Half, false) => ebpf::ST_H_IMM,
            (Self::Word, false) => ebpf::ST_W_IMM,
            (Self::Double, false) => ebpf::ST_DW_IMM,
            (Self::Byte, true) => ebpf::ST_1B_IMM,
            (Self::Half, true) => ebpf::ST_2B_IMM,
            (Self::Word, true) => ebpf::ST_4B_IMM,
            (Self::Double, true) => ebpf::ST_8B_IMM,
        }
    }
}

/// Encodes one instruction slot.
pub fn encode(opcode: u8, dst: u8, src: u8, offset: i16, immediate: i32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[0] = opcode;
    bytes[1] = src << 4 | dst;
    bytes[2..4].copy_from_slice(&offset.to_le_bytes());
    bytes[4..8].copy_from_slice(&immediate.to_le_bytes());
    bytes
}

/// A program under construction, instruction by instruction.
#[derive(Debug, Clone)]
pub struct Text {
    /// Whose opcodes the helpers choose.
    pub version: SBPFVersion,
    /// The encoded instructions.
    pub bytes: Vec<u8>,
}

impl Text {
    /// An empty program.
    pub fn new(version: SBPFVersion) -> Self {
        Self {
            version,
            bytes: Vec::new(),
        }
    }

    /// Slots so far, which is the pc of the next instruction.
    pub fn pc(&self) -> usize {
        self.bytes.len() / ebpf::INSN_SIZE
    }

    /// Appends any instruction.
    pub fn push(&mut self, opcode: u8, dst: u8, src: u8, offset: i16, immediate: i32) -> &mut Self {
        self.bytes
            .extend_from_slice(&encode(opcode, dst, src, offset, immediate));
        self
    }

    /// `dst = value`, in as many instructions as the version needs.
    pub fn constant(&mut self, dst: u8, value: u64) -> &mut Self {
        if self.version.disable_lddw() {
            self.push(ebpf::MOV32_IMM, dst, 0, 0, value as i32);
            self.push(ebpf::HOR64_IMM, dst, 0, 0, (value >> 32) as i32)
        } else {
            self.push(ebpf::LD_DW_IMM, dst, 0, 0, value as i32);
            self.push(0, 0, 0, 0, (value >> 32) as i32)
        }
    }

    /// `dst = immediate`, sign-extended.
    pub fn mov(&mut self, dst: u8, immediate: i32) -> &mut Self {
        self.push(ebpf::MOV64_IMM, dst, 0, 0, immediate)
    }

    /// `dst = src`.
    pub fn copy(&mut self, dst: u8, src: u8) -> &mut Self {
        self.push(ebpf::MOV64_REG, dst, src, 0, 0)
    }

    /// `dst = *(src + offset)`.
    pub fn load(&mut self, size: Size, dst: u8, src: u8, offset: i16) -> &mut Self {
        self.push(size.load(self.version), dst, src, offset, 0)
    }

    /// `*(dst + offset) = src`.
    pub fn store(&mut self, size: Size, dst: u8, offset: i16, src: u8) -> &mut Self {
        self.push(size.store(self.version), dst, src, offset, 0)
    }

    /// `*(dst + offset) = immediate`.
    pub fn store_immediate(
        &mut self,
        size: Size,
        dst: u8,
        offset: i16,
        immediate: i32,
    ) -> &mut Self {
        self.push(
            size.store_immediate(self.version),
            dst,
            0,
            offset,
            immediate,
        )
    }

    /// Calls the syscall `name`.
    pub fn syscall(&mut self, name: &str) -> &mut Self {
        let key = ebpf::hash_symbol_name(name.as_bytes());
        self.push(ebpf::CALL_IMM, 0, 0, 0, key as i32)
    }

    /// Calls the syscall `name` with `arguments` in r1 and so on.
    pub fn syscall_with(&mut self, name: &str, arguments: &[u64]) -> &mut Self {
        for (register, argument) in (1..).zip(arguments) {
            self.constant(register, *argument);
        }
        self.syscall(name)
    }

    /// Calls the function at `target`; before V3 its pc is the key, which the case must register.
    pub fn call(&mut self, target: usize) -> &mut Self {
        if self.version.static_syscalls() {
            let distance = target as i64 - self.pc() as i64 - 1;
            self.push(ebpf::CALL_IMM, 0, 1, 0, distance as i32)
        } else {
            self.push(ebpf::CALL_IMM, 0, 0, 0, target as i32)
        }
    }

    /// Puts the address of the instruction at `pc` into a register, computed so that it is no constant of the code.
    pub fn computed_address(&mut self, register: u8, pc: usize) -> &mut Self {
        self.constant(register, (ebpf::MM_BYTECODE_START + 8 * pc as u64) ^ 1);
        self.push(ebpf::XOR64_IMM, register, 0, 0, 1)
    }

    /// Calls the address in `register`.
    pub fn callx(&mut self, register: u8) -> &mut Self {
        if self.version.callx_uses_src_reg() {
            self.push(ebpf::CALL_REG, 0, register, 0, 0)
        } else if self.version.callx_uses_dst_reg() {
            self.push(ebpf::CALL_REG, register, 0, 0, 0)
        } else {
            self.push(ebpf::CALL_REG, 0, 0, 0, i32::from(register))
        }
    }

    /// Returns.
    pub fn exit(&mut self) -> &mut Self {
        self.push(ebpf::EXIT, 0, 0, 0, 0)
    }
}

/// Starts with a store that must be visible and ends with one that must not.
pub fn between_stores(version: SBPFVersion, body: impl FnOnce(&mut Text)) -> Text {
    let mut text = Text::new(version);
    text.constant(6, ebpf::MM_HEAP_START);
    text.store_immediate(Size::Double, 6, 0, 0x11);
    body(&mut text);
    text.store_immediate(Size::Double, 6, 8, 0x22);
    text.mov(0, 0);
    text.exit();
    text
}

/// Folds r0 to r9 into r0 and stores it at `[r10-8]`; clobbers nothing but r0.
pub fn observe_registers(text: &mut Text) {
    for register in 1..10 {
        text.push(ebpf::LSH64_IMM, 0, 0, 0, 3);
        text.push(ebpf::XOR64_REG, 0, register, 0, 0);
    }
    text.store(Size::Double, 10, -8, 0);
}

/// Gives r0 to r9 distinct values.
pub fn set_registers(text: &mut Text, seed: i32) {
    for register in 0..10 {
        text.mov(register, seed + 1000 * i32::from(register));
    }
}
