//! Programs made to be compiled: extremes that real programs lie between.

use {
    super::programs::Program,
    crate::harness::context::BenchContext,
    solana_sbpf::{
        assembler::assemble,
        elf::Executable,
        program::{BuiltinProgram, SBPFVersion},
        verifier::RequisiteVerifier,
        vm::Config,
    },
    std::sync::Arc,
};

/// All of them.
pub(crate) fn all() -> Vec<Program> {
    vec![
        load("10,000 instructions in line", &straight_line(10_000)),
        load("1,000 small functions", &small_functions(1_000)),
    ]
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

/// Assembles and verifies a program.
fn load(name: &str, assembly: &str) -> Program {
    let loader = BuiltinProgram::new_loader(Config {
        enabled_sbpf_versions: SBPFVersion::V0..=SBPFVersion::V0,
        ..Config::default()
    });
    let executable: Executable<BenchContext> = assemble(assembly, Arc::new(loader))
        .unwrap_or_else(|error| panic!("{name}: assembling: {error}"));
    if let Err(error) = executable.verify::<RequisiteVerifier>() {
        panic!("{name}: verifying: {error}");
    }
    Program {
        name: name.to_string(),
        real: false,
        executable,
    }
}
