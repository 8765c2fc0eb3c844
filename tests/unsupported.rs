//! Code that only unverified programs have, or that names what doesn't exist.

mod common;

use {
    common::{text::between_stores, *},
    solana_sbpf::ebpf::*,
};

#[test]
fn unsupported_calls() {
    for version in SBPFVersion::ALL {
        for (src, immediate) in [
            (0, 0x1234_5678),
            (0, -1),
            (1, 100),
            (1, -100),
            (2, 0),
            (7, 1),
        ] {
            let text = between_stores(*version, |text| {
                text.push(CALL_IMM, 0, src, 0, immediate);
            });
            Case::text(&text, &[])
                .check()
                .fails_with("UnsupportedInstruction");
        }
    }
}

/// A known syscall's key with another source register: before V3 it doesn't matter.
#[test]
fn syscall_key_with_odd_source() {
    for version in SBPFVersion::ALL {
        for src in [0, 1, 2, 9] {
            let text = between_stores(*version, |text| {
                text.push(CALL_IMM, 3, src, 77, hash_symbol_name(b"sys_log") as i32);
            });
            Case::text(&text, &[]).check();
        }
    }
}

#[test]
fn second_half_of_lddw_as_target() {
    for version in SBPFVersion::ALL {
        if version.disable_lddw() {
            continue;
        }
        let text = between_stores(*version, |text| {
            text.constant(2, 5);
            let half = text.pc() as u64 - 1;
            text.constant(3, MM_BYTECODE_START + 8 * half);
            text.callx(3);
        });
        Case::text(&text, &[])
            .check()
            .fails_with("UnsupportedInstruction");

        // And as a jump target, unverified.
        let mut text = Text::new(*version);
        text.push(JA, 0, 0, 1, 0).constant(2, 5).exit();
        Case::text(&text, &[])
            .unverified()
            .interpreter_only("it forgets pc and count on the way to this error")
            .check()
            .fails_with("UnsupportedInstruction");

        // The second half isn't an unknown opcode but a valid one, unverified.
        let mut text = Text::new(*version);
        text.push(JEQ64_IMM, 0, 0, 1, 0);
        text.push(LD_DW_IMM, 2, 0, 0, 1)
            .push(ADD64_IMM, 0, 0, 0, 5)
            .exit();
        Case::text(&text, &[])
            .unverified()
            .interpreter_only("it has no code for the second half")
            .check();

        // What follows is reached from both, and begins with a branch over a move.
        for half in [0, ADD64_IMM] {
            for first in [0, 1, 2] {
                let mut text = Text::new(*version);
                text.push(JEQ64_IMM, 4, 0, first, 0);
                text.push(LD_DW_IMM, 2, 0, 0, 1).push(half, 0, 0, 0, 5);
                text.push(JGT64_IMM, 0, 0, 1, 7).copy(3, 1);
                text.push(ADD64_IMM, 0, 0, 0, 3);
                text.push(JLT64_IMM, 0, 0, -5, 20).exit();
                for turns in [0, 1] {
                    Case::text(&text, &[])
                        .register(4, turns)
                        .unverified()
                        .interpreter_only("it has no code for the second half")
                        .check();
                }
            }
        }
    }
}

/// Opcodes of another version, reached and unreached.
#[test]
fn opcodes_of_another_version() {
    let foreign = [
        LMUL64_REG, JEQ32_IMM, LD_DW_IMM, NEG64, MUL64_REG, LD_W_REG, LE, HOR64_IMM,
    ];
    for version in SBPFVersion::ALL {
        for opcode in foreign {
            for reached in [true, false] {
                let mut text = Text::new(*version);
                text.constant(2, MM_INPUT_START);
                if !reached {
                    text.push(JA, 0, 0, 2, 0);
                }
                text.push(opcode, 2, 2, 0, 16).push(0, 0, 0, 0, 0).exit();
                let case = Case::text(&text, &[]).unverified().budget(100);
                match case.prepare() {
                    Ok(_) => case,
                    Err(_) => case.interpreter_only("it rejects unknown opcodes as it compiles"),
                }
                .check();
            }
        }
    }
}

#[test]
fn invalid_byte_swaps() {
    for version in SBPFVersion::ALL {
        for opcode in [BE, LE] {
            for width in [0, 8, 15, 17, 33, 63, 65, 128, -1, i32::MIN] {
                let text = between_stores(*version, |text| {
                    text.push(opcode, 1, 0, 0, width);
                });
                let expected = match opcode {
                    LE if version.disable_le() => "UnsupportedInstruction",
                    _ => "InvalidInstruction",
                };
                Case::text(&text, &[])
                    .unverified()
                    .interpreter_only("it rejects these as it compiles")
                    .check()
                    .fails_with(expected);
            }
        }
    }
}
