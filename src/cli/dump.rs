//! `sbpf-cranelift dump`.

use {
    super::{
        failure::Failure,
        program::{LoadOptions, Program, Version, read_program},
        run::{DialectChoice, Printout, refuse},
        samples,
    },
    clap::Args,
    sbpf_cranelift::dump::{self, DumpError, DumpOptions, FunctionSelector, Stage},
    std::{
        collections::BTreeMap,
        fs::File,
        io::{self, BufWriter, Write},
        path::{Path, PathBuf},
    },
    target_lexicon::Triple,
};

/// Examples, below the options.
pub(crate) const AFTER_HELP: &str = "\
Stages:
  insns  decoded instructions with their bytes, in blocks with cost and live registers
  cfg    the blocks, what they need, and where control goes from them
  clif   Cranelift IR with pc, mnemonic, and what each block is for
  vcode  Cranelift's machine IR after register allocation
  asm    native disassembly with pc

Examples:
  sbpf-cranelift dump program.so --emit insns,cfg
      Lists the decoded instructions and the control-flow graph of every function.
  sbpf-cranelift dump loop.s --sbpf-version v0 --emit clif,asm --function entrypoint
      Shows Cranelift's IR and the machine code of one function.
  sbpf-cranelift dump program.so --emit asm --target aarch64-unknown-linux-gnu -o program.asm
      Writes the machine code for another target to a file.
  sbpf-cranelift dump filter.o --dialect ebpf --section xdp
      Shows Cranelift's IR of a program of standard eBPF.
  sbpf-cranelift dump --sample memo --emit all --function 120
      Shows all stages of the function of a bundled program that has an instruction at pc 120.

Without --target, code is generated for this machine with all its features; with it, for any
machine of that kind. SBPF_CRANELIFT_DUMP=STAGES[:FUNCTION][>DIRECTORY] dumps whatever
`sbpf-cranelift run`, or another program that uses the library, compiles.

Exit status:
  0  the dump was written
  2  bad input: a file, an option, a function or a target is wrong";

/// Shows the stages of compiling a program.
#[derive(Debug, Args)]
pub(crate) struct DumpArguments {
    /// ELF file or assembly text
    #[arg(required_unless_present = "sample")]
    program: Option<PathBuf>,
    /// A bundled program; `run --list-samples` lists them
    #[arg(long, value_name = "NAME", conflicts_with_all = ["program", "sbpf_version"])]
    sample: Option<String>,
    /// Stages to show of each function, in this order, or all: insns, cfg, clif, vcode, asm
    #[arg(long, value_name = "STAGES", default_value = "clif", value_parser = stages)]
    emit: Stages,
    /// Only the function of this name, or the one with an instruction at this pc
    #[arg(long, value_name = "NAME|PC")]
    function: Option<FunctionSelector>,
    /// Mark where indirect jumps may lead, and sign return addresses (arm64: BTI, PAC)
    #[arg(long)]
    protect_branches: bool,

    /// Hide constants with the key that follows from this number [default: 0]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    /// Generate code for this target [default: this machine]
    #[arg(long, value_name = "TRIPLE", value_parser = triple)]
    target: Option<Triple>,
    /// The instruction set of the program
    #[arg(
        long,
        value_name = "DIALECT",
        value_enum,
        default_value_t = DialectChoice::Sbpf,
        conflicts_with = "sample"
    )]
    dialect: DialectChoice,
    /// eBPF: the program with this name of a section or function [default: the first]
    #[arg(long, value_name = "NAME")]
    section: Option<String>,
    /// Version of assembly text [default: v3]
    #[arg(long, value_name = "VERSION", value_enum)]
    sbpf_version: Option<Version>,
    /// Write to this file instead of the terminal
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The value of `--emit`.
#[derive(Debug, Clone)]
struct Stages(Vec<Stage>);

