//! Every kind of error, with pc, count and memory at the fault.

mod common;

use {
    common::{opcodes::binaries, text::between_stores, *},
    solana_sbpf::ebpf::*,
};

#[test]
fn divide_by_zero() {
    for version in SBPFVersion::ALL {
        for binary in binaries(*version) {
            let Some(division) = binary.division.filter(|_| !binary.immediate) else {
                continue;
            };
            // A zero low half is a zero divisor for 32-bit divisions only.
            for divisor in [0, 1 << 32, 0xffff_ffff_0000_0000] {
                let fails = divisor == 0 || division.narrow;
                for constant in [true, false] {
                    let text = between_stores(*version, |text| {
                        if constant {
                            text.constant(1, 1234);
                            text.constant(2, divisor);
                        } else {
                            text.load(Size::Double, 2, 1, 0);
                        }
                        text.push(binary.opcode, 1, 2, 0, 0);
                        text.store(Size::Double, 6, 16, 1);
                    });
                    let verdict = Case::text(&text, &[]).input(divisor.to_le_bytes()).check();
                    if fails {
                        verdict.fails_with("DivideByZero");
                    } else {
                        verdict.succeeds();
                    }
                }
            }
        }
    }
}

#[test]
fn divide_overflow() {
    const VERSION: SBPFVersion = SBPFVersion::V2;
    const HALF_MINIMUM: u64 = 0x8000_0000;
    let cases = [
        (u64::MAX, i64::MIN as u64),
        (u64::MAX, HALF_MINIMUM),
        (0xffff_ffff, HALF_MINIMUM),
        (0x7_ffff_ffff, 0x9_8000_0000),
        (0xffff_ffff, i64::MIN as u64),
        (0, i64::MIN as u64),
    ];
    for binary in binaries(VERSION) {
        if binary.division.is_none_or(|division| !division.signed) {
            continue;
        }
        for (divisor, dividend) in cases {
            for constant in [true, false] {
                let text = between_stores(VERSION, |text| {
                    if constant {
                        text.constant(2, divisor);
                        text.constant(1, dividend);
                    } else {
                        text.load(Size::Double, 2, 1, 0);
                        text.load(Size::Double, 1, 1, 8);
                    }
                    if binary.immediate {
                        text.push(binary.opcode, 1, 0, 0, -1);
                    } else {
                        text.push(binary.opcode, 1, 2, 0, 0);
                    }
                    text.store(Size::Double, 6, 16, 1);
                });
                Case::text(&text, &[])
                    .input([divisor.to_le_bytes(), dividend.to_le_bytes()].concat())
                    .check();
            }
        }
        let text = between_stores(VERSION, |text| {
            let narrow = binary.division.is_some_and(|division| division.narrow);
            text.constant(
                1,
                if narrow {
                    HALF_MINIMUM
                } else {
                    i64::MIN as u64
                },
            );
            text.mov(2, -1);
            let src = if binary.immediate { 0 } else { 2 };
            let immediate = if binary.immediate { -1 } else { 0 };
            text.push(binary.opcode, 1, src, 0, immediate);
        });
        Case::text(&text, &[]).check().fails_with("DivideOverflow");
    }
}

/// Division by an immediate zero, which only unverified code has: where it isn't reached nothing
/// may happen.
#[test]
fn divide_by_immediate_zero_unreached() {
    for version in SBPFVersion::ALL {
        for binary in binaries(*version) {
            if binary.division.is_none() || !binary.immediate {
                continue;
            }
            let text = between_stores(*version, |text| {
                text.load(Size::Byte, 2, 1, 0);
                text.push(JNE64_IMM, 2, 0, 1, 99);
                text.push(binary.opcode, 1, 0, 0, 0);
            });
            Case::text(&text, &[])
                .input([1])
                .unverified()
                .check()
                .succeeds();
        }
    }
}

