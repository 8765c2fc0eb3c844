//! `sbpf-cranelift run`.

use {
    super::{
        engine::{self, Engine, Refusal, Workload},
        failure::{Failure, one_line},
        functions::Functions,
        input::{DEFAULT_BUDGET, DEFAULT_HEAP, Input, REGION_BYTES_LIMIT},
        json, print,
        program::{LoadOptions, Program},
        report::{Report, account_changes},
        samples,
        shared::{InputArguments, VersionArgument},
        text::Style,
        trace::{self, TraceArguments},
    },
    clap::{Args, ValueEnum},
    sbpf_cranelift::{Cache, NativeNameFormat, NativeNames},
    std::{
        io::{self, Write},
        path::PathBuf,
        sync::Arc,
    },
};

/// Examples and exit statuses, below the options.
pub(crate) const AFTER_HELP: &str = "\
Examples:
  sbpf-cranelift run
      Runs a token transfer of the real token-2022 program, and checks it with the interpreter.
  sbpf-cranelift run --sample memo --engine all
      Runs another bundled program on all engines, side by side.
  sbpf-cranelift run program.so --accounts call.json
      Runs an ELF file with accounts and instruction data from a JSON document.
  sbpf-cranelift run loop.s --sbpf-version v0 --budget 1000000 --engine all
      Assembles a text file and compares the engines.
  sbpf-cranelift run program.so --cache cache
      Compiles it only if its code is not in that directory, and stores it there.
  sbpf-cranelift run program.so --input input.bin --json
      Passes a file as the input region, and prints JSON.
  sbpf-cranelift run program.so --profile flames.svg --profile-json counts.json
      Shows in which functions the compute units go, and how often each instruction ran.
  sbpf-cranelift run program.so --trace --trace-opcode call,callx,syscall | jq .instruction
      Prints all calls, with registers, as lines of JSON; the report is on standard error.
  perf record -g sbpf-cranelift run program.so --repeat 1000000 --native-names perf-map
      Lets perf report show where compiled code spends its time; gdb does with gdb instead.
  sbpf-cranelift run filter.o --dialect ebpf --section xdp --mem 'ff ee dd' --engine all
      Runs a program of standard eBPF, as clang makes it, on a context of three bytes.
  sbpf-cranelift run counter.o --dialect ebpf --mem 02 --map counters=zeros:32 --json
      Gives its map \"counters\" four values of eight bytes, and prints what it leaves in them.

