//! Fuzz targets: bytes in, "all engines agree" or a report out.
//!
//! A [`Target`] makes a program and its circumstances out of any bytes, runs it on every engine, and
//! tells what it has seen. [`runner`] feeds targets on stable Rust; `cargo-fuzz/` feeds the same ones
//! from libFuzzer.

#[allow(dead_code, unused_imports)]
#[path = "../../ebpf/agreement.rs"]
mod agreement;
#[allow(dead_code)]
#[path = "../../ebpf/assembly.rs"]
mod assembly;
#[path = "../../common/mod.rs"]
mod common;
#[allow(dead_code, unused_imports)]
#[path = "../../ebpf/random.rs"]
mod ebpf_generator;

pub mod coverage;
pub mod findings;
pub mod minimise;
pub mod mutation;
pub mod runner;
pub mod target;
mod targets;

use std::sync::Once;

pub use {
    target::{Divergence, Observation, Target},
    targets::{TARGETS, named},
};

/// One execution for a fuzzer that takes an aborted process for a finding.
///
/// # Panics
/// If there is no target of this name.
pub fn check(name: &str, input: &[u8]) {
    static QUIET: Once = Once::new();
    // Engines may panic, which is compared like any other outcome; the hook of libFuzzer would take
    // that for a finding.
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let target = named(name).unwrap_or_else(|| panic!("there is no target {name}"));
    if let Err(Divergence(report)) = target.execute(input) {
        eprintln!("{report}");
        std::process::abort();
    }
}
