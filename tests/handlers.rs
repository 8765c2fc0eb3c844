//! Access violation handlers, which may save an access, and programs without translation.

mod common;

use {
    common::*,
    rand::{Rng, SeedableRng, seq::IndexedRandom},
    rand_chacha::ChaCha8Rng,
    solana_sbpf::ebpf::*,
};

const HANDLERS: [Handler; 5] = [
    Handler::None,
    Handler::Grow,
    Handler::Unlock,
    Handler::Redirect,
    Handler::Empty,
];

/// Every region with a payload and room to grow, the input small and optionally locked.
fn handled(case: Case, handler: Handler, input_len: usize, writable: bool) -> Case {
    case.memory(|layout| {
        let mut input = RegionSpec::writable(MM_INPUT_START, pattern(3, input_len));
        input.writable = writable;
        layout.replacing(input).handled(handler, 256)
    })
}

/// A first access that the handler may save, then more of them off the same base.
#[test]
fn first_fault_then_more() {
    for version in SBPFVersion::ALL {
        for handler in HANDLERS {
            for (input_len, writable) in [(32, true), (32, false), (64, false), (0, true)] {
                for store in [true, false] {
                    let mut text = Text::new(*version);
                    text.copy(6, 1);
                    text.load(Size::Byte, 2, 10, -1);
                    if store {
                        text.store_immediate(Size::Double, 6, 28, 0x33);
                    } else {
                        text.load(Size::Double, 2, 6, 28);
                    }
                    text.store(Size::Byte, 6, 0, 2);
                    text.load(Size::Double, 3, 6, 40);
                    text.store(Size::Double, 6, 80, 3);
                    text.load(Size::Word, 0, 6, 82);
                    text.store(Size::Byte, 6, 1, 0);
                    text.exit();
                    for payload in [true, false] {
                        let case = handled(Case::text(&text, &[]), handler, input_len, writable)
                            .memory(|mut layout| {
                                if !payload {
                                    layout
                                        .regions
                                        .iter_mut()
                                        .for_each(|region| region.payload = None);
                                }
                                layout
                            });
                        case.check();
                    }
                }
            }
        }
    }
}

/// A walk in a loop, each turn further; the handler steps in again and again.
#[test]
fn walking_off_the_end() {
    for version in SBPFVersion::ALL {
        for handler in HANDLERS {
            for place in [
                MM_INPUT_START,
                MM_HEAP_START + 4064,
                MM_STACK_START + 10 * 4096 - 32,
            ] {
                let mut text = Text::new(*version);
                text.constant(6, place);
                let start = text.pc();
                text.load(Size::Double, 2, 6, 0);
                text.push(ADD64_REG, 0, 2, 0, 0);
                text.store(Size::Word, 6, 8, 0);
                text.push(ADD64_IMM, 6, 0, 0, 6);
                let distance = start as i64 - text.pc() as i64 - 1;
                text.push(JA, 0, 0, distance as i16, 0);
                handled(Case::text(&text, &[]), handler, 32, true)
                    .budget(300)
                    .check();
            }
        }
    }
}

/// A walk beside a pointer that stays: when the handler moves the region that both are in, what the
/// loop knows of the other's place is out of date.
#[test]
fn walking_beside_a_pointer_that_stays() {
    for version in SBPFVersion::ALL {
        for handler in HANDLERS {
            for place in [MM_INPUT_START, MM_STACK_START + 10 * 4096 - 32] {
                let mut text = Text::new(*version);
                text.constant(6, place);
                text.constant(7, place);
                let start = text.pc();
                text.load(Size::Byte, 2, 7, 3);
                text.store(Size::Double, 6, 0, 2);
                text.push(ADD64_IMM, 2, 0, 0, 1);
                text.store(Size::Byte, 7, 3, 2);
                text.push(ADD64_REG, 0, 2, 0, 0);
                text.push(ADD64_IMM, 6, 0, 0, 5);
                let distance = start as i64 - text.pc() as i64 - 1;
                text.push(JA, 0, 0, distance as i16, 0);
                handled(Case::text(&text, &[]), handler, 32, true)
                    .budget(300)
                    .check();
            }
        }
    }
}

