//! `sbpf-cranelift compare --dialect ebpf`: how fast the engines run programs of standard eBPF.

mod c;
mod contenders;
mod report;
mod subject;
mod text;
mod workloads;

use {
    crate::cli::{
        compare::{
            check_writable,
            clock::thread_time,
            progress::Progress,
            report::{self as reports, Circumstances},
            settings::Settings,
            statistics::Summary,
            tables::text::{self as tables, Format},
            write_file,
        },
        ebpf::maps,
        failure::Failure,
        run::Printout,
    },
    contenders::{LIMIT, Ours, Runs, restore},
    report::{EngineRow, ProgramRow, Report},
    std::{
        path::{Path, PathBuf},
        time::Duration,
    },
    subject::Subject,
};

/// What is to be measured, and how.
pub(crate) struct Request<'a> {
    /// Files; all workloads if there are none.
    pub(crate) programs: &'a [PathBuf],
    /// The program of each file, by the name of its section or function.
    pub(crate) section: Option<&'a str>,
    /// The memory of programs, as a file or in hexadecimal.
    pub(crate) memory: Option<&'a str>,
    /// Maps of programs.
    pub(crate) maps: &'a [String],
    /// Words that names have to contain.
    pub(crate) filters: Vec<String>,
    /// How much effort to spend.
    pub(crate) settings: Settings,
    /// Where and how.
    pub(crate) circumstances: Circumstances,
    /// What to make of it.
    pub(crate) outputs: Outputs<'a>,
}

/// What to make of figures.
pub(crate) struct Outputs<'a> {
    /// A file for all figures.
    pub(crate) json: Option<&'a Path>,
    /// A file for a page.
    pub(crate) html: Option<&'a Path>,
    /// Earlier figures to compare with.
    pub(crate) baseline: Option<&'a Path>,
    /// What tables are printed for.
    pub(crate) format: Format,
    /// Only means are printed.
    pub(crate) is_quiet: bool,
}

/// Measures what is asked for.
///
/// # Errors
/// Bad input, in one line.
pub(crate) fn run(request: &Request<'_>) -> Result<Printout, Failure> {
    let Outputs {
        json,
        html,
        baseline,
        ..
    } = request.outputs;
    let baseline: Option<Report> = baseline.map(reports::read).transpose()?;
    let (subjects, mut notes) = select(request)?;
    json.into_iter().chain(html).try_for_each(check_writable)?;
    let mut report = Report {
        circumstances: request.circumstances.clone(),
        programs: Vec::new(),
    };
    let mut problems = Vec::new();
    let mut progress = Progress::new(subjects.len(), request.outputs.is_quiet);
    for subject in &subjects {
        progress.next("running", &subject.name);
        match measure(subject, &request.settings, &mut notes) {
            Ok(row) => report.programs.push(row),
            Err(failure) => problems.push(failure),
        }
    }
    progress.finish();
    publish(
        &request.outputs,
        &report,
        baseline.as_ref(),
        &problems,
        &notes,
    )
}

/// The subjects, and why some are left out.
fn select(request: &Request<'_>) -> Result<(Vec<Subject>, Vec<String>), Failure> {
    let (subjects, left_out) = match request.programs {
        [] => subject::workloads(&request.filters),
        paths => {
            let memory = super::memory(request.memory)?;
            let load =
                |path: &PathBuf| Subject::given(path, request.section, &memory, request.maps);
            let mut subjects = paths.iter().map(load).collect::<Result<Vec<_>, _>>()?;
            subjects.retain(|subject| {
                let name = subject.name.to_lowercase();
                request.filters.iter().all(|filter| name.contains(filter))
            });
            (subjects, Vec::new())
        }
    };
    if subjects.is_empty() && left_out.is_empty() {
        let what = format!("nothing has {:?} in its name", request.filters.join(" "));
        return Err(Failure::at("--filter", what));
    }
    Ok((subjects, left_out))
}

/// Writes the files that were asked for, and returns what to print.
fn publish(
    outputs: &Outputs<'_>,
    report: &Report,
    baseline: Option<&Report>,
    problems: &[Failure],
    notes: &[String],
) -> Result<Printout, Failure> {
    let all = report.tables(baseline);
    if let Some(path) = outputs.json {
        write_file(path, &reports::to_json(report)?)?;
    }
    if let Some(path) = outputs.html {
        write_file(path, &report.page(baseline, &all, problems)?)?;
    }
    let mut parts: Vec<String> = all
        .iter()
        .map(|table| tables::render(table, outputs.format, outputs.is_quiet))
        .filter(|part| !part.is_empty())
        .collect();
    let problems = problems
        .iter()
        .map(|problem| format!("not measured: {problem}\n"));
    let is_complete = problems.len() == 0;
    parts.extend(problems);
    if !notes.is_empty() && !outputs.is_quiet {
        parts.push(
            notes
                .iter()
                .map(|note| format!("left out: {note}\n"))
                .collect(),
        );
    }
    parts.push(report.circumstances(baseline) + "\n");
    Ok(Printout {
        text: parts.join("\n"),
        status: u8::from(!is_complete),
    })
}

