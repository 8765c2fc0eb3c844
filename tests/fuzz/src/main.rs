//! Runs fuzz targets for a given time, and prints what came of it.
//!
//! A child does the work: if it crashes, the parent still knows which input it was.

use {
    clap::Parser,
    comfy_table::Table,
    sbpf_fuzz::{
        Divergence, TARGETS, Target,
        coverage::{self, Coverage},
        findings::{self, Findings},
        named,
        runner::{self, Plan, Totals},
    },
    serde::{Deserialize, Serialize},
    std::{
        env, fs,
        path::{Path, PathBuf},
        process::{Command, ExitCode, Stdio},
        thread,
        time::{Duration, Instant},
    },
};

/// Feeds bytes to all engines, and looks for differences, panics and crashes.
#[derive(Debug, Parser)]
#[command(name = "sbpf-fuzz", after_help = AFTER_HELP)]
struct Arguments {
    /// How long to run, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only this target; may be given several times [default: all]
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<String>,
    /// Seed of the first thread; the others count up
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads, each with inputs of its own
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Directory for inputs that show a divergence
    #[arg(long, value_name = "DIR", default_value = "target/fuzz")]
    out: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Run one input that was written before, and print what it shows
    #[arg(long, value_name = "FILE")]
    reproduce: Option<PathBuf>,
    /// List the targets
    #[arg(long)]
    list: bool,
    /// Write the targets' first inputs to this directory, for other fuzzers
    #[arg(long, value_name = "DIR")]
    write_seeds: Option<PathBuf>,
    /// Do the work, rather than start who does it
    #[arg(long, hide = true)]
    worker: bool,
}

const AFTER_HELP: &str = "\
Examples:
  cargo run --release -p sbpf-fuzz -- --seconds 300
      Runs all targets for five minutes.
  cargo run --release -p sbpf-fuzz -- --target regions --seed 7 --threads 4 --json
      Runs one target on four threads, and prints JSON.
  cargo run --release -p sbpf-fuzz -- --reproduce target/fuzz/raw-0123456789abcdef.fuzz
      Runs an input again that has shown a divergence.

Exit status:
  0  no divergence
  1  a divergence, a panic, a crash or a hang; the last lines name its file and have its bytes
  2  bad arguments";

/// What a worker hands over.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    targets: Vec<Totals>,
    /// Of the whole process.
    coverage: Option<Coverage>,
}

/// Seeds of each target that are written for other fuzzers.
const WRITTEN: usize = 24;

/// How much longer than asked for a worker may take before it counts as hanging.
const GRACE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

/// Whether all was as it has to be.
fn run(arguments: &Arguments) -> Result<bool, String> {
    if arguments.list {
        for target in TARGETS {
            println!("{:14}{}", target.name, target.about);
        }
        return Ok(true);
    }
    if let Some(path) = &arguments.reproduce {
        let (target, input) = findings::read(path)?;
        return Ok(reproduce(target, &input));
    }
    let targets = selected(&arguments.targets)?;
    if let Some(directory) = &arguments.write_seeds {
        return write_seeds(&targets, directory).map(|()| true);
    }
    let findings = Findings::new(&arguments.out);
    let plan = Plan {
        targets,
        time: Duration::from_secs(arguments.seconds),
        seed: arguments.seed,
        threads: arguments.threads,
        findings,
    };
    if arguments.worker {
        // Panics are reported with their input; thousands of backtraces would only hide them.
        std::panic::set_hook(Box::new(|_| {}));
        let targets = runner::run(&plan).map_err(|error| error.to_string())?;
        let report = Report {
            targets,
            coverage: coverage::so_far(),
        };
        let json = serde_json::to_string(&report).map_err(|error| error.to_string())?;
        println!("{json}");
        return Ok(true);
    }
    supervise(arguments, &plan)
}

fn selected(names: &[String]) -> Result<Vec<&'static Target>, String> {
    if names.is_empty() {
        return Ok(TARGETS.iter().collect());
    }
    names
        .iter()
        .map(|name| named(name).ok_or_else(|| format!("there is no target {name:?}: see --list")))
        .collect()
}

fn reproduce(target: &Target, input: &[u8]) -> bool {
    match target.execute(input) {
        Err(Divergence(report)) => {
            println!("{report}");
            false
        }
        Ok(observation) => {
            match &observation.rival {
                Some(report) => println!("only the hand-written JIT differs\n{report}"),
                None if observation.ran => println!("all engines agree"),
                None => println!("the input was refused"),
            }
            true
        }
    }
}

