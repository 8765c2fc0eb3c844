//! `sbpf-cranelift explore`: a program beside everything that it is compiled to, as one page.

mod hand_written;
mod listing;
mod packed;
mod page;

use {
    super::{
        deliver,
        failure::Failure,
        graph,
        profile::Profile,
        run::Printout,
        source::{Source, SourceArguments},
    },
    clap::Args,
    page::{CodeColumn, Page, Program},
    sbpf_cranelift::dump::anatomy::{AnatomyOptions, CodeLine, MachinePart, UnitPart},
    std::path::PathBuf,
    target_lexicon::Triple,
};

/// Examples, below the options.
pub(crate) const AFTER_HELP: &str = "\
Examples:
  sbpf-cranelift explore program.so -o program.html
      Writes a page with all functions of an ELF file; open it in any browser.
  sbpf-cranelift explore --sample token-transfer -o token.html
      The same of a bundled program.
  sbpf-cranelift run loop.s --profile-json counts.json
  sbpf-cranelift explore loop.s --profile counts.json -o loop.html
      Shows beside each line how often it was executed in a run.
  sbpf-cranelift explore filter.o --dialect ebpf --section xdp -o filter.html
      Shows a program of standard eBPF.

The page shows side by side, with lines linked by hovering and clicking: the program's
instructions in blocks with their costs; what the meter and the memory checks became; Cranelift IR;
machine code for x86_64 and arm64, constants hidden as they are when it is compiled, with the key of
seed 0; on x86_64 the code of the hand-written JIT, with the random
no-ops and the blinded constants that validators run it with. It needs no network and no server.
Its address keeps what is shown, for links: #f=NAME|PC, &pc=PC, &q=SEARCH, &view=code|flow|calls,
&columns=sbpf,checks,clif,x86_64,aarch64,hand-written.

--profile takes what run --profile-json writes: { \"format\": 1, \"counts\": { \"<pc>\": <executions>, ... } },
with pcs in decimal; those left out were not executed.

Exit status:
  0  the page was written
  2  bad input: a file or an option is wrong";

/// The machines whose code is shown, and what their columns are called.
const MACHINES: [(&str, &str, &str); 2] = [
    ("x86_64-unknown-linux-gnu", "x86_64", "x86_64"),
    ("aarch64-unknown-linux-gnu", "aarch64", "arm64"),
];

/// Writes a page that shows a program beside everything it is compiled to.
#[derive(Debug, Args)]
pub(crate) struct ExploreArguments {
    /// The program.
    #[command(flatten)]
    source: SourceArguments,
    /// JSON document with how often each instruction was executed
    #[arg(long, value_name = "COUNTS.json")]
    profile: Option<PathBuf>,
    /// Write what the page knows of functions and blocks as JSON, in place of the page
    #[arg(long)]
    json: bool,
    /// Write to this file instead of the terminal
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// Bad input, in one line.
pub(crate) fn run(arguments: &ExploreArguments) -> Result<Printout, Failure> {
    let source = arguments.source.load()?;
    let profile = arguments.profile.as_deref().map(Profile::read);
    let page = render(&source, profile.transpose()?.as_ref(), arguments.json)?;
    deliver(arguments.output.as_deref(), page)
}

/// The page of a program, or its data.
fn render(source: &Source, profile: Option<&Profile>, as_json: bool) -> Result<String, Failure> {
    let hand_written = hand_written::Code::of(source)?;
    let targets = MACHINES.iter().map(|(target, ..)| triple(target));
    let options = AnatomyOptions {
        targets: targets.collect::<Result<_, _>>()?,
        ..AnatomyOptions::default()
    };
    // Code is packed at once: of a large program it would take a hundred times as much memory.
    let (program, functions) = graph::examine(source, options, |mut unit: UnitPart| {
        let sizes: Vec<usize> = unit.machines.iter().map(|machine| machine.bytes).collect();
        let lines = code_columns(&mut unit, hand_written.as_ref());
        packed::code(&lines).map(|code| (unit, sizes, code))
    })?;
    let mut columns = vec![CodeColumn {
        id: "clif",
        name: "Cranelift IR",
    }];
    columns.extend(MACHINES.map(|(_, id, name)| CodeColumn { id, name }));
    if hand_written.is_some() {
        columns.push(CodeColumn {
            id: "hand-written",
            name: "Hand-written JIT",
        });
    }
    if let Some(profile) = profile {
        profile.check(program.slots)?;
    }
    let mut page = Page {
        program: Program {
            name: &source.name,
            title: &program.title,
            slots: program.slots,
            entry: program.entry,
        },
        columns,
        units: Vec::with_capacity(functions.len()),
        sizes: Vec::with_capacity(functions.len()),
        code: Vec::with_capacity(functions.len()),
        listing: listing::Listing::of(source),
        profile,
    };
    for function in functions {
        let (unit, sizes, code) = function?;
        page.units.push(unit);
        page.sizes.push(sizes);
        page.code.push(code);
    }
    if as_json {
        page.to_json()
    } else {
        page.render()
    }
}

/// The lines of each column of code, which are taken from the unit.
fn code_columns(
    unit: &mut UnitPart,
    hand_written: Option<&hand_written::Code>,
) -> Vec<Vec<CodeLine>> {
    let mut columns = vec![std::mem::take(&mut unit.clif)];
    let machines = unit.machines.iter_mut();
    columns.extend(machines.map(|MachinePart { lines, .. }| std::mem::take(lines)));
    columns.extend(hand_written.map(|code| code.lines_of(unit)));
    columns
}

/// A target of ours.
fn triple(target: &str) -> Result<Triple, Failure> {
    target
        .parse()
        .map_err(|error: target_lexicon::ParseError| Failure::at(target, error.to_string()))
}
