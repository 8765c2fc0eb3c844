//! `sbpf-cranelift compare`: the engines and the compilers, measured side by side.
//!
//! The bench `ratios` is this command under another name; the benches `execute` and `compile` show
//! the same subjects to criterion.

mod block;
pub(crate) mod clock;
pub(crate) mod competitor;
mod compilation;
pub(crate) mod compilers;
mod counter;
mod execution;
pub(crate) mod machine;
mod memory;
pub(crate) mod page;
mod passes;
pub(crate) mod programs;
pub(crate) mod progress;
pub(crate) mod real;
pub(crate) mod report;
mod selection;
pub(crate) mod settings;
pub(crate) mod statistics;
pub(crate) mod subject;
pub(crate) mod tables;
pub(crate) mod workloads;

pub(crate) use report::{check_writable, write_file};

use {
    super::{
        ebpf::compare::{Outputs, Request},
        failure::Failure,
        run::{DialectChoice, Printout, refuse},
        shared::{InputArguments, VersionArgument},
    },
    clap::{Args, ValueEnum},
    counter::InstructionCounter,
    progress::Progress,
    report::{Circumstances, Report, circumstances},
    selection::Selection,
    settings::Settings,
    std::path::PathBuf,
    tables::text::{self, Format},
};

/// Examples and exit statuses, below the options.
pub(crate) const AFTER_HELP: &str = "\
Examples:
  sbpf-cranelift compare
      Measures the standard workloads, the real programs and the compilers; takes two minutes.
  sbpf-cranelift compare --quick --filter sieve
      The same to steer by, and only what has \"sieve\" in its name.
  sbpf-cranelift compare program.so token-transfer --accounts call.json
      Measures an ELF file on accounts from a JSON document, and a bundled sample.
  sbpf-cranelift compare --json before.json
  sbpf-cranelift compare --baseline before.json --html report.html
      Saves all figures, and later shows by how much each has changed, as a page with plots.
  sbpf-cranelift compare --only execution --markdown
      Prints one part of the tables, for a pull request.
  sbpf-cranelift compare --dialect ebpf
      Measures programs of standard eBPF.
  sbpf-cranelift compare --dialect ebpf filter.o --section xdp --mem packet.bin --html report.html
  sbpf-cranelift compare --dialect ebpf filter.c --mem packet.bin
      Measures a program on a packet; one in C, if clang is there, also compiled natively.
  sbpf-cranelift compare --dialect ebpf counter.o --mem 02 --map counters=zeros:32
      Gives its map \"counters\" four values of eight bytes.

Before a program is timed, all engines must end as the interpreter does: in result, instruction
count, final pc, memory, log and return data.

Exit status:
  0  everything was measured
  1  the engines differ, or one could not run a program; the rest was measured
  2  bad input: a file or an option is wrong";

/// Compares the engines, on bundled workloads or on programs.
#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// ELF files, assembly texts or bundled samples; all workloads and real programs when left out
    #[arg(id = "program", value_name = "PROGRAMS")]
    programs: Vec<PathBuf>,
    /// The instruction set; eBPF has workloads of its own, and its programs are ELF files, plain
    /// instructions or C
    #[arg(long, value_name = "DIALECT", value_enum, default_value_t = DialectChoice::Sbpf)]
    dialect: DialectChoice,
    /// Only what has this in its name; letter case does not matter
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Fewer rounds and shorter samples: a minute, good to 10 %
    #[arg(long)]
    quick: bool,
    /// Rounds of all engines [default: 15, or 5 when quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: Option<u32>,
    /// Only running programs, or only compiling them
    #[arg(long, value_name = "PART")]
    only: Option<Part>,
    #[command(flatten)]
    on: InputArguments,
    #[command(flatten)]
    version: VersionArgument,
    /// eBPF: the program with this name of a section or function [default: the first]
    #[arg(long, value_name = "NAME", requires = "program")]
    section: Option<String>,
    /// eBPF: the memory of programs, as bytes in hexadecimal or as a file
    #[arg(long, value_name = "HEX|FILE", requires = "program")]
    mem: Option<String>,
    /// eBPF: values of the map of this name or number, each of SIZE bytes [default: 8]; helper 1 finds
    /// the value with a 32-bit number. Can be given several times
    #[arg(
        long,
        value_name = "NAME[/SIZE]=HEX|FILE|zeros:LENGTH",
        requires = "program"
    )]
    map: Vec<String>,
    /// Writes all figures, with their spread, to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes tables and plots to this file, a page that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Prints the tables as Markdown
    #[arg(long)]
    markdown: bool,
    /// A file that --json wrote before: shows by how much each figure has changed
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Prints only the means and totals, and no progress
    #[arg(long, short)]
    quiet: bool,
    /// What cargo passes to every bench; then words are filters, not programs.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A part of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Programs on every engine
    Execution,
    /// Programs through every compiler
    Compilation,
}

