//! `sbpf-cranelift run --dialect ebpf`.

use {
    super::{
        load,
        maps::{self, Map},
        memory,
    },
    crate::cli::{
        failure::Failure,
        input::DEFAULT_BUDGET,
        program::read_program,
        run::{EngineChoice, Printout, RunArguments, refuse},
        text,
    },
    sbpf_cranelift::ebpf::{CompiledProgram, Fault, Helpers, Options, Outcome, Program},
    serde_json::{Value, json},
    std::time::{Duration, Instant},
};

/// For how long a run is repeated if nobody says how often.
const REPETITION_TIME: Duration = Duration::from_millis(20);

/// How often a run is repeated at most if nobody says how often.
const MOST_REPETITIONS: u32 = 100;

/// What an engine did.
struct Run {
    engine: &'static str,
    compile_time: Option<Duration>,
    code_bytes: Option<usize>,
    run_time: Duration,
    outcome: Outcome,
    context: Vec<u8>,
    stack: Vec<u8>,
    maps: Vec<Map>,
}

/// What a program is run on, again and again.
struct Input {
    context: Vec<u8>,
    maps: Vec<Map>,
    limit: u64,
}

impl Run {
    fn agrees_with(&self, other: &Self) -> bool {
        (&self.outcome, &self.context, &self.stack, &self.maps)
            == (&other.outcome, &other.context, &other.stack, &other.maps)
    }
}

/// Runs the command.
///
/// # Errors
/// Bad input, in one line.
pub(crate) fn run(arguments: &RunArguments) -> Result<Printout, Failure> {
    refuse(&arguments.of_sbpf(), "is for programs of --dialect sbpf")?;
    let Some(path) = &arguments.program else {
        return Err(Failure::new("--dialect ebpf needs a program"));
    };
    let name = path.display().to_string();
    let bytes = read_program(path)?;
    let mut options = Options::default();
    options.compile.seed = arguments.seed;
    options.compile.guard_speculation = arguments.guard_speculation;
    if !arguments.native_names.is_empty() {
        let formats = &mut options.compile.native_names.formats;
        formats.clone_from(&arguments.native_names);
    }
    let section = arguments.section.as_deref();
    let program = load(&name, &bytes, section, &options)?;
    let input = Input {
        context: memory(arguments.mem.as_deref())?,
        maps: maps::maps(&arguments.map, &program)?,
        limit: arguments.budget.unwrap_or(DEFAULT_BUDGET),
    };
    let (is_compiled, is_interpreted) = match arguments.engine {
        None | Some(EngineChoice::Cranelift) => (true, false),
        Some(EngineChoice::Interpreter) => (false, true),
        Some(EngineChoice::All) => (true, true),
        Some(EngineChoice::HandWritten) => {
            let what = "the hand-written JIT of solana-sbpf runs no standard eBPF";
            return Err(Failure::at("--engine", what));
        }
    };
    let mut runs = Vec::new();
    if is_interpreted {
        runs.push(execute(&program, None, &input, arguments.repeat));
    }
    if is_compiled {
        let start = Instant::now();
        let compiled = program.compile();
        let compiled = compiled.map_err(|error| Failure::at(&name, error.to_string()))?;
        let time = start.elapsed();
        let compiled = Some((&compiled, time));
        runs.push(execute(&program, compiled, &input, arguments.repeat));
    }
    let agree = match &runs[..] {
        [expected, found] => Some(found.agrees_with(expected)),
        _ => None,
    };
    let succeeded = runs.iter().all(|run| run.outcome.result.is_ok());
    let status = u8::from(!succeeded || agree == Some(false));
    let text = match (arguments.json, arguments.quiet) {
        (true, _) => document(&name, &runs, agree, status),
        (false, is_quiet) => lines(&runs, agree, is_quiet),
    };
    Ok(Printout { text, status })
}

