//! Random programs with structure: functions, loops, branches, pointers, syscalls.
//!
//! Jumps may go anywhere, into other functions too; what the verifier takes is all that holds.

use {
    super::{
        opcodes::{Binary, OPERANDS, binaries, jumps, unaries},
        symbolic::{Label, Symbolic, Target},
        text::Size,
    },
    rand::{Rng, RngCore, seq::IndexedRandom},
    solana_sbpf::{ebpf::*, program::SBPFVersion},
};

/// A generated program.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The text section.
    pub text: Vec<u8>,
    /// Pcs of the functions that calls name.
    pub functions: Vec<usize>,
}

/// What the generator has to know of a program's surroundings.
#[derive(Debug, Clone)]
pub struct Habitat {
    /// The version to generate for.
    pub version: SBPFVersion,
    /// Starts and lengths of regions, the stack's first.
    pub regions: Vec<(u64, u64)>,
    /// Bytes in a stack frame.
    pub frame_size: u64,
}

/// Generates a program for `habitat`.
pub fn generate(random: &mut dyn RngCore, habitat: &Habitat) -> Generated {
    let mut generator = Generator {
        random,
        habitat,
        binaries: binaries(habitat.version),
        unaries: unaries(habitat.version),
        jumps: jumps(habitat.version),
        program: Symbolic::default(),
        functions: Vec::new(),
        current: 0,
    };
    generator.functions();
    // Labels at the very end need an instruction.
    generator.push(EXIT, 0, 0, 0, 0);
    let labels = generator.functions.iter();
    let functions = labels.map(|label| generator.program.pc(*label)).collect();
    let text = generator.program.resolve(habitat.version, generator.random);
    Generated { text, functions }
}

struct Generator<'random> {
    random: &'random mut dyn RngCore,
    habitat: &'random Habitat,
    binaries: Vec<Binary>,
    unaries: Vec<(u8, i32)>,
    jumps: Vec<(u8, bool)>,
    program: Symbolic,
    functions: Vec<Label>,
    current: usize,
}