impl CompareArguments {
    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    /// Options that only comparisons of sBPF have, and whether they are given.
    fn of_sbpf(&self) -> [(&'static str, bool); 4] {
        [
            ("--only", self.only.is_some()),
            ("--input", self.on.input.is_some()),
            ("--accounts", self.on.accounts.is_some()),
            ("--sbpf-version", self.version.sbpf_version.is_some()),
        ]
    }

    /// Options that only comparisons of eBPF have, and whether they are given.
    fn of_ebpf(&self) -> [(&'static str, bool); 3] {
        [
            ("--section", self.section.is_some()),
            ("--mem", self.mem.is_some()),
            ("--map", !self.map.is_empty()),
        ]
    }

    /// What a bench is given as words to look for in names.
    fn filters(&self) -> Vec<String> {
        let words = self.programs.iter().filter(|_| self.bench);
        let words = words.map(|word| word.to_string_lossy().into_owned());
        words
            .chain(self.filter.clone())
            .map(|filter| filter.to_lowercase())
            .collect()
    }

    fn format(&self) -> Format {
        match self.markdown {
            true => Format::Markdown,
            false => Format::Plain,
        }
    }

    fn settings(&self) -> Settings {
        let mut settings = if self.quick {
            Settings::QUICK
        } else {
            Settings::THOROUGH
        };
        if let Some(rounds) = self.rounds {
            settings.rounds = rounds as usize;
        }
        settings
    }
}

/// Runs the command.
///
/// # Errors
/// Bad input, in one line.
pub(crate) fn run(arguments: &CompareArguments) -> Result<Printout, Failure> {
    let settings = arguments.settings();
    if arguments.dialect == DialectChoice::Ebpf {
        refuse(&arguments.of_sbpf(), "is for programs of --dialect sbpf")?;
        return super::ebpf::compare::run(&Request {
            programs: match arguments.bench {
                true => &[],
                false => &arguments.programs,
            },
            section: arguments.section.as_deref(),
            memory: arguments.mem.as_deref(),
            maps: &arguments.map,
            filters: arguments.filters(),
            settings,
            circumstances: Circumstances::here(settings.rounds, arguments.quick),
            outputs: Outputs {
                json: arguments.json.as_deref(),
                html: arguments.html.as_deref(),
                baseline: arguments.baseline.as_deref(),
                format: arguments.format(),
                is_quiet: arguments.quiet,
            },
        });
    }
    refuse(&arguments.of_ebpf(), "is for programs of --dialect ebpf")?;
    let baseline = arguments
        .baseline
        .as_deref()
        .map(Report::read)
        .transpose()?;
    let selection = Selection::of(arguments)?;
    let files = arguments.json.iter().chain(&arguments.html);
    files.map(PathBuf::as_path).try_for_each(check_writable)?;
    let mut report = Report {
        circumstances: Circumstances::here(settings.rounds, arguments.quick),
        ..Report::default()
    };
    let mut problems = Vec::new();
    let mut counter = InstructionCounter::new();
    let mut progress = Progress::new(selection.len(), arguments.quiet);
    for subject in &selection.subjects {
        progress.next("running", subject.name());
        let row = subject
            .load()
            .and_then(|subject| execution::measure(&subject, &settings, &mut counter));
        match row {
            Ok(row) => report.execution.push(row),
            Err(failure) => problems.push(failure),
        }
    }
    for program in &selection.programs {
        progress.next("compiling", program.name());
        match program.measure(&settings) {
            Ok(row) => report.compilation.push(row),
            Err(failure) => problems.push(failure),
        }
    }
    progress.finish();
    publish(arguments, &report, baseline.as_ref(), &problems)
}

/// Writes the files that were asked for, and returns what to print.
fn publish(
    arguments: &CompareArguments,
    report: &Report,
    baseline: Option<&Report>,
    problems: &[Failure],
) -> Result<Printout, Failure> {
    let tables = tables::all(report, baseline);
    if let Some(path) = &arguments.json {
        write_file(path, &report.to_json()?)?;
    }
    if let Some(path) = &arguments.html {
        write_file(path, &page::render(report, baseline, &tables, problems)?)?;
    }
    let before = baseline.map(|baseline| &baseline.circumstances);
    let here = circumstances(&report.circumstances, before);
    let format = arguments.format();
    let parts: Vec<_> = tables
        .iter()
        .map(|table| text::render(table, format, arguments.quiet))
        .chain(
            problems
                .iter()
                .map(|problem| format!("not measured: {problem}\n")),
        )
        .filter(|part| !part.is_empty())
        .chain([here + "\n"])
        .collect();
    Ok(Printout {
        text: parts.join("\n"),
        status: u8::from(!problems.is_empty()),
    })
}
