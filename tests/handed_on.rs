//! Registers that functions hand on without reading them, and functions that end without an `exit`.

mod common;

use {
    common::{text::set_registers, *},
    solana_sbpf::ebpf::*,
};

/// A syscall whose arguments are compared.
const LOG: &str = "sys_log";

/// Instruction slots of [`Text::computed_address`].
fn address_length(version: SBPFVersion) -> usize {
    let mut text = Text::new(version);
    text.computed_address(9, 1000);
    text.pc()
}

/// A chain of functions of which only the last looks at its registers, by a syscall.
#[test]
fn a_syscall_sees_what_nobody_reads() {
    for version in SBPFVersion::ALL {
        for written in 0..6 {
            let mut text = Text::new(*version);
            set_registers(&mut text, 7);
            text.call(text.pc() + 4);
            text.syscall(LOG);
            text.call(text.pc() + 2);
            text.exit();
            let first = text.pc();
            text.push(ADD64_IMM, written, 0, 0, 3);
            text.call(text.pc() + 3);
            text.syscall(LOG);
            text.exit();
            let second = text.pc();
            text.syscall(LOG);
            text.push(JEQ64_IMM, 0, 0, 1, 9);
            text.push(ADD64_IMM, 5 - written, 0, 0, 1);
            text.exit();
            Case::text(&text, &[first, second]).check().succeeds();
        }
    }
}

/// Ways meet on one of which a register was written.
#[test]
fn where_ways_meet() {
    for version in SBPFVersion::ALL {
        for written in 0..6 {
            for input in 0..2 {
                let mut text = Text::new(*version);
                text.load(Size::Byte, 7, 1, 0);
                set_registers_but(&mut text, 7);
                text.call(text.pc() + 2);
                text.exit();
                let function = text.pc();
                text.push(JEQ64_IMM, 7, 0, 1, 0);
                text.push(ADD64_IMM, written, 0, 0, 5);
                text.syscall(LOG);
                text.push(JNE64_IMM, 7, 0, 1, 0);
                text.mov(5 - written, 77);
                // A loop in which nothing is called, and one with a call.
                text.mov(6, 3);
                text.push(ADD64_REG, written, 6, 0, 0);
                text.push(ADD64_IMM, 6, 0, 0, -1);
                text.push(JNE64_IMM, 6, 0, -3, 0);
                text.mov(6, 3);
                text.syscall(LOG);
                text.call(text.pc() + 4);
                text.push(ADD64_IMM, 6, 0, 0, -1);
                text.push(JNE64_IMM, 6, 0, -4, 0);
                text.exit();
                let leaf = text.pc();
                text.push(ADD64_IMM, written, 0, 0, 1);
                text.exit();
                Case::text(&text, &[function, leaf])
                    .input(vec![input; 8])
                    .check()
                    .succeeds();
            }
        }
    }
}

fn set_registers_but(text: &mut Text, kept: u8) {
    for register in (0..10).filter(|register| *register != kept) {
        text.mov(register, 100 + i32::from(register));
    }
}

/// Stretches that the interpreter executes, in which a register is read that is at home and one is written.
#[test]
fn around_interpreted_accesses() {
    for version in SBPFVersion::ALL {
        for register in 2..6 {
            for outside in [0, 1] {
                let mut text = Text::new(*version);
                text.copy(6, 1);
                set_registers_but(&mut text, 6);
                text.copy(1, 6);
                text.call(text.pc() + 2);
                text.exit();
                let function = text.pc();
                text.push(ADD64_IMM, 1, 0, 0, if outside == 0 { 0 } else { 4080 });
                text.store(Size::Double, 1, 0, register);
                text.load(Size::Double, 0, 1, 8);
                text.copy(register - 1, register);
                text.load(Size::Double, register, 1, 0);
                text.syscall(LOG);
                text.exit();
                Case::text(&text, &[function]).input(vec![9; 64]).check();
            }
        }
    }
}

/// `callx` of functions with other parameters, one of which nothing calls otherwise, and of the middle of one.
#[test]
fn through_a_register() {
    for version in SBPFVersion::ALL {
        for target in 0..5 {
            let mut text = Text::new(*version);
            set_registers(&mut text, 3);
            let pc = text.pc();
            let behind = pc + address_length(*version) + 3;
            let place = [behind, behind + 3, behind + 4, behind + 6, behind + 7][target];
            text.computed_address(8, place);
            assert_eq!(text.pc() + 3, behind);
            text.callx(8);
            text.syscall(LOG);
            text.exit();
            text.push(ADD64_REG, 0, 4, 0, 0);
            text.syscall(LOG);
            text.exit();
            text.push(ADD64_REG, 2, 3, 0, 0);
            text.push(ADD64_REG, 0, 2, 0, 0);
            text.exit();
            text.mov(5, 1);
            text.exit();
            let functions = [behind, behind + 3, behind + 6];
            Case::text(&text, &functions).check();
        }
    }
}