/// Fields of structures, with decisions in between: a check holds in later blocks until a handler has
/// moved what it has found, or the pointer is another one.
#[test]
fn decisions_between_accesses() {
    let mut random = ChaCha8Rng::seed_from_u64(0xdec1_5105);
    let mut saved = 0;
    for round in 0..200 {
        let text = fields_and_decisions(&mut random);
        for version in SBPFVersion::ALL {
            let handler = match round % 4 {
                0 => *HANDLERS.choose(&mut random).unwrap_or(&Handler::None),
                1 => Handler::Grow,
                _ => Handler::Redirect,
            };
            let input_len = [32, 48, 64, 300][random.random_range(0..4)];
            let writable = random.random_bool(0.7);
            let verdict = handled(
                Case::assembly(*version, text.clone()),
                handler,
                input_len,
                writable,
            )
            .register(7, MM_STACK_START + 10 * 4096 - random.random_range(0..64))
            // Into the region that r6 points to, so that one moves what the other has found.
            .register(8, MM_INPUT_START + random.random_range(0..64))
            .budget(300)
            .check();
            saved += u32::from(verdict.outcome.result.starts_with("Ok"));
        }
    }
    assert!(saved > 200, "hardly a program ends well: {saved}");
}

/// A program of accesses off three pointers, with ways out in between.
fn fields_and_decisions(random: &mut ChaCha8Rng) -> String {
    let mut text = String::from("entrypoint:\nmov64 r6, r1\n");
    let length = random.random_range(6..30);
    for line in 0..length {
        let pointer = [6, 6, 7, 8][random.random_range(0..4)];
        let register = random.random_range(0..6);
        let other = random.random_range(0..6);
        let field = random.random_range(0..40);
        let skipped = random.random_range(line..length);
        text += &match random.random_range(0..14) {
            0..4 => format!("ldxdw r{register}, [r{pointer}+{field}]\n"),
            4 => format!("ldxb r{register}, [r{pointer}+{field}]\n"),
            5 | 6 => format!("stxw [r{pointer}+{field}], r{register}\n"),
            7 => format!("stxb [r6+{}], r{register}\n", 24 + field),
            8 | 9 => format!("jeq r{register}, {field}, end\n"),
            10 => format!("jlt r{register}, r{other}, line_{skipped}\n"),
            11 => format!("add64 r{register}, r{other}\n"),
            12 => format!("add64 r{pointer}, 1\n"),
            _ => format!("jeq r{register}, r{pointer}, end\n"),
        };
        text += &format!("line_{line}:\n");
    }
    text + "end:\nadd64 r0, r2\nadd64 r0, r4\nexit\n"
}

/// Accesses around, within and across adjacent regions, the first of which may grow.
#[test]
fn growing_into_a_neighbour() {
    for version in UNALIGNED_VERSIONS {
        for handler in HANDLERS {
            for gap in [0, 4, 100] {
                let mut text = Text::new(version);
                text.load(Size::Double, 0, 1, 28);
                text.store_immediate(Size::Double, 1, 34, 0x44);
                text.load(Size::Double, 2, 1, 64);
                text.push(ADD64_REG, 0, 2, 0, 0);
                text.exit();
                handled(Case::text(&text, &[]), handler, 32, true)
                    .memory(|layout| {
                        layout.with(RegionSpec::writable(
                            MM_INPUT_START + 32 + gap,
                            pattern(6, 64),
                        ))
                    })
                    .check();
            }
        }
    }
}

/// The stack as the region that the handler changes, under r10-based accesses and calls.
#[test]
fn handled_stacks() {
    for version in SBPFVersion::ALL {
        for handler in HANDLERS {
            for len in [0, 4096, 4090, 8192] {
                for writable in [true, false] {
                    let text = "entrypoint:
                        ldxdw r2, [r10-4]
                        stdw [r10-8], 1
                        stxdw [r10-16], r2
                        call function_a
                        ldxdw r3, [r10-8]
                        add64 r0, r3
                        exit
                        function_a:
                        stdw [r10-8], 2
                        ldxdw r0, [r10-12]
                        exit";
                    handled(Case::assembly(*version, text), handler, 32, true)
                        .memory(|mut layout| {
                            layout.regions[0].contents.truncate(len);
                            layout.regions[0].writable = writable;
                            layout
                        })
                        .check();
                }
            }
        }
    }
}

