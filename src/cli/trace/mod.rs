//! What a run does, instruction by instruction: traces, profiles and backtraces.
//!
//! All of them come from one more run, on the interpreter.
//!
//! | file | its one idea |
//! |---|---|
//! | `stepper` | a run of which every instruction can be looked at |
//! | `instructions` | instructions as text |
//! | `filter` | which of them are written |
//! | `writer` | a trace as lines of JSON |
//! | `profile` | where the compute units go |
//! | `flame_graph` | that as an SVG file |
//! | `progress` | how far the run has come |
//! | `backtrace` | which calls led to an error |
//! | `source_lines` | the lines of source that instructions were made from |

mod backtrace;
mod filter;
mod flame_graph;
mod instructions;
mod profile;
mod progress;
mod source_lines;
mod stepper;
mod writer;

pub(crate) use backtrace::Frame;

use {
    super::{
        compare::{check_writable, write_file},
        engine::{Outcome, Refusal, Workload},
        failure::Failure,
        functions::Functions,
    },
    clap::Args,
    filter::{Filter, PcRange},
    instructions::Instructions,
    profile::Profile,
    std::{
        fs::File,
        io::{self, BufWriter, Write},
        path::{Path, PathBuf},
    },
    writer::TraceWriter,
};

/// The value of `--trace` that means the standard output.
const STANDARD_OUTPUT: &str = "-";

/// What to write down about a run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Trace and profile, from one more run on the interpreter")]
pub(crate) struct TraceArguments {
    /// Write a line of JSON with all registers before each instruction, to a file or, with the
    /// report on standard error, to standard output
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = STANDARD_OUTPUT
    )]
    trace: Option<PathBuf>,
    /// Trace only these pcs: 120, 120..140, 120..=139, 120.. or ..140
    #[arg(long, value_name = "PCS", value_parser = filter::pc_range, requires = "trace")]
    trace_pc: Option<PcRange>,
    /// Trace only this function; may be given more than once
    #[arg(long, value_name = "NAME", requires = "trace")]
    trace_function: Vec<String>,
    /// Trace only instructions of these mnemonics, with commas between
    #[arg(
        long,
        value_name = "OPCODES",
        value_delimiter = ',',
        requires = "trace"
    )]
    trace_opcode: Vec<String>,
    /// Write a flame graph of functions by compute units
    #[arg(long, value_name = "FILE.svg")]
    profile: Option<PathBuf>,
    /// Write how often each instruction was executed
    #[arg(long, value_name = "FILE")]
    profile_json: Option<PathBuf>,
}

impl TraceArguments {
    /// The options, and whether they are given.
    pub(crate) fn given(&self) -> [(&'static str, bool); 3] {
        [
            ("--trace", self.trace.is_some()),
            ("--profile", self.profile.is_some()),
            ("--profile-json", self.profile_json.is_some()),
        ]
    }

    /// Whether any is.
    pub(crate) fn is_any(&self) -> bool {
        self.given().iter().any(|(_, is_given)| *is_given)
    }

    /// Whether standard output is for the trace alone.
    pub(crate) fn takes_standard_output(&self) -> bool {
        self.trace.as_deref() == Some(Path::new(STANDARD_OUTPUT))
    }
}

/// The machine before an instruction is executed.
pub(crate) struct Moment<'m> {
    /// The instruction.
    pub(crate) pc: usize,
    /// Calls that have not returned.
    pub(crate) depth: usize,
    /// Compute units used so far.
    pub(crate) units: u64,
    /// Registers r0 to r10, and the pc.
    pub(crate) registers: &'m [u64; 12],
}

/// Looks at every instruction, for whoever wants to know.
pub(crate) struct Recorder<'r> {
    functions: Functions,
    instructions: Instructions<'r>,
    depth: usize,
    trace: Option<TraceWriter<'r>>,
    profile: Option<Profile>,
}

impl Recorder<'_> {
    fn before(&mut self, moment: &Moment<'_>) {
        self.depth = moment.depth;
        if let Some(profile) = &mut self.profile {
            profile.before(moment);
        }
        if let Some(trace) = &mut self.trace {
            trace.write(moment, &self.functions, &mut self.instructions);
        }
    }

    /// After an instruction that used `units`: calls that have not returned, and the next pc.
    fn after(&mut self, units: u64, depth: usize, pc: usize) {
        if let Some(profile) = &mut self.profile {
            profile.after(units, depth, pc, &self.instructions);
        }
        if depth > self.depth {
            self.functions.add(pc);
        }
    }
}

/// What the run on the interpreter showed.
pub(crate) struct Traced {
    /// What it came to.
    pub(crate) outcome: Outcome,
    /// Where it ended, innermost frame first.
    pub(crate) backtrace: Vec<Frame>,
}

/// Runs `workload` on the interpreter, and writes what `arguments` ask for.
///
/// # Errors
/// When a file can't be written, a function is unknown, or the interpreter can't run.
pub(crate) fn run(workload: &Workload<'_>, arguments: &TraceArguments) -> Result<Traced, Failure> {
    let program = workload.program;
    let filter = Filter {
        range: arguments.trace_pc.clone(),
        functions: arguments.trace_function.clone(),
        opcodes: arguments.trace_opcode.clone(),
    };
    let functions = Functions::of(program);
    filter.check(&functions)?;
    let files = arguments.profile.iter().chain(&arguments.profile_json);
    files.map(PathBuf::as_path).try_for_each(check_writable)?;
    let output = trace_output(arguments)?;
    let is_profiled = arguments.profile.is_some() || arguments.profile_json.is_some();
    let entry = program.executable.get_entrypoint_instruction_offset();
    let mut recorder = Recorder {
        functions,
        instructions: Instructions::new(&program.executable),
        depth: 0,
        trace: output.map(|output| TraceWriter::new(output, &filter)),
        profile: is_profiled.then(|| Profile::new(program.instruction_slots(), entry)),
    };
    let stepped = stepper::step_through(workload, &mut recorder).map_err(|refusal| {
        let (Refusal::Absent(why) | Refusal::Failed(why)) = refusal;
        Failure::new(why)
    })?;
    let Recorder {
        functions,
        trace,
        profile,
        ..
    } = recorder;
    if let Some(trace) = trace {
        let path = arguments.trace.as_deref().unwrap_or(Path::new(""));
        trace.finish().map_err(|error| Failure::io(path, &error))?;
    }
    if let Some(profile) = profile {
        if let Some(path) = &arguments.profile {
            let graph = flame_graph::render(&profile, &functions, &program.name);
            write_file(path, &graph)?;
        }
        if let Some(path) = &arguments.profile_json {
            let counts = profile.to_json(&program.name);
            write_file(path, &format!("{counts:#}\n"))?;
        }
    }
    Ok(Traced {
        outcome: stepped.outcome,
        backtrace: backtrace::symbolise(&stepped.frames, program, &functions),
    })
}

/// Where the trace goes, if one is asked for.
fn trace_output(arguments: &TraceArguments) -> Result<Option<Box<dyn Write>>, Failure> {
    let Some(path) = &arguments.trace else {
        return Ok(None);
    };
    if arguments.takes_standard_output() {
        return Ok(Some(Box::new(BufWriter::new(io::stdout().lock()))));
    }
    let file = File::create(path).map_err(|error| Failure::io(path, &error))?;
    Ok(Some(Box::new(BufWriter::new(file))))
}
