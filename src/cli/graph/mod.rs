//! `sbpf-cranelift graph`: the control flow of functions, and which functions call each other.

mod call_graph;
mod control_flow;
mod dot;
pub(crate) mod drawing;
mod layout;
mod svg;

pub(crate) use {call_graph::Calls, control_flow::control_flow, svg::STYLE};

use {
    super::{
        compiling::Counter,
        deliver,
        failure::Failure,
        profile::Profile,
        run::Printout,
        source::{Source, SourceArguments, SourceProgram},
    },
    clap::{Args, ValueEnum},
    drawing::Drawing,
    sbpf_cranelift::dump::{
        DumpError, FunctionSelector,
        anatomy::{self, AnatomyOptions, ProgramPart, UnitPart},
    },
    std::{collections::BTreeMap, path::PathBuf},
};

/// Examples, below the options.
pub(crate) const AFTER_HELP: &str = "\
Examples:
  sbpf-cranelift graph program.so --call-graph -o calls.svg
      Draws which functions call each other.
  sbpf-cranelift graph program.so --function entrypoint -o entrypoint.svg
      Draws the basic blocks of a function, with their instructions and costs.
  sbpf-cranelift graph --sample memo --function 120 --format dot | dot -Tpdf > function.pdf
      Has Graphviz draw the function that has an instruction at pc 120.
  sbpf-cranelift graph program.so --function entrypoint --profile counts.json -o hot.svg
      Colours blocks by how often they were executed.

--profile takes what run --profile-json writes:
{ \"format\": 1, \"counts\": { \"<pc>\": <executions>, ... } }.

A picture has at most 400 blocks or functions; --format dot has no limit.

Exit status:
  0  the graph was written
  2  bad input: a file, an option or a function is wrong, or the picture would be too large";

/// Draws the control flow of functions, or which functions call each other.
#[derive(Debug, Args)]
pub(crate) struct GraphArguments {
    /// The program.
    #[command(flatten)]
    source: SourceArguments,
    /// The function of this name, or the one with an instruction at this pc [default: the entry]
    #[arg(long, value_name = "NAME|PC", conflicts_with = "call_graph")]
    function: Option<FunctionSelector>,
    /// Which functions call each other, in place of a function's blocks
    #[arg(long)]
    call_graph: bool,
    /// A picture, or text for Graphviz
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Svg)]
    format: Format,
    /// Write JSON: a list of nodes, and one of edges between them
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// JSON document with how often each instruction was executed
    #[arg(long, value_name = "COUNTS.json")]
    profile: Option<PathBuf>,
    /// Write to this file instead of the terminal
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A picture
    Svg,
    /// The language of Graphviz
    Dot,
}

/// Runs the command.
///
/// # Errors
/// Bad input, in one line.
pub(crate) fn run(arguments: &GraphArguments) -> Result<Printout, Failure> {
    let source = arguments.source.load()?;
    let profile = arguments.profile.as_deref().map(Profile::read);
    let profile = profile.transpose()?;
    let options = AnatomyOptions::default();
    let (program, units) = examine(&source, options, |unit| unit)?;
    if let Some(profile) = &profile {
        profile.check(program.slots)?;
    }
    let drawing = draw(arguments, &source.name, &program, &units, profile.as_ref())?;
    let text = match (arguments.json, arguments.format) {
        (true, _) => format!("{:#}\n", drawing.to_json()),
        (false, Format::Dot) => dot::render(&drawing),
        (false, Format::Svg) => {
            let placed = layout::place(&drawing, layout::MOST_NODES)?;
            svg::render(&drawing, &placed, svg::Style::Alone)
        }
    };
    deliver(arguments.output.as_deref(), text)
}

/// The graph asked for.
fn draw(
    arguments: &GraphArguments,
    name: &str,
    program: &ProgramPart,
    units: &[UnitPart],
    profile: Option<&Profile>,
) -> Result<Drawing, Failure> {
    let calls = Calls::of(units);
    if arguments.call_graph {
        return Ok(calls.all(name, profile));
    }
    let entry = FunctionSelector::Pc(program.entry as usize);
    let selector = arguments.function.as_ref().unwrap_or(&entry);
    let unit = find(units, selector).ok_or_else(|| match selector {
        FunctionSelector::Pc(pc) => {
            let what = format!("no instruction at pc {pc} can be reached");
            Failure::at("--function", what)
        }
        FunctionSelector::Name(name) => {
            let what = format!("there is no function {name:?} that can be reached");
            Failure::at("--function", what)
        }
    })?;
    Ok(control_flow(unit, &calls, profile))
}

/// The unit that a selector stands for.
fn find<'a>(units: &'a [UnitPart], selector: &FunctionSelector) -> Option<&'a UnitPart> {
    match selector {
        FunctionSelector::Name(name) => units
            .iter()
            .find(|unit| unit.function == unit.entry && unit.name.as_ref() == Some(name)),
        FunctionSelector::Pc(pc) => {
            let holds = |unit: &&UnitPart| {
                let mut blocks = unit.blocks.iter();
                blocks.any(|block| (block.start as usize..block.end as usize).contains(pc))
            };
            units.iter().find(holds)
        }
    }
}

/// A graph as a picture within a page; none if it is too large for that.
pub(crate) fn picture(drawing: &Drawing, most_nodes: usize) -> Option<String> {
    let placed = layout::place(drawing, most_nodes).ok()?;
    Some(svg::render(drawing, &placed, svg::Style::InPage))
}

/// Takes a program apart.
///
/// # Errors
/// When it can't be compiled.
pub(crate) fn examine<T: Send>(
    source: &Source,
    mut options: AnatomyOptions,
    each: impl Fn(UnitPart) -> T + Sync,
) -> Result<(ProgramPart, Vec<T>), Failure> {
    let counter = Counter::new(source.is_quiet);
    let each = |unit| {
        let made = each(unit);
        counter.count();
        made
    };
    let examined = match &source.program {
        SourceProgram::Ebpf(program) => anatomy::examine_ebpf(program, &options, each),
        SourceProgram::Sbpf(program, names) => {
            options.names = BTreeMap::clone(names);
            anatomy::examine(&program.executable, &options, each)
        }
    };
    examined.map_err(|error: DumpError| Failure::at(&source.name, error.to_string()))
}
