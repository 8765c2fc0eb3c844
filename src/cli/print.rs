//! A report as text for people.

use {
    super::{
        accounts::AccountState,
        engine::{Ending, Engine, Outcome, Refusal, Run},
        failure::one_line,
        program_error,
        report::{AccountChange, Report},
        text::{Style, Tone, grouped, time},
    },
    base64::{Engine as _, prelude::BASE64_STANDARD},
    comfy_table::{ContentArrangement, Table, presets},
    sbpf_cranelift::CodeOrigin,
    std::fmt::Write as _,
};

/// Width of the labels at the left.
const LABEL_WIDTH: usize = 14;

/// Width of a table that is not written to a terminal.
const TABLE_WIDTH: u16 = 110;

/// The whole report; only the result when `quiet`.
pub(crate) fn render(report: &Report<'_>, style: Style, quiet: bool) -> String {
    let mut text = String::new();
    if quiet {
        let result = report
            .first_run()
            .map_or_else(String::new, |run| ending(report, &run.outcome.ending));
        push_line(&mut text, &result);
        push_verdicts(&mut text, report, style, true);
        return text;
    }
    push_heading(&mut text, report, style);
    if let Some(run) = report.first_run() {
        push_outcome(&mut text, report, &run.outcome, style);
    }
    if report.runs.len() > 2 {
        text.push('\n');
        push_line(&mut text, &side_by_side(report));
    } else {
        push_engines(&mut text, report);
    }
    push_verdicts(&mut text, report, style, false);
    push_accounts(&mut text, &report.accounts, style);
    text
}

/// Appends `line` and a line break.
fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// Appends a label and what belongs to it.
fn push_field(text: &mut String, label: &str, value: &str) {
    // Writing to a string can't fail.
    let _ = writeln!(text, "{label:LABEL_WIDTH$} {value}");
}

/// What was run.
fn push_heading(text: &mut String, report: &Report<'_>, style: Style) {
    let program = report.workload.program;
    let heading = format!(
        "{} (sBPF {}, {} instruction slots)",
        program.name,
        program.version_name(),
        grouped(program.instruction_slots() as u64)
    );
    push_line(text, &style.paint(Tone::Strong, &heading));
    if let Some(about) = &report.about {
        push_line(text, about);
    }
    text.push('\n');
}

/// Result, units, log and return data.
fn push_outcome(text: &mut String, report: &Report<'_>, outcome: &Outcome, style: Style) {
    let tone = match outcome.ending {
        Ending::Returned(0) => Tone::Good,
        Ending::Returned(_) if report.workload.program.is_assembly => Tone::Good,
        Ending::Returned(_) | Ending::Failed { .. } => Tone::Bad,
    };
    let result = style.paint(tone, &ending(report, &outcome.ending));
    push_field(text, "result", &result);
    let units = format!(
        "{} of {}",
        grouped(outcome.units),
        grouped(report.workload.budget)
    );
    push_field(text, "compute units", &units);
    push_field(text, "final pc", &outcome.pc.to_string());
    if let Some(note) = &report.note {
        push_field(text, "note", note);
    }
    for (index, frame) in report.backtrace.iter().enumerate() {
        let label = if index == 0 { "backtrace" } else { "" };
        push_field(text, label, &one_line(&frame.to_string()));
    }
    for (index, line) in outcome.log.iter().enumerate() {
        let label = if index == 0 { "log" } else { "" };
        push_field(text, label, &one_line(line));
    }
    let (program, data) = &outcome.return_data;
    if !data.is_empty() {
        let data = BASE64_STANDARD.encode(data);
        push_field(
            text,
            "return data",
            &format!("{data} (base64), set by {program}"),
        );
    }
}

/// How the program ended.
fn ending(report: &Report<'_>, ending: &Ending) -> String {
    match ending {
        Ending::Returned(value) if report.workload.program.is_assembly => {
            format!("returned r0 = {value} ({value:#x})")
        }
        Ending::Returned(value) => program_error::name(*value).map_or_else(
            || "success (r0 = 0)".to_string(),
            |name| format!("program error: {name} (r0 = {value:#x})"),
        ),
        Ending::Failed { text, .. } => format!("failed: {}", one_line(text)),
    }
}

/// One line for each engine.
fn push_engines(text: &mut String, report: &Report<'_>) {
    for (engine, run) in &report.runs {
        let line = match run {
            Ok(run) => engine_line(run),
            Err(Refusal::Absent(why) | Refusal::Failed(why)) => one_line(why),
        };
        push_field(text, engine.name(), &line);
    }
}

/// Times and sizes of a run.
fn engine_line(run: &Run) -> String {
    let mut line = String::new();
    if let Some(compile_time) = run.compile_time {
        let what = match run.origin {
            Some(CodeOrigin::Directory) => "loaded",
            _ => "compiled",
        };
        let _ = write!(line, "{what} in {}, ", time(compile_time));
    }
    let _ = write!(line, "ran in {}", time(run.outcome.run_time));
    if let Some(bytes) = run.code_bytes.filter(|bytes| *bytes > 0) {
        let _ = write!(line, "; {} bytes of code", grouped(bytes as u64));
    }
    if let Some(functions) = run
        .statistics
        .map(|statistics| statistics.functions)
        .filter(|functions| *functions > 0)
    {
        let _ = write!(line, " in {} functions", grouped(functions as u64));
    }
    line
}

