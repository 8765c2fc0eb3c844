//! Loads and stores: boundaries, offsets, layouts, and what is visible after a fault.

mod common;

use {common::*, solana_sbpf::ebpf::*};

/// Accesses one address in r2 between two stores that frame it, for each kind and size.
fn accesses(version: SBPFVersion, offset: i16) -> Vec<Text> {
    let mut texts = Vec::new();
    for size in Size::ALL {
        for kind in 0..4 {
            let mut text = Text::new(version);
            text.store_immediate(Size::Byte, 3, 0, 0x31);
            match kind {
                0 => text.load(size, 0, 2, offset),
                1 => text.store(size, 2, offset, 4),
                2 => text.store_immediate(size, 2, offset, -0x0102_0304),
                // The base is overwritten by what is loaded.
                _ => text.load(size, 2, 2, offset).copy(0, 2),
            };
            text.store_immediate(Size::Byte, 3, 1, 0x32);
            text.exit();
            texts.push(text);
        }
    }
    texts
}

/// Runs all accesses at `addresses` (plus `offset`) in memory made by `memory`.
fn check_accesses(
    version: SBPFVersion,
    aligned: bool,
    offset: i16,
    addresses: &[u64],
    memory: impl Fn(Layout) -> Layout,
) {
    for text in accesses(version, offset) {
        let case = Case::text(&text, &[])
            .configure(|config| config.aligned_memory_mapping = aligned)
            .memory(&memory)
            .sweep_up_to(0);
        case.check_registers(addresses.iter().map(|address| {
            let base = address.wrapping_sub(offset as u64);
            vec![
                (2, base),
                (3, MM_HEAP_START + 512),
                (4, 0xf1f2_f3f4_f5f6_f7f8),
            ]
        }));
    }
}

/// Addresses around `boundary` that every size of access tells apart.
fn around(boundary: u64) -> impl Iterator<Item = u64> {
    (-9..=8).map(move |distance: i64| boundary.wrapping_add(distance as u64))
}

#[test]
fn region_boundaries() {
    for version in SBPFVersion::ALL {
        let addresses: Vec<u64> = [
            MM_STACK_START,
            MM_STACK_START + 4096,
            MM_STACK_START + 8192,
            MM_STACK_START + 10 * 4096,
            MM_STACK_START + 19 * 4096,
            MM_HEAP_START,
            MM_HEAP_START + 4096,
            MM_INPUT_START,
            MM_INPUT_START + 256,
        ]
        .into_iter()
        .flat_map(around)
        .collect();
        for aligned in [false, true] {
            check_accesses(*version, aligned, 0, &addresses, |layout| layout);
        }
        check_accesses(*version, false, -17, &addresses, |layout| layout);
    }
}

/// The program's own region: from 0 in V3, below the text that `callx` sees.
#[test]
fn program_region() {
    for version in SBPFVersion::ALL {
        let addresses: Vec<u64> = [0, MM_BYTECODE_START, 32, MM_BYTECODE_START + 32]
            .into_iter()
            .flat_map(around)
            .collect();
        check_accesses(*version, false, 0, &addresses, |layout| layout);
        check_accesses(*version, true, 8, &addresses, |layout| Layout {
            program: false,
            ..layout
        });
    }
}

#[test]
fn top_of_the_address_space() {
    let addresses: Vec<u64> = around(0)
        .chain(around(u64::MAX - 16))
        .chain(around(1 << 63))
        .collect();
    for version in SBPFVersion::ALL {
        for offset in [0, 1, -1, i16::MAX, i16::MIN] {
            check_accesses(*version, false, offset, &addresses, |layout| layout);
        }
    }
    // Regions up to the last byte, and one that doesn't reach it.
    for version in UNALIGNED_VERSIONS {
        for (start, len) in [(u64::MAX - 15, 16), (u64::MAX - 15, 8), (u64::MAX, 1)] {
            check_accesses(version, false, 0, &addresses, |layout| {
                layout.with(RegionSpec::writable(start, pattern(5, len)))
            });
        }
    }
}

