//! How long it takes until a program is ready to run, by the way it gets there.

#[path = "../../src/cli/deployed.rs"]
mod deployed;
mod host;
mod ready;
mod runs;
mod table;

use std::time::Duration;

fn main() {
    // Cargo adds an option of its own.
    let filter = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    ready::print(filter.as_deref());
    if filter.is_none() {
        runs::print();
    }
}

/// The median of an odd number of times.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn text(time: Duration) -> String {
    format!("{time:.1?}")
}

/// Whether the hand-written JIT exists here.
const HAS_HAND_WRITTEN: bool = cfg!(all(
    feature = "hand-written",
    target_arch = "x86_64",
    not(target_os = "windows")
));

#[cfg(all(
    feature = "hand-written",
    target_arch = "x86_64",
    not(target_os = "windows")
))]
fn compile_by_hand(executable: &solana_sbpf::elf::Executable<host::BenchContext>) {
    executable.jit_compile().expect("it compiles");
}

#[cfg(not(all(
    feature = "hand-written",
    target_arch = "x86_64",
    not(target_os = "windows")
)))]
fn compile_by_hand(_: &solana_sbpf::elf::Executable<host::BenchContext>) {}
