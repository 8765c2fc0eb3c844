//! `sbpf-cranelift conformance-plugin`: the protocol by which the public suite bpf_conformance asks a
//! runtime to run a program.

use {
    super::{EbpfEngine, hexadecimal},
    crate::cli::{failure::Failure, run::Printout},
    clap::Args,
    sbpf_cranelift::ebpf::{Helpers, Memory, Options, Program},
    std::{
        ffi::OsString,
        io::{self, Read},
    },
};

/// Examples and exit statuses, below the options.
pub(crate) const AFTER_HELP: &str = "\
Examples:
  echo 'b7 00 00 00 2a 00 00 00 95 00 00 00 00 00 00 00' | sbpf-cranelift conformance-plugin
      Runs `mov r0, 42; exit` and prints 2a.
  bpf_conformance_runner --test_file_directory tests --cpu_version v4 \\
      --plugin_path sbpf-cranelift --plugin_options conformance-plugin
      Runs the suite (https://github.com/Alan-Jowett/bpf_conformance).

Exit status:
  0  the program returned r0, which is printed in hexadecimal
  1  the program failed
  2  bad input: what is passed is no program";

/// Instructions that a program of the suite may execute.
const LIMIT: u64 = 100_000_000;

/// The number of the helper that the suite calls; it returns its first argument.
const HELPER: u32 = 5;

/// Runs a program as the public suite bpf_conformance asks for.
#[derive(Debug, Args)]
pub(crate) struct ConformanceArguments {
    /// The program's memory, bytes in hexadecimal
    memory: Option<String>,
    /// The standard input is an ELF file in hexadecimal, not instructions
    #[arg(long)]
    elf: bool,
    /// What to run it on
    #[arg(long, value_name = "ENGINE", value_enum, default_value_t = EbpfEngine::Cranelift)]
    engine: EbpfEngine,
}

/// The name of the command.
const NAME: &str = "conformance-plugin";

/// Puts the command first: the suite's runner passes the memory before what it was told to pass.
pub(crate) fn reorder(mut words: Vec<OsString>) -> Vec<OsString> {
    let is_name = |word: Option<&OsString>| word.is_some_and(|word| word == NAME);
    // Commands that take the name of another one; memory is in hexadecimal.
    let asks_about_it = words
        .get(1)
        .is_some_and(|word| word == "help" || word == "man");
    if is_name(words.get(2)) && !is_name(words.get(1)) && !asks_about_it {
        words.swap(1, 2);
    }
    words
}

/// Runs the command.
///
/// # Errors
/// Bad input, in one line.
pub(crate) fn run(arguments: &ConformanceArguments) -> Result<Printout, Failure> {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::at("standard input", error.to_string()))?;
    let bytes = hexadecimal("standard input", &text)?;
    let mut context = hexadecimal("memory", arguments.memory.as_deref().unwrap_or_default())?;
    let options = Options::default();
    let program = match arguments.elf {
        true => Program::from_elf(&bytes, None, &options),
        false => Program::from_bytes(&bytes, &options),
    };
    let program = program.map_err(|error| Failure::new(error.to_string()))?;
    let mut helpers = Helpers::new();
    helpers.register(HELPER, |call| Ok(call.arguments[0]));
    let mut memory: Memory<'_> = program.memory();
    memory.set_context(&mut context);
    let outcome = arguments
        .engine
        .run(&program, &mut memory, &mut helpers, LIMIT)?;
    Ok(match outcome.result {
        Ok(result) => Printout {
            text: format!("{result:x}\n"),
            status: 0,
        },
        Err(fault) => {
            let pc = outcome.pc;
            eprintln!("error: the program failed at pc {pc}: {fault}");
            Printout {
                text: String::new(),
                status: 1,
            }
        }
    })
}
