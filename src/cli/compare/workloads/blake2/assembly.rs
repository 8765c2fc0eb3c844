//! A generator of the unrolled programs.

use super::{CONSTANTS, MESSAGE, MIXED, PARAMETERS, SCHEDULE};

/// What tells BLAKE2s and BLAKE2b apart.
pub(super) struct Variant {
    /// The size of a word.
    pub(super) word_bytes: usize,
    rounds: usize,
    /// By how many bits the four xors of a mixing step rotate to the right.
    rotations: [usize; 4],
    /// What arithmetic mnemonics end in.
    arithmetic: &'static str,
    /// What memory mnemonics end in.
    memory: &'static str,
}

impl Variant {
    /// BLAKE2s.
    pub(super) const S: Self = Self {
        word_bytes: 4,
        rounds: 10,
        rotations: [16, 12, 8, 7],
        arithmetic: "32",
        memory: "w",
    };

    /// BLAKE2b.
    pub(super) const B: Self = Self {
        word_bytes: 8,
        rounds: 12,
        rotations: [32, 24, 16, 63],
        arithmetic: "64",
        memory: "dw",
    };

    fn constant(&self, index: usize) -> u64 {
        CONSTANTS[index] >> (64 - 8 * self.word_bytes)
    }

    fn mask(&self) -> u64 {
        u64::MAX >> (64 - 8 * self.word_bytes)
    }
}

/// The whole program: chaining value and message are behind r1, the message first.
pub(super) fn program(variant: &Variant, compressions: u64) -> String {
    let mut emitter = Emitter::new(variant);
    emitter.entrypoint(compressions);
    emitter.compress();
    emitter.text
}

/// Program text in the making. The input's address is in r6 throughout.
struct Emitter<'a> {
    variant: &'a Variant,
    text: String,
}

impl<'a> Emitter<'a> {
    fn new(variant: &'a Variant) -> Self {
        Self {
            variant,
            text: String::new(),
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// An arithmetic instruction on words.
    fn word(&mut self, mnemonic: &str, operands: &str) {
        let width = self.variant.arithmetic;
        self.line(&format!("{mnemonic}{width} {operands}"));
    }

    fn load(&mut self, register: usize, place: &str) {
        let width = self.variant.memory;
        self.line(&format!("ldx{width} r{register}, {place}"));
    }

    fn store(&mut self, place: &str, register: usize) {
        let width = self.variant.memory;
        self.line(&format!("stx{width} {place}, r{register}"));
    }

    fn message(&self, index: usize) -> String {
        format!("[r6+{}]", index * self.variant.word_bytes)
    }

    fn chain(&self, index: usize) -> String {
        self.message(16 + index)
    }

    fn vector(&self, index: usize) -> String {
        format!("[r10-{}]", (16 - index) * self.variant.word_bytes)
    }

    /// Initialises the chaining value, compresses, folds the chaining value into r0.
    fn entrypoint(&mut self, compressions: u64) {
        self.line("entrypoint:\nmov r6, r1");
        for index in 0..8 {
            let mut word = self.variant.constant(index);
            if index == 0 {
                word ^= PARAMETERS ^ (8 * self.variant.word_bytes as u64);
            }
            self.line(&format!("lddw r2, {word:#x}"));
            self.store(&self.chain(index), 2);
        }
        self.line(&format!("mov r9, {compressions}\nagain:\nmov r1, r6"));
        self.line(&format!("mov r2, {}", MESSAGE.len()));
        self.line("call function_compress\nadd r9, -1\njne r9, 0, again\nmov r0, 0");
        for index in 0..8 {
            self.line("mul r0, 31");
            self.load(2, &self.chain(index));
            self.line("add r0, r2");
        }
        self.line("exit");
    }

    /// The compression function of the input at r1 and the counter in r2.
    fn compress(&mut self) {
        self.line("function_compress:\nmov r6, r1");
        for index in 0..8 {
            self.load(3, &self.chain(index));
            self.store(&self.vector(index), 3);
        }
        for index in 0..8 {
            let inverted = if index == 6 { self.variant.mask() } else { 0 };
            let word = self.variant.constant(index) ^ inverted;
            self.line(&format!("lddw r3, {word:#x}"));
            if index == 4 {
                self.line("xor r3, r2");
            }
            self.store(&self.vector(8 + index), 3);
        }
        for round in 0..self.variant.rounds {
            let order = SCHEDULE[round % SCHEDULE.len()];
            for (indices, words) in MIXED.into_iter().zip(order.as_chunks().0) {
                self.mix(indices, *words);
            }
        }
        for index in 0..8 {
            self.load(3, &self.vector(index));
            self.load(4, &self.vector(8 + index));
            self.line("xor r3, r4");
            self.load(4, &self.chain(index));
            self.line("xor r3, r4");
            self.store(&self.chain(index), 3);
        }
        self.line("exit");
    }

    /// One mixing step: a, b, c, d in r0 to r3, r4 and r5 for what comes and goes.
    fn mix(&mut self, indices: [usize; 4], words: [usize; 2]) {
        for (register, index) in indices.into_iter().enumerate() {
            self.load(register, &self.vector(index));
        }
        let [first, second, third, fourth] = self.variant.rotations;
        for (word, rotations) in words.into_iter().zip([[first, second], [third, fourth]]) {
            self.word("add", "r0, r1");
            self.load(4, &self.message(word));
            self.word("add", "r0, r4");
            self.word("xor", "r3, r0");
            self.rotate(3, rotations[0]);
            self.word("add", "r2, r3");
            self.word("xor", "r1, r2");
            self.rotate(1, rotations[1]);
        }
        for (register, index) in indices.into_iter().enumerate() {
            self.store(&self.vector(index), register);
        }
    }

    /// Rotates `register` to the right: sBPF has shifts only.
    fn rotate(&mut self, register: usize, bits: usize) {
        let rest = 8 * self.variant.word_bytes - bits;
        self.word("mov", &format!("r5, r{register}"));
        self.word("rsh", &format!("r{register}, {bits}"));
        self.word("lsh", &format!("r5, {rest}"));
        self.word("or", &format!("r{register}, r5"));
    }
}