/// Runs an engine again and again on fresh memory; reports the shortest time.
fn execute(
    program: &Program,
    compiled: Option<(&CompiledProgram, Duration)>,
    input: &Input,
    repeat: Option<u32>,
) -> Run {
    let limit = input.limit;
    let once = || {
        let mut bytes = input.context.clone();
        let mut memory = program.memory();
        memory.set_context(&mut bytes);
        let mut helpers = Helpers::new();
        maps::give(&input.maps, &mut memory, &mut helpers);
        let start = Instant::now();
        let outcome = match compiled {
            Some((compiled, _)) => compiled.run(&mut memory, &mut helpers, limit),
            None => program.interpret(&mut memory, &mut helpers, limit),
        };
        Run {
            run_time: start.elapsed(),
            engine: if compiled.is_some() {
                "cranelift"
            } else {
                "interpreter"
            },
            compile_time: compiled.map(|(_, time)| time),
            code_bytes: compiled.map(|(compiled, _)| compiled.machine_code().len()),
            outcome,
            context: memory.context(),
            stack: memory.stack(),
            maps: maps::left(&input.maps, &memory),
        }
    };
    let begin = Instant::now();
    let mut run = once();
    for done in 1.. {
        let is_enough = match repeat {
            Some(repetitions) => done >= repetitions,
            None => done >= MOST_REPETITIONS || begin.elapsed() >= REPETITION_TIME,
        };
        if is_enough {
            break;
        }
        run.run_time = once().run_time.min(run.run_time);
    }
    run
}

fn ending(outcome: &Outcome) -> String {
    match &outcome.result {
        Ok(result) => format!("r0 = {result:#x}"),
        Err(fault) => format!("{fault}"),
    }
}

fn lines(runs: &[Run], agree: Option<bool>, is_quiet: bool) -> String {
    let mut text = String::new();
    for run in runs {
        text += &format!("{:11}  {}\n", run.engine, ending(&run.outcome));
        if is_quiet {
            continue;
        }
        let compiled = match (run.compile_time, run.code_bytes) {
            (Some(time), Some(bytes)) => {
                let bytes = text::grouped(bytes as u64);
                format!(", compiled in {} to {bytes} bytes", text::time(time))
            }
            _ => String::new(),
        };
        text += &format!(
            "             {} instructions to pc {}, run in {}{compiled}\n",
            text::grouped(run.outcome.instructions),
            run.outcome.pc,
            text::time(run.run_time),
        );
    }
    match (agree, runs) {
        (Some(true), _) if !is_quiet => {
            text += "engines agree on result, instructions, pc and memory\n";
        }
        (Some(false), [expected, found]) => {
            text += &format!(
                "engines differ: {:?} and {:?}\n",
                expected.outcome, found.outcome
            );
        }
        _ => {}
    }
    text
}

/// The values of maps in hexadecimal, by the names that arguments gave them.
fn contents(maps: &[Map]) -> serde_json::Map<String, Value> {
    let maps = maps.iter();
    maps.map(|map| (map.name.clone(), hex::encode(&map.values).into()))
        .collect()
}

fn document(name: &str, runs: &[Run], agree: Option<bool>, status: u8) -> String {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let engines: Vec<Value> = runs
        .iter()
        .map(|run| {
            json!({
                "engine": run.engine,
                "result": run.outcome.result.as_ref().ok().map(|result| format!("{result:#x}")),
                "error": run.outcome.result.as_ref().err().map(Fault::to_string),
                "instructions": run.outcome.instructions,
                "pc": run.outcome.pc,
                "compile_nanoseconds": run.compile_time.map(nanoseconds),
                "code_bytes": run.code_bytes,
                "run_nanoseconds": nanoseconds(run.run_time),
                "memory": hex::encode(&run.context),
                "maps": contents(&run.maps),
            })
        })
        .collect();
    let value = json!({
        "program": name,
        "dialect": "ebpf",
        "engines": engines,
        "agree": agree,
        "exit_status": status,
    });
    format!("{value:#}\n")
}
