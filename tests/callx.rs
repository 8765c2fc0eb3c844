//! Calls of addresses, which may lead to any instruction.

mod common;

use {
    common::{
        text::{observe_registers, set_registers},
        *,
    },
    solana_sbpf::ebpf::*,
};

#[test]
fn callx_to_function_starts() {
    for version in SBPFVersion::ALL {
        for register in 0..10 {
            let mut text = Text::new(*version);
            set_registers(&mut text, 3);
            let constant_pc = text.pc();
            text.constant(register, 0);
            text.callx(register);
            observe_registers(&mut text);
            text.exit();
            let function = text.pc();
            observe_registers(&mut text);
            text.exit();
            let mut constant = Text::new(*version);
            constant.constant(register, MM_BYTECODE_START + 8 * function as u64);
            let start = 8 * constant_pc;
            text.bytes[start..start + 16].copy_from_slice(&constant.bytes);
            Case::text(&text, &[function]).check().succeeds();
            // Not registered as a function, so that only the address leads there.
            Case::text(&text, &[]).check().succeeds();
        }
    }
}

/// An address from memory may lead to any instruction at all; registers are what they were.
#[test]
fn callx_to_any_instruction() {
    for version in SBPFVersion::ALL {
        let mut text = Text::new(*version);
        text.load(Size::Double, 8, 1, 0);
        for register in [0, 2, 3, 4, 5, 6, 7, 9] {
            text.mov(register, 7 + i32::from(register));
        }
        text.callx(8);
        observe_registers(&mut text);
        text.exit();
        // A function of several blocks, with a loop, a call, stale registers.
        let function = text.pc();
        text.mov(3, 4);
        text.push(ADD64_REG, 0, 3, 0, 0);
        text.push(ADD64_IMM, 3, 0, 0, -1);
        text.push(JNE64_IMM, 3, 0, -3, 0);
        text.store(Size::Double, 10, -16, 0);
        text.constant(2, 0x1234_5678_9abc);
        text.push(XOR64_REG, 0, 2, 0, 0);
        let leaf = text.pc() + 6;
        text.call(leaf);
        text.load(Size::Double, 4, 10, -16);
        text.push(ADD64_REG, 6, 4, 0, 0);
        text.push(JLT64_IMM, 0, 0, 1, 5);
        text.syscall("sys_log");
        text.exit();
        assert_eq!(text.pc(), leaf);
        text.push(XOR64_REG, 9, 7, 0, 0);
        text.push(ADD64_REG, 0, 9, 0, 0);
        text.exit();
        for target in 0..=text.pc() as u64 {
            for misalignment in [0, 3] {
                let address = MM_BYTECODE_START + 8 * target + misalignment;
                Case::text(&text, &[function, leaf])
                    .input(address.to_le_bytes())
                    .budget(2000)
                    .check();
            }
        }
    }
}

/// callx in a loop over a table of addresses.
#[test]
fn callx_through_a_table() {
    for version in SBPFVersion::ALL {
        let mut text = Text::new(*version);
        text.copy(6, 1).mov(7, 4);
        text.load(Size::Double, 2, 6, 0).callx(2);
        text.push(ADD64_IMM, 6, 0, 0, 8);
        text.push(ADD64_IMM, 7, 0, 0, -1);
        text.push(JNE64_IMM, 7, 0, -5, 0);
        text.exit();
        let functions: Vec<usize> = (0..3).map(|index| text.pc() + 2 * index).collect();
        for immediate in [3, 50, 700] {
            text.push(ADD64_IMM, 0, 0, 0, immediate).exit();
        }
        let table: Vec<u8> = [2, 0, 1, 2]
            .iter()
            .flat_map(|index: &usize| {
                (MM_BYTECODE_START + 8 * functions[*index] as u64).to_le_bytes()
            })
            .collect();
        Case::text(&text, &functions)
            .input(table)
            .check()
            .returns(1453);
    }
}

/// A register that a function sets once, to one address, and is passed or handed back with others: what
/// is likely is called directly, what is not must be called all the same.
#[test]
fn callx_to_unlikely_functions() {
    for version in SBPFVersion::ALL {
        let text = |first: i64, second: i64, caller: usize| {
            let mut text = Text::new(*version);
            let mut places = Vec::new();
            let constant = |text: &mut Text, pc: i64| {
                text.constant(7, MM_BYTECODE_START.wrapping_add_signed(8 * pc));
            };
            // r7 comes from the caller the first time, and from the loop afterwards.
            constant(&mut text, first);
            text.mov(9, 3);
            text.call(caller);
            text.exit();
            places.push(text.pc());
            let start = text.pc();
            text.callx(7);
            text.push(ADD64_REG, 6, 0, 0, 0);
            text.push(ADD64_REG, 6, 3, 0, 0);
            constant(&mut text, second);
            text.push(ADD64_IMM, 9, 0, 0, -1);
            let distance = start as i64 - text.pc() as i64 - 1;
            text.push(JNE64_IMM, 9, 0, distance as i16, 0);
            text.push(MOV64_REG, 0, 6, 0, 0);
            text.exit();
            for result in [5, 70] {
                places.push(text.pc());
                text.mov(0, result);
                text.push(ADD64_REG, 0, 9, 0, 0);
                text.mov(3, 2 * result);
                // A register that is the caller's again.
                text.mov(6, result);
                text.exit();
            }
            (text, places)
        };
        let (_, places) = text(0, 0, 0);
        let [caller, five, seventy] = places[..] else {
            unreachable!("three functions are in the text");
        };
        let (five, seventy) = (five as i64, seventy as i64);
        let targets = [
            (five, five),
            (five, seventy),
            (seventy, five),
            // The middle of a function, the caller itself, outside.
            (five + 1, seventy),
            (five, seventy + 1),
            (caller as i64, five),
            (-1, five),
            (five, 1 << 20),
        ];
        for (first, second) in targets {
            let (text, places) = text(first, second, caller);
            Case::text(&text, &places).check();
        }
    }
}
