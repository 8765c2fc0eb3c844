//! The command `sbpf-cranelift compare`, as a bench: words are filters.
//!
//! `cargo bench --bench ratios -- --help` lists the options; README.md in this directory says how
//! to read the tables.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let status = Command::new(env!("CARGO_BIN_EXE_sbpf-cranelift"))
        .arg("compare")
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
