//! The stack region: frames, gaps, ends, and stacks that aren't what the configuration says.

mod common;

use {common::*, solana_sbpf::ebpf::*};

/// Offsets from r10 at which a frame's edges are crossed.
const OFFSETS: [i16; 22] = [
    -4104, -4097, -4096, -4095, -4089, -4088, -2048, -16, -9, -8, -7, -4, -3, -2, -1, 0, 1, 7, 8,
    4095, 4096, 8191,
];

/// Accesses at `[r10 + offset]` in the entry function and two frames down.
fn frame_access(version: SBPFVersion, size: Size, offset: i16, store: bool) -> (Text, Vec<usize>) {
    let mut text = Text::new(version);
    let access = |text: &mut Text, value: i32| {
        if store {
            text.store_immediate(size, 10, offset, value);
        } else {
            text.load(size, 0, 10, offset);
        }
    };
    text.mov(0, 1);
    access(&mut text, 1);
    text.store(Size::Double, 10, -8, 0);
    text.call(text.pc() + 2);
    text.exit();
    let first = text.pc();
    access(&mut text, 2);
    text.store(Size::Double, 10, -16, 0);
    text.call(text.pc() + 2);
    text.exit();
    let second = text.pc();
    text.store(Size::Double, 10, -8, 0);
    access(&mut text, 3);
    text.store(Size::Double, 10, -24, 0);
    text.exit();
    (text, vec![first, second])
}

#[test]
fn frame_edges() {
    for version in SBPFVersion::ALL {
        for gaps in [true, false] {
            for aligned in [true, false] {
                for size in Size::ALL {
                    for offset in OFFSETS {
                        for store in [true, false] {
                            let (text, functions) = frame_access(*version, size, offset, store);
                            Case::text(&text, &functions)
                                .configure(|config| {
                                    config.max_call_depth = 4;
                                    config.enable_stack_frame_gaps = gaps;
                                    config.aligned_memory_mapping = aligned;
                                })
                                .sweep_up_to(0)
                                .check();
                        }
                    }
                }
            }
        }
    }
}

/// The same with every budget, at fewer places.
#[test]
fn frame_edges_at_every_budget() {
    for version in SBPFVersion::ALL {
        for offset in [-4096, -8, -4, 0, 4092] {
            for store in [true, false] {
                let (text, functions) = frame_access(*version, Size::Double, offset, store);
                Case::text(&text, &functions).check();
            }
        }
    }
}

/// Pointers into the caller's frames, given to callees, which run over their ends.
#[test]
fn pointers_into_other_frames() {
    for version in SBPFVersion::ALL {
        for start in [-16, -8, 0, 4096 - 24, 8192 - 24] {
            let text = format!(
                "entrypoint:
                mov64 r1, r10
                add64 r1, {start}
                call function_walk
                ldxdw r2, [r10-8]
                add64 r0, r2
                exit
                function_walk:
                mov64 r6, 6
                mov64 r7, r1
                loop:
                stxdw [r7+0], r6
                ldxw r2, [r7+2]
                add64 r0, r2
                stxdw [r10-8], r0
                add64 r7, 8
                add64 r6, -1
                jne r6, 0, loop
                exit"
            );
            Case::assembly(*version, text).check();
        }
    }
}

/// The last frame, one more, and the end of the stack.
#[test]
fn last_frames() {
    for version in SBPFVersion::ALL {
        for depth in [1, 2, 5] {
            for stack_frames in [depth - 1, depth, depth + 1] {
                let text = "entrypoint:
                    stdw [r10-8], 1
                    stdw [r10+0], 2
                    function_down:
                    stdw [r10-8], 3
                    stb [r10-4096], 4
                    call function_down
                    exit";
                let text = text.replace("stdw [r10+0], 2\n", "");
                Case::assembly(*version, text)
                    .configure(|config| config.max_call_depth = depth)
                    .memory(|mut layout| {
                        layout.regions[0].contents.resize(4096 * stack_frames, 0x5a);
                        layout
                    })
                    .check();
            }
        }
    }
}

/// Stacks that hosts shouldn't but could map.
#[test]
fn unusual_stacks() {
    let stacks: [fn(Layout) -> Layout; 8] = [
        |layout| layout.without(MM_STACK_START),
        |layout| layout.replacing(RegionSpec::writable(MM_STACK_START, [])),
        |layout| layout.replacing(RegionSpec::writable(MM_STACK_START, pattern(1, 4096))),
        |layout| layout.replacing(RegionSpec::writable(MM_STACK_START, pattern(1, 4092))),
        |layout| layout.replacing(RegionSpec::writable(MM_STACK_START, pattern(1, 100_000))),
        |layout| layout.replacing(RegionSpec::read_only(MM_STACK_START, pattern(1, 40_960))),
        |layout| {
            layout
                .without(MM_STACK_START)
                .with(RegionSpec::writable(MM_STACK_START + 64, pattern(1, 8192)))
        },
        |mut layout| {
            layout.regions[0].gap_size = 1024;
            layout
        },
    ];
    for version in SBPFVersion::ALL {
        for stack in stacks {
            for first in [
                "ldxdw r0, [r10-8]",
                "stxdw [r10-8], r1",
                "stdw [r10-4096], 5",
                "mov64 r0, 1",
            ] {
                let text = format!(
                    "entrypoint:
                    {first}
                    call function_a
                    ldxb r2, [r10-1]
                    add64 r0, r2
                    exit
                    function_a:
                    ldxw r1, [r10-4]
                    add64 r0, r1
                    stxw [r10-4], r0
                    exit"
                );
                Case::assembly(*version, text).memory(stack).check();
            }
        }
    }
    // Several regions where the stack should be one.
    for version in UNALIGNED_VERSIONS {
        let text = "stdw [r10-8], 1\nstdw [r10-16], 2\nldxdw r0, [r10-12]\nexit";
        for split in [4088, 4084, 4080, 2000] {
            Case::assembly(version, text)
                .configure(|config| config.max_call_depth = 1)
                .memory(|layout| {
                    layout
                        .replacing(RegionSpec::writable(MM_STACK_START, pattern(1, split)))
                        .with(RegionSpec::writable(
                            MM_STACK_START + split as u64,
                            pattern(2, 4096 - split),
                        ))
                })
                .check();
        }
    }
}

/// A frame pointer that the host set to something else before the run.
#[test]
fn foreign_frame_pointers() {
    for version in SBPFVersion::ALL {
        let mut text = Text::new(*version);
        text.store_immediate(Size::Double, 10, -8, 1);
        text.call(text.pc() + 3);
        text.load(Size::Double, 0, 10, -8);
        text.exit();
        text.store_immediate(Size::Double, 10, -8, 2);
        text.load(Size::Double, 0, 10, -16);
        text.exit();
        Case::text(&text, &[4]).check_registers(
            [
                0,
                8,
                MM_HEAP_START + 64,
                MM_HEAP_START + 4096,
                MM_INPUT_START + 16,
                MM_STACK_START + 100,
                MM_STACK_START + 8192 + 3,
                MM_STACK_START + 4 * 4096,
                u64::MAX,
            ]
            .map(|frame| vec![(10, frame)]),
        );
    }
}
