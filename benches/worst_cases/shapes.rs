//! The programs: what takes the most code, the most blocks, or the worst of a graph.

use {
    crate::{
        host::{BenchContext, MockSyscall},
        text::{Size, Text},
    },
    rand::{Rng, SeedableRng},
    rand_chacha::ChaCha8Rng,
    solana_sbpf::{
        ebpf::*,
        elf::Executable,
        program::{BuiltinFunctionDefinition, BuiltinProgram, FunctionRegistry, SBPFVersion},
        vm::Config,
    },
    std::{
        error::Error,
        ops::{Deref, DerefMut},
        sync::Arc,
    },
};

/// A kind of program.
pub(crate) struct Shape {
    /// Its name in the table.
    pub(crate) name: &'static str,
    version: SBPFVersion,
    /// Whether each instruction is in the registry of functions, for `callx` to call.
    all_are_functions: bool,
    /// Appends a little more of it.
    grow: fn(&mut Growing),
}

/// A program on its way to so many slots.
pub(crate) struct Growing {
    text: Text,
    random: ChaCha8Rng,
    slots: usize,
}

impl Growing {
    fn any_register(&mut self) -> u8 {
        self.random.random_range(0..10)
    }

    /// A place in the program, less than so many slots away.
    fn near(&mut self, reach: i64) -> usize {
        let place = self.pc() as i64 + self.random.random_range(1 - reach..reach);
        place.clamp(0, self.slots as i64 - 1) as usize
    }

    fn branch_near(&mut self, reach: i64) {
        let [left, right] = [(); 2].map(|()| self.any_register());
        let distance = self.near(reach) as i64 - self.pc() as i64 - 1;
        self.push(JSET64_REG, left, right, distance as i16, 0);
    }
}

impl Deref for Growing {
    type Target = Text;

    fn deref(&self) -> &Text {
        &self.text
    }
}

impl DerefMut for Growing {
    fn deref_mut(&mut self) -> &mut Text {
        &mut self.text
    }
}

/// All of them. The first three are those of upstream's bench of its JIT.
pub(crate) const SHAPES: &[Shape] = &[
    v3("mov64 r1, r1", |text| {
        text.copy(1, 1);
    }),
    v3("mov32 r1, 1", |text| {
        text.push(MOV32_IMM, 1, 0, 0, 1);
    }),
    v3("jsle64 r1, 1, -1", |text| {
        text.push(JSLE64_IMM, 1, 0, -1, 1);
    }),
    v3("a branch to the next instruction each", |text| {
        text.push(JSLE64_IMM, 1, 0, 0, 1);
    }),
    v3("a constant of 64 bits each", |text| {
        text.constant(1, 0x1234_5678_9abc_def0);
    }),
    v3("a division each", |text| {
        text.push(SDIV64_REG, 1, 2, 0, 0);
    }),
    v3("loads, each of an address just loaded", |text| {
        text.load(Size::Double, 1, 1, 0);
    }),
    v3("stores to ten addresses in turn", |text| {
        let register = (text.pc() % 10) as u8;
        text.store(Size::Byte, register, 0, (register + 1) % 10);
    }),
    v3("a load and a branch each", |text| {
        let register = text.any_register();
        text.load(Size::Word, register, (register + 3) % 10, 8);
        text.push(JNE64_REG, register, (register + 1) % 10, 1, 0);
        text.push(ADD64_REG, register, (register + 2) % 10, 0, 0);
    }),
    v3("a syscall each", |text| {
        text.syscall(SYSCALL);
    }),
    v3("callx each", |text| {
        text.callx(1);
    }),
    v3("exit each", |text| {
        text.exit();
    }),
    v3(
        "functions of two instructions, each calls the next",
        |text| {
            let next = text.pc() + 2;
            text.call(next);
            text.exit();
        },
    ),
    v3("functions of four instructions, called in turn", |text| {
        let start = text.pc() + 2;
        text.call(start);
        text.push(JA, 0, 0, 4, 0);
        text.load(Size::Double, 0, 1, 0);
        text.push(JEQ64_IMM, 0, 0, 1, 0);
        text.store(Size::Double, 2, 0, 0);
        text.exit();
    }),
    v3("functions that call themselves, the next and any", |text| {
        let start = text.pc();
        text.push(JEQ64_IMM, 1, 0, 4, 0);
        text.call(start);
        text.call(start + 6);
        let callee = text.near(30_000) / 6 * 6;
        text.call(callee);
        text.copy(6, 0);
        text.exit();
    }),
    v3("branches of two instructions to anywhere near", |text| {
        let register = text.any_register();
        text.push(ADD64_IMM, register, 0, 0, 1);
        text.branch_near(30_000);
    }),
    v3("branches into the middle of others' loops", |text| {
        for _ in 0..10 {
            text.branch_near(9);
        }
        text.load(Size::Double, 3, 4, 16);
    }),
    v3("loops in loops, 30,000 deep", |text| {
        // As many starts as ends; each end leads to the start that is as far from the middle.
        let place = text.pc() % 60_000;
        if place < 30_000 {
            text.push(ADD64_IMM, 1, 0, 0, 1);
        } else {
            let distance = 2 * (place as i64 - 30_000) + 2;
            text.push(JLT64_IMM, 1, 0, -(distance.min(32_768) as i16), 7);
        }
    }),
    v3("branches to one place out of many", |text| {
        let left = 30_000 - text.pc() % 30_001;
        text.push(JEQ64_IMM, (left % 10) as u8, 0, left as i16, 3);
    }),
    Shape {
        all_are_functions: true,
        ..v0("each instruction a function that callx may call", |text| {
            text.push(ADD64_REG, 1, 2, 0, 0);
            text.callx(1);
        })
    },
    v0("V0: stores to the frame and elsewhere", |text| {
        let offset = -8 * text.random.random_range(1..=512);
        let register = text.any_register();
        text.store(Size::Double, 10, offset, register);
        text.store(Size::Double, register, offset, 2);
    }),
];

/// A syscall that does nothing.
const SYSCALL: &str = "nothing";

const fn v3(name: &'static str, grow: fn(&mut Growing)) -> Shape {
    Shape {
        name,
        version: SBPFVersion::V3,
        all_are_functions: false,
        grow,
    }
}

const fn v0(name: &'static str, grow: fn(&mut Growing)) -> Shape {
    Shape {
        version: SBPFVersion::V0,
        ..v3(name, grow)
    }
}

impl Shape {
    /// The program of so many slots, of which the last is an `exit`.
    ///
    /// # Errors
    /// What `solana-sbpf` refuses; nothing is verified, as a host may choose.
    pub(crate) fn load(&self, slots: usize) -> Result<Executable<BenchContext>, Box<dyn Error>> {
        let mut text = Growing {
            text: Text::new(self.version),
            random: ChaCha8Rng::seed_from_u64(1),
            slots,
        };
        while text.pc() < slots {
            (self.grow)(&mut text);
        }
        let mut text = text.text;
        text.bytes.truncate(INSN_SIZE * (slots - 1));
        text.exit();
        let mut registry = FunctionRegistry::default();
        if self.all_are_functions {
            for pc in 0..text.pc() {
                registry.register_function(pc as u32, b"".as_slice(), pc)?;
            }
        }
        let mut loader = BuiltinProgram::new_loader(Config::default());
        MockSyscall::register(&mut loader, SYSCALL)?;
        let loader = Arc::new(loader);
        let executable = Executable::from_text_bytes(&text.bytes, loader, self.version, registry)?;
        Ok(executable)
    }
}
