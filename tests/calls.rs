//! Calls, returns, and every odd way to enter a function.

mod common;

use {
    common::{
        text::{observe_registers, set_registers},
        *,
    },
    rand::{Rng, SeedableRng},
    rand_chacha::ChaCha8Rng,
    solana_sbpf::ebpf::*,
};

#[test]
fn saved_and_clobbered_registers() {
    for version in SBPFVersion::ALL {
        let mut text = Text::new(*version);
        set_registers(&mut text, 1);
        let call = text.pc();
        text.call(0);
        for register in 0..10 {
            text.store(Size::Double, 10, -8 - 8 * i16::from(register), register);
        }
        observe_registers(&mut text);
        text.exit();
        let function = text.pc();
        // The callee sees the caller's registers before it overwrites them.
        for register in 0..10 {
            text.store(Size::Double, 10, -88 - 8 * i16::from(register), register);
        }
        set_registers(&mut text, 500);
        text.exit();
        let mut patched = Text::new(*version);
        patched.bytes = text.bytes[..8 * call].to_vec();
        patched.call(function);
        text.bytes[8 * call..8 * (call + 1)].copy_from_slice(&patched.bytes[8 * call..]);
        Case::text(&text, &[function]).check().succeeds();
    }
}

/// r0 flows through a function that doesn't touch it, and r1 to r5 out of it.
#[test]
fn registers_flow_through() {
    for version in SBPFVersion::ALL {
        for register in 0..10 {
            for touched in [true, false] {
                let text = format!(
                    "entrypoint:
                    mov64 r{register}, 41
                    call function_pass
                    add64 r{register}, 1
                    mov64 r0, r{register}
                    exit
                    function_pass:
                    call function_leaf
                    exit
                    function_leaf:
                    {}
                    exit",
                    if touched {
                        format!("add64 r{register}, 100")
                    } else {
                        String::new()
                    }
                );
                Case::assembly(*version, text).check().succeeds();
            }
        }
    }
}

/// Registers that nothing wrote: zero, or what the host put there.
#[test]
fn initial_registers() {
    for version in SBPFVersion::ALL {
        let mut text = Text::new(*version);
        observe_registers(&mut text);
        text.call(text.pc() + 2);
        text.exit();
        observe_registers(&mut text);
        text.exit();
        let function = text.pc() - 20;
        Case::text(&text, &[function]).check().succeeds();
        let mut case = Case::text(&text, &[function]);
        for register in 0..10 {
            case = case.register(
                register,
                0x0123_4567_89ab_cdef_u64.rotate_left(register as u32),
            );
        }
        case.check().succeeds();
    }
}

#[test]
fn recursion() {
    for version in SBPFVersion::ALL {
        // Fibonacci, with the frame as memory.
        let text = "entrypoint:
            mov64 r1, 6
            call function_fibonacci
            exit
            function_fibonacci:
            jgt r1, 1, +2
            mov64 r0, r1
            exit
            mov64 r6, r1
            stxdw [r10-8], r1
            sub64 r1, 1
            call function_fibonacci
            stxdw [r10-16], r0
            ldxdw r1, [r10-8]
            jeq r1, r6, +1
            exit
            sub64 r1, 2
            call function_fibonacci
            ldxdw r1, [r10-16]
            add64 r0, r1
            exit";
        let text = if version.swap_sub_reg_imm_operands() {
            text.replace("sub64 r1, 1", "add64 r1, -1")
                .replace("sub64 r1, 2", "add64 r1, -2")
        } else {
            text.to_string()
        };
        // The versions without fixed frames share one frame unless they move r10.
        let text = if version.manual_stack_frame_bump() {
            text.replace("function_fibonacci:", "function_fibonacci:\nadd64 r10, -64")
        } else {
            text
        };
        Case::assembly(*version, text)
            .sweep_up_to(2000)
            .check()
            .succeeds();
    }
}

/// Mutual recursion down to every depth, at several limits.
#[test]
fn mutual_recursion_to_the_limit() {
    for version in SBPFVersion::ALL {
        for limit in [2, 5, 20, 64] {
            for depth in [1, limit - 1, limit, limit + 1] {
                let text = format!(
                    "entrypoint:
                    mov64 r1, {depth}
                    mov64 r6, 1
                    call function_even
                    add64 r0, r6
                    exit
                    function_even:
                    jeq r1, 0, +4
                    add64 r1, -1
                    mov64 r6, r1
                    call function_odd
                    add64 r0, r6
                    exit
                    function_odd:
                    jeq r1, 0, +4
                    add64 r1, -1
                    mov64 r7, r1
                    call function_even
                    xor64 r0, r7
                    exit"
                );
                Case::assembly(*version, text)
                    .configure(|config| config.max_call_depth = limit)
                    .sweep_up_to(150)
                    .check();
            }
        }
    }
}

