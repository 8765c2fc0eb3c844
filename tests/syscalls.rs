//! Syscalls: results, errors, meter, memory, and calls back into the VM.

mod common;

use {common::*, solana_sbpf::ebpf::*};

/// A program that calls `name` thrice and keeps all registers.
fn three_calls(version: SBPFVersion, name: &str) -> Case {
    let mut text = Text::new(version);
    for register in 0..10 {
        text.mov(register, 11 * i32::from(register) - 3);
    }
    text.syscall(name);
    // r1 to r9 keep their values.
    for register in 0..10 {
        text.store(Size::Double, 10, -8 - 8 * i16::from(register), register);
    }
    text.copy(1, 0).syscall(name).copy(2, 0).syscall(name);
    text.exit();
    Case::text(&text, &[])
}

#[test]
fn arguments_and_results() {
    for version in SBPFVersion::ALL {
        three_calls(*version, "sys_log").check().succeeds();
    }
}

/// A syscall written against the VM finds r0 to r5 in `vm.registers`.
#[test]
fn registers_of_the_vm() {
    for version in SBPFVersion::ALL {
        three_calls(*version, "sys_raw")
            .interpreter_only("it leaves vm.registers as they were at entry")
            .check()
            .succeeds();
    }
}

/// The convention is the hash in every version, with source 0 from V3 on.
#[test]
fn results_in_loops_and_callees() {
    for version in SBPFVersion::ALL {
        let text = "entrypoint:
            mov64 r6, 5
            loop:
            mov64 r1, r6
            syscall sys_log
            add64 r7, r0
            call function_logging
            xor64 r7, r0
            add64 r6, -1
            jne r6, 0, loop
            mov64 r0, r7
            exit
            function_logging:
            mov64 r1, r0
            mov64 r6, r0
            syscall sys_log
            mov64 r2, r6
            syscall sys_log
            add64 r0, r6
            exit";
        Case::assembly(*version, text).check().succeeds();
    }
}

#[test]
fn failing() {
    for version in SBPFVersion::ALL {
        let text = "entrypoint:
            mov64 r6, r1
            mov64 r7, 0
            loop:
            stxb [r6+0], r7
            add64 r6, 1
            add64 r7, 1
            mov64 r1, r7
            mov64 r2, 4
            mov64 r3, r6
            syscall sys_fail_if_equal
            stxdw [r10-8], r0
            ja loop";
        Case::assembly(*version, text)
            .check()
            .fails_with("SyscallError");
        let text = "mov64 r1, 9\nsyscall sys_fail\nexit";
        Case::assembly(*version, text)
            .check()
            .fails_with("failure 9")
            .at(1);
    }
}

/// Consumption up to, exactly to, and beyond what is left.
#[test]
fn consuming() {
    for version in SBPFVersion::ALL {
        for name in ["sys_consume", "sys_consume_checked"] {
            for amount in [0, 1, 2, 10, 49, 50, 51, 90, 95, 1000] {
                let text = format!(
                    "entrypoint:
                    mov64 r6, r0
                    mov64 r1, {amount}
                    syscall {name}
                    stxdw [r10-8], r0
                    mov64 r1, 3
                    syscall {name}
                    add64 r0, 1
                    stxdw [r10-16], r0
                    call function_a
                    exit
                    function_a:
                    mov64 r1, 2
                    syscall {name}
                    exit"
                );
                for budget in [60, 10_000] {
                    Case::assembly(*version, &text).budget(budget).check();
                }
            }
        }
    }
}

/// Everything that is left: the next instruction must not run, not even an exit.
#[test]
fn consuming_everything_before() {
    for version in SBPFVersion::ALL {
        for next in [
            "exit",
            "stdw [r10-8], 1\nexit",
            "ja +0\nexit",
            "call 0\nexit",
            "syscall sys_log\nexit",
        ] {
            let text = format!("lddw r1, 0xffffffff\nsyscall sys_consume\n{next}");
            let text = if version.disable_lddw() {
                text.replace("lddw r1, 0xffffffff", "mov32 r1, -1\nhor64 r1, 0")
            } else {
                text
            };
            Case::assembly(*version, text)
                .check()
                .fails_with("ExceededMaxInstructions");
        }
    }
}

#[test]
fn refunding() {
    for version in SBPFVersion::ALL {
        for amount in [1, 5, 1000, i32::MAX] {
            let text = format!(
                "mov64 r6, 4
                loop:
                mov64 r1, {amount}
                syscall sys_refund
                stxdw [r10-8], r6
                add64 r6, -1
                jne r6, 0, loop
                exit"
            );
            Case::assembly(*version, text).budget(12).check();
        }
    }
}