#[test]
fn every_register_as_base() {
    for version in SBPFVersion::ALL {
        for base in 0..=10 {
            for value in 0..10 {
                let mut text = Text::new(*version);
                if base != 10 {
                    text.constant(base, MM_HEAP_START + 64);
                }
                if value != base {
                    text.constant(value, 0x1122_3344_5566_7788);
                }
                text.store(Size::Double, base, -16, value);
                text.load(Size::Word, value, base, -14);
                text.store_immediate(Size::Half, base, -8, 0x4142);
                text.copy(0, value).exit();
                Case::text(&text, &[]).check();
            }
        }
    }
}

#[test]
fn extreme_offsets() {
    for version in SBPFVersion::ALL {
        for offset in [i16::MIN, i16::MIN + 1, -1, 0, 1, i16::MAX - 1, i16::MAX] {
            let middle = MM_INPUT_START + 33_000;
            let addresses = [middle, MM_INPUT_START, MM_INPUT_START + 65_992]
                .map(|address| address.wrapping_add(offset as u64));
            check_accesses(*version, false, offset, &addresses, |layout| {
                layout.replacing(RegionSpec::writable(MM_INPUT_START, pattern(3, 66_000)))
            });
        }
    }
}

/// Several accesses off one base: those before the fault happened, those after it didn't.
#[test]
fn fault_among_accesses_off_one_base() {
    for version in SBPFVersion::ALL {
        let mut text = Text::new(*version);
        text.mov(4, 0x77);
        text.store(Size::Byte, 2, 0, 4);
        text.load(Size::Double, 5, 2, 16);
        text.store(Size::Word, 2, 8, 5);
        text.load(Size::Half, 6, 2, 30);
        text.store_immediate(Size::Double, 2, 24, 0x55);
        text.push(ADD64_REG, 5, 6, 0, 0);
        text.store(Size::Double, 2, 4, 5);
        text.load(Size::Byte, 0, 2, 40);
        text.store(Size::Byte, 2, 39, 0);
        text.store_immediate(Size::Byte, 2, 1, 0x66);
        text.exit();
        for writable in [true, false] {
            let case = Case::text(&text, &[]).memory(|layout| {
                let mut input = RegionSpec::writable(MM_INPUT_START, pattern(3, 64));
                input.writable = writable;
                layout.replacing(input)
            });
            case.check_registers(
                (-44i64..=66)
                    .map(|distance| vec![(2, MM_INPUT_START.wrapping_add(distance as u64))]),
            );
        }
        // Against frame ends and the stack's ends.
        Case::text(&text, &[]).check_registers(
            [0, 4096, 8192, 10 * 4096, 19 * 4096]
                .into_iter()
                .flat_map(|end| (-44i64..=3).map(move |distance| end + distance))
                .map(|distance| vec![(2, MM_STACK_START.wrapping_add(distance as u64))]),
        );
    }
}

/// A base that moves between accesses, by constants and by what was loaded.
#[test]
fn moving_bases() {
    for version in SBPFVersion::ALL {
        let text = "mov64 r6, r1
            stxb [r6+0], r6
            add64 r6, 8
            stxw [r6-4], r1
            mov64 r7, r6
            add64 r7, 100
            ldxb r2, [r7+0]
            add64 r6, r2
            stxh [r6+0], r7
            mov64 r6, r10
            add64 r6, -40
            stxdw [r6+0], r2
            ldxdw r0, [r10-40]
            stxdw [r6+32], r0
            mov64 r10, r10
            exit";
        let text = text.replace("mov64 r10, r10\n", "");
        Case::assembly(*version, text).check().succeeds();
    }
}

