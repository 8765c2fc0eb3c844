//! Syscalls that do nothing but an operation on memory, which compiled code does by itself: the same memory,
//! meter and errors as if it had called them, wherever the ranges are.

mod common;

use {common::*, solana_sbpf::ebpf::*};

/// Bytes of the input.
const INPUT: u64 = 200;

/// A program that calls `name` thrice with these arguments, and loads and stores in between.
fn program(version: SBPFVersion, name: &str, arguments: &[u64]) -> Case {
    let mut text = Text::new(version);
    text.copy(6, 1);
    for _ in 0..3 {
        text.load(Size::Double, 7, 6, 16).mov(0, 77);
        text.syscall_with(name, arguments);
        text.store(Size::Double, 10, -8, 7);
        text.store(Size::Double, 6, 32, 0);
        text.load(Size::Double, 8, 10, -24);
    }
    text.copy(0, 8).exit();
    Case::text(&text, &[])
        .input(pattern(3, INPUT as usize))
        .budget(1000)
}

/// Where ranges begin: within regions, at their ends, beyond them, in frames and in gaps.
fn places(version: SBPFVersion) -> Vec<u64> {
    let frame = MM_STACK_START + 4096;
    // The last frame of the ten that cases have.
    let last = MM_STACK_START
        + match version {
            SBPFVersion::V0 => 18 * 4096,
            _ => 9 * 4096,
        };
    vec![
        MM_INPUT_START,
        MM_INPUT_START + 40,
        MM_INPUT_START + INPUT - 32,
        MM_INPUT_START + INPUT - 31,
        MM_INPUT_START + INPUT,
        MM_INPUT_START - 4,
        MM_HEAP_START + 8,
        frame - 64,
        frame - 32,
        frame - 31,
        frame + 8,
        // The frame of a callee, behind a gap where there are gaps.
        frame
            + if version == SBPFVersion::V0 {
                4096 + 4
            } else {
                300
            },
        last + 4096 - 32,
        last + 4096 - 16,
        MM_REGION_SIZE,
        MM_REGION_SIZE + 8,
        0,
        u64::MAX - 7,
    ]
}

fn handled(case: Case, handler: Handler) -> Case {
    case.memory(|layout| layout.with_spare(pattern(9, 512)).with_handler(handler))
}

#[test]
fn copies() {
    let mut succeeded = 0;
    for &version in SBPFVersion::ALL {
        for to in places(version) {
            for from in places(version) {
                for name in ["sys_memcpy", "sys_memmove"] {
                    let verdict = program(version, name, &[to, from, 32]).check();
                    succeeded += u32::from(verdict.outcome.value.is_some());
                }
            }
        }
    }
    assert!(succeeded > 200, "{succeeded}");
}

#[test]
fn lengths() {
    let (to, from) = (MM_INPUT_START + 8, MM_STACK_START + 3000);
    for &version in SBPFVersion::ALL {
        for length in [
            0,
            1,
            7,
            8,
            31,
            191,
            192,
            193,
            250,
            274,
            275,
            300,
            1 << 40,
            u64::MAX,
        ] {
            program(version, "sys_memcpy", &[to, from, length]).check();
            program(version, "sys_memcpy", &[from, to, length]).check();
            program(version, "sys_memmove", &[to, to + 5, length]).check();
            program(version, "sys_memset", &[to, 0x1234, length]).check();
            program(version, "sys_memset", &[from, 7, length]).check();
            program(version, "sys_memcmp", &[to, from, length, to + 4]).check();
        }
    }
}

#[test]
fn fills() {
    for &version in SBPFVersion::ALL {
        for to in places(version) {
            program(version, "sys_memset", &[to, 0x1ff, 32]).check();
        }
    }
}

#[test]
fn overlapping_ranges() {
    for &version in SBPFVersion::ALL {
        for start in [MM_INPUT_START + 64, MM_STACK_START + 4000] {
            for distance in [0, 1, 15, 16, 17] {
                for (to, from) in [(start, start + distance), (start + distance, start)] {
                    program(version, "sys_memcpy", &[to, from, 16]).check();
                    program(version, "sys_memmove", &[to, from, 16]).check();
                }
            }
        }
    }
    let (to, from) = (MM_INPUT_START + 64, MM_INPUT_START + 79);
    program(SBPFVersion::V0, "sys_memcpy", &[to, from, 16])
        .check()
        .fails_with("the ranges overlap");
}