The JSON document of --accounts (everything may be left out):
  { \"program_id\": \"<base58>\",
    \"instruction_data\": <bytes>,
    \"accounts\": [ { \"pubkey\": \"<base58>\", \"owner\": \"<base58>\", \"lamports\": 0,
                    \"data\": <bytes>, \"is_signer\": false, \"is_writable\": false,
                    \"executable\": false, \"rent_epoch\": 18446744073709551615 } ],
    \"sysvars\": { \"clock\": { \"slot\": 0, \"epoch_start_timestamp\": 0, \"epoch\": 0,
                              \"leader_schedule_epoch\": 0, \"unix_timestamp\": 0 },
                 \"rent\": { \"lamports_per_byte_year\": 3480, \"exemption_threshold\": 2.0,
                           \"burn_percent\": 50 },
                 \"epoch_schedule\": { \"slots_per_epoch\": 432000, \"warmup\": false,
                                     \"leader_schedule_slot_offset\": 432000,
                                     \"first_normal_epoch\": 0, \"first_normal_slot\": 0 },
                 \"last_restart_slot\": 0,
                 \"other\": { \"<base58>\": <bytes> } },
    \"budget\": 200000, \"heap\": 32768, \"instruction_data_in_r2\": true }
  <bytes> is {\"hex\": \"…\"}, {\"base64\": \"…\"}, {\"base58\": \"…\"}, {\"text\": \"…\"},
  {\"file\": \"path\"}, {\"zeros\": n} or [1, 2, 3]. An address given before is a duplicate.

An error comes with a backtrace: the program is run once more, on the interpreter, whose frames it
shows. Lines of source are there if the ELF file has debug information (DWARF).

Exit status:
  0  the program succeeded: r0 is 0, or it is assembly text or eBPF and returned anything
  1  the program failed, an engine could not run it, or the engines differ
  2  bad input: a file, an option or a document is wrong";

/// Which instruction set a program is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DialectChoice {
    /// Solana's
    Sbpf,
    /// The standard, RFC 9669
    Ebpf,
}

/// Which engines to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineChoice {
    /// This crate
    Cranelift,
    /// The interpreter of solana-sbpf
    Interpreter,
    /// The hand-written JIT of solana-sbpf (x86_64, not Windows)
    HandWritten,
    /// All of them, side by side
    All,
}

impl EngineChoice {
    /// The engines meant.
    fn engines(self) -> Vec<Engine> {
        match self {
            Self::Cranelift => vec![Engine::Cranelift],
            Self::Interpreter => vec![Engine::Interpreter],
            Self::HandWritten => vec![Engine::HandWritten],
            Self::All => Engine::ALL.to_vec(),
        }
    }
}

/// Runs a program: an ELF file, assembly text, or without arguments a bundled sample.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// ELF file or assembly text; a bundled sample when left out
    pub(crate) program: Option<PathBuf>,
    /// The instruction set of the program
    #[arg(
        long,
        value_name = "DIALECT",
        value_enum,
        default_value_t = DialectChoice::Sbpf,
        requires = "program"
    )]
    dialect: DialectChoice,
    /// eBPF: the program with this name of a section or function [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) section: Option<String>,
    /// eBPF: bytes of the context, in hexadecimal or as a file
    #[arg(long, value_name = "HEX|FILE")]
    pub(crate) mem: Option<String>,
    /// eBPF: values of the map of this name or number, each of SIZE bytes [default: 8]; helper 1 finds
    /// the value with a 32-bit number. Can be given several times
    #[arg(long, value_name = "NAME[/SIZE]=HEX|FILE|zeros:LENGTH")]
    pub(crate) map: Vec<String>,
    /// Run this bundled sample
    #[arg(long, value_name = "NAME", conflicts_with_all = ["program", "input", "accounts"])]
    sample: Option<String>,
    /// List the bundled samples
    #[arg(long, conflicts_with_all = [
        "program", "dialect", "section", "mem", "map", "sample", "heap", "budget", "engine",
        "unaligned_mapping", "cache", "lazy", "seed", "guard_speculation", "native_names", "repeat", "quiet",
        "trace", "profile", "profile_json",
    ])]
    list_samples: bool,
    #[command(flatten)]
    on: InputArguments,
    /// Bytes of heap [default: 32768]
    #[arg(long, value_name = "BYTES", value_parser = parse_number, allow_hyphen_values = true)]
    heap: Option<u64>,
    /// Compute units [default: 1400000]
    #[arg(long, value_name = "N", value_parser = parse_number, allow_hyphen_values = true)]
    pub(crate) budget: Option<u64>,
    /// What to run it on [default: cranelift, and for samples the interpreter too]
    #[arg(long, value_name = "ENGINE", value_enum)]
    pub(crate) engine: Option<EngineChoice>,
    #[command(flatten)]
    version: VersionArgument,
    /// Find memory regions by search, as agave does with directly mapped accounts
    #[arg(long)]
    unaligned_mapping: bool,
    /// Directory to find compiled code in, or to store it in for the next time
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Compile each function when it is called first
    #[arg(long, conflicts_with = "native_names")]
    lazy: bool,
    /// Make code reproducible: layout and hiding of constants follow from this [default: random]
    #[arg(long, value_name = "N", value_parser = parse_number, allow_hyphen_values = true)]
    pub(crate) seed: Option<u64>,
    /// Keep the processor from loading what it may not when it mispredicts the check of an address
    #[arg(long)]
    pub(crate) guard_speculation: bool,
    /// Tell native tools the names of functions: perf-map, jitdump, gdb, valgrind, with commas between
    #[arg(long, value_name = "FORMATS", value_delimiter = ',')]
    pub(crate) native_names: Vec<NativeNameFormat>,
    /// Run so many times, and report the shortest run time [default: for 20 ms, at most 100 times]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: Option<u32>,
    /// Print JSON
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) json: bool,
    /// Print only the result, and differences if there are any
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// What to write down about the run
    #[command(flatten)]
    pub(crate) trace: TraceArguments,
}

/// A number in decimal or hexadecimal, with `_` between digits if that helps.
///
/// # Errors
/// When it is not one, or too large.
fn parse_number(text: &str) -> Result<u64, String> {
    let digits = text.replace('_', "");
    let parsed = match digits.strip_prefix("0x") {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16),
        None => digits.parse(),
    };
    parsed.map_err(|error| error.to_string())
}

/// What a command prints, and whether all is well.
pub(crate) struct Printout {
    /// Text for the standard output.
    pub(crate) text: String,
    /// The exit status: 0 or 1.
    pub(crate) status: u8,
}

