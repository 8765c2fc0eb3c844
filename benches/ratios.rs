//! Prints how the engines compare, as ratios of times taken side by side.
//!
//! `cargo bench --bench ratios -- --help` lists the options; README.md in this directory says how
//! to read the tables.

#[allow(
    dead_code,
    reason = "shared by the benches, none of which uses all of it"
)]
mod harness;
mod report;
#[allow(
    dead_code,
    reason = "shared by the benches, none of which uses all of it"
)]
mod workloads;

use {
    clap::{Parser, ValueEnum},
    harness::machine::Machine,
    report::{
        Report, Settings,
        compilation::{self, CompilationRow},
        execution::{self, ExecutionRow},
        table::Style,
    },
    std::{io, path::PathBuf, process::ExitCode},
};

/// Compares the engines on every workload and the compilers on every program.
#[derive(Parser)]
struct Arguments {
    /// Only the workloads and programs whose name contains this (letter case does not matter).
    filter: Option<String>,
    /// Fewer rounds and shorter samples: half a minute, good to 10 %.
    #[arg(long)]
    quick: bool,
    /// How many rounds of all engines, in place of 15 or, when quick, 5.
    #[arg(long)]
    rounds: Option<usize>,
    /// Only one of the two tables.
    #[arg(long)]
    only: Option<Part>,
    /// Also writes all figures, with their spread, to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Prints the tables as Markdown.
    #[arg(long)]
    markdown: bool,
    /// What cargo passes to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A table.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Execution,
    Compilation,
}

impl Arguments {
    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    fn selects(&self, name: &str) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| name.to_lowercase().contains(&filter.to_lowercase()))
    }

    fn settings(&self) -> Settings {
        let mut settings = if self.quick {
            Settings::QUICK
        } else {
            Settings::THOROUGH
        };
        settings.rounds = self.rounds.unwrap_or(settings.rounds).max(1);
        settings
    }

    fn measure_execution(&self) -> Vec<ExecutionRow> {
        workloads::all()
            .iter()
            .filter(|workload| self.selects(&workload.to_string()))
            .map(|workload| {
                eprintln!("running {workload}");
                Machine::with(workload, |machine| {
                    execution::measure(workload, machine, &self.settings())
                })
            })
            .collect()
    }

    fn measure_compilation(&self) -> Vec<CompilationRow> {
        workloads::programs::all()
            .iter()
            .chain(&workloads::synthetic::all())
            .filter(|program| self.selects(&program.name))
            .map(|program| {
                eprintln!("compiling {}", program.name);
                compilation::measure(program, &self.settings())
            })
            .collect()
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut report = Report::default();
    if arguments.wants(Part::Execution) {
        report.execution = arguments.measure_execution();
    }
    if arguments.wants(Part::Compilation) {
        report.compilation = arguments.measure_compilation();
    }
    let style = if arguments.markdown {
        Style::Markdown
    } else {
        Style::Plain
    };
    match report.publish(style, arguments.json.as_deref(), &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