impl Generator<'_> {
    fn one_in(&mut self, count: u32) -> bool {
        self.random.random_range(0..count) == 0
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        *choices.choose(self.random).expect("there is a choice")
    }

    /// A register that may be written.
    fn register(&mut self) -> u8 {
        self.random.random_range(0..10)
    }

    /// A register that may be read.
    fn source(&mut self) -> u8 {
        self.random.random_range(0..=10)
    }

    fn immediate(&mut self) -> i32 {
        match self.random.random_range(0..4) {
            0 => self.random.random_range(-16..=64),
            1 => {
                let operand = self.pick(&OPERANDS);
                operand as i32
            }
            2 => 1 << self.random.random_range(0..32),
            _ => self.random.random(),
        }
    }

    fn push(&mut self, opcode: u8, dst: u8, src: u8, offset: i16, immediate: i32) {
        self.program.push(opcode, dst, src, offset, immediate);
    }

    fn aim(&mut self, target: Target) {
        self.program.aim(target);
    }

    fn new_label(&mut self) -> Label {
        self.program.new_label()
    }

    fn place(&mut self, label: Label) {
        self.program.place(label);
    }

    /// `dst = value`; the first of the two slots gets `target`.
    fn constant(&mut self, dst: u8, value: u64, target: Target) {
        if self.habitat.version.disable_lddw() {
            self.push(MOV32_IMM, dst, 0, 0, value as i32);
            self.aim(target);
            self.push(HOR64_IMM, dst, 0, 0, (value >> 32) as i32);
        } else {
            self.push(LD_DW_IMM, dst, 0, 0, value as i32);
            self.aim(target);
            self.push(0, 0, 0, 0, (value >> 32) as i32);
        }
    }

    fn functions(&mut self) {
        let count = self.random.random_range(1..=5);
        for _ in 0..count {
            let label = self.new_label();
            self.functions.push(label);
        }
        for index in 0..count {
            self.current = index;
            let label = self.functions[index];
            self.place(label);
            self.function();
        }
    }

    fn function(&mut self) {
        if self.habitat.version.manual_stack_frame_bump() && !self.one_in(3) {
            let frames = self.random.random_range(-4..=1);
            self.push(ADD64_IMM, FRAME_PTR_REG as u8, 0, 0, frames * 64);
        }
        let statements = self.random.random_range(2..=9);
        for _ in 0..statements {
            self.statement(0);
        }
        // Now and then a function runs on into the next.
        if !self.one_in(8) {
            self.push(EXIT, 0, 0, 0, 0);
        }
    }

    fn statement(&mut self, nesting: u32) {
        match self.random.random_range(0..100) {
            0..=29 => self.arithmetic(),
            30..=34 => {
                let (register, value) = (self.register(), self.pick(&OPERANDS));
                self.constant(register, value, Target::None);
            }
            35..=54 => self.memory_accesses(),
            55..=62 => self.pointer(),
            63..=69 if nesting < 3 => self.bounded_loop(nesting),
            70..=78 if nesting < 3 => self.branch(nesting),
            79..=86 => self.call(),
            87..=95 => self.syscall(),
            96 => self.early_exit(),
            97 => self.wild_jump(),
            _ => self.arithmetic(),
        }
    }

    fn arithmetic(&mut self) {
        let runs = self.random.random_range(1..=4);
        for _ in 0..runs {
            let dst = self.register();
            if self.one_in(8) {
                let unaries = self.unaries.clone();
                let (opcode, immediate) = self.pick(&unaries);
                self.push(opcode, dst, 0, 0, immediate);
                continue;
            }
            let index = self.random.random_range(0..self.binaries.len());
            let binary = self.binaries[index];
            if binary.immediate {
                let mut immediate = self.immediate();
                if let Some(bits) = binary.shift {
                    immediate &= bits as i32 - 1;
                } else if !binary.takes_immediate(immediate) {
                    immediate = 7;
                }
                self.push(binary.opcode, dst, 0, 0, immediate);
            } else {
                let src = self.source();
                // Most divisors are made nonzero, else few programs get far.
                if binary.division.is_some() && src < 10 && !self.one_in(6) {
                    self.push(OR64_IMM, src, 0, 0, 1);
                }
                self.push(binary.opcode, dst, src, 0, 0);
            }
        }
    }

    /// An address inside of a region, or near its ends.
    fn address(&mut self) -> u64 {
        let regions = &self.habitat.regions;
        let (start, len) = regions[self.random.random_range(0..regions.len())];
        let offset = match self.random.random_range(0..10) {
            0 => self.random.random_range(-9..=9i64),
            1 => len as i64 + self.random.random_range(-9..=9i64),
            2..=4 => self.random.random_range(0..=len as i64 / 8) * 8,
            _ => self.random.random_range(0..=len as i64),
        };
        start.wrapping_add(offset as u64)
    }

    /// Makes some register a pointer.
    fn pointer(&mut self) {
        let dst = self.random.random_range(1..10);
        match self.random.random_range(0..8) {
            0..=2 => {
                let address = self.address();
                self.constant(dst, address, Target::None);
            }
            3 | 4 => {
                // Into the own frame, to be handed on as an argument.
                let offset = self.random.random_range(0..=self.habitat.frame_size / 8) * 8;
                self.push(MOV64_REG, dst, FRAME_PTR_REG as u8, 0, 0);
                self.push(ADD64_IMM, dst, 0, 0, -(offset as i32));
            }
            5 => {
                let step = self.pick(&[1, 4, 8, -8, 16, 64, 256, -4096]);
                self.push(ADD64_IMM, dst, 0, 0, step);
            }
            6 => {
                // A small index is added.
                let (index, mask) = (self.register(), self.pick(&[3, 7, 31, 63]));
                self.push(AND64_IMM, index, 0, 0, mask);
                self.push(ADD64_REG, dst, index, 0, 0);
            }
            _ => {
                let src = self.source();
                self.push(MOV64_REG, dst, src, 0, 0);
            }
        }
    }

    /// Some accesses off one base.
    fn memory_accesses(&mut self) {
        let (base, span) = match self.random.random_range(0..10) {
            0..=4 => (FRAME_PTR_REG as u8, -(self.habitat.frame_size as i64)),
            5..=7 => {
                let base = self.random.random_range(1..10);
                let address = self.address();
                self.constant(base, address, Target::None);
                (base, 48)
            }
            _ => (self.pick(&[1, 6, 7, 8]), 24),
        };
        let accesses = self.random.random_range(1..=5);
        for _ in 0..accesses {
            let mut offset = if span < 0 {
                self.random.random_range(span..0)
            } else {
                self.random.random_range(-2..span)
            };
            if !self.one_in(3) {
                offset &= !7;
            }
            if self.one_in(40) {
                offset = i64::from(self.pick(&[i16::MIN, -4096, -1, 0, 4095, i16::MAX]));
            }
            self.access(base, offset as i16);
        }
    }

    fn access(&mut self, base: u8, offset: i16) {
        let version = self.habitat.version;
        let size = self.pick(&Size::ALL);
        match self.random.random_range(0..5) {
            0 | 1 => {
                let dst = self.register();
                self.push(size.load(version), dst, base, offset, 0);
            }
            2 | 3 => {
                let src = self.source();
                self.push(size.store(version), base, src, offset, 0);
            }
            _ => {
                let immediate = self.immediate();
                self.push(size.store_immediate(version), base, 0, offset, immediate);
            }
        }
    }

    /// A conditional jump to `target` on random operands.
    fn condition(&mut self, target: Target) {
        let index = self.random.random_range(0..self.jumps.len());
        let (opcode, immediate) = self.jumps[index];
        let dst = self.register();
        if immediate {
            let immediate = self.immediate();
            self.push(opcode, dst, 0, 0, immediate);
        } else {
            let src = self.source();
            self.push(opcode, dst, src, 0, 0);
        }
        self.aim(target);
    }

    fn bounded_loop(&mut self, nesting: u32) {
        if self.one_in(3) {
            return self.counting_loop();
        }
        let counter = self.pick(&[6, 7, 8, 9, 9, 3]);
        let turns = self.random.random_range(1..=6);
        self.push(MOV64_IMM, counter, 0, 0, turns);
        let start = self.new_label();
        let out = self.new_label();
        self.place(start);
        let statements = self.random.random_range(1..=3);
        for _ in 0..statements {
            self.statement(nesting + 1);
        }
        if self.one_in(4) {
            self.condition(Target::Jump(out));
        }
        self.turn_again(counter, start);
        self.place(out);
    }

    /// A loop of one block that goes through memory: its turns may be counted in advance.
    fn counting_loop(&mut self) {
        let (counter, pointers) = (9, [7, 8]);
        let turns = self.random.random_range(1..=24);
        for pointer in pointers {
            let address = self.address();
            self.constant(pointer, address, Target::None);
        }
        self.push(MOV64_IMM, counter, 0, 0, turns);
        let start = self.new_label();
        self.place(start);
        for _ in 0..self.random.random_range(1..=3) {
            let base = self.pick(&pointers);
            let offset = self.random.random_range(-4..=12);
            self.access(base, offset);
            let step = self.pick(&[1, 1, 4, 8, 8, -1, -8, 12]);
            self.push(ADD64_IMM, base, 0, 0, step);
        }
        self.turn_again(counter, start);
    }

    /// Counts down, and goes on at `start` until there is nothing left.
    fn turn_again(&mut self, counter: u8, start: Label) {
        self.push(ADD64_IMM, counter, 0, 0, -1);
        let opcode = self.pick(&[JNE64_IMM, JSGT64_IMM, JGT64_IMM]);
        self.push(opcode, counter, 0, 0, 0);
        self.aim(Target::Jump(start));
    }

    fn branch(&mut self, nesting: u32) {
        let otherwise = self.new_label();
        self.condition(Target::Jump(otherwise));
        let statements = self.random.random_range(1..=2);
        for _ in 0..statements {
            self.statement(nesting + 1);
        }
        if self.one_in(2) {
            let join = self.new_label();
            self.push(JA, 0, 0, 0, 0);
            self.aim(Target::Jump(join));
            self.place(otherwise);
            self.statement(nesting + 1);
            self.place(join);
        } else {
            self.place(otherwise);
        }
    }

    fn call(&mut self) {
        // Mostly forwards, so that not everything recurses.
        let count = self.functions.len();
        let index = if self.one_in(5) || self.current + 1 == count {
            self.random.random_range(0..count)
        } else {
            self.random.random_range(self.current + 1..count)
        };
        if self.current + 1 == count && !self.one_in(3) {
            return self.arithmetic();
        }
        let function = self.functions[index];
        if self.one_in(3) {
            let register = self.register();
            let target = if self.one_in(5) {
                Target::AddressAnywhere
            } else {
                Target::Address(function)
            };
            self.constant(register, 0, target);
            if self.one_in(30) {
                self.arithmetic();
            }
            self.callx(register);
        } else if self.habitat.version.static_syscalls() {
            self.push(CALL_IMM, 0, 1, 0, 0);
            self.aim(Target::Call(function));
        } else {
            self.push(CALL_IMM, 0, 0, 0, 0);
            self.aim(Target::Call(function));
        }
    }

    fn callx(&mut self, register: u8) {
        let version = self.habitat.version;
        if version.callx_uses_src_reg() {
            self.push(CALL_REG, 0, register, 0, 0);
        } else if version.callx_uses_dst_reg() {
            self.push(CALL_REG, register, 0, 0, 0);
        } else {
            self.push(CALL_REG, 0, 0, 0, i32::from(register));
        }
    }

    fn syscall(&mut self) {
        let address = self.address();
        let start = self.pick(&self.habitat.regions.clone()).0;
        let small = self.random.random_range(0..=40);
        let (name, arguments): (&str, Vec<u64>) = match self.random.random_range(0..22) {
            0..=4 => ("sys_log", vec![]),
            5 => ("sys_consume", vec![small]),
            6 => ("sys_consume_checked", vec![small]),
            7 => ("sys_fail_if_equal", vec![small, small / 7]),
            8 => ("sys_fill", vec![address, small, small]),
            9 => ("sys_sum", vec![address, small]),
            10 => ("sys_resize", vec![start, self.random.random_range(0..=600)]),
            11 => {
                let (spare, offset) = (self.random.random_range(0..2), small / 4);
                let len = self.random.random_range(0..=2000);
                ("sys_redirect", vec![start, spare, offset, len])
            }
            12 => ("sys_protect", vec![start]),
            13 => ("sys_unprotect", vec![start]),
            14 => {
                let other = self.pick(&self.habitat.regions.clone()).0;
                ("sys_swap", vec![start, other])
            }
            15 => ("sys_refund", vec![small]),
            _ => self.memory_syscall(),
        };
        // Region changes are frequent enough even when most don't name a real region.
        for (register, argument) in (1..).zip(arguments) {
            self.constant(register, argument, Target::None);
        }
        let key = hash_symbol_name(name.as_bytes());
        self.push(CALL_IMM, 0, 0, 0, key as i32);
    }

    fn memory_syscall(&mut self) -> (&'static str, Vec<u64>) {
        let [to, from, result] = [(); 3].map(|()| self.address());
        let most = if self.one_in(10) { 300 } else { 40 };
        let length = self.random.random_range(0..=most);
        match self.random.random_range(0..4) {
            0 => ("sys_memcpy", vec![to, from, length]),
            1 => ("sys_memmove", vec![to, to.wrapping_add(from % 64), length]),
            2 => ("sys_memset", vec![to, from, length]),
            _ => ("sys_memcmp", vec![to, from, length, result]),
        }
    }

    fn early_exit(&mut self) {
        let around = self.new_label();
        self.condition(Target::Jump(around));
        self.push(EXIT, 0, 0, 0, 0);
        self.place(around);
    }

    fn wild_jump(&mut self) {
        if self.one_in(3) {
            self.push(JA, 0, 0, 0, 0);
            self.aim(Target::JumpAnywhere);
        } else {
            self.condition(Target::JumpAnywhere);
        }
    }
}