/// A chain of distinct functions, each with a frame of its own.
#[test]
fn deep_chains() {
    for version in SBPFVersion::ALL {
        for depth in [1, 7, 62, 63] {
            let mut text = String::from("entrypoint:\nmov64 r2, r10\ncall function_0\nexit\n");
            for level in 0..depth {
                text += &format!(
                    "function_{level}:
                    stdw [r10-8], {level}
                    mov64 r{saved}, {level}
                    {next}
                    ldxdw r1, [r10-8]
                    add64 r0, r1
                    add64 r0, r{saved}
                    exit\n",
                    saved = 6 + level % 4,
                    next = if level + 1 < depth {
                        format!("call function_{}", level + 1)
                    } else {
                        "mov64 r0, r10".to_string()
                    }
                );
            }
            Case::assembly(*version, text)
                .configure(|config| config.max_call_depth = 64)
                .check();
        }
    }
}

/// Functions that share code: jumps into another's body, falling through, several entries.
#[test]
fn shared_bodies() {
    for version in SBPFVersion::ALL {
        let text = "entrypoint:
            mov64 r6, 5
            call function_first
            call function_second
            call function_third
            add64 r0, r6
            exit
            function_first:
            add64 r0, 1
            jeq r0, 1, inside_third
            function_second:
            add64 r0, 10
            stxdw [r10-8], r0
            inside_second:
            add64 r6, 2
            add64 r0, r6
            jgt r0, 1000, out
            function_third:
            add64 r0, 100
            inside_third:
            add64 r0, 7
            jlt r0, 400, inside_second
            out:
            exit";
        Case::assembly(*version, text).check().succeeds();
        // The entry point's own body as a function and as a jump target.
        let text = "entrypoint:
            add64 r6, 1
            jgt r6, 3, out
            call entrypoint
            call function_tail
            out:
            add64 r0, r6
            exit
            function_tail:
            add64 r6, 9
            ja out";
        Case::assembly(*version, text).check();
    }
}

/// A function whose start is the target of its own loop, and one that begins with an exit.
#[test]
fn loops_at_function_starts() {
    for version in SBPFVersion::ALL {
        let text = "entrypoint:
            mov64 r1, 3
            call function_loop
            call function_empty
            exit
            function_loop:
            add64 r0, r1
            add64 r1, -1
            jne r1, 0, function_loop
            function_empty:
            exit";
        Case::assembly(*version, text).check().returns(6);
    }
}

#[test]
fn loops_with_calls() {
    for version in SBPFVersion::ALL {
        let text = "entrypoint:
            mov64 r6, 20
            mov64 r7, r1
            loop:
            ldxb r1, [r7+0]
            call function_mix
            stxb [r7+0], r0
            add64 r7, 1
            add64 r6, -1
            jne r6, 0, loop
            exit
            function_mix:
            add64 r0, r1
            jset r1, 1, odd
            mov64 r6, 3
            exit
            odd:
            mov64 r7, 9
            add64 r0, r7
            exit";
        Case::assembly(*version, text)
            .sweep_up_to(300)
            .check()
            .succeeds();
    }
}

#[test]
fn entry_in_the_middle() {
    for version in SBPFVersion::ALL {
        let text = "function_before:
            add64 r0, 3
            exit
            entrypoint:
            mov64 r0, 1
            call function_before
            call function_after
            exit
            function_after:
            add64 r0, 50
            exit";
        Case::assembly(*version, text).check().returns(54);
        // The last instruction.
        let text = "mov64 r0, 7\nentrypoint:\nexit";
        Case::assembly(*version, text).check().returns(0);
    }
}

/// Keys that aren't the target's pc, as in real programs before V3.
#[test]
fn hashed_function_keys() {
    for version in [SBPFVersion::V0, SBPFVersion::V1, SBPFVersion::V2] {
        let key = hash_symbol_name(&5u64.to_le_bytes());
        let mut text = Text::new(version);
        text.mov(0, 1).push(CALL_IMM, 0, 0, 0, key as i32);
        text.push(CALL_IMM, 0, 0, 0, 77)
            .push(ADD64_IMM, 0, 0, 0, 1)
            .exit();
        text.push(ADD64_IMM, 0, 0, 0, 20).exit();
        let functions = vec![
            (key, "function_a".to_string(), 5),
            (77, "function_b".to_string(), 5),
            (78, "function_unused".to_string(), 6),
        ];
        Case::raw(version, text.bytes.clone(), functions)
            .check()
            .returns(42);
        // A registered function outside of the text.
        for pc in [7, 8, 1000, usize::MAX / 16] {
            let functions = vec![
                (key, "function_a".to_string(), 5),
                (77, "function_b".to_string(), pc),
            ];
            Case::raw(version, text.bytes.clone(), functions)
                .interpreter_only("its compiler panics on such targets")
                .check()
                .fails_with("CallOutsideTextSegment");
        }
    }
}