#[test]
fn execution_overrun() {
    for version in SBPFVersion::ALL {
        // Falling off the end after an instruction, a jump there, and after a conditional jump.
        let mut plain = Text::new(*version);
        plain.mov(0, 1).store(Size::Double, 10, -8, 0);
        Case::text(&plain, &[])
            .check()
            .fails_with("ExecutionOverrun")
            .at(2);

        let mut branching = Text::new(*version);
        branching
            .mov(0, 1)
            .push(JEQ64_IMM, 0, 0, 0, 2)
            .push(JNE64_IMM, 0, 0, -3, 1);
        Case::text(&branching, &[])
            .check()
            .fails_with("ExecutionOverrun")
            .at(3);

        // In a callee.
        let mut callee = Text::new(*version);
        callee.call(2).exit().mov(0, 5);
        Case::text(&callee, &[2])
            .check()
            .fails_with("ExecutionOverrun")
            .at(3);

        // After a call at the very end.
        let mut call = Text::new(*version);
        call.push(JA, 0, 0, 1, 0).exit().call(1);
        Case::text(&call, &[1])
            .check()
            .fails_with("ExecutionOverrun")
            .at(3);

        // After a syscall at the very end.
        let mut syscall = Text::new(*version);
        syscall.mov(0, 3).syscall("sys_log");
        Case::text(&syscall, &[])
            .check()
            .fails_with("ExecutionOverrun")
            .at(2);

        // A jump over the end, unverified.
        let mut jump = Text::new(*version);
        jump.mov(0, 3).push(JA, 0, 0, 5, 0).exit();
        Case::text(&jump, &[])
            .unverified()
            .interpreter_only("its compiler panics on such targets")
            .check()
            .fails_with("ExecutionOverrun")
            .at(7);
        let mut conditional = Text::new(*version);
        conditional.mov(0, 3).push(JEQ64_IMM, 0, 0, 1000, 3).exit();
        Case::text(&conditional, &[])
            .unverified()
            .interpreter_only("its compiler panics on such targets")
            .check()
            .fails_with("ExecutionOverrun")
            .at(1002);
    }
}

#[test]
fn exceeded_in_straight_lines_and_loops() {
    for version in SBPFVersion::ALL {
        let mut line = Text::new(*version);
        for index in 0..60 {
            line.store_immediate(Size::Byte, 1, index, i32::from(index));
        }
        line.exit();
        Case::text(&line, &[]).check().succeeds();

        let mut endless = Text::new(*version);
        endless.push(ADD64_IMM, 0, 0, 0, 1).push(JA, 0, 0, -2, 0);
        let case = Case::text(&endless, &[]);
        for budget in [1, 2, 3, 10, 999, 1000, 1001, 65_537] {
            case.clone()
                .budget(budget)
                .check()
                .fails_with("ExceededMaxInstructions");
        }

        // A loop that jumps to itself.
        let mut tight = Text::new(*version);
        tight.mov(0, 1).push(JA, 0, 0, -1, 0);
        Case::text(&tight, &[])
            .budget(77)
            .check()
            .fails_with("ExceededMaxInstructions")
            .at(1);
        let mut tight = Text::new(*version);
        tight.mov(0, 1).push(JEQ64_IMM, 0, 0, -1, 1).exit();
        Case::text(&tight, &[])
            .budget(77)
            .check()
            .fails_with("ExceededMaxInstructions")
            .at(1);
    }
}

/// Running out wins over whatever the instruction would have done.
#[test]
fn exceeded_takes_priority() {
    for version in SBPFVersion::ALL {
        let faults: [&dyn Fn(&mut Text); 5] = [
            &|text| {
                text.load(Size::Double, 0, 5, 0);
            },
            &|text| {
                text.syscall("sys_fail");
            },
            &|text| {
                text.push(CALL_IMM, 0, 5, 0, 0x1234_5678);
            },
            &|text| {
                text.callx(5);
            },
            &|text| {
                text.store(Size::Double, 5, 0, 5);
            },
        ];
        for fault in faults {
            let text = between_stores(*version, |text| {
                text.mov(5, 0);
                fault(text);
            });
            let text_version = *version;
            // The program's region starts at 0 in V3; there r5 points past it.
            let case = Case::text(&text, &[]).memory(|layout| layout);
            let case = if text_version.enable_lower_rodata_vaddr() {
                case.memory(|layout| Layout {
                    program: false,
                    ..layout
                })
            } else {
                case
            };
            case.check();
        }
    }
}

#[test]
fn call_outside_text() {
    for version in SBPFVersion::ALL {
        let targets = [
            0,
            MM_BYTECODE_START - 1,
            MM_BYTECODE_START - 8,
            MM_BYTECODE_START + 8 * 1000,
            MM_STACK_START,
            MM_INPUT_START,
            u64::MAX,
            1 << 63,
        ];
        for target in targets {
            let text = between_stores(*version, |text| {
                text.constant(3, target);
                text.callx(3);
            });
            Case::text(&text, &[])
                .check()
                .fails_with("CallOutsideTextSegment");
        }
        // The end of the text and its last byte; misaligned addresses round down.
        let body = |target| {
            between_stores(*version, |text| {
                text.constant(3, target);
                text.callx(3);
            })
        };
        let len = body(0).bytes.len() as u64;
        for (distance, inside) in [(0, false), (1, true), (7, true), (8, true), (9, true)] {
            let text = body(MM_BYTECODE_START + len - distance);
            let verdict = Case::text(&text, &[]).check();
            if inside {
                verdict.succeeds();
            } else {
                verdict.fails_with("CallOutsideTextSegment");
            }
        }
    }
}

