//! The command `sbpf-cranelift compare --dialect ebpf`, as a bench.
//!
//! `cargo bench --bench ebpf --features rbpf` has the engines of `rbpf` too.

mod command;

fn main() -> std::process::ExitCode {
    command::run(&["compare", "--dialect", "ebpf"])
}
