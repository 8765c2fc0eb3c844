//! A report as JSON for scripts.

use {
    super::{
        engine::{Ending, Engine, Refusal, Run},
        program_error,
        report::{AccountChange, Report},
        trace::Frame,
    },
    base64::{Engine as _, prelude::BASE64_STANDARD},
    sbpf_cranelift::CodeOrigin,
    serde_json::{Value, json},
};

/// The whole report, one object; `exit_status` is what the command will end with.
pub(crate) fn render(report: &Report<'_>, exit_status: u8) -> String {
    let program = report.workload.program;
    let engines: Vec<Value> = report
        .runs
        .iter()
        .map(|(engine, run)| match run {
            Ok(run) => engine_value(report, run),
            Err(refusal) => refusal_value(*engine, refusal),
        })
        .collect();
    let differences: Vec<Value> = report
        .differences
        .iter()
        .flat_map(|(engine, list)| list.iter().map(move |difference| (engine, difference)))
        .map(|(engine, difference)| {
            json!({
                "engine": engine.name(),
                "what": difference.what,
                "expected": difference.expected,
                "found": difference.found,
            })
        })
        .collect();
    let accounts: Vec<Value> = report.accounts.iter().map(account_value).collect();
    let value = json!({
        "program": program.name,
        "about": report.about,
        "sbpf_version": program.version_name(),
        "assembly": program.is_assembly,
        "instruction_slots": program.instruction_slots(),
        "budget": report.workload.budget,
        "heap": report.workload.heap,
        "engines": engines,
        "agree": report.agree(),
        "differences": differences,
        "note": report.note,
        "backtrace": (!report.backtrace.is_empty())
            .then(|| report.backtrace.iter().map(Frame::to_json).collect::<Vec<_>>()),
        "accounts": accounts,
        "exit_status": exit_status,
    });
    format!("{value:#}\n")
}

/// A finished run.
fn engine_value(report: &Report<'_>, run: &Run) -> Value {
    let outcome = &run.outcome;
    let result = match &outcome.ending {
        Ending::Returned(value) => json!({
            "r0": value,
            "error": (!report.workload.program.is_assembly)
                .then(|| program_error::name(*value))
                .flatten(),
        }),
        Ending::Failed { text, debug } => json!({
            "failure": text,
            "debug": debug,
        }),
    };
    let (setter, return_data) = &outcome.return_data;
    let return_data = (!return_data.is_empty()).then(|| {
        json!({
            "program": setter.to_string(),
            "base64": BASE64_STANDARD.encode(return_data),
        })
    });
    json!({
        "engine": run.engine.name(),
        "result": result,
        "compute_units": outcome.units,
        "remaining_units": outcome.remaining,
        "final_pc": outcome.pc,
        "memory_digest": outcome.memory_digest(),
        "log": outcome.log,
        "return_data": return_data,
        "compile_nanoseconds": run.compile_time.map(nanoseconds),
        "run_nanoseconds": nanoseconds(outcome.run_time),
        "code_bytes": run.code_bytes,
        "code_from_cache": run.origin.map(|origin| origin != CodeOrigin::Compiled),
        "functions": run.statistics.map(|statistics| statistics.functions),
        "clif_instructions": run.statistics.map(|statistics| statistics.clif_instructions),
        "clif_blocks": run.statistics.map(|statistics| statistics.clif_blocks),
    })
}

/// An engine that did not run.
fn refusal_value(engine: Engine, refusal: &Refusal) -> Value {
    let (absent, why) = match refusal {
        Refusal::Absent(why) => (true, why),
        Refusal::Failed(why) => (false, why),
    };
    json!({ "engine": engine.name(), "absent": absent, "not_run": why })
}

/// An account before and after.
fn account_value(account: &AccountChange) -> Value {
    let state = |state: &super::accounts::AccountState| {
        json!({
            "owner": state.owner.to_string(),
            "lamports": state.lamports,
            "data": state.data.as_ref().ok().map(|data| BASE64_STANDARD.encode(data)),
        })
    };
    json!({
        "label": account.label,
        "pubkey": account.pubkey.to_string(),
        "is_writable": account.is_writable,
        "changed": account.is_changed(),
        "before": state(&account.before),
        "after": state(&account.after),
    })
}

/// A time as a number.
fn nanoseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
