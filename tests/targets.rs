//! Code for machines other than this one: the whole instruction set, for each of them.

mod common;

use {
    common::*,
    sbpf_cranelift::{CompileOptions, GeneratedCode},
    solana_sbpf::ebpf::*,
};

/// Machines that code can be generated for.
const TARGETS: [&str; 6] = [
    "x86_64-unknown-linux-gnu",
    "x86_64-pc-windows-gnu",
    "x86_64-apple-darwin",
    "aarch64-unknown-linux-gnu",
    "aarch64-apple-darwin",
    "aarch64-pc-windows-msvc",
];

/// A program with every opcode of its version, and with every other byte in the place of one. Each
/// can be reached, so each is compiled.
fn whole_instruction_set(version: SBPFVersion) -> Case {
    let mut text = Text::new(version);
    for opcode in 0..=u8::MAX {
        let is_wide = opcode == LD_DW_IMM && !version.disable_lddw();
        text.push(JEQ64_IMM, 5, 0, if is_wide { 2 } else { 1 }, opcode.into());
        match opcode {
            CALL_IMM => text.syscall("sys_log"),
            CALL_REG => text.callx(2),
            // A jump to the next instruction. Byte orders and divisions need the number.
            _ => text.push(opcode, 1, 2, 0, 16),
        };
        if is_wide {
            text.push(0, 0, 0, 0, 16);
        }
    }
    let function = text.pc() + 2;
    text.call(function).exit();
    text.load(Size::Double, 0, 10, -8).exit();
    Case::text(&text, &[function]).unverified()
}

/// The code of a program for a machine.
fn generate(case: &Case, target: &str) -> GeneratedCode {
    let executable = case.program.load(&case.config, &[]).expect("it loads");
    let mut options = CompileOptions::default();
    options.target = Some(target.parse().expect("it is a triple"));
    options.seed = Some(1);
    GeneratedCode::generate(&executable, &options)
        .unwrap_or_else(|error| panic!("{target}: {error}"))
}

#[test]
fn every_opcode_is_compiled_for_every_machine() {
    for version in SBPFVersion::ALL {
        let case = whole_instruction_set(*version);
        for target in TARGETS {
            let generated = generate(&case, target);
            let statistics = generated.statistics();
            assert!(statistics.instructions > 512, "{version:?}");
            assert!(
                statistics.code_bytes > 8 * statistics.instructions,
                "{version:?}, {target}"
            );
        }
    }
}

/// What was tested on the one is what runs on the other.
#[test]
fn code_for_apple_silicon_is_that_for_arm64_linux() {
    for version in SBPFVersion::ALL {
        let case = whole_instruction_set(*version);
        let apple = generate(&case, "aarch64-apple-darwin");
        let linux = generate(&case, "aarch64-unknown-linux-gnu");
        assert!(apple.bytes() == linux.bytes(), "{version:?}");
    }
}

/// Apple's and Windows' systems keep x18 to themselves, and may change it at any time.
#[cfg(feature = "disassembly")]
#[test]
fn code_for_arm64_leaves_x18_alone() {
    use sbpf_cranelift::dump::{self, DumpOptions, Stage};

    for version in SBPFVersion::ALL {
        let case = whole_instruction_set(*version);
        let executable = case.program.load(&case.config, &[]).expect("it loads");
        for target in TARGETS
            .iter()
            .filter(|target| target.starts_with("aarch64"))
        {
            let mut options = DumpOptions::default();
            options.stages = vec![Stage::Assembly];
            options.target = Some(target.parse().expect("it is a triple"));
            let text = dump::render(&executable, &options).expect("it is compiled");
            let uses = |name: &str| {
                let code = text.lines().filter(|line| !line.starts_with(';'));
                let mut words = code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric()));
                words.any(|word| word == name)
            };
            assert!(uses("x17") && uses("w2"), "{version:?}, {target}");
            assert!(!uses("x18") && !uses("w18"), "{version:?}, {target}");
        }
    }
}