/// Runs the command.
///
/// # Errors
/// Bad input, in one line.
pub(crate) fn run(arguments: &RunArguments) -> Result<Printout, Failure> {
    if arguments.list_samples {
        return Ok(Printout {
            text: sample_list(arguments.json),
            status: 0,
        });
    }
    match arguments.dialect {
        DialectChoice::Ebpf => return super::ebpf::run::run(arguments),
        DialectChoice::Sbpf => refuse(
            &[
                ("--section", arguments.section.is_some()),
                ("--mem", arguments.mem.is_some()),
                ("--map", !arguments.map.is_empty()),
            ],
            "is for programs of --dialect ebpf",
        )?,
    }
    let (program, input, about) = load(arguments)?;
    let heap = arguments.heap.or(input.heap).unwrap_or(DEFAULT_HEAP);
    if heap > REGION_BYTES_LIMIT {
        let what = format!("{heap} bytes of heap are more than {REGION_BYTES_LIMIT}");
        return Err(Failure::at("--heap", what));
    }
    let workload = Workload {
        program: &program,
        instruction_data: input.instruction_data(),
        heap: usize::try_from(heap).unwrap_or(usize::MAX),
        budget: arguments.budget.or(input.budget).unwrap_or(DEFAULT_BUDGET),
        environment: Arc::new(input.environment(&program)),
        input: input.bytes.clone(),
        cache: arguments
            .cache
            .as_ref()
            .map_or_else(Cache::none, Cache::in_directory),
        seed: arguments.seed,
        guard_speculation: arguments.guard_speculation,
        native_names: native_names(arguments, &program),
        lazy: arguments.lazy,
    };
    let runs = engines(arguments, about.is_some())
        .into_iter()
        .map(|engine| (engine, engine::run(engine, &workload, arguments.repeat)))
        .collect();
    let mut report = Report::new(&workload, about, runs);
    for problem in workload.cache.statistics().problems {
        // There is nowhere to report that this failed.
        let _ = writeln!(io::stderr(), "warning: cache: {}", one_line(&problem));
    }
    if let [(_, Err(Refusal::Absent(why)))] = report.runs.as_slice() {
        return Err(Failure::at("--engine", why.clone()));
    }
    if let (Some((instruction, serialized)), Some(run)) = (&input.call, report.first_run()) {
        report.accounts =
            account_changes(instruction, serialized, &run.outcome.input, &input.labels);
    }
    if arguments.trace.is_any() {
        report.add_trace(trace::run(&workload, &arguments.trace)?);
    } else if report.is_failure()
        && !arguments.quiet
        && let Ok(traced) = trace::run(&workload, &arguments.trace)
    {
        report.add_trace(traced);
    }
    let status = u8::from(!report.is_success());
    let text = if arguments.json {
        json::render(&report, status)
    } else {
        print::render(&report, Style::of_standard_output(), arguments.quiet)
    };
    if arguments.trace.takes_standard_output() {
        // There is nowhere to report that this failed.
        let _ = io::stderr().write_all(text.as_bytes());
        let text = String::new();
        return Ok(Printout { text, status });
    }
    Ok(Printout { text, status })
}

/// The names that native tools are told, if any.
fn native_names(arguments: &RunArguments, program: &Program) -> Option<NativeNames> {
    let mut names = NativeNames::default();
    if !arguments.native_names.is_empty() {
        names.formats.clone_from(&arguments.native_names);
    }
    if names.formats.is_empty() {
        return None;
    }
    let functions = Functions::of(program);
    let functions = functions.iter();
    names.functions = functions.map(|(pc, name)| (pc, name.to_string())).collect();
    Some(names)
}

/// Refuses options that are given and have no meaning.
pub(crate) fn refuse(options: &[(&str, bool)], why: &str) -> Result<(), Failure> {
    match options.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(Failure::at(*option, why)),
        None => Ok(()),
    }
}

impl RunArguments {
    /// Options that only programs of sBPF have, and whether they are given.
    pub(crate) fn of_sbpf(&self) -> [(&'static str, bool); 9] {
        let [trace, profile, profile_json] = self.trace.given();
        [
            ("--input", self.on.input.is_some()),
            ("--accounts", self.on.accounts.is_some()),
            ("--heap", self.heap.is_some()),
            ("--sbpf-version", self.version.sbpf_version.is_some()),
            ("--unaligned-mapping", self.unaligned_mapping),
            ("--lazy", self.lazy),
            trace,
            profile,
            profile_json,
        ]
    }
}

/// The engines to run; a sample runs on Cranelift and is checked by the interpreter.
fn engines(arguments: &RunArguments, is_sample: bool) -> Vec<Engine> {
    match arguments.engine {
        Some(choice) => choice.engines(),
        None if is_sample => vec![Engine::Cranelift, Engine::Interpreter],
        None => vec![Engine::Cranelift],
    }
}

/// The program, its input, and for a sample what it does.
fn load(arguments: &RunArguments) -> Result<(Program, Input, Option<String>), Failure> {
    let options = LoadOptions {
        version: arguments.version.sbpf_version,
        labels: false,
        unaligned_mapping: arguments.unaligned_mapping,
        ..LoadOptions::default()
    };
    let Some(path) = &arguments.program else {
        let sample = samples::find(arguments.sample.as_deref())?;
        let loaded = sample.load()?;
        let program = Program::load(sample.program, &loaded.elf, options)?;
        let input = Input::call(loaded.instruction, loaded.labels);
        return Ok((program, input, Some(sample.about.to_string())));
    };
    let input = arguments.on.read()?;
    Ok((Program::read(path, options)?, input, None))
}

/// The names of all samples and what they do.
fn sample_list(as_json: bool) -> String {
    let samples = samples::SAMPLES.iter();
    if as_json {
        let samples = samples.map(|sample| {
            serde_json::json!({
                "name": sample.name,
                "about": sample.about,
                "program": sample.program,
            })
        });
        let samples: Vec<_> = samples.collect();
        let value = serde_json::json!({ "samples": samples, "exit_status": 0 });
        return format!("{value:#}\n");
    }
    samples
        .map(|sample| format!("{:20} {} ({})\n", sample.name, sample.about, sample.program))
        .collect()
}
