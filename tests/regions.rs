//! Syscalls that change regions in mid-run: whatever an engine remembers of them must go.

mod common;

use {common::*, solana_sbpf::ebpf::*};

/// Where the tests look: an address in each writable region, and the region's start.
const PLACES: [(u64, u64); 3] = [
    (MM_INPUT_START, MM_INPUT_START + 40),
    (MM_HEAP_START, MM_HEAP_START + 40),
    (MM_STACK_START, MM_STACK_START + 4096 - 40),
];

/// A change of the region that begins at the given address: the syscall and its arguments.
type Change = fn(u64) -> (&'static str, Vec<u64>);

const CHANGES: [Change; 14] = [
    |start| ("sys_resize", vec![start, 0]),
    |start| ("sys_resize", vec![start, 44]),
    |start| ("sys_resize", vec![start, 48]),
    |start| ("sys_resize", vec![start, 4060]),
    |start| ("sys_resize", vec![start, 4064]),
    |start| ("sys_resize", vec![start, 1 << 20]),
    |start| ("sys_redirect", vec![start, 0, 0, 4096]),
    |start| ("sys_redirect", vec![start, 0, 3, 4093]),
    |start| ("sys_redirect", vec![start, 1, 0, 60]),
    |start| ("sys_redirect", vec![start, 1, 0, 0]),
    |start| ("sys_protect", vec![start]),
    |start| ("sys_unprotect", vec![start]),
    |start| ("sys_swap", vec![start, MM_HEAP_START]),
    |start| ("sys_swap", vec![start, MM_INPUT_START]),
];

/// Memory with room to change: reserves behind all regions and two spare buffers.
fn roomy(case: Case) -> Case {
    case.memory(|mut layout| {
        for region in &mut layout.regions {
            region.reserve = 512;
        }
        layout
            .with_spare(pattern(7, 64 * 1024))
            .with_spare(pattern(8, 64))
    })
}

/// Uses the word at r6 in all ways, folding what it reads into r9.
fn touch(text: &mut Text, value: i32) {
    text.load(Size::Double, 8, 6, 0);
    text.push(ADD64_REG, 9, 8, 0, 0);
    text.store_immediate(Size::Word, 6, 4, value);
    text.load(Size::Byte, 8, 6, 4);
    text.push(XOR64_REG, 9, 8, 0, 0);
    text.store(Size::Byte, 6, 1, 9);
}

/// Runs `build` for every version, place and change.
fn for_all(build: impl Fn(&mut Text, u64, &dyn Fn(&mut Text)) -> Vec<usize>) {
    for version in SBPFVersion::ALL {
        for (start, address) in PLACES {
            for change in CHANGES {
                let mut text = Text::new(*version);
                let functions = build(&mut text, address, &|text| {
                    let (name, arguments) = change(start);
                    text.syscall_with(name, &arguments);
                });
                roomy(Case::text(&text, &functions)).sweep_up_to(80).check();
            }
        }
    }
}

#[test]
fn in_a_straight_line() {
    for_all(|text, address, change| {
        text.constant(6, address);
        touch(text, 1);
        change(text);
        touch(text, 2);
        text.copy(0, 9).exit();
        vec![]
    });
}

#[test]
fn change_before_first_use() {
    for_all(|text, address, change| {
        change(text);
        text.constant(6, address);
        touch(text, 2);
        text.copy(0, 9).exit();
        vec![]
    });
}

/// The change happens in a callee; the caller goes on with the same pointer.
#[test]
fn in_a_callee() {
    for_all(|text, address, change| {
        text.constant(6, address);
        touch(text, 1);
        // Two levels, so that "this function makes syscalls" must travel upwards.
        text.push(JA, 0, 0, 1, 0);
        let back = text.pc();
        text.push(JA, 0, 0, 0, 0);
        let call = text.pc();
        text.call(0);
        touch(text, 2);
        text.copy(0, 9).exit();
        let outer = text.pc();
        text.call(outer + 2).exit();
        change(text);
        text.exit();
        let mut patch = Text::new(text.version);
        patch.bytes = text.bytes[..8 * call].to_vec();
        patch.call(outer);
        text.bytes[8 * call..8 * call + 8].copy_from_slice(&patch.bytes[8 * call..]);
        assert!(back < call);
        vec![outer, outer + 2]
    });
}

/// The caller's frame is used through r10 after the change, and the callee's before.
#[test]
fn frames_around_the_change() {
    for_all(|text, _, change| {
        text.store_immediate(Size::Double, 10, -48, 0x11);
        text.call(text.pc() + 5);
        text.load(Size::Double, 9, 10, -48);
        text.store_immediate(Size::Double, 10, -24, 0x44);
        text.copy(0, 9);
        text.exit();
        let function = text.pc();
        text.store_immediate(Size::Double, 10, -48, 0x22);
        text.load(Size::Word, 7, 10, -44);
        change(text);
        text.load(Size::Word, 8, 10, -48);
        text.store_immediate(Size::Double, 10, -32, 0x33);
        text.exit();
        vec![function]
    });
}

/// The change comes in the third turn of a loop over the pointer.
#[test]
fn in_a_loop() {
    for_all(|text, address, change| {
        text.constant(6, address);
        text.mov(7, 5);
        let start = text.pc();
        touch(text, 1);
        let branch = text.pc();
        text.push(JNE64_IMM, 7, 0, 0, 3);
        change(text);
        let after = text.pc();
        text.bytes[8 * branch + 2..8 * branch + 4]
            .copy_from_slice(&((after - branch - 1) as i16).to_le_bytes());
        text.push(ADD64_IMM, 6, 0, 0, 4);
        text.push(ADD64_IMM, 7, 0, 0, -1);
        let distance = start as i64 - text.pc() as i64 - 1;
        text.push(JNE64_IMM, 7, 0, distance as i16, 0);
        text.copy(0, 9).exit();
        vec![]
    });
}

/// Back and forth between two buffers, reading in between.
#[test]
fn redirected_back_and_forth() {
    for version in SBPFVersion::ALL {
        for (start, address) in PLACES {
            let mut text = Text::new(*version);
            text.constant(6, address);
            for turn in 0..4 {
                text.syscall_with("sys_redirect", &[start, turn % 2, 0, 64 - 8 * turn]);
                touch(&mut text, turn as i32);
                text.syscall_with("sys_resize", &[start, 4096 * (turn % 2)]);
                touch(&mut text, 100 + turn as i32);
            }
            text.copy(0, 9).exit();
            roomy(Case::text(&text, &[])).check();
        }
    }
}

/// Each change and its opposite: what was remembered of the first state is no longer so in the third.
#[test]
fn changed_and_changed_back() {
    for version in SBPFVersion::ALL {
        for (start, address) in PLACES {
            for other in [MM_HEAP_START, MM_INPUT_START, MM_STACK_START] {
                let mut text = Text::new(*version);
                text.constant(6, address);
                for turn in 0..4 {
                    touch(&mut text, turn);
                    text.syscall_with("sys_swap", &[start, other]);
                }
                text.copy(0, 9).exit();
                roomy(Case::text(&text, &[])).check();
            }

            let mut text = Text::new(*version);
            text.constant(6, address);
            text.syscall_with("sys_protect", &[start]);
            text.load(Size::Double, 9, 6, 0);
            text.syscall_with("sys_unprotect", &[start]);
            touch(&mut text, 1);
            text.syscall_with("sys_protect", &[start]);
            touch(&mut text, 2);
            text.copy(0, 9).exit();
            roomy(Case::text(&text, &[])).check();
        }
    }
}

/// The stack shrinks to less than the frames in use, and grows again, while calls go on.
#[test]
fn stack_resized_under_calls() {
    for version in SBPFVersion::ALL {
        for len in [0, 100, 4096, 4100, 8192, 10 * 4096, 10 * 4096 + 512] {
            let mut text = Text::new(*version);
            text.store_immediate(Size::Double, 10, -8, 5);
            text.syscall_with("sys_resize", &[MM_STACK_START, len]);
            text.store_immediate(Size::Double, 10, -16, 6);
            text.call(text.pc() + 3);
            text.load(Size::Double, 0, 10, -8);
            text.exit();
            let function = text.pc();
            text.store_immediate(Size::Double, 10, -8, 7);
            text.store_immediate(Size::Double, 10, 0, 8);
            text.exit();
            roomy(Case::text(&text, &[function])).check();
        }
    }
}

/// A mapping of the other kind with the same regions finds one of them by other addresses: one that reaches from
/// area 3 into area 4.
#[test]
fn mappings_of_the_other_kind() {
    for version in UNALIGNED_VERSIONS {
        for aligned in [false, true] {
            let beyond = (4 << 32) + 8;
            let mut text = Text::new(version);
            text.constant(6, beyond).constant(7, beyond - 40);
            if !aligned {
                text.load(Size::Double, 8, 6, 0);
            }
            text.load(Size::Double, 9, 7, 0);
            text.syscall_with("sys_remap", &[u64::from(!aligned)]);
            text.load(Size::Double, 9, 7, 0);
            text.store(Size::Double, 7, -8, 9);
            text.load(Size::Double, 0, 6, 0);
            text.exit();
            // No gaps that an aligned mapping would fill with empty regions.
            let program = if version >= SBPFVersion::V3 {
                1 << 32
            } else {
                0
            };
            Case::text(&text, &[])
                .configure(|config| config.aligned_memory_mapping = aligned)
                .memory(|layout| {
                    let crossing = RegionSpec::writable((4 << 32) - 100, pattern(5, 300));
                    let layout = layout.without(MM_INPUT_START).without(MM_HEAP_START);
                    layout
                        .with(crossing)
                        .with(RegionSpec::writable(program, pattern(8, 16)))
                })
                .check();
        }
    }
}
