//! The command `sbpf-cranelift compare`, as a bench: words are filters.
//!
//! `cargo bench --bench ratios -- --help` lists the options; README.md in this directory says how
//! to read the tables.

mod command;

fn main() -> std::process::ExitCode {
    command::run(&["compare"])
}
