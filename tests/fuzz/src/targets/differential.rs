//! A case on all engines, at several budgets.

use {
    super::head::Head,
    crate::{
        Divergence, Observation,
        common::{
            Case, FailureKind,
            engine::{Engine, Outcome},
            program::Program,
            shrink::{CAP, unmetered_failure_of},
        },
    },
    solana_sbpf::ebpf::INSN_SIZE,
};

/// Compares `case` at the cap, at what it needed then, below, above, and at a budget in between that
/// the salt picks. Some cases that end by themselves run without the meter too.
pub(super) fn compare(mut case: Case, head: &Head) -> Result<Observation, Divergence> {
    let salt = head.salt;
    case.budget = CAP;
    case.compilation = head.compilation;
    let budgets = |count: u64| {
        let between = salt % (count + 1);
        let mut budgets = vec![between, count.saturating_sub(1), count, count + 1];
        budgets.dedup();
        budgets
    };
    let outcome = match case.try_chosen_budgets(budgets) {
        Ok(outcome) => outcome,
        Err(failure) => return judge(failure.kind, failure.report),
    };
    let has_ended = !outcome.result.contains("ExceededMaxInstructions");
    if salt.is_multiple_of(8)
        && has_ended
        && let Some(failure) = unmetered_failure_of(&case)
    {
        return judge(failure.kind, failure.report);
    }
    Ok(observe(&case, &outcome))
}

/// Whose fault a failure is.
fn judge(kind: FailureKind, report: String) -> Result<Observation, Divergence> {
    let is_refused = ["compilation failed", "compilation panicked"]
        .iter()
        .all(|ours| !report.starts_with(ours));
    match kind {
        // The program was not loaded or not accepted, or another engine could not compile it.
        FailureKind::Preparation if is_refused => Ok(refused(&report)),
        FailureKind::Difference(Engine::HandWritten) => Ok(Observation {
            ran: true,
            rival: Some(report),
            ..Observation::default()
        }),
        // The oracle itself fails on what no verified program does.
        FailureKind::Oracle => Ok(refused("oracle")),
        FailureKind::Preparation | FailureKind::Difference(_) => Err(Divergence(report)),
    }
}

/// Input that was refused with this message.
pub(super) fn refused(message: &str) -> Observation {
    let mut observation = Observation::default();
    observation.see(words(message));
    observation
}

/// Each opcode with the version and the way in which the program ended; lengths and events.
fn observe(case: &Case, outcome: &Outcome) -> Observation {
    let mut observation = Observation {
        ran: true,
        ..Observation::default()
    };
    let ending = words(&outcome.result);
    if let Program::Raw { text, version, .. } = &case.program {
        let mut opcodes: Vec<u8> = text.chunks(INSN_SIZE).map(|slot| slot[0]).collect();
        opcodes.sort_unstable();
        opcodes.dedup();
        for opcode in opcodes {
            observation.see((opcode, *version as u8, &ending));
        }
    }
    observation.see((&ending, outcome.instruction_count.checked_ilog2()));
    observation.see((&ending, outcome.events.len().min(8)));
    observation
}

/// A message without its numbers.
fn words(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let letters = line.chars().filter(|c| !c.is_ascii_digit());
    letters.take(60).collect()
}