/// A syscall, a `callx` or a call before the start of a function, which goes on there if it returns.
#[test]
fn before_a_function() {
    for version in SBPFVersion::ALL {
        for last in 0..5 {
            for is_called_twice in [false, true] {
                let mut text = Text::new(*version);
                set_registers(&mut text, 3);
                text.call(text.pc() + 4);
                text.syscall(LOG);
                text.call(text.pc() + if is_called_twice { 2 } else { 4 });
                text.exit();
                let first = text.pc();
                text.push(ADD64_IMM, 6, 0, 0, 1);
                let behind = text.pc() + address_length(*version) + 1;
                text.computed_address(9, behind);
                match last {
                    0 => text.syscall(LOG),
                    1 => text.syscall("sys_fail"),
                    2 => text.callx(9),
                    3 => text.call(behind),
                    _ => text.call(behind + 3),
                };
                let second = text.pc();
                assert_eq!(second, behind);
                text.push(ADD64_REG, 0, 4, 0, 0);
                text.push(ADD64_REG, 6, 5, 0, 0);
                text.exit();
                // Never returns.
                let third = text.pc();
                text.push(ADD64_IMM, 3, 0, 0, 1);
                text.call(third);
                text.exit();
                Case::text(&text, &[first, second, third]).check();
            }
        }
    }
}

/// A call before the start of a function that reads r0. The one that is called leaves the rest to the interpreter,
/// which finds r0 as it was left, on all budgets.
#[test]
fn a_function_that_ends_before_another() {
    for version in SBPFVersion::ALL {
        for leaves_by in 0..3 {
            let mut text = Text::new(*version);
            text.copy(6, 1);
            set_registers_but(&mut text, 6);
            let called = text.pc() + 5;
            text.call(called);
            let behind = text.pc();
            text.load(Size::Byte, 7, 10, -64);
            text.push(ADD64_REG, 0, 0, 0, 0);
            text.mov(3, 4);
            text.exit();
            assert_eq!(text.pc(), called);
            match leaves_by {
                0 => text.syscall(LOG),
                1 => text.mov(0, 78),
                _ => text.load(Size::Byte, 0, 6, 1),
            };
            text.push(JEQ64_IMM, 2, 0, 0, 1);
            text.store(Size::Double, 6, 8, 0);
            text.syscall(LOG);
            text.store(Size::Double, 6, 16, 0);
            text.push(ADD64_IMM, 6, 0, 0, 4000);
            text.store(Size::Double, 6, 0, 0);
            text.exit();
            Case::text(&text, &[behind, called])
                .input(vec![9; 64])
                .check();
        }
    }
}

/// r0 goes through a function that does nothing with it to another one, on all budgets.
#[test]
fn a_result_that_is_handed_on() {
    for version in SBPFVersion::ALL {
        for written in [0, 6] {
            let mut text = Text::new(*version);
            text.mov(0, 77);
            text.call(text.pc() + 3);
            text.call(text.pc() + 6);
            text.exit();
            let through = text.pc();
            // Not to be inlined.
            text.store_immediate(Size::Double, 10, -8, 1);
            text.mov(5, 1);
            text.mov(written, 78);
            text.exit();
            let last = text.pc();
            text.store_immediate(Size::Double, 10, -8, 1);
            text.push(ADD64_IMM, 0, 0, 0, 1);
            text.exit();
            Case::text(&text, &[through, last]).check().succeeds();
        }
    }
}

/// A function that starts with a loop whose turns are counted, which changes a register that it is not passed.
#[test]
fn a_loop_at_the_start_of_a_function() {
    for version in SBPFVersion::ALL {
        for changed in [0, 3, 7] {
            for turns in [1, 5, 30] {
                let mut text = Text::new(*version);
                set_registers(&mut text, 3);
                text.mov(1, turns);
                text.call(text.pc() + 5);
                text.copy(6, 0);
                text.syscall(LOG);
                text.push(ADD64_REG, 0, 6, 0, 0);
                text.exit();
                let function = text.pc();
                text.push(ADD64_REG, changed, 1, 0, 0);
                text.push(ADD64_IMM, 1, 0, 0, -1);
                text.push(JNE64_IMM, 1, 0, -3, 0);
                text.push(ADD64_REG, 0, changed, 0, 0);
                text.exit();
                Case::text(&text, &[function]).check().succeeds();
            }
        }
    }
}

/// A function that never returns is called with registers that the interpreter may read behind it, on all
/// budgets.
#[test]
fn calls_that_never_return() {
    for version in SBPFVersion::ALL {
        for syscall in ["sys_fail", LOG] {
            let mut text = Text::new(*version);
            set_registers(&mut text, 3);
            text.call(text.pc() + 4);
            text.push(ADD64_REG, 0, 7, 0, 0);
            text.push(ADD64_REG, 0, 3, 0, 0);
            text.exit();
            let first = text.pc();
            text.mov(7, 12);
            text.call(text.pc() + 3);
            text.push(ADD64_REG, 0, 7, 0, 0);
            text.exit();
            let second = text.pc();
            text.push(ADD64_IMM, 4, 0, 0, 1);
            text.syscall(syscall);
            let third = text.pc();
            text.push(ADD64_REG, 3, 8, 0, 0);
            text.exit();
            Case::text(&text, &[first, second, third]).check();
        }
    }
}