#[test]
fn comparisons() {
    let (one, other, result) = (
        MM_INPUT_START + 40,
        MM_STACK_START + 3000,
        MM_INPUT_START + 120,
    );
    for &version in SBPFVersion::ALL {
        for difference in 0..=20 {
            let mut text = Text::new(version);
            // The same at both places, and then one byte is not.
            text.syscall_with("sys_memcpy", &[other, one, 20]);
            text.constant(1, other + difference);
            text.load(Size::Byte, 2, 1, 0);
            text.push(XOR64_IMM, 2, 0, 0, 0x81);
            text.store(Size::Byte, 1, 0, 2);
            text.syscall_with("sys_memcmp", &[one, other, 20, result]);
            text.syscall_with("sys_memcmp", &[other, one, 20, result + 8]);
            text.exit();
            Case::text(&text, &[])
                .input(pattern(5, INPUT as usize))
                .check()
                .succeeds();
        }
        for place in places(version) {
            program(version, "sys_memcmp", &[place, other, 9, result]).check();
            program(version, "sys_memcmp", &[one, place, 9, result]).check();
            program(version, "sys_memcmp", &[one, other, 9, place]).check();
        }
        // Results that are not aligned, and those that are what is compared.
        for near in 0..8 {
            program(version, "sys_memcmp", &[one, other, 9, result + near]).check();
            program(version, "sys_memcmp", &[one, other, 9, one + near]).check();
        }
    }
}

/// Handlers are asked where they would be, and what they have changed is seen by what follows.
#[test]
fn handlers() {
    for version in UNALIGNED_VERSIONS {
        for handler in [
            Handler::Grow,
            Handler::Unlock,
            Handler::Redirect,
            Handler::Empty,
        ] {
            for (to, length) in [(0, 16), (0, 300), (150, 60)] {
                let to = MM_INPUT_START + to;
                for name in ["sys_memcpy", "sys_memset"] {
                    let case = program(version, name, &[to, MM_STACK_START + 8, length]);
                    let case = handled(case, handler).memory(|layout| {
                        let input = RegionSpec::read_only(MM_INPUT_START, pattern(1, 200));
                        layout.replacing(input.with_reserve(300).with_payload(0))
                    });
                    case.check();
                }
            }
        }
    }
}

/// Several regions side by side, where checks have hints and where they have none.
#[test]
fn regions_side_by_side() {
    for version in UNALIGNED_VERSIONS {
        for aligned in [false, true] {
            for (to, from) in [(0, 100), (90, 10), (100, 0), (68, 132), (60, 100), (196, 0)] {
                for name in ["sys_memcpy", "sys_memmove", "sys_memcmp"] {
                    let [to, from] = [to, from].map(|offset| MM_INPUT_START + offset);
                    let arguments = [to, from, 32, MM_INPUT_START + 164];
                    program(version, name, &arguments)
                        .configure(|config| config.aligned_memory_mapping = aligned)
                        .memory(|mut layout| {
                            if aligned {
                                return layout;
                            }
                            layout = layout.without(MM_INPUT_START);
                            for number in 0..4 {
                                let address = MM_INPUT_START + 64 * u64::from(number);
                                let region = RegionSpec::writable(address, pattern(number, 64));
                                layout = layout.with(region);
                            }
                            layout
                        })
                        .check();
                }
            }
        }
    }
}

/// What an operation costs shows in the meter of the context, and to syscalls that follow.
#[test]
fn costs() {
    for &version in SBPFVersion::ALL {
        for meter in [true, false] {
            for length in [16, 150, 199] {
                let mut text = Text::new(version);
                text.copy(6, 1);
                text.syscall_with("sys_memset", &[MM_INPUT_START, 1, length]);
                text.syscall_with("sys_log", &[1, 2, 3, 4, 5]);
                text.syscall_with("sys_memcpy", &[MM_HEAP_START, MM_INPUT_START, length]);
                text.store(Size::Double, 6, 32, 0);
                text.syscall_with("sys_memset", &[MM_INPUT_START, 2, length]);
                text.syscall_with("sys_consume", &[3]);
                text.load(Size::Double, 7, 6, 190).exit();
                Case::text(&text, &[])
                    .input(pattern(3, INPUT as usize))
                    .configure(|config| config.enable_instruction_meter = meter)
                    .budget(200)
                    .check();
            }
        }
    }
}

/// A syscall that looks into the VM finds there what the one before has returned.
#[test]
fn what_the_next_syscall_sees() {
    for version in SBPFVersion::ALL {
        for name in ["sys_memcpy", "sys_memmove", "sys_memset", "sys_memcmp"] {
            for length in [0, 16, 1 << 40] {
                let mut text = Text::new(*version);
                text.syscall_with("sys_log", &[1, 2, 3, 4, 5]);
                let arguments = [MM_HEAP_START, MM_INPUT_START, length, MM_HEAP_START + 64];
                text.syscall_with(name, &arguments);
                text.syscall("sys_raw").exit();
                Case::text(&text, &[])
                    .interpreter_only("it shows no registers to syscalls")
                    .check();
            }
        }
    }
}
