//! Makes a failing case small: instructions become no-ops while it keeps failing.

use {
    super::{
        case::{Case, Failure, FailureKind},
        layout::{Handler, Layout, RegionSpec, pattern},
        program::Program,
        text::encode,
    },
    solana_sbpf::ebpf::*,
};

/// Budgets that random programs are cut off at.
pub const CAP: u64 = 3000;

/// Compares a case at the cap, below what it needed (at every budget if `thorough`), and, of some
/// cases, without the meter.
pub fn failure_of(case: &Case, thorough: bool, other_budget: u64) -> Option<Failure> {
    let outcome = match case.try_budgets(&[CAP]) {
        Ok(mut outcomes) => outcomes.remove(0),
        Err(failure) => return keep(failure),
    };
    let count = outcome.instruction_count;
    let budgets: Vec<u64> = if thorough && count < 400 {
        (0..=count).collect()
    } else {
        vec![
            count.saturating_sub(1),
            other_budget % (count + 1),
            count / 2,
        ]
    };
    if let Err(failure) = case.try_budgets(&budgets) {
        return keep(failure);
    }
    let ended = !outcome.result.contains("ExceededMaxInstructions");
    if (thorough || other_budget.is_multiple_of(4)) && ended {
        return unmetered_failure_of(case);
    }
    None
}

/// Compares a case that ends by itself without the meter, unless it may then run for ever.
pub fn unmetered_failure_of(case: &Case) -> Option<Failure> {
    if observes_meter(case) {
        return None;
    }
    let unmetered = case
        .clone()
        .configure(|config| config.enable_instruction_meter = false);
    let mut failure = unmetered.try_budgets(&[CAP]).err()?;
    failure.report.insert_str(0, "without the meter: ");
    keep(failure)
}

/// Whether a program may take another way when its meter is off, and so run for ever.
fn observes_meter(case: &Case) -> bool {
    let keys = ["sys_consume", "sys_consume_checked", "sys_refund"]
        .map(|name| hash_symbol_name(name.as_bytes()).to_le_bytes());
    text_of(case)
        .chunks_exact(INSN_SIZE)
        .any(|slot| keys.iter().any(|key| slot[4..8] == key[..]))
}

/// Panics of the oracle (overflow checks of debug builds) say nothing about engines, nor do
/// no-ops that the verifier doesn't take.
fn keep(failure: Failure) -> Option<Failure> {
    let irrelevant = failure.kind == FailureKind::Oracle
        || failure.kind == FailureKind::Preparation && failure.report.contains("verification");
    (!irrelevant).then_some(failure)
}

/// Shrinks a failing `case`; gives it with the failure that is left.
pub fn shrink(case: &Case, failure: Failure) -> (Case, Failure) {
    let mut best = (case.clone(), failure);
    for simpler in simpler_surroundings(&best.0) {
        try_replace(&mut best, simpler);
    }
    let mut width = text_of(&best.0).len() / INSN_SIZE;
    while width > 0 {
        let mut pc = 0;
        while pc < text_of(&best.0).len() / INSN_SIZE {
            if let Some(smaller) = without(&best.0, pc, width) {
                try_replace(&mut best, smaller);
            }
            pc += width;
        }
        width /= 2;
    }
    for simpler in simpler_surroundings(&best.0) {
        try_replace(&mut best, simpler);
    }
    best
}

fn try_replace(best: &mut (Case, Failure), candidate: Case) {
    if let Some(failure) = failure_of(&candidate, true, 0)
        && failure.kind == best.1.kind
    {
        *best = (candidate, failure);
    }
}

fn text_of(case: &Case) -> &[u8] {
    match &case.program {
        Program::Raw { text, .. } => text,
        Program::Assembly(_) | Program::Elf(_) => &[],
    }
}

/// The no-op that takes a neutralised instruction's place.
fn no_op() -> [u8; 8] {
    encode(MOV64_REG, 0, 0, 0, 0)
}

/// `case` with the `width` slots from `pc` on neutralised; `None` if they were already.
fn without(case: &Case, pc: usize, width: usize) -> Option<Case> {
    let mut smaller = case.clone();
    let Program::Raw { text, version, .. } = &mut smaller.program else {
        return None;
    };
    let slots = text.len() / INSN_SIZE;
    let wide = |text: &[u8], pc: usize| {
        text[INSN_SIZE * pc] == LD_DW_IMM && !version.disable_lddw() && pc + 1 < slots
    };
    let mut start = pc;
    let mut end = (pc + width).min(slots);
    // Both halves of an lddw go, or none.
    if start > 0 && wide(text, start - 1) {
        start -= 1;
    }
    if wide(text, end - 1) {
        end += 1;
    }
    let before = text.clone();
    for slot in text[INSN_SIZE * start..INSN_SIZE * end].chunks_exact_mut(INSN_SIZE) {
        slot.copy_from_slice(&no_op());
    }
    (before != *text).then_some(smaller)
}

/// The case in plainer circumstances, one change each.
fn simpler_surroundings(case: &Case) -> Vec<Case> {
    let mut candidates = Vec::new();
    let mut plain = case.clone();
    plain.layout = Some(
        Layout::standard(&case.config, case.version, &pattern(3, 256))
            .with_spare(pattern(7, 8192))
            .with_spare(pattern(8, 96)),
    );
    candidates.push(plain);
    let mut unhandled = case.clone();
    unhandled.layout = unhandled
        .layout
        .map(|layout| layout.with_handler(Handler::None));
    candidates.push(unhandled);
    let mut registers = case.clone();
    registers.registers.truncate(1);
    candidates.push(registers);
    candidates
}

/// A report of a shrunk case: circumstances, instructions that matter, differences.
pub fn describe(case: &Case, failure: &Failure) -> String {
    let layout = case.layout.iter().flat_map(|layout| &layout.regions);
    let regions: Vec<String> = layout.map(describe_region).collect();
    let handler = case.layout.as_ref().map(|layout| layout.handler);
    let report: Vec<&str> = failure
        .report
        .lines()
        .filter(|line| !line.trim_end().ends_with("mov64 r0, r0"))
        .collect();
    format!(
        "depth {}, frames of {}, gaps {}, aligned {}\nhandler {handler:?}\nregions:\n{}\nregisters {:x?}\n{}",
        case.config.max_call_depth,
        case.config.stack_frame_size,
        case.config.enable_stack_frame_gaps,
        case.config.aligned_memory_mapping,
        regions.join("\n"),
        case.registers,
        report.join("\n"),
    )
}

fn describe_region(region: &RegionSpec) -> String {
    format!(
        "  {:#x} len {} reserve {} writable {} gap {} payload {:?}",
        region.address,
        region.contents.len(),
        region.reserve,
        region.writable,
        region.gap_size,
        region.payload
    )
}