/// A row of the table: its name and what it says of a run.
type Row = (&'static str, fn(&Report<'_>, &Run) -> String);

/// The rows of the table.
const ROWS: [Row; 9] = [
    ("result", |report, run| ending(report, &run.outcome.ending)),
    ("compute units", |_, run| grouped(run.outcome.units)),
    ("final pc", |_, run| run.outcome.pc.to_string()),
    ("memory digest", |_, run| run.outcome.memory_digest()),
    ("log lines", |_, run| run.outcome.log.len().to_string()),
    ("compile time", |_, run| {
        run.compile_time.map_or_else(|| "–".to_string(), time)
    }),
    ("run time", |_, run| time(run.outcome.run_time)),
    ("code bytes", |_, run| {
        run.code_bytes
            .map_or_else(|| "–".to_string(), |bytes| grouped(bytes as u64))
    }),
    ("agrees", |report, run| agreement(report, run.engine)),
];

/// Whether an engine agrees with the oracle.
fn agreement(report: &Report<'_>, engine: Engine) -> String {
    report
        .differences
        .iter()
        .find(|(other, _)| *other == engine)
        .map_or(
            "(reference)",
            |(_, list)| {
                if list.is_empty() { "yes" } else { "NO" }
            },
        )
        .to_string()
}

/// All engines in a table.
fn side_by_side(report: &Report<'_>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if table.width().is_none() {
        table.set_width(TABLE_WIDTH);
    }
    let names = report.runs.iter().map(|(engine, _)| engine.name());
    table.set_header([""].into_iter().chain(names));
    for (name, cell) in ROWS {
        let cells = report.runs.iter().map(|(_, run)| match run {
            Ok(run) => cell(report, run),
            Err(_) if name == "result" => "not run".to_string(),
            Err(_) => "–".to_string(),
        });
        table.add_row([name.to_string()].into_iter().chain(cells));
    }
    let mut text = table.trim_fmt();
    for (_, run) in &report.runs {
        if let Err(Refusal::Absent(why) | Refusal::Failed(why)) = run {
            text.push('\n');
            text.push_str(&one_line(why));
        }
    }
    text
}

/// Whether the engines agree, and how they differ if not; only the latter when `quiet`.
fn push_verdicts(text: &mut String, report: &Report<'_>, style: Style, quiet: bool) {
    match report.agree() {
        Some(true) if !quiet => {
            let verdict = style.paint(Tone::Good, "the engines agree");
            let what = "result, compute units, final pc, memory, log and return data";
            push_field(text, "verdict", &format!("{verdict} in {what}"));
        }
        Some(false) => push_field(
            text,
            "verdict",
            &style.paint(Tone::Bad, "the engines DIFFER"),
        ),
        Some(true) | None => {}
    }
    for (engine, list) in &report.differences {
        for difference in list {
            let line = format!(
                "{}: {} instead of {}",
                difference.what, difference.found, difference.expected
            );
            push_field(text, engine.name(), &one_line(&line));
        }
    }
}

/// What became of the accounts.
fn push_accounts(text: &mut String, accounts: &[AccountChange], style: Style) {
    if accounts.is_empty() {
        return;
    }
    text.push('\n');
    push_line(text, &style.paint(Tone::Strong, "accounts"));
    for account in accounts {
        let changes = changes(account).join(", ");
        let note = if account.is_changed() && !account.is_writable {
            " (a validator would refuse: the account is not writable)"
        } else {
            ""
        };
        let line = format!("{} {changes}{note}", account.pubkey);
        push_field(text, &account.label, &line);
    }
}

/// Each change of an account in words.
fn changes(account: &AccountChange) -> Vec<String> {
    let AccountChange { before, after, .. } = account;
    let mut list = Vec::new();
    if let Some((before, after)) = account.token_amounts()
        && before != after
    {
        let (before, after) = (grouped(before), grouped(after));
        list.push(format!("token amount {before} → {after}"));
    }
    let amount_told = !list.is_empty();
    if before.lamports != after.lamports {
        let (before, after) = (grouped(before.lamports), grouped(after.lamports));
        list.push(format!("lamports {before} → {after}"));
    }
    if before.owner != after.owner {
        list.push(format!("owner {} → {}", before.owner, after.owner));
    }
    // The data of a token account changes with its amount; only more than that is worth a word.
    let data_told = amount_told && same_length(before, after);
    if before.data != after.data && !data_told {
        list.push(data_change(before, after));
    }
    if list.is_empty() {
        list.push("unchanged".to_string());
    }
    list
}

/// Whether an account has as much data as before.
fn same_length(before: &AccountState, after: &AccountState) -> bool {
    let length = |state: &AccountState| state.data.as_ref().map(Vec::len).ok();
    length(before) == length(after)
}

/// How an account's data changed.
fn data_change(before: &AccountState, after: &AccountState) -> String {
    let old = before.data.as_deref().unwrap_or_default();
    match &after.data {
        Err(claimed) => format!("data length {} is out of range", grouped(*claimed)),
        Ok(new) if new.len() != old.len() => {
            format!("data {} → {} bytes", old.len(), new.len())
        }
        Ok(new) => {
            let count = old.iter().zip(new).filter(|(old, new)| old != new).count();
            format!("{count} of {} data bytes changed", new.len())
        }
    }
}