/// r10 in callees: fixed frames with and without gaps, shared ones, and ones that code moves.
#[test]
fn frame_pointers() {
    for version in SBPFVersion::ALL {
        for gaps in [true, false] {
            for frame_size in [256, 4096] {
                let text = "entrypoint:
                    mov64 r1, r10
                    stdw [r10-8], 1
                    call function_a
                    ldxdw r1, [r10-8]
                    add64 r0, r1
                    stxdw [r10-16], r0
                    exit
                    function_a:
                    stxdw [r10-8], r10
                    mov64 r6, r10
                    mov64 r0, r10
                    sub64 r0, r1
                    stxdw [r1-24], r0
                    call function_b
                    mov64 r0, r10
                    sub64 r0, r6
                    exit
                    function_b:
                    stxdw [r10-8], r10
                    exit";
                Case::assembly(*version, text)
                    .configure(|config| {
                        config.enable_stack_frame_gaps = gaps;
                        config.stack_frame_size = frame_size;
                    })
                    .check()
                    .succeeds();
            }
        }
    }
}

#[test]
fn manual_frame_bumps() {
    for version in [SBPFVersion::V1, SBPFVersion::V2] {
        for bump in [-64, -128, -4096, 64, 4096, -0x10_0000] {
            let text = format!(
                "entrypoint:
                stdw [r10-8], 1
                add64 r10, {bump}
                stdw [r10-8], 2
                call function_a
                ldxdw r0, [r10-8]
                add64 r10, {bump}
                stxdw [r10-8], r0
                exit
                function_a:
                add64 r10, {bump}
                stdw [r10-8], 3
                jeq r1, 0, out
                mov64 r1, 0
                call function_a
                stxdw [r10-16], r10
                out:
                add64 r10, {bump}
                exit"
            );
            Case::assembly(version, text).check();
        }
        // In a loop, until the stack is left.
        let text = "loop:\nadd64 r10, -4096\nstxdw [r10+0], r10\nja loop";
        Case::assembly(version, text)
            .check()
            .fails_with("AccessViolation");
    }
}

/// Functions that are as short as their calls: in loops, behind branches, at every depth that is allowed,
/// with registers of their own under the names of their caller's.
#[test]
fn short_functions() {
    let mut random = ChaCha8Rng::seed_from_u64(0x5407_f0ac);
    for _ in 0..120 {
        for version in SBPFVersion::ALL {
            let has_manual_frames = matches!(version, SBPFVersion::V1 | SBPFVersion::V2);
            let mut text = String::from("entrypoint:\nmov64 r9, 4\n");
            for line in 0..random.random_range(2..8) {
                text += &match random.random_range(0..5) {
                    0 => format!("jlt r{}, 40, line_{line}\n", random.random_range(0..9)),
                    1 => format!("add64 r6, {}\n", random.random_range(1..99)),
                    2 => "ldxb r7, [r1+3]\nmov64 r2, r1\n".to_string(),
                    _ => "mov64 r8, r1\n".to_string(),
                };
                let callee = random.random_range(0..3);
                text += &format!("call function_{callee}\nline_{line}:\nmov64 r1, r8\n");
            }
            for register in 1..9 {
                text += &format!("add64 r0, r{register}\n");
            }
            text += "add64 r9, -1\njsgt r9, 0, again\nadd64 r0, r10\nexit\n";
            text = text.replacen("mov64 r9, 4\n", "mov64 r9, 4\nmov64 r8, r1\nagain:\n", 1);
            for function in 0..3 {
                text += &format!("function_{function}:\n");
                for _ in 0..random.random_range(0..12) {
                    let (to, from) = (random.random_range(0..9), random.random_range(0..10));
                    text += &match random.random_range(0..7) {
                        0 => format!("mov64 r{to}, r10\n"),
                        1 => format!("add32 r{to}, r{from}\n"),
                        2 => format!("xor64 r{to}, {}\n", random.random::<i32>()),
                        3 => format!("lsh64 r{to}, {}\n", random.random_range(0..64)),
                        4 if has_manual_frames => "add64 r10, -64\n".to_string(),
                        _ => format!("sub64 r{to}, r{from}\n"),
                    };
                }
                text += "exit\n";
            }
            Case::assembly(*version, text)
                .configure(|config| config.max_call_depth = random.random_range(1..4))
                .budget(400)
                .check();
        }
    }
}