/// Writes some seeds of each target, and its dictionary if it has one.
fn write_seeds(targets: &[&Target], directory: &Path) -> Result<(), String> {
    for target in targets {
        let folder = directory.join(target.name);
        let write = || {
            let seeds = (target.seeds)();
            let step = (seeds.len() / WRITTEN).max(1);
            for (index, seed) in seeds.iter().enumerate().step_by(step) {
                fs::create_dir_all(&folder)?;
                fs::write(folder.join(format!("seed-{index:03}")), seed)?;
            }
            let dictionary = (target.dictionary)();
            if !dictionary.is_empty() {
                fs::write(folder.with_extension("dict"), lines(&dictionary))?;
            }
            Ok::<(), std::io::Error>(())
        };
        write().map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(())
}

/// A dictionary as libFuzzer and AFL read it.
fn lines(dictionary: &[Vec<u8>]) -> String {
    let line = |entry: &Vec<u8>| {
        let bytes: String = entry.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        format!("\"{bytes}\"\n")
    };
    dictionary.iter().map(line).collect()
}

/// Starts the worker, waits for it, and reports.
fn supervise(arguments: &Arguments, plan: &Plan) -> Result<bool, String> {
    let worker = env::current_exe().map_err(|error| error.to_string())?;
    let child = Command::new(worker)
        .args(env::args_os().skip(1))
        .arg("--worker")
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let end = Instant::now() + plan.time + GRACE;
    let Some((status, output)) = wait(child, end) else {
        return lost(plan, "the process hangs");
    };
    if !status.success() {
        return lost(plan, &format!("the process ended with {status}"));
    }
    let report: Report =
        serde_json::from_str(&output).map_err(|error| format!("the worker's report: {error}"))?;
    if arguments.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&report).unwrap_or_default()
        );
    } else {
        print(&report);
    }
    let mut targets = report.targets.iter();
    Ok(targets.all(|totals| totals.divergences.is_empty()))
}

/// Waits for `child`; if it has not ended at `end`, ends it.
fn wait(
    mut child: std::process::Child,
    end: Instant,
) -> Option<(std::process::ExitStatus, String)> {
    let stdout = child.stdout.take()?;
    let reader = thread::spawn(move || std::io::read_to_string(stdout).unwrap_or_default());
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some((status, reader.join().unwrap_or_default())),
            Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(50)),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

/// Keeps what all threads were running when their process was lost.
fn lost(plan: &Plan, why: &str) -> Result<bool, String> {
    eprintln!("{why}; one of these inputs is the reason:");
    for thread in 0..plan.threads.max(1) {
        let record = fs::read(plan.findings.current(thread)).unwrap_or_default();
        let Some((target, input)) = runner::left_behind(&record) else {
            continue;
        };
        let divergence = Divergence(why.to_string());
        let seed = plan.seed.wrapping_add(thread as u64);
        let path = plan.findings.write(target.name, seed, &input, &divergence);
        let path = path.map_err(|error| error.to_string())?;
        eprintln!("  {}\n{}", path.display(), Findings::report(&path));
    }
    Ok(false)
}

fn print(report: &Report) {
    let totals = &report.targets;
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header([
        "target",
        "executions",
        "ran",
        "per second",
        "observations",
        "kept",
        "divergences",
        "JIT's",
    ]);
    for totals in totals {
        table.add_row([
            totals.target.clone(),
            totals.executions.to_string(),
            totals.ran.to_string(),
            format!(
                "{:.0}",
                totals.executions as f64 / totals.seconds.max(0.001)
            ),
            totals.features.to_string(),
            totals.corpus.to_string(),
            totals.divergences.len().to_string(),
            totals.rival_divergences.len().to_string(),
        ]);
    }
    println!("{table}");
    let executions: u64 = totals.iter().map(|totals| totals.executions).sum();
    let ran: u64 = totals.iter().map(|totals| totals.ran).sum();
    println!("{executions} executions, {ran} of them ran on all engines");
    match report.coverage {
        Some(Coverage { reached, regions }) => println!(
            "coverage: {reached} of {regions} regions of this workspace's code ({:.1} %)",
            100.0 * reached as f64 / regions.max(1) as f64
        ),
        None => println!("coverage: not counted in this build; .ci/fuzz counts it"),
    }
    for totals in totals {
        for path in &totals.divergences {
            println!("divergence: {}\n{}", path.display(), Findings::report(path));
        }
        for path in &totals.rival_divergences {
            println!("only the hand-written JIT differs: {}", path.display());
        }
    }
}
