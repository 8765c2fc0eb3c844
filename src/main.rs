//! The command line of sbpf-cranelift.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
