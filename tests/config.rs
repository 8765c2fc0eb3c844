//! Configurations and budgets that change what a program means.

mod common;

use {common::*, solana_sbpf::ebpf::*};

/// A program with a loop, calls, memory and a syscall.
const MIXED: &str = "entrypoint:
    mov64 r6, 4
    mov64 r7, r1
    loop:
    mov64 r1, r6
    call function_work
    stxdw [r7+0], r0
    add64 r7, 8
    add64 r6, -1
    jne r6, 0, loop
    mov64 r1, r0
    syscall sys_log
    exit
    function_work:
    stxdw [r10-8], r1
    add64 r0, r1
    jgt r1, 2, deeper
    exit
    deeper:
    add64 r1, -1
    call function_work
    ldxdw r2, [r10-8]
    add64 r0, r2
    exit";

#[test]
fn without_a_meter() {
    for version in SBPFVersion::ALL {
        let texts = [
            MIXED,
            "mov64 r0, 1\nldxdw r0, [r0+0]\nexit",
            "mov64 r1, 7\nsyscall sys_fail\nexit",
            "mov64 r1, 1000000\nsyscall sys_consume\nexit",
            "mov64 r0, 1",
            "entrypoint:\ncall entrypoint\nexit",
        ];
        for text in texts {
            let case = Case::assembly(*version, text)
                .configure(|config| config.enable_instruction_meter = false);
            for budget in [100_000, u64::MAX / 4] {
                case.clone().budget(budget).check();
            }
        }
    }
}

/// Without a meter the budget is no limit, but syscalls see and use it.
#[test]
fn without_a_meter_beyond_the_budget() {
    for version in SBPFVersion::ALL {
        let text = "mov64 r6, 500\nloop:\nadd64 r6, -1\njne r6, 0, loop\nexit";
        for budget in [0, 1, 10] {
            Case::assembly(*version, text)
                .configure(|config| config.enable_instruction_meter = false)
                .budget(budget)
                .check()
                .succeeds();
        }
    }
}

#[test]
fn depths_and_frame_sizes() {
    for version in SBPFVersion::ALL {
        for depth in [1, 2, 3, 4, 64, 200, 1000] {
            for frame_size in [64, 512, 4096, 1 << 16] {
                if depth * frame_size > 1 << 22 {
                    continue;
                }
                for gaps in [true, false] {
                    Case::assembly(*version, MIXED)
                        .configure(|config| {
                            config.max_call_depth = depth;
                            config.stack_frame_size = frame_size;
                            config.enable_stack_frame_gaps = gaps;
                        })
                        .sweep_up_to(0)
                        .check();
                }
            }
        }
        // A frame size that isn't a power of two, which only works without gaps.
        Case::assembly(*version, MIXED)
            .configure(|config| {
                config.stack_frame_size = 1000;
                config.enable_stack_frame_gaps = false;
            })
            .check();
    }
}

/// Recursion as deep as hosts might allow: the native stack must bear it or give an error, and
/// the depth error comes where it should.
#[test]
fn great_depths() {
    for version in SBPFVersion::ALL {
        for depth in [1000, 10_000] {
            let text = "entrypoint:
                add64 r0, 1
                mov64 r6, r0
                call entrypoint
                add64 r0, r6
                exit";
            let text = format!("entry:\n{text}");
            Case::assembly(*version, text)
                .configure(|config| {
                    config.max_call_depth = depth;
                    config.stack_frame_size = 64;
                })
                .check()
                .fails_with("CallDepthExceeded");
        }
    }
}

/// Skips moves before anything is paid for, then accesses memory: first where a check has to look for the
/// region, then where there is none.
const SKIPPING: &str = "
    mov64 r2, r1
    jeq r2, r1, second
    mov64 r3, 5
    second:
    jeq r2, r1, third
    mov64 r4, 6
    third:
    jeq r2, r1, access
    mov64 r5, 7
    access:
    ldxdw r0, [r1+0]
    ldxdw r0, [r3+0]
    exit";

#[test]
fn extreme_budgets() {
    for version in SBPFVersion::ALL {
        let texts = [
            MIXED,
            "exit",
            "mov64 r0, 1",
            "mov64 r1, 77\nsyscall sys_consume\nexit",
            SKIPPING,
        ];
        for text in texts {
            let budgets = [
                0,
                1,
                i64::MAX as u64 - 1,
                i64::MAX as u64,
                i64::MAX as u64 + 1,
            ];
            if let Err(report) = Case::assembly(*version, text).try_budgets(&budgets) {
                panic!("{report}");
            }
            let budgets = [u64::MAX - 100, u64::MAX - 1, u64::MAX];
            let case = Case::assembly(*version, text)
                .interpreter_only("its meter is the budget plus the pc, which wraps");
            if let Err(report) = case.try_budgets(&budgets) {
                panic!("{report}");
            }
        }
    }
}

/// Which versions are enabled says nothing about a program that was already accepted.
#[test]
fn enabled_versions() {
    for version in SBPFVersion::ALL {
        let mut text = Text::new(*version);
        text.mov(0, 3)
            .store(Size::Double, 10, -8, 0)
            .syscall("sys_log")
            .exit();
        for enabled in [
            SBPFVersion::V0..=SBPFVersion::V4,
            *version..=*version,
            SBPFVersion::V0..=SBPFVersion::V0,
        ] {
            Case::text(&text, &[])
                .configure(|config| config.enabled_sbpf_versions = enabled)
                .check()
                .succeeds();
        }
    }
}

/// Choices that concern the hand-written JIT or loading change nothing.
#[test]
fn choices_without_effect() {
    for version in SBPFVersion::ALL {
        for choice in 0..16 {
            Case::assembly(*version, MIXED)
                .configure(|config| {
                    config.optimize_rodata = choice & 1 != 0;
                    config.reject_broken_elfs = choice & 2 != 0;
                    config.enable_symbol_and_section_labels = choice & 4 != 0;
                    config.instruction_meter_checkpoint_distance =
                        if choice & 8 != 0 { 3 } else { 10_000 };
                })
                .check()
                .succeeds();
        }
    }
}

/// Strict ELF files: rodata at 0, the text not readable, an entry in the middle.
#[test]
fn strict_elf_files() {
    for version in [SBPFVersion::V3, SBPFVersion::V4] {
        for rodata in [0, 8, 64] {
            for address in [0, 8, 60, 64, MM_BYTECODE_START] {
                for entry in [0, 1] {
                    let mut text = Text::new(version);
                    text.mov(3, 1);
                    text.constant(2, address);
                    text.load(Size::Word, 0, 2, 0);
                    text.call(text.pc() + 3);
                    text.store(Size::Double, 10, -8, 0);
                    text.exit();
                    text.constant(4, MM_BYTECODE_START + 8 * (text.pc() as u64 + 4));
                    text.callx(4);
                    text.exit();
                    text.push(ADD64_REG, 0, 3, 0, 0);
                    text.exit();
                    let elf = common::elf::strict(version, &pattern(1, rodata), &text.bytes, entry);
                    Case::elf(version, elf).check();
                }
            }
        }
    }
}

/// An empty text, which only unverified programs have.
#[test]
fn empty_text() {
    for version in SBPFVersion::ALL {
        let case = Case::text(&Text::new(*version), &[])
            .unverified()
            .interpreter_only("it indexes the first instruction at entry");
        case.check().fails_with("ExecutionOverrun").at(0);
    }
}
