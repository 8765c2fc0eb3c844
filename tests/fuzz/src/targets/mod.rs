//! The targets.

mod cache;
mod choices;
mod command_line;
mod differential;
mod ebpf;
mod ebpf_elf;
mod elf;
mod grammar;
mod head;
mod raw;
mod regions;

use crate::Target;

/// All of them.
pub const TARGETS: [Target; 9] = [
    raw::TARGET,
    grammar::TARGET,
    regions::TARGET,
    elf::DAMAGED,
    elf::REAL,
    cache::TARGET,
    command_line::TARGET,
    ebpf::TARGET,
    ebpf_elf::TARGET,
];

/// The target of this name.
pub fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
