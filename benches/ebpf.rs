//! The command `sbpf-cranelift compare --dialect ebpf`, as a bench.
//!
//! `cargo bench --bench ebpf --features rbpf` has the engines of `rbpf` too.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let status = Command::new(env!("CARGO_BIN_EXE_sbpf-cranelift"))
        .args(["compare", "--dialect", "ebpf"])
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