/// Reads a list of stages.
fn stages(text: &str) -> Result<Stages, dump::UnknownStage> {
    match text {
        "all" => Ok(Stages(Stage::ALL.to_vec())),
        text => text
            .split(',')
            .map(|stage| stage.trim().parse())
            .collect::<Result<_, _>>(),
    }
}

/// Reads a target.
fn triple(text: &str) -> Result<Triple, String> {
    text.parse()
        .map_err(|error: target_lexicon::ParseError| error.to_string())
}

impl FromIterator<Stage> for Stages {
    fn from_iter<I: IntoIterator<Item = Stage>>(stages: I) -> Self {
        Self(stages.into_iter().collect())
    }
}

/// Runs the command. Large programs have large dumps, so the text is written piece by piece.
///
/// # Errors
/// Bad input, in one line.
pub(crate) fn run(arguments: &DumpArguments) -> Result<Printout, Failure> {
    let (name, bytes) = match &arguments.program {
        Some(path) => (path.display().to_string(), read_program(path)?),
        None => {
            let sample = samples::find(arguments.sample.as_deref())?;
            (sample.program.to_string(), sample.load()?.elf)
        }
    };
    let mut options = DumpOptions::default();
    options.stages.clone_from(&arguments.emit.0);
    options.function.clone_from(&arguments.function);
    options.target.clone_from(&arguments.target);
    options.compile.protect_branches = arguments.protect_branches;
    options.compile.seed = arguments.seed;
    let mut output: Box<dyn Write> = match &arguments.output {
        None => Box::new(BufWriter::new(io::stdout().lock())),
        Some(path) => Box::new(BufWriter::new(CreatedFile { path, file: None })),
    };
    let written = match arguments.dialect {
        DialectChoice::Ebpf => {
            let given = [("--sbpf-version", arguments.sbpf_version.is_some())];
            refuse(&given, "is for programs of --dialect sbpf")?;
            let program = super::ebpf::load(&name, &bytes, arguments.section.as_deref())?;
            dump::write_ebpf(&program, &options, &mut output)
        }
        DialectChoice::Sbpf => {
            let given = [("--section", arguments.section.is_some())];
            refuse(&given, "is for programs of --dialect ebpf")?;
            let load_options = LoadOptions {
                version: arguments.sbpf_version,
                ..LoadOptions::default()
            };
            let program = Program::load(&name, &bytes, load_options)?;
            options.names = symbols(&name, &bytes, load_options);
            dump::write(&program.executable, &options, &mut output)
        }
    };
    match written {
        Ok(()) => {}
        Err(DumpError::Write(error)) => match &arguments.output {
            Some(path) => return Err(Failure::io(path, &error)),
            // A reader that stopped listening (`| head`) is no error.
            None if error.kind() == io::ErrorKind::BrokenPipe => {}
            None => return Err(Failure::new(format!("can't write: {error}"))),
        },
        Err(error) => return Err(Failure::at(name, error.to_string())),
    }
    Ok(Printout {
        text: String::new(),
        status: 0,
    })
}

/// The names of the program's functions. They come from a second executable, since one with
/// labels is compiled to other code. Without names a dump is only less readable.
fn symbols(name: &str, bytes: &[u8], options: LoadOptions) -> BTreeMap<usize, String> {
    let labelled = Program::load(
        name,
        bytes,
        LoadOptions {
            labels: true,
            ..options
        },
    );
    let Ok(labelled) = labelled else {
        return BTreeMap::new();
    };
    let functions = labelled.executable.get_function_registry().iter();
    functions
        .map(|(_, (name, pc))| (pc, String::from_utf8_lossy(name).into_owned()))
        .collect()
}

/// A file that is created when the first byte is written, so that a failure leaves an older one
/// as it was.
struct CreatedFile<'a> {
    path: &'a Path,
    file: Option<File>,
}

impl Write for CreatedFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            none => none.insert(File::create(self.path)?).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}