#[test]
fn reading_and_writing_memory() {
    for version in SBPFVersion::ALL {
        let places = [
            MM_INPUT_START + 8,
            MM_HEAP_START + 4096 - 16,
            MM_STACK_START + 4096 - 64,
            MM_STACK_START + 4096 - 8,
            MM_HEAP_START + 4090,
            MM_BYTECODE_START,
            0,
            u64::MAX - 3,
        ];
        for place in places {
            let mut text = Text::new(*version);
            text.constant(6, place);
            // The program's own accesses around those of the syscall.
            if place < u64::MAX / 2 && place > MM_STACK_START {
                text.store_immediate(Size::Byte, 6, 0, 0x77);
                text.load(Size::Byte, 7, 6, 0);
            }
            text.syscall_with("sys_fill", &[place, 16, 0xab]);
            text.load(Size::Double, 8, 6, 3);
            text.store_immediate(Size::Half, 6, 2, 0x1234);
            text.syscall_with("sys_sum", &[place, 16]);
            text.push(ADD64_REG, 0, 7, 0, 0)
                .push(ADD64_REG, 0, 8, 0, 0)
                .exit();
            Case::text(&text, &[]).check();
        }
        // The frame of the caller and of the callee.
        let text = "entrypoint:
            stdw [r10-8], 1
            mov64 r6, r10
            call function_a
            ldxdw r0, [r10-8]
            ldxdw r1, [r10-16]
            add64 r0, r1
            exit
            function_a:
            stdw [r10-8], 2
            mov64 r1, r6
            add64 r1, -16
            mov64 r2, 16
            mov64 r3, 9
            syscall sys_fill
            mov64 r1, r10
            add64 r1, -8
            mov64 r2, 8
            syscall sys_sum
            ldxdw r1, [r10-8]
            add64 r0, r1
            exit";
        Case::assembly(*version, text).check().succeeds();
    }
}

/// One key that is both a syscall and a function: both happen, in this order.
#[test]
fn syscall_and_function_under_one_key() {
    for version in SBPFVersion::ALL {
        for name in ["sys_log", "sys_fail", "sys_consume", "sys_resize"] {
            let key = hash_symbol_name(name.as_bytes());
            let mut text = Text::new(*version);
            text.mov(1, 7).mov(6, 5).syscall(name);
            text.push(ADD64_REG, 0, 6, 0, 0).exit();
            text.store(Size::Double, 10, -8, 0)
                .store(Size::Double, 10, -16, 1);
            text.mov(6, 99).push(ADD64_IMM, 0, 0, 0, 1000).exit();
            let functions = vec![(key, "function_both".to_string(), 5)];
            Case::raw(*version, text.bytes.clone(), functions.clone()).check();
            Case::raw(*version, text.bytes, functions)
                .configure(|config| config.max_call_depth = 1)
                .check();
        }
    }
}

/// A syscall runs another program in another VM, with the same engine, several levels deep.
#[test]
fn reentering() {
    for version in SBPFVersion::ALL {
        for levels in [0, 1, 5] {
            let text = format!(
                "entrypoint:
                stdw [r10-8], 77
                mov64 r6, 5
                mov64 r1, {levels}
                mov64 r2, 4
                syscall sys_reenter
                ldxdw r1, [r10-8]
                add64 r0, r1
                add64 r0, r6
                exit"
            );
            Case::assembly(*version, text).check().succeeds();
        }
    }
}

/// A panic comes out of the run as a panic, from the entry function, a callee, and a nested VM.
#[test]
fn panicking() {
    for version in SBPFVersion::ALL {
        let texts = [
            "mov64 r1, 42\nstdw [r10-8], 1\nsyscall sys_panic\nstdw [r10-8], 2\nexit",
            "entrypoint:
            call function_a
            exit
            function_a:
            stdw [r10-8], 1
            call function_b
            exit
            function_b:
            mov64 r1, 43
            syscall sys_panic
            exit",
            "stdw [r10-8], 1\nmov64 r1, 2\nmov64 r2, 99\nsyscall sys_reenter\nexit",
            "mov64 r1, 44\nstdw [r10-8], 1\nsyscall sys_panic\nexit",
        ];
        for text in texts {
            let case = Case::assembly(*version, text).panics();
            if let Err(report) = case.try_budgets(&[1000, 7]) {
                panic!("{report}");
            }
            let case = Case {
                panics: false,
                ..case
            };
            if let Err(report) = case.try_budgets(&[0, 1, 2]) {
                panic!("{report}");
            }
        }
    }
}

/// Syscalls at the very start, at a block's end, back to back, and as the last instruction.
#[test]
fn placements() {
    for version in SBPFVersion::ALL {
        let texts = [
            "syscall sys_log\nsyscall sys_log\nsyscall sys_log\nexit",
            "ja a\na:\nsyscall sys_log\nja b\nb:\njeq r0, 0, a\nexit",
            "mov64 r1, 1\njeq r1, 1, a\nsyscall sys_log\na:\nsyscall sys_log\nexit",
        ];
        for text in texts {
            Case::assembly(*version, text).check().succeeds();
        }
    }
}
