//! Standard eBPF: every instruction of RFC 9669 against its definition, both engines against each
//! other with a meter at every limit, against `rbpf`, and on what clang makes.

mod agreement;
mod assembly;
mod clang;
mod instructions;
mod machine;
mod oracle;
mod random;
mod verifier;
