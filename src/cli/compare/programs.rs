//! Programs to compile: the real on-chain ones of `solana-program-binaries`, and extremes that they
//! lie between.

use {
    super::workloads,
    crate::cli::{
        deployed,
        failure::Failure,
        program::{LoadOptions, Program},
    },
    solana_sbpf::program::SBPFVersion,
};

/// A program to compile, which is loaded when it is its turn.
pub(crate) struct Source {
    /// The name in reports and filters.
    pub(crate) name: String,
    /// Whether the program is one that people use.
    pub(crate) is_real: bool,
    contents: Contents,
}

/// What a program is made of.
enum Contents {
    /// An ELF file.
    Elf(Vec<u8>),
    /// Assembly for V0.
    Assembly(String),
}

impl Source {
    /// Loads and verifies the program.
    ///
    /// # Errors
    /// When that fails, which would be a defect of the program.
    pub(crate) fn load(&self) -> Result<Program, Failure> {
        match &self.contents {
            Contents::Elf(elf) => Program::load(&self.name, elf, LoadOptions::default()),
            Contents::Assembly(text) => workloads::assembled(&self.name, text, SBPFVersion::V0),
        }
    }
}

/// All of them.
///
/// # Errors
/// When the bundled crate holds other programs than those known here.
pub(crate) fn all() -> Result<Vec<Source>, Failure> {
    let elves = deployed::elves();
    if elves.len() != deployed::NAMES.len() {
        let what = format!("{} real programs are bundled, not ten", elves.len());
        return Err(Failure::new(what));
    }
    let real = deployed::NAMES.iter().zip(elves).map(|(name, elf)| Source {
        name: name.to_string(),
        is_real: true,
        contents: Contents::Elf(elf),
    });
    let made_up = |name: &str, assembly| Source {
        name: name.to_string(),
        is_real: false,
        contents: Contents::Assembly(assembly),
    };
    Ok(real
        .chain([
            made_up("10,000 instructions in line", straight_line(10_000)),
            made_up("1,000 small functions", small_functions(1_000)),
        ])
        .collect())
}

/// One basic block of `length` instructions on ten registers.
fn straight_line(length: usize) -> String {
    const MNEMONICS: [&str; 6] = ["add", "xor", "mul", "sub", "or", "rsh"];
    let mut text = String::from("entrypoint:\n");
    for index in 0..length - 1 {
        let mnemonic = MNEMONICS[index % MNEMONICS.len()];
        let (target, source) = (index % 10, (index * 7 + 3) % 10);
        let operand = if index.is_multiple_of(3) {
            (index % 63 + 1).to_string()
        } else {
            format!("r{source}")
        };
        text.push_str(&format!("{mnemonic} r{target}, {operand}\n"));
    }
    text.push_str("exit\n");
    text
}

/// `count` functions of a dozen instructions with a loop and memory, all called once.
fn small_functions(count: usize) -> String {
    let mut text = String::from("entrypoint:\nmov r6, r1\n");
    for index in 0..count {
        text.push_str(&format!("mov r1, r6\ncall function_{index}\n"));
    }
    text.push_str("exit\n");
    for index in 0..count {
        text.push_str(&format!(
            "function_{index}:
            mov r0, {index}
            mov r2, r1
            add r2, 64
            loop_{index}:
            ldxdw r3, [r1+0]
            add r0, r3
            stxdw [r10-8], r0
            add r1, 8
            jlt r1, r2, loop_{index}
            ldxdw r3, [r10-8]
            xor r0, r3
            exit\n"
        ));
    }
    text
}
