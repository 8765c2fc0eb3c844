//! Standard eBPF: every instruction of RFC 9669 against its definition, both engines against each
//! other with a meter at every limit, against `rbpf`, and on what clang makes.

#![cfg(feature = "ebpf")]

mod agreement;
mod assembly;
mod clang;
#[cfg(feature = "cli")]
mod command_line;
mod golden;
mod instructions;
mod machine;
mod oracle;
mod random;
mod shifts;
mod verifier;
