//! `sbpf-cranelift compare --dialect ebpf`: how fast the engines run programs of standard eBPF.

mod contenders;
mod text;
mod workloads;

use {
    crate::cli::{
        compare::{
            clock::thread_time,
            settings::Settings,
            statistics::{Summary, geometric_mean},
        },
        failure::Failure,
        run::Printout,
    },
    comfy_table::{CellAlignment, Table, presets},
    contenders::{Contender, Name, Ours, Runs},
    std::time::Duration,
    workloads::Workload,
};

/// A workload on all engines: names, and a summary where the engine could run it.
struct Row {
    name: &'static str,
    engines: Vec<(Name, Option<Summary>)>,
}

/// Measures all workloads that have `filter` in their names.
///
/// # Errors
/// When there is none, or one of ours can't run one.
pub(crate) fn run(filter: Option<&str>, settings: &Settings) -> Result<Printout, Failure> {
    let filter = filter.unwrap_or_default().to_lowercase();
    let mut workloads = workloads::all();
    workloads.retain(|workload| workload.name.to_lowercase().contains(&filter));
    if workloads.is_empty() {
        return Err(Failure::at("--filter", "no workload has this in its name"));
    }
    let mut problems = Vec::new();
    let mut rows = Vec::new();
    for workload in &workloads {
        rows.push(measure(workload, settings, &mut problems)?);
    }
    let mut text = render(&rows);
    for problem in &problems {
        text += &format!("not measured: {problem}\n");
    }
    Ok(Printout { text, status: 0 })
}

/// One workload on all engines, in rounds.
fn measure(
    workload: &Workload,
    settings: &Settings,
    problems: &mut Vec<String>,
) -> Result<Row, Failure> {
    let expected = (workload.native)(&mut workload.memory.clone());
    let mut ours = [
        Ours::new(workload, true)?,
        Ours::new(workload, false)?,
        Ours::new(workload, true)?,
    ];
    let mut contenders = contenders::all(workload, &mut ours);
    let mut repetitions = Vec::new();
    for (name, run) in &mut contenders {
        let failure = match run(1) {
            Ok(result) if result == expected => None,
            Ok(result) => Some(format!("returns {result:#x}, not {expected:#x}")),
            Err(error) => Some(error),
        };
        repetitions.push(match failure {
            None => Some(repetitions_for(settings.shortest_sample, run)),
            Some(failure) => {
                problems.push(format!("{} on {name}: {failure}", workload.name));
                None
            }
        });
    }
    let mut samples = vec![Vec::new(); contenders.len()];
    for _ in 0..settings.rounds {
        for (index, (_, run)) in contenders.iter_mut().enumerate() {
            if let Some(count) = repetitions[index] {
                samples[index].push(sample(count, run));
            }
        }
    }
    let summary = |samples: &Vec<Duration>| (!samples.is_empty()).then(|| Summary::of(samples));
    let name_of = |(name, _): &Contender<'_>| *name;
    Ok(Row {
        name: workload.name,
        engines: contenders
            .iter()
            .map(name_of)
            .zip(samples.iter().map(summary))
            .collect(),
    })
}

/// How often to run for a sample of at least this time.
fn repetitions_for(time: Duration, run: &mut Runs<'_>) -> u32 {
    let mut count = 1;
    while count < 1 << 24 && total(count, run) < time {
        count *= 2;
    }
    count
}

fn total(count: u32, run: &mut Runs<'_>) -> Duration {
    let start = thread_time();
    let _ = std::hint::black_box(run(count));
    thread_time() - start
}

/// Picoseconds of one run, which a [`Duration`] does not hold, as nanoseconds.
fn sample(count: u32, run: &mut Runs<'_>) -> Duration {
    total(count, run) * 1_000 / count
}

fn render(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let names: Vec<Name> = rows[0].engines.iter().map(|(name, _)| *name).collect();
    table.set_header(std::iter::once("ns").chain(names.iter().copied()));
    for row in rows {
        let mut cells = vec![row.name.to_string()];
        let ours = row.engines[0].1.map(|summary| summary.median);
        for (index, (_, summary)) in row.engines.iter().enumerate() {
            cells.push(match (summary, ours) {
                (Some(summary), _) if index == 0 => number(summary.median / 1e3),
                (Some(summary), Some(ours)) => {
                    let ratio = summary.median / ours;
                    format!("{} ({ratio:.2})", number(summary.median / 1e3))
                }
                (Some(summary), None) => number(summary.median / 1e3),
                (None, _) => "-".to_string(),
            });
        }
        table.add_row(cells);
    }
    let mut cells = vec!["mean of ratios".to_string()];
    for index in 0..names.len() {
        let ratios = rows.iter().filter_map(|row| {
            let (_, summary) = row.engines[index];
            Some(summary?.median / row.engines[0].1?.median)
        });
        let mean = geometric_mean(ratios).map_or("-".to_string(), |mean| format!("{mean:.2}"));
        cells.push(mean);
    }
    table.add_row(cells);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let lines = table.to_string();
    let lines: Vec<&str> = lines.lines().map(str::trim_end).collect();
    format!(
        "Standard eBPF: medians of one run; in brackets the time over that of cranelift, so more \
         than 1 is slower.\n\n{}\n",
        lines.join("\n")
    )
}

fn number(nanoseconds: f64) -> String {
    match nanoseconds {
        few if few < 100.0 => format!("{few:.1}"),
        many => format!("{many:.0}"),
    }
}
