//! Tests in a process of their own.

use std::{env, process::Command};

/// A process that runs the ignored test `name` of this file alone, started by the program that
/// `SBPF_RUNNER` names (with its arguments) if this machine doesn't execute it itself.
pub fn ignored_test(name: &str) -> Command {
    let test = env::current_exe().expect("there is one");
    let runner = env::var("SBPF_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let mut command = match words.next() {
        None => Command::new(test),
        Some(program) => {
            let mut command = Command::new(program);
            command.args(words).arg(test);
            command
        }
    };
    command.args([
        "--exact",
        name,
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    command
}

/// Whether this machine is emulated by another one's program.
pub fn is_emulated() -> bool {
    env::var_os("SBPF_RUNNER").is_some()
}
