//! The command line: arguments, commands, exit statuses.

mod accounts;
mod assembly;
mod cache;
pub(crate) mod compare;
mod compiling;
mod context;
mod deployed;
mod differences;
mod document;
mod dump;
mod ebpf;
mod elf_diagnosis;
mod engine;
mod explore;
pub(crate) mod failure;
mod functions;
mod graph;
mod guard;
mod input;
mod json;
mod print;
mod profile;
pub(crate) mod program;
mod program_error;
mod pubkey;
mod report;
mod run;
mod samples;
mod shared;
mod shell;
mod source;
mod swap_in;
mod syscalls;
mod sysvars;
mod text;
mod token;
mod trace;

use {
    clap::{Parser, Subcommand, error::ErrorKind},
    failure::Failure,
    run::Printout,
    std::{
        fs,
        io::{self, Write},
        path::Path,
        process::ExitCode,
    },
};

/// Exit status for bad input.
const BAD_INPUT: u8 = 2;
/// Exit status for a defect of this program, the one Rust itself gives for a panic.
const DEFECT: u8 = 101;

/// Runs Solana's sBPF programs on Cranelift, and shows how they are compiled.
#[derive(Debug, Parser)]
#[command(name = "sbpf-cranelift", version, after_help = AFTER_HELP)]
struct Arguments {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// Examples, below the commands.
const AFTER_HELP: &str = "\
Examples:
  sbpf-cranelift run                          a real token transfer, checked by the interpreter
  sbpf-cranelift run program.so --engine all  all engines side by side
  sbpf-cranelift run program.so --profile flames.svg
                                              where the compute units go
  sbpf-cranelift compare --quick              how fast all engines are, side by side
  sbpf-cranelift dump program.so --emit clif  how a program is compiled
  sbpf-cranelift explore program.so -o a.html a page to look around in what it is compiled to
  sbpf-cranelift graph program.so -o calls.svg --call-graph
                                              which functions call each other
  sbpf-cranelift cache status --dir cache     how much compiled code is stored
  sbpf-cranelift swap-in --check              whether a host runs its programs on Cranelift

Each command has more examples: sbpf-cranelift run --help";

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run a program: an ELF file, assembly text, or without arguments a bundled sample
    #[command(after_help = run::AFTER_HELP)]
    Run(run::RunArguments),
    /// Compare the engines' speed, code and compile times, on bundled workloads or on programs
    #[command(after_help = compare::AFTER_HELP)]
    Compare(compare::CompareArguments),
    /// Show the stages of compiling a program
    #[command(after_help = dump::AFTER_HELP)]
    Dump(dump::DumpArguments),
    /// Write a page that shows a program beside everything it is compiled to
    #[command(after_help = explore::AFTER_HELP)]
    Explore(explore::ExploreArguments),
    /// Draw the control flow of functions, or which functions call each other
    #[command(after_help = graph::AFTER_HELP)]
    Graph(graph::GraphArguments),
    /// Run a program of standard eBPF as the public suite bpf_conformance asks for
    #[command(after_help = ebpf::conformance::AFTER_HELP)]
    ConformancePlugin(ebpf::conformance::ConformanceArguments),
    /// Look after stored code, so that programs need not be compiled again
    #[command(after_help = cache::AFTER_HELP)]
    Cache(cache::CacheArguments),
    /// Make an unmodified host (Mollusk, LiteSVM, a validator) run its programs on Cranelift
    #[command(after_help = swap_in::AFTER_HELP)]
    SwapIn(swap_in::SwapInArguments),
    /// Print a script with which a shell completes commands and options
    #[command(after_help = shell::COMPLETIONS_HELP)]
    Completions(shell::CompletionsArguments),
    /// Print a manual page
    #[command(after_help = shell::MAN_HELP)]
    Man(shell::ManArguments),
}

/// The whole program.
pub(crate) fn main() -> ExitCode {
    guard::install_hook();
    let words = ebpf::conformance::reorder(std::env::args_os().collect());
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => return argument_error(&error),
    };
    let result = guard::catch(|| match &arguments.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Compare(arguments) => compare::run(arguments),
        Command::Dump(arguments) => dump::run(arguments),
        Command::Explore(arguments) => explore::run(arguments),
        Command::Graph(arguments) => graph::run(arguments),
        Command::ConformancePlugin(arguments) => ebpf::conformance::run(arguments),
        Command::Cache(arguments) => cache::run(arguments),
        Command::SwapIn(arguments) => swap_in::run(arguments),
        Command::Completions(arguments) => Ok(shell::completions(arguments)),
        Command::Man(arguments) => shell::man(arguments),
    });
    match result {
        Ok(Ok(printout)) => print(&printout),
        Ok(Err(failure)) => fail(&failure, BAD_INPUT),
        Err(panic) => {
            let what = format!("this is a defect of sbpf-cranelift: {panic}");
            fail(&Failure::new(what), DEFECT)
        }
    }
}

/// What a command hands over: to a file, or to the terminal.
///
/// # Errors
/// When the file can't be written.
fn deliver(output: Option<&Path>, text: String) -> Result<Printout, Failure> {
    let Some(path) = output else {
        return Ok(Printout { text, status: 0 });
    };
    fs::write(path, text).map_err(|error| Failure::io(path, &error))?;
    Ok(Printout {
        text: String::new(),
        status: 0,
    })
}

/// Writes a command's text. A reader that stopped listening (`| head`) is no error.
fn print(printout: &Printout) -> ExitCode {
    let mut output = io::stdout().lock();
    match output
        .write_all(printout.text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            fail(&Failure::new(format!("can't write: {error}")), BAD_INPUT)
        }
        Ok(()) | Err(_) => ExitCode::from(printout.status),
    }
}

/// Writes the one line of an error.
fn fail(failure: &Failure, status: u8) -> ExitCode {
    // There is nowhere to report that this failed.
    let _ = writeln!(io::stderr(), "error: {failure}");
    ExitCode::from(status)
}

/// Help and version as they are; an error of the arguments in one line.
fn argument_error(error: &clap::Error) -> ExitCode {
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if is_help {
        let _ = error.print();
        return ExitCode::from(if error.use_stderr() { BAD_INPUT } else { 0 });
    }
    let text = error.to_string();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty())
        .collect();
    let line = lines.join(" ");
    let what = line.strip_prefix("error: ").unwrap_or(&line);
    fail(&Failure::new(what), BAD_INPUT)
}