#[test]
fn adjacent_and_many_regions() {
    for version in UNALIGNED_VERSIONS {
        // Two regions that touch, in one slot; one that begins at an odd place.
        let addresses: Vec<u64> = [0, 24, 40, 47, 100, 107]
            .into_iter()
            .flat_map(|offset| around(MM_INPUT_START + offset))
            .collect();
        check_accesses(version, false, 0, &addresses, |layout| {
            layout
                .replacing(RegionSpec::writable(MM_INPUT_START, pattern(3, 24)))
                .with(RegionSpec::read_only(MM_INPUT_START + 24, pattern(4, 16)))
                .with(RegionSpec::writable(MM_INPUT_START + 40, pattern(5, 7)))
                .with(RegionSpec::writable(MM_INPUT_START + 100, pattern(6, 7)).misaligned(3))
        });
        // Fifty regions of growing size with holes between some.
        let addresses: Vec<u64> = (0..50)
            .map(|index| MM_INPUT_START + index * 64)
            .flat_map(|start| [start, start + 1, start + 31, start + 57, start + 63])
            .collect();
        check_accesses(version, false, 0, &addresses, |layout| {
            (0..50).fold(layout.without(MM_INPUT_START), |layout, index| {
                let start = MM_INPUT_START + index * 64;
                let len = (20 + index as usize).min(64);
                let mut region = RegionSpec::writable(start, pattern(index as u8, len));
                region.writable = index % 3 != 0;
                layout.with(region)
            })
        });
    }
}

/// One loop over pointers into different regions, so that a cache of the last one misses.
#[test]
fn alternating_regions() {
    for version in SBPFVersion::ALL {
        let mut text = Text::new(*version);
        text.copy(6, 1).mov(7, 16);
        text.load(Size::Double, 2, 6, 0);
        text.load(Size::Double, 3, 2, 0);
        text.push(ADD64_REG, 0, 3, 0, 0);
        text.store(Size::Word, 2, 4, 0);
        text.push(ADD64_IMM, 6, 0, 0, 8)
            .push(ADD64_IMM, 7, 0, 0, -1);
        text.push(JNE64_IMM, 7, 0, -7, 0).exit();
        let pointers: Vec<u8> = (0..16u64)
            .map(|index| match index % 4 {
                0 => MM_HEAP_START + 8 * index,
                1 => MM_STACK_START + 8 * index,
                2 => MM_INPUT_START + 128 + index,
                _ if index < 15 => MM_HEAP_START + 4000,
                _ => MM_HEAP_START + 4090,
            })
            .flat_map(u64::to_le_bytes)
            .chain(pattern(1, 64))
            .collect();
        Case::text(&text, &[])
            .input(pointers)
            .check()
            .fails_with("AccessViolation");
    }
}

/// Regions that begin off their slot's start, in both mappings; host buffers off alignment.
#[test]
fn unaligned_starts() {
    for version in SBPFVersion::ALL {
        for aligned in [false, true] {
            let start = MM_INPUT_START + 0x123;
            let addresses: Vec<u64> = around(start)
                .chain(around(start + 50))
                .chain(around(MM_INPUT_START))
                .collect();
            check_accesses(*version, aligned, 0, &addresses, |layout| {
                layout
                    .without(MM_INPUT_START)
                    .with(RegionSpec::writable(start, pattern(3, 50)).misaligned(5))
            });
        }
    }
}

#[test]
fn read_only_and_empty_regions() {
    for version in SBPFVersion::ALL {
        let addresses: Vec<u64> = around(MM_INPUT_START)
            .chain(around(MM_INPUT_START + 64))
            .collect();
        for input in [
            RegionSpec::read_only(MM_INPUT_START, pattern(3, 64)),
            RegionSpec::read_only(MM_INPUT_START, []),
            RegionSpec::writable(MM_INPUT_START, []),
            RegionSpec::writable(MM_INPUT_START, [1]),
        ] {
            check_accesses(*version, false, 0, &addresses, |layout| {
                layout.replacing(input.clone())
            });
        }
        // Slots without a region between those with one.
        check_accesses(*version, false, 0, &addresses, |layout| {
            layout
                .without(MM_INPUT_START)
                .with(RegionSpec::writable(6 << 32, pattern(3, 64)))
        });
        let addresses: Vec<u64> = around(6 << 32).chain(around(7 << 32)).collect();
        check_accesses(*version, true, 0, &addresses, |layout| {
            layout.with(RegionSpec::writable(6 << 32, pattern(3, 64)))
        });
    }
}