/// Accesses behind the last frame give the handler the whole stack, under frames that compiled code uses
/// without a check: in straight code, behind branches, in loops and around calls.
#[test]
fn stacks_displaced_under_frames() {
    let mut random = ChaCha8Rng::seed_from_u64(0xd15_91ac_ed00);
    let mut saved = 0;
    for round in 0..150 {
        let text = frames_and_strangers(&mut random);
        for version in SBPFVersion::ALL {
            let handler = *HANDLERS.choose(&mut random).unwrap_or(&Handler::Redirect);
            let handler = if round % 3 == 0 {
                handler
            } else {
                Handler::Redirect
            };
            let has_gaps = random.random();
            let frames = if has_gaps && *version == SBPFVersion::V0 {
                20
            } else {
                10
            };
            let verdict = handled(Case::assembly(*version, text.clone()), handler, 64, true)
                .configure(|config| config.enable_stack_frame_gaps = has_gaps)
                .register(7, MM_STACK_START + frames * 4096)
                .budget(400)
                .check();
            saved += u32::from(verdict.outcome.result.starts_with("Ok"));
        }
    }
    assert!(
        saved > 100,
        "hardly a program outlives its handler: {saved}"
    );
}

/// The same before a loop whose turns could be counted: also where the budget ends in it.
#[test]
fn stacks_displaced_before_a_loop_that_counts() {
    for version in SBPFVersion::ALL {
        for turns in [3, 9, 25] {
            let text = format!(
                "entrypoint:
                stxdw [r10-16], r1
                ldxb r0, [r7+3]
                mov64 r3, {turns}
                again:
                ldxb r4, [r10-16]
                stxb [r10-8], r3
                add64 r0, r4
                add64 r3, -1
                jne r3, 0, again
                exit"
            );
            handled(Case::assembly(*version, text), Handler::Redirect, 64, true)
                .configure(|config| config.enable_stack_frame_gaps = false)
                .register(7, MM_STACK_START + 10 * 4096)
                .sweep_up_to(200)
                .check()
                .succeeds();
        }
    }
}

/// The same in a function that does nothing with r0, which its caller hands on to another one.
#[test]
fn stacks_displaced_under_a_result_that_is_handed_on() {
    for version in SBPFVersion::ALL {
        let text = "entrypoint:
            mov64 r0, 77
            call function_through
            call function_last
            exit
            function_through:
            stdw [r10-8], 1
            ldxb r5, [r7+3]
            exit
            function_last:
            stdw [r10-8], 2
            add64 r0, 1
            exit";
        handled(Case::assembly(*version, text), Handler::Redirect, 64, true)
            .configure(|config| config.enable_stack_frame_gaps = false)
            .register(7, MM_STACK_START + 10 * 4096)
            .check();
    }
}

/// The same, with accesses to frames through other registers before and behind: what they have found is out of date
/// then, also where it was found without a word to the runtime, as frames with gaps are.
#[test]
fn stacks_displaced_under_pointers_to_frames() {
    let accesses = ["ldxdw r0, [{}+0]", "stxb [{}+1], r0", "stb [{}+9], 5"];
    for version in SBPFVersion::ALL {
        for handler in HANDLERS {
            for has_gaps in [false, true] {
                for before in accesses {
                    for behind in accesses {
                        let frames = match has_gaps && *version == SBPFVersion::V0 {
                            true => 20,
                            false => 10,
                        };
                        let before = before.replace("{}", "r1");
                        let behind = behind.replace("{}", "r2");
                        let text = format!(
                            "entrypoint:
                            mov64 r1, r10
                            sub64 r1, 32
                            mov64 r2, r1
                            sub64 r2, 16
                            stxdw [r10-24], r7
                            {before}
                            ldxb r3, [r7+3]
                            {behind}
                            add64 r0, r3
                            call function_next
                            exit
                            function_next:
                            {before}
                            ldxb r3, [r7+4]
                            {behind}
                            exit"
                        );
                        handled(Case::assembly(*version, text), handler, 64, true)
                            .configure(|config| config.enable_stack_frame_gaps = has_gaps)
                            .register(7, MM_STACK_START + frames * 4096)
                            .check();
                    }
                }
            }
        }
    }
}