#[test]
fn call_depth_exceeded() {
    for version in SBPFVersion::ALL {
        for depth in [1, 2, 3, 64] {
            for direct in [true, false] {
                let mut text = Text::new(*version);
                text.constant(7, MM_INPUT_START);
                let function = text.pc();
                text.load(Size::Double, 0, 7, 0);
                text.push(ADD64_IMM, 0, 0, 0, 1);
                text.store(Size::Double, 7, 0, 0);
                if direct {
                    text.call(function);
                } else {
                    text.constant(3, MM_BYTECODE_START + 8 * function as u64);
                    text.callx(3);
                }
                text.exit();
                Case::text(&text, &[function])
                    .configure(|config| config.max_call_depth = depth)
                    .sweep_up_to(100)
                    .check()
                    .fails_with("CallDepthExceeded");
            }
        }
    }
}

/// A depth error comes before the test of the target.
#[test]
fn call_depth_before_target() {
    for version in SBPFVersion::ALL {
        let mut text = Text::new(*version);
        text.mov(3, 77).callx(3).exit();
        Case::text(&text, &[])
            .configure(|config| config.max_call_depth = 1)
            .check()
            .fails_with("CallDepthExceeded")
            .at(1);
        // A syscall needs no frame.
        let mut text = Text::new(*version);
        text.syscall("sys_log").exit();
        Case::text(&text, &[])
            .configure(|config| config.max_call_depth = 1)
            .check()
            .succeeds();
    }
}

/// Loads and stores of each size at places with nothing behind them.
#[test]
fn access_violations() {
    for version in SBPFVersion::ALL {
        let addresses = [
            1 << 40,
            MM_BYTECODE_START + 4096,
            MM_STACK_START - 1,
            MM_STACK_START + 4096 * 30,
            MM_HEAP_START - 1,
            MM_HEAP_START + 4096,
            MM_INPUT_START - 1,
            MM_INPUT_START + 256,
            u64::MAX,
            u64::MAX - 7,
            i64::MAX as u64,
        ];
        for address in addresses {
            for size in Size::ALL {
                let load = between_stores(*version, |text| {
                    text.constant(2, address).load(size, 0, 2, 0);
                });
                Case::text(&load, &[]).check().fails_with("AccessViolation");
                let store = between_stores(*version, |text| {
                    text.constant(2, address).store(size, 2, 0, 6);
                });
                Case::text(&store, &[])
                    .check()
                    .fails_with("AccessViolation");
                let immediate = between_stores(*version, |text| {
                    text.constant(2, address).store_immediate(size, 2, 0, 7);
                });
                Case::text(&immediate, &[])
                    .check()
                    .fails_with("AccessViolation");
            }
        }
    }
}

#[test]
fn store_to_program() {
    for version in SBPFVersion::ALL {
        let start = if version.enable_lower_rodata_vaddr() {
            MM_RODATA_START
        } else {
            MM_BYTECODE_START
        };
        for size in Size::ALL {
            for offset in [0, 3, 8] {
                let text = between_stores(*version, |text| {
                    text.constant(2, start)
                        .load(size, 0, 2, offset)
                        .store(size, 2, offset, 0);
                });
                Case::text(&text, &[])
                    .check()
                    .fails_with("AccessViolation(Store");
            }
        }
    }
}

#[test]
fn syscall_errors() {
    for version in SBPFVersion::ALL {
        for name in ["sys_fail", "sys_fail_if_equal"] {
            let text = between_stores(*version, |text| {
                text.mov(1, 3).mov(2, 3).syscall(name);
            });
            Case::text(&text, &[]).check().fails_with("SyscallError");
        }
        // In a callee, and after a faulting access that the syscall reports.
        let mut text = Text::new(*version);
        text.call(2).exit();
        text.mov(1, 7).mov(2, 8).syscall("sys_fill").exit();
        Case::text(&text, &[2]).check().fails_with("SyscallError");
    }
}
