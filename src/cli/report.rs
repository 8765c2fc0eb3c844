//! What a run came to, independent of how it is printed.

use super::{
    accounts::{AccountState, Instruction, SerializedInput, array},
    differences::{Difference, differences},
    engine::{Ending, Engine, Outcome, Refusal, Run, Workload},
    pubkey::Pubkey,
    token,
    trace::{Frame, Traced},
};
use solana_sbpf::ebpf;

/// The result of running a workload on one or more engines.
pub(crate) struct Report<'workload> {
    /// What was run.
    pub(crate) workload: &'workload Workload<'workload>,
    /// What it is, for samples.
    pub(crate) about: Option<String>,
    /// Every engine asked for, and what it did; the engine asked for first is first.
    pub(crate) runs: Vec<(Engine, Result<Run, Refusal>)>,
    /// How the other engines differ from the oracle.
    pub(crate) differences: Vec<(Engine, Vec<Difference>)>,
    /// What became of the accounts.
    pub(crate) accounts: Vec<AccountChange>,
    /// An explanation of the error, where there is one to give.
    pub(crate) note: Option<String>,
    /// Where the run ended, innermost frame first, if it ended with an error.
    pub(crate) backtrace: Vec<Frame>,
}

/// An account before and after a run.
pub(crate) struct AccountChange {
    /// What it is for, or its position.
    pub(crate) label: String,
    /// Its address.
    pub(crate) pubkey: Pubkey,
    /// Whether the program was allowed to change it.
    pub(crate) is_writable: bool,
    /// Before.
    pub(crate) before: AccountState,
    /// After.
    pub(crate) after: AccountState,
}

impl AccountChange {
    /// Amount of tokens before and after, if it is a token account.
    pub(crate) fn token_amounts(&self) -> Option<(u64, u64)> {
        let amount = |state: &AccountState| {
            let data = state.data.as_ref().ok()?;
            token::amount(&state.owner, data)
        };
        amount(&self.before).zip(amount(&self.after))
    }

    /// Whether anything changed.
    pub(crate) fn is_changed(&self) -> bool {
        self.before != self.after
    }
}

/// The accounts of `instruction` before and after a run that left `memory` in the input region.
pub(crate) fn account_changes(
    instruction: &Instruction,
    input: &SerializedInput,
    memory: &[u8],
    labels: &[&str],
) -> Vec<AccountChange> {
    let before = input.read_back(&input.bytes);
    let after = input.read_back(memory);
    instruction
        .unique_accounts()
        .enumerate()
        .zip(before.into_iter().zip(after))
        .map(|((index, account), (before, after))| AccountChange {
            label: labels
                .get(index)
                .map_or_else(|| format!("account {index}"), ToString::to_string),
            pubkey: account.pubkey,
            is_writable: account.is_writable,
            before,
            after,
        })
        .collect()
}

/// Explains a call of a syscall of which the program holds nothing but the hash of its name.
fn unknown_syscall(workload: &Workload<'_>, outcome: &Outcome) -> Option<String> {
    let Ending::Failed { debug, .. } = &outcome.ending else {
        return None;
    };
    if debug != "UnsupportedInstruction" {
        return None;
    }
    let text = workload.program.executable.get_text_bytes().1;
    let pc = usize::try_from(outcome.pc).ok()?;
    let instruction: &[u8; ebpf::INSN_SIZE] = text
        .get(pc.checked_mul(ebpf::INSN_SIZE)?..)?
        .first_chunk()?;
    let hash = u32::from_le_bytes(array(instruction, 4));
    // With static syscalls, the source register says whether a call is internal.
    let version = workload.program.executable.get_sbpf_version();
    let is_internal = version.static_syscalls() && instruction[1] >> 4 != 0;
    (instruction[0] == ebpf::CALL_IMM && !is_internal).then(|| {
        format!(
            "the call at pc {pc} is to a syscall whose name has the hash {hash:#010x}; no \
                 syscall known here has it"
        )
    })
}

impl<'workload> Report<'workload> {
    /// Compares the runs with the oracle among them: the interpreter, or else the first.
    pub(crate) fn new(
        workload: &'workload Workload<'workload>,
        about: Option<String>,
        runs: Vec<(Engine, Result<Run, Refusal>)>,
    ) -> Self {
        let finished: Vec<&Run> = runs
            .iter()
            .filter_map(|(_, run)| run.as_ref().ok())
            .collect();
        let oracle = finished
            .iter()
            .find(|run| run.engine == Engine::Interpreter)
            .or_else(|| finished.first());
        let differences = oracle.map_or_else(Vec::new, |oracle| {
            finished
                .iter()
                .filter(|run| run.engine != oracle.engine)
                .map(|run| (run.engine, differences(&oracle.outcome, &run.outcome)))
                .collect()
        });
        let note = finished
            .first()
            .and_then(|run| unknown_syscall(workload, &run.outcome));
        Self {
            workload,
            about,
            runs,
            differences,
            accounts: Vec::new(),
            note,
            backtrace: Vec::new(),
        }
    }

    /// Whether the program ended with an error of the machine or of a syscall.
    pub(crate) fn is_failure(&self) -> bool {
        self.first_run()
            .is_some_and(|run| matches!(run.outcome.ending, Ending::Failed { .. }))
    }

    /// Takes over what a run on the interpreter showed, if it was the same run.
    pub(crate) fn add_trace(&mut self, traced: Traced) {
        let is_same = self.first_run().is_some_and(|run| {
            (&run.outcome.ending, run.outcome.pc, run.outcome.units)
                == (
                    &traced.outcome.ending,
                    traced.outcome.pc,
                    traced.outcome.units,
                )
        });
        if is_same && self.is_failure() {
            self.backtrace = traced.backtrace;
        }
    }

    /// The first run that finished; its log, memory and so on are shown.
    pub(crate) fn first_run(&self) -> Option<&Run> {
        self.runs.iter().find_map(|(_, run)| run.as_ref().ok())
    }

    /// Whether the engines agree; none when there is nothing to compare.
    pub(crate) fn agree(&self) -> Option<bool> {
        (!self.differences.is_empty())
            .then(|| self.differences.iter().all(|(_, list)| list.is_empty()))
    }

    /// Whether the program did what it should: every engine that exists ran it, they agree, and it
    /// ended without an error. Plain assembly may return any value.
    pub(crate) fn is_success(&self) -> bool {
        let refused = self
            .runs
            .iter()
            .any(|(_, run)| matches!(run, Err(Refusal::Failed(_))));
        let succeeded = self
            .first_run()
            .is_some_and(|run| match run.outcome.ending {
                Ending::Returned(0) => true,
                Ending::Returned(_) => self.workload.program.is_assembly,
                Ending::Failed { .. } => false,
            });
        !refused && succeeded && self.agree() != Some(false)
    }
}
