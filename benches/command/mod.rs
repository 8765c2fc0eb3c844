//! A command of the command line, as a bench.

use std::process::{Command, ExitCode};

/// Runs `sbpf-cranelift` with these arguments and those of the bench.
pub(crate) fn run(arguments: &[&str]) -> ExitCode {
    let status = Command::new(env!("CARGO_BIN_EXE_sbpf-cranelift"))
        .args(arguments)
        .args(std::env::args_os().skip(1))
        .status();
    match status.map(|status| status.code()) {
        Ok(Some(code)) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        Ok(None) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
