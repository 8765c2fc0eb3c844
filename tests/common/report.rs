//! Readable differences between two outcomes, and listings of programs.

use {
    super::{context::TestContext, engine::Outcome},
    solana_sbpf::{disassembler::disassemble_instruction, ebpf, elf::Executable},
    std::{collections::BTreeMap, fmt::Write},
};

/// Listings longer than this are cut.
const LISTING_LIMIT: usize = 400;

/// How `actual` differs from `expected`; `None` when it doesn't.
pub fn difference(expected: &Outcome, actual: &Outcome) -> Option<String> {
    let mut report = String::new();
    let mut field = |name: &str, expected: String, actual: String| {
        if expected != actual {
            let _ = writeln!(report, "  {name}: expected {expected}, got {actual}");
        }
    };
    field("result", expected.result.clone(), actual.result.clone());
    if !(expected.panicked && actual.panicked) {
        field(
            "instruction count",
            expected.instruction_count.to_string(),
            actual.instruction_count.to_string(),
        );
        field(
            "final pc",
            expected.final_pc.to_string(),
            actual.final_pc.to_string(),
        );
        field(
            "call depth",
            expected.call_depth.to_string(),
            actual.call_depth.to_string(),
        );
        field(
            "meter",
            expected.remaining.to_string(),
            actual.remaining.to_string(),
        );
    }
    if expected.regions != actual.regions {
        field(
            "regions",
            format!("{:x?}", expected.regions),
            format!("{:x?}", actual.regions),
        );
    }
    if expected.events != actual.events {
        let position = expected
            .events
            .iter()
            .zip(&actual.events)
            .take_while(|(expected, actual)| expected == actual)
            .count();
        field(
            &format!("event {position}"),
            format!("{:x?}", expected.events.get(position)),
            format!("{:x?}", actual.events.get(position)),
        );
    }
    for (index, (expected, actual)) in expected.buffers.iter().zip(&actual.buffers).enumerate() {
        if expected != actual {
            field(
                &format!("memory of buffer {index}"),
                differing_bytes(expected, actual),
                differing_bytes(actual, expected),
            );
        }
    }
    (!report.is_empty()).then_some(report)
}

/// Up to 16 bytes of `bytes` from the first that differs from `other` on (guards counted in).
fn differing_bytes(bytes: &[u8], other: &[u8]) -> String {
    let first = bytes
        .iter()
        .zip(other)
        .position(|(byte, other)| byte != other)
        .unwrap_or(0);
    let differing = bytes
        .iter()
        .zip(other)
        .filter(|(byte, other)| byte != other);
    format!(
        "{:02x?} at {first} ({} bytes differ)",
        &bytes[first..bytes.len().min(first + 16)],
        differing.count()
    )
}

/// A disassembled listing.
pub fn listing(executable: &Executable<TestContext>) -> String {
    let (_, text) = executable.get_text_bytes();
    let version = executable.get_sbpf_version();
    let no_labels = BTreeMap::new();
    let mut listing = format!(
        "{version:?}, entry at {}\n",
        executable.get_entrypoint_instruction_offset()
    );
    let slots = text.len() / ebpf::INSN_SIZE;
    let mut pc = 0;
    while pc < slots.min(LISTING_LIMIT) {
        let mut instruction = ebpf::get_insn_unchecked(text, pc);
        let wide = instruction.opc == ebpf::LD_DW_IMM && !version.disable_lddw() && pc + 1 < slots;
        if wide {
            ebpf::augment_lddw_unchecked(text, &mut instruction);
        }
        let mnemonic = match instruction.opc {
            // The disassembler wants labels for these.
            ebpf::CALL_IMM => format!("call src={} {:#x}", instruction.src, instruction.imm),
            ebpf::JA => format!("ja {:+}", instruction.off),
            _ => std::panic::catch_unwind(|| {
                disassemble_instruction(
                    &instruction,
                    pc,
                    &no_labels,
                    executable.get_function_registry(),
                    executable.get_loader(),
                    version,
                )
            })
            .unwrap_or_else(|_| format!("{instruction:?}"))
            .replace("[invalid]", &jump_target(pc, instruction.off)),
        };
        let _ = writeln!(listing, "{pc:5}  {mnemonic}");
        pc += if wide { 2 } else { 1 };
    }
    if slots > LISTING_LIMIT {
        let _ = writeln!(listing, "       … {slots} slots in all");
    }
    listing
}

/// A jump's distance and target.
fn jump_target(pc: usize, offset: i16) -> String {
    format!("{offset:+} (to {})", pc as i64 + 1 + i64::from(offset))
}