/// Programs that go from r1 over a few words: all of them off one base, field by field with decisions in between,
/// turn by turn up and down, and as a copy that counts.
const WALKS: [&str; 6] = [
    "ldxdw r0, [r1+0]
     ldxdw r2, [r1+16]
     ldxb r3, [r1+31]
     stxdw [r1+8], r2
     exit",
    "ldxdw r0, [r1+24]
     ldxdw r2, [r1+0]
     exit",
    "ldxdw r0, [r1+0]
     jeq r0, 0, end
     ldxdw r2, [r1+8]
     jeq r2, 0, end
     ldxw r3, [r1+24]
     add64 r0, r3
     end:
     exit",
    "mov64 r3, 5
     again:
     ldxdw r2, [r1+0]
     add64 r0, r2
     add64 r1, 8
     add64 r3, -1
     jne r3, 0, again
     exit",
    "mov64 r3, 5
     again:
     stxh [r1+0], r3
     jeq r3, 7, skipped
     ldxb r2, [r1+1]
     skipped:
     add64 r0, r2
     add64 r1, -4
     add64 r3, -1
     jne r3, 0, again
     exit",
    "mov64 r3, 0
     mov64 r4, 3
     lsh64 r4, 32
     again:
     ldxb r2, [r1+0]
     stxb [r4+0], r2
     add64 r1, 1
     add64 r4, 1
     add64 r3, 1
     jlt r3, 24, again
     exit",
];

/// A region that reaches into the next area of 4 GiB: an aligned mapping finds it there by no address, but an
/// access that starts before may end there.
#[test]
fn regions_that_cross_areas() {
    let boundary = 5 << 32;
    for version in SBPFVersion::ALL {
        for (aligned, is_followed) in [(true, false), (true, true), (false, false)] {
            for walk in WALKS {
                let case = Case::assembly(*version, format!("entrypoint:\n{walk}"))
                    .configure(|config| config.aligned_memory_mapping = aligned)
                    .memory(|layout| {
                        let crossing = RegionSpec::writable(boundary - 64, pattern(3, 128));
                        let layout = layout.without(MM_INPUT_START).with(crossing);
                        match is_followed {
                            true => layout.with(RegionSpec::writable(boundary, pattern(4, 32))),
                            false => layout,
                        }
                    });
                let starts = (-80..=80).step_by(4).chain(-9..=9);
                case.check_registers(
                    starts.map(|distance: i64| {
                        vec![(1, u64::wrapping_add_signed(boundary, distance))]
                    }),
                );
            }
        }
    }
}

/// A region that ends at the last address of all, where another one may start: ends are saturated.
#[test]
fn the_last_address() {
    for version in UNALIGNED_VERSIONS {
        for (first, second) in [(-50, 0), (0, -50), (-3, 0), (-99, -7)] {
            for size in Size::ALL {
                for length in [None, Some(0), Some(1), Some(8)] {
                    let mut text = Text::new(version);
                    text.constant(6, u64::MAX);
                    for register in [1, 3] {
                        text.load(Size::Byte, register, 6, first);
                        text.load(size, register + 1, 6, second);
                    }
                    text.copy(0, 2).store(Size::Byte, 6, second, 3);
                    text.push(XOR64_REG, 0, 4, 0, 0).exit();
                    Case::text(&text, &[])
                        .memory(|layout| {
                            let last = RegionSpec::writable(u64::MAX - 99, pattern(5, 200));
                            let layout = layout.with(last);
                            match length {
                                Some(length) => {
                                    layout.with(RegionSpec::writable(u64::MAX, pattern(6, length)))
                                }
                                None => layout,
                            }
                        })
                        .check();
                }
            }
        }
    }
}