/// How a program ends on both of our engines.
struct Agreement {
    result: u64,
    instructions: u64,
    /// Whether its memory has to be put back for the next run to do the same.
    is_restored: bool,
}

/// Checks that our engines agree on a program, and whether it can be run again.
///
/// # Errors
/// When they don't, or it fails.
fn agree(subject: &Subject) -> Result<Agreement, Failure> {
    let failure = |what: String| Failure::at(&*subject.name, what);
    let (mut expected, mut found) = (Ours::new(subject, true)?, Ours::new(subject, true)?);
    let interpret = |ours: &mut Ours| {
        ours.program
            .interpret(&mut ours.memory, &mut ours.helpers, LIMIT)
    };
    let interpreted = interpret(&mut expected);
    let compiled = found
        .compiled
        .run(&mut found.memory, &mut found.helpers, LIMIT);
    let left = |ours: &Ours| {
        (
            ours.memory.context(),
            maps::left(&subject.maps, &ours.memory),
        )
    };
    if (&compiled, left(&found)) != (&interpreted, left(&expected)) {
        return Err(failure(format!(
            "the engines differ: {interpreted:?} and {compiled:?}"
        )));
    }
    let result = match &interpreted.result {
        Ok(result) => *result,
        Err(fault) => return Err(failure(format!("fails at pc {}: {fault}", interpreted.pc))),
    };
    if let Some(native) = subject.native {
        let native = native(&mut subject.memory.clone());
        if native != result {
            return Err(failure(format!(
                "returns {result:#x}, but its twin {native:#x}"
            )));
        }
    }
    let is_restored = interpret(&mut expected) != interpreted;
    if is_restored {
        restore(&expected.memory, subject).map_err(failure)?;
        if interpret(&mut expected) != interpreted {
            let what = "what a run leaves in the program's data changes the next one";
            return Err(failure(what.to_string()));
        }
    }
    Ok(Agreement {
        result,
        instructions: interpreted.instructions,
        is_restored,
    })
}

/// One program on all engines, in rounds; adds to `notes` which ones can't run it.
///
/// # Errors
/// When ours don't agree on it.
fn measure(
    subject: &Subject,
    settings: &Settings,
    notes: &mut Vec<String>,
) -> Result<ProgramRow, Failure> {
    let agreement = agree(subject)?;
    let expected = agreement.result;
    let mut ours = [
        Ours::new(subject, true)?,
        Ours::new(subject, false)?,
        Ours::new(subject, true)?,
    ];
    let program_instructions = ours[0].program.text().len() / 8;
    let code_bytes = ours[0].compiled.machine_code().len();
    let compile_time = compile_time(&ours[0], settings);
    let mut contenders = contenders::all(subject, &mut ours, expected, agreement.is_restored);
    let mut repetitions = Vec::new();
    for (name, runs) in &mut contenders {
        let failure = match runs(1) {
            Ok((result, _)) if result == expected => None,
            Ok((result, _)) => Some(format!("returns {result:#x}, not {expected:#x}")),
            Err(error) => Some(error),
        };
        repetitions.push(match failure {
            None => repetitions_for(settings.shortest_sample, runs),
            Some(failure) => {
                notes.push(format!("{} on {name}: {failure}", subject.name));
                0
            }
        });
    }
    let mut samples = vec![Vec::new(); contenders.len()];
    for _ in 0..settings.rounds {
        for (index, (_, runs)) in contenders.iter_mut().enumerate() {
            let count = repetitions[index];
            if let Some(Ok((_, time))) = (count > 0).then(|| runs(count)) {
                samples[index].push(time * FINER / count);
            }
        }
    }
    let engines = contenders.iter().zip(&samples);
    let engines = engines.filter(|(_, samples)| !samples.is_empty());
    Ok(ProgramRow {
        name: subject.name.clone(),
        instructions: agreement.instructions,
        program_instructions,
        code_bytes,
        compile_nanoseconds: compile_time.as_nanos() as f64,
        engines: engines
            .map(|((name, _), samples)| EngineRow {
                engine: (*name).to_string(),
                nanoseconds: Summary::of(samples).scaled(1.0 / f64::from(FINER)),
            })
            .collect(),
    })
}

/// Samples are of so many runs: a run may take less than what a [`Duration`] tells apart.
const FINER: u32 = 1_000;

/// The least processor time of some compilations.
fn compile_time(ours: &Ours, settings: &Settings) -> Duration {
    let once = |_| {
        let start = thread_time();
        let _ = std::hint::black_box(ours.program.compile());
        thread_time() - start
    };
    (0..settings.rounds).map(once).min().unwrap_or_default()
}

/// How often to run for a sample of at least this time.
fn repetitions_for(time: Duration, runs: &mut Runs<'_>) -> u32 {
    let mut count = 1;
    while count < 1 << 24 && runs(count).is_ok_and(|(_, taken)| taken < time) {
        count *= 2;
    }
    count
}
