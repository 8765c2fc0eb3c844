//! `sbpf-cranelift dump`.

use {
    super::{
        failure::Failure,
        run::Printout,
        source::{Source, SourceArguments, SourceProgram},
    },
    clap::Args,
    sbpf_cranelift::dump::{self, DumpError, DumpOptions, FunctionSelector, Stage},
    std::{
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
  sbpf-cranelift dump program.so --emit asm --json | jq -r '.[].function'
      Lists all functions of native code.
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
    /// The program.
    #[command(flatten)]
    source: SourceArguments,
    /// Stages to show of each function, in this order, or all: insns, cfg, clif, vcode, asm
    #[arg(long, value_name = "STAGES", default_value = "clif", value_parser = stages)]
    emit: Stages,
    /// Only the function of this name, or the one with an instruction at this pc
    #[arg(long, value_name = "NAME|PC")]
    function: Option<FunctionSelector>,
    /// Mark where indirect jumps may lead, and sign return addresses (arm64: BTI, PAC)
    #[arg(long)]
    protect_branches: bool,

    /// Show functions as they are when each is compiled at its first call
    #[arg(long)]
    lazy: bool,
    /// Hide constants with the key that follows from this number [default: 0]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    /// Generate code for this target [default: this machine]
    #[arg(long, value_name = "TRIPLE", value_parser = triple)]
    target: Option<Triple>,
    /// Write to this file instead of the terminal
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write JSON: a list with stage, function and text
    #[arg(long)]
    json: bool,
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
    let Source { name, program, .. } = arguments.source.load()?;
    let mut options = DumpOptions::default();
    options.stages.clone_from(&arguments.emit.0);
    options.function.clone_from(&arguments.function);
    options.target.clone_from(&arguments.target);
    options.compile.protect_branches = arguments.protect_branches;
    options.compile.seed = arguments.seed;
    options.lazy = arguments.lazy;
    let mut text = Vec::new();
    let mut output: Box<dyn Write> = match &arguments.output {
        _ if arguments.json => Box::new(&mut text),
        None => Box::new(BufWriter::new(io::stdout().lock())),
        Some(path) => Box::new(BufWriter::new(CreatedFile { path, file: None })),
    };
    let written = match program {
        SourceProgram::Ebpf(program) => dump::write_ebpf(&program, &options, &mut output),
        SourceProgram::Sbpf(program, names) => {
            options.names = names;
            dump::write(&program.executable, &options, &mut output)
        }
    };
    drop(output);
    let written = written.and_then(|()| match arguments.json {
        true => write_json(&text, arguments.output.as_deref()).map_err(DumpError::Write),
        false => Ok(()),
    });
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

/// Writes a dump as a list of its parts.
fn write_json(dump: &[u8], path: Option<&Path>) -> io::Result<()> {
    let dump = String::from_utf8_lossy(dump);
    // What comes first is a line about the program.
    let parts = dump.split("\n;;; ").skip(1).map(|part| {
        let (title, text) = part.split_once('\n').unwrap_or((part, ""));
        let (stage, function) = title.split_once(": ").unwrap_or((title, ""));
        serde_json::json!({ "stage": stage, "function": function, "text": text })
    });
    let text = format!("{:#}\n", serde_json::Value::from_iter(parts));
    match path {
        None => io::stdout().lock().write_all(text.as_bytes()),
        Some(path) => File::create(path)?.write_all(text.as_bytes()),
    }
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
