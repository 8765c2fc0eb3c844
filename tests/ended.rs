//! Programs that end in an access of memory: compiled code may go on to the next checkpoint, but nothing of what it
//! does there may be seen.

mod common;

use {common::*, solana_sbpf::ebpf::*};

/// Registers that hold addresses: of the input, and of nothing.
const INPUT: u8 = 6;
const NOWHERE: u8 = 7;

/// What follows the access, between it and the next checkpoint.
const FOLLOWERS: [fn(&mut Text); 16] = [
    |_| {},
    |text| {
        text.store_immediate(Size::Double, INPUT, 8, 0x77);
    },
    |text| {
        text.store(Size::Byte, INPUT, 3, 2);
    },
    |text| {
        text.load(Size::Double, 3, INPUT, 16);
        text.store(Size::Double, INPUT, 24, 3);
    },
    |text| {
        // Through a pointer that was loaded.
        text.load(Size::Double, 3, INPUT, 0);
        text.store(Size::Byte, 3, 1, 2);
    },
    |text| {
        text.store_immediate(Size::Double, FRAME, -8, 0x55);
    },
    |text| {
        text.copy(3, FRAME);
        text.push(ADD64_REG, 3, 2, 0, 0);
        text.store_immediate(Size::Byte, 3, -9, 0x55);
    },
    |text| {
        // Branches over a store.
        text.push(JEQ64_IMM, 2, 0, 1, 3);
        text.store_immediate(Size::Byte, INPUT, 5, 1);
        text.store_immediate(Size::Byte, INPUT, 6, 1);
    },
    |text| {
        text.syscall("sys_log");
    },
    |text| {
        text.copy(1, INPUT);
        text.mov(2, 8);
        text.mov(3, 1);
        text.syscall("sys_fill");
    },
    |text| {
        text.mov(3, 0);
        text.push(DIV64_REG, 4, 3, 0, 0);
    },
    |text| {
        // A loop whose turns could be counted.
        text.mov(3, 5);
        text.copy(4, INPUT);
        text.store(Size::Byte, 4, 0, 3);
        text.push(ADD64_IMM, 4, 0, 0, 1);
        text.push(ADD64_IMM, 3, 0, 0, -1);
        text.push(JNE64_IMM, 3, 0, -4, 0);
    },
    |text| {
        text.load(Size::Double, 3, NOWHERE, 8);
        text.store(Size::Double, NOWHERE, 64, 3);
    },
    |text| {
        text.callx(8);
    },
    |text| {
        // To no function.
        text.mov(8, 77);
        text.callx(8);
    },
    |text| {
        // Another frame is above that is used without a check.
        text.store(Size::Double, INPUT, 40, 2);
        text.store(Size::Double, FRAME, -16, 2);
    },
];

const FRAME: u8 = 10;

/// Accesses in which programs end.
const ACCESSES: [fn(&mut Text); 4] = [
    |text| {
        text.load(Size::Double, 2, NOWHERE, 0);
    },
    |text| {
        text.store(Size::Word, NOWHERE, 4, 2);
    },
    |text| {
        text.load(Size::Double, 2, INPUT, 0);
        text.load(Size::Double, 2, INPUT, 4000);
    },
    |text| {
        text.store_immediate(Size::Half, FRAME, 64, 9);
    },
];

/// A function that accesses memory in one of these ways, and then goes on in one of those. It is called, and calls
/// what `calls` says.
fn program(version: SBPFVersion, access: usize, follower: usize, calls: Calls) -> Case {
    let mut text = Text::new(version);
    text.copy(INPUT, 1);
    text.constant(NOWHERE, 0x5_0000_0000);
    text.mov(2, 3);
    let leaf_at = |calls| match calls {
        Calls::Nothing | Calls::Itself => 0,
        Calls::Leaf | Calls::Through => 1,
        Calls::Loop => 2,
    };
    // The functions: first, leaf, turning.
    let place = text.pc();
    let mut functions = [0; 3];
    for round in 0..2 {
        if round == 1 {
            text = Text::new(version);
            text.copy(INPUT, 1);
            text.constant(NOWHERE, 0x5_0000_0000);
            text.mov(2, 3);
            assert_eq!(text.pc(), place);
        }
        text.constant(8, MM_BYTECODE_START + 8 * functions[leaf_at(calls)] as u64);
        text.call(functions[0]);
        text.store_immediate(Size::Byte, INPUT, 50, 0x11);
        text.syscall("sys_log");
        text.exit();
        functions[0] = text.pc();
        text.store_immediate(Size::Byte, INPUT, 30, 0x22);
        ACCESSES[access](&mut text);
        FOLLOWERS[follower](&mut text);
        match calls {
            Calls::Nothing => &mut text,
            Calls::Through => text.callx(8),
            _ => text.call(functions[leaf_at(calls)]),
        };
        text.exit();
        functions[1] = text.pc();
        text.store_immediate(Size::Byte, INPUT, 51, 0x12);
        text.load(Size::Byte, 3, NOWHERE, 4);
        text.exit();
        functions[2] = text.pc();
        text.store_immediate(Size::Byte, INPUT, 52, 0x13);
        text.load(Size::Byte, 3, NOWHERE, 4);
        text.push(JEQ64_REG, 3, 2, -3, 0);
        text.exit();
    }
    Case::text(&text, &functions).input(vec![3; 64])
}

/// What a function calls behind the access.
#[derive(Debug, Clone, Copy)]
enum Calls {
    Nothing,
    Leaf,
    /// A function that starts with a loop.
    Loop,
    Itself,
    /// The leaf, by `callx`.
    Through,
}

const CALLS: [Calls; 5] = [
    Calls::Nothing,
    Calls::Leaf,
    Calls::Loop,
    Calls::Itself,
    Calls::Through,
];

#[test]
fn nothing_is_seen_of_what_follows() {
    for version in SBPFVersion::ALL {
        for access in 0..ACCESSES.len() {
            for follower in 0..FOLLOWERS.len() {
                for calls in CALLS {
                    program(*version, access, follower, calls).check();
                }
            }
        }
    }
}

/// With handlers, which may save the access, and change the regions under it.
#[test]
fn with_handlers() {
    for version in SBPFVersion::ALL {
        for handler in [
            Handler::Grow,
            Handler::Unlock,
            Handler::Redirect,
            Handler::Empty,
        ] {
            for follower in 0..FOLLOWERS.len() {
                for calls in [Calls::Nothing, Calls::Leaf, Calls::Loop] {
                    for reserve in [0, 8000] {
                        program(*version, 2, follower, calls)
                            .memory(|layout| layout.handled(handler, reserve))
                            .check();
                    }
                }
            }
        }
    }
}

/// In the deepest frame there is, from which nothing can be called.
#[test]
fn in_the_last_frame() {
    for version in SBPFVersion::ALL {
        for depth in 1..4 {
            for calls in CALLS {
                program(*version, 0, 1, calls)
                    .configure(|config| config.max_call_depth = depth)
                    .check();
            }
        }
    }
}

/// Without a meter there are no checkpoints.
#[test]
fn without_a_meter() {
    for version in SBPFVersion::ALL {
        for follower in 0..FOLLOWERS.len() {
            for calls in [Calls::Nothing, Calls::Leaf] {
                program(*version, 0, follower, calls)
                    .configure(|config| config.enable_instruction_meter = false)
                    .check();
            }
        }
    }
}