/// A program of accesses to its frame, to the input (r6), and behind the stack (r7).
fn frames_and_strangers(random: &mut ChaCha8Rng) -> String {
    let mut text = String::from("entrypoint:\nmov64 r6, r1\nmov64 r9, 3\n");
    for function in 0..2 {
        let length = random.random_range(4..24);
        let loop_at = random.random_range(0..2 * length);
        for line in 0..length {
            let register = random.random_range(0..6);
            let other = random.random_range(0..6);
            let frame = 8 * random.random_range(1..6);
            let byte = random.random_range(0..48);
            let skipped = random.random_range(0..length);
            let next = match random.random_range(0..12) {
                0 | 1 => format!("stxdw [r10-{frame}], r{register}"),
                2 | 3 => format!("ldxdw r{register}, [r10-{frame}]"),
                4 => format!("stxdw [r6+{byte}], r{register}"),
                5 => format!("ldxb r{register}, [r6+{byte}]"),
                6 if line % 3 == 1 => format!("stxb [r7+{byte}], r{register}"),
                7 if line % 3 == 1 => format!("ldxw r{register}, [r7+{byte}]"),
                8 if function == 0 => "call function_a".to_string(),
                9 => format!(
                    "jlt r{register}, r{other}, line_{function}_{}",
                    line.max(skipped)
                ),
                10 => format!("mov64 r{register}, {byte}"),
                _ => format!("add64 r{register}, r{other}"),
            };
            text += &format!("{next}\nline_{function}_{line}:\n");
            if line == loop_at {
                text += &format!("add64 r9, -1\njsgt r9, 0, line_{function}_{}\n", line / 2);
            }
        }
        text += "add64 r0, r2\nadd64 r0, r8\nexit\n";
        text += if function == 0 { "function_a:\n" } else { "" };
    }
    text
}

/// Handlers and syscalls in one program: both change regions, and syscalls ask the handler too.
#[test]
fn handlers_and_syscalls() {
    for version in SBPFVersion::ALL {
        for handler in HANDLERS {
            let mut text = Text::new(*version);
            text.copy(6, 1);
            text.store_immediate(Size::Double, 6, 0, 5);
            text.syscall_with("sys_sum", &[MM_INPUT_START, 40]);
            text.store(Size::Double, 6, 36, 0);
            text.syscall_with("sys_resize", &[MM_INPUT_START, 16]);
            text.load(Size::Double, 7, 6, 8);
            text.store_immediate(Size::Double, 6, 60, 6);
            text.syscall_with("sys_protect", &[MM_INPUT_START]);
            text.load(Size::Double, 8, 6, 60);
            text.store(Size::Double, 6, 4, 8);
            text.push(ADD64_REG, 0, 7, 0, 0);
            text.exit();
            for writable in [true, false] {
                handled(Case::text(&text, &[]), handler, 32, writable).check();
            }
        }
    }
}

/// Why the hand-written JIT is left out without translation: its stores test the meter as part of
/// their translation.
const UNMETERED: &str = "stores after the budget ran out stay visible";

/// Without address translation registers hold host addresses.
#[test]
fn host_addresses() {
    for version in SBPFVersion::ALL {
        let mut text = Text::new(*version);
        text.store_immediate(Size::Double, 10, -8, 0x1234);
        text.load(Size::Double, 2, 1, 8);
        text.store(Size::Word, 1, 16, 2);
        text.store(Size::Half, 3, 3, 2);
        text.load(Size::Byte, 4, 3, -1);
        text.call(text.pc() + 3);
        text.load(Size::Double, 5, 10, -8);
        text.exit();
        let function = text.pc();
        text.push(ADD64_REG, 0, 4, 0, 0);
        text.store(Size::Byte, 1, 24, 4);
        text.mov(0, 5);
        text.exit();
        Case::text(&text, &[function])
            .configure(|config| config.enable_address_translation = false)
            .host_address(10, 0, 4096)
            .host_address(1, 2, 0)
            .host_address(3, 1, 100)
            .interpreter_only(UNMETERED)
            .check()
            .returns(5);

        // With frames: the host address of the frame pointer moves as the VM's does.
        let text = "entrypoint:
            stdw [r10-8], 1
            mov64 r6, r10
            call function_a
            ldxdw r0, [r10-8]
            exit
            function_a:
            stdw [r10-8], 2
            mov64 r0, r10
            sub64 r0, r6
            stxdw [r10-16], r0
            mov64 r1, r0
            syscall sys_log
            exit";
        Case::assembly(*version, text)
            .configure(|config| config.enable_address_translation = false)
            .host_address(10, 0, 4096)
            .interpreter_only(UNMETERED)
            .check()
            .succeeds();
    }
}