/// Functions that return at once for some arguments: in loops, recursive, at every depth that is allowed, with
/// registers of their own under the names of their caller's.
#[test]
fn early_returns() {
    const CONDITIONS: [&str; 9] = [
        "jeq", "jne", "jset", "jlt", "jge", "jgt", "jsle", "jsgt", "jle",
    ];
    let mut random = ChaCha8Rng::seed_from_u64(0x0ea7_14e7);
    for _ in 0..120 {
        for version in SBPFVersion::ALL {
            let computes = |random: &mut ChaCha8Rng| {
                let lines = (0..random.random_range(0..4)).map(|_| {
                    let (to, from) = (random.random_range(0..9), random.random_range(0..9));
                    match random.random_range(0..4) {
                        0 => format!("add64 r{to}, {}\n", random.random_range(-3..4)),
                        1 => format!("xor32 r{to}, {}\n", random.random_range(0..4)),
                        2 => format!("mov64 r{to}, r{from}\n"),
                        _ => format!("sub64 r{to}, r{from}\n"),
                    }
                });
                lines.collect::<String>()
            };
            let mut text = String::from("entrypoint:\nmov64 r9, 5\nagain:\n");
            for line in 0..random.random_range(1..4) {
                let argument = random.random_range(1..4);
                text += &format!("mov64 r{argument}, r9\n{}", computes(&mut random));
                if random.random() {
                    let register = random.random_range(0..9);
                    text += &format!("jsgt r{register}, 1, line_{line}\n");
                }
                let callee = random.random_range(0..3);
                text += &format!("call function_{callee}\nline_{line}:\n");
            }
            for register in 1..9 {
                text += &format!("add64 r0, r{register}\n");
            }
            text += "mov64 r6, r0\nadd64 r9, -1\njsgt r9, 0, again\nmov64 r0, r6\nexit\n";
            for function in 0..3 {
                let condition = CONDITIONS[random.random_range(0..CONDITIONS.len())];
                let (left, right) = (random.random_range(0..9), random.random_range(0..9));
                let right = match random.random() {
                    true => format!("r{right}"),
                    false => format!("{}", random.random_range(-1..4)),
                };
                let [start, returns, before, behind] = [(); 4].map(|()| computes(&mut random));
                let callee = random.random_range(0..3);
                let rest = format!("{before}call function_{callee}\n{behind}exit\n");
                let returns = format!("{returns}exit\n");
                let (next, target) = match random.random() {
                    true => (rest, returns),
                    false => (returns, rest),
                };
                text += &format!(
                    "function_{function}:\n{start}{condition} r{left}, {right}, target_{function}\n\
                     {next}target_{function}:\n{target}"
                );
            }
            Case::assembly(*version, text)
                .configure(|config| config.max_call_depth = random.random_range(1..5))
                .budget(300)
                .check();
        }
    }
}

/// The call's own registers as its target and arguments; calls in both arms of a branch.
#[test]
fn calls_in_branches() {
    for version in SBPFVersion::ALL {
        let text = "entrypoint:
            ldxb r2, [r1+0]
            jset r2, 1, odd
            mov64 r1, 10
            call function_a
            ja join
            odd:
            mov64 r1, 20
            call function_b
            join:
            add64 r0, r1
            add64 r0, r2
            exit
            function_a:
            add64 r1, 1
            mov64 r0, r1
            exit
            function_b:
            call function_a
            mov64 r2, 99
            exit";
        for byte in 0..4 {
            Case::assembly(*version, text)
                .input([byte])
                .check()
                .succeeds();
        }
    }
}

/// Where a callee may need more than is left, though it does not, the interpreter returns through frames of
/// compiled code: it finds in r6 to r9 what each of them had there.
#[test]
fn registers_of_frames_that_are_left() {
    let spare = "add64 r0, 1\n".repeat(30);
    for version in SBPFVersion::ALL {
        let text = format!(
            "entrypoint:
            mov64 r6, 11
            mov64 r7, 22
            mov64 r8, 33
            mov64 r9, 44
            call function_outer
            stxdw [r1+0], r6
            stxdw [r1+8], r7
            stxdw [r1+16], r8
            stxdw [r1+24], r9
            exit
            function_outer:
            mov64 r6, 55
            mov64 r7, 66
            mov64 r8, 77
            mov64 r9, 88
            call function_inner
            stxdw [r1+32], r6
            stxdw [r1+40], r7
            stxdw [r1+48], r8
            stxdw [r1+56], r9
            exit
            function_inner:
            ldxdw r2, [r1+64]
            jne r2, 0, short
            {spare}
            short:
            add64 r0, r2
            exit"
        );
        for input in [1, 0] {
            let verdict = Case::assembly(*version, &text)
                .input(vec![input; 72])
                .check();
            verdict.succeeds();
        }
    }
}
