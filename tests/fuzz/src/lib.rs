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

pub mod findings;
pub mod minimise;
pub mod mutation;
pub mod runner;
pub mod target;
mod targets;

pub use {
    target::{Divergence, Observation, Target},
    targets::{TARGETS, named},
};
