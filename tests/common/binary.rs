//! The binary of the command line, for tests that need nothing else of the harness.

use std::process::Command;

/// A command that starts the binary, by the program that `SBPF_RUNNER` names (with its arguments)
/// if this machine doesn't execute the binary itself.
pub(crate) fn command() -> Command {
    let binary = env!("CARGO_BIN_EXE_sbpf-cranelift");
    let runner = std::env::var("SBPF_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let Some(program) = words.next() else {
        return Command::new(binary);
    };
    let mut command = Command::new(program);
    command.args(words).arg(binary);
    command
}
