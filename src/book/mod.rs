//! The book: how to use the project, how programs become native code, why the result is exact, and how
//! to add to it.
//!
//! 1. [`start`]: a first quarter of an hour, for each kind of user.
//! 2. [`lowering`]: every family of instructions, and the CLIF it becomes.
//! 3. [`exactness`]: how a program can't tell that it is compiled.
//! 4. [`extending`]: an opcode, a machine, a version of `solana-sbpf`.
//!
//! All that is shown is checked: CLIF against the golden files, and commands by running them
//! (`tests/book.rs`); Rust is compiled and run with the documentation's tests.

#[doc = include_str!(concat!(env!("OUT_DIR"), "/pictures.md"))]
#[doc = include_str!("start.md")]
pub mod start {}

#[doc = include_str!("lowering.md")]
pub mod lowering {}

#[doc = include_str!("exactness.md")]
pub mod exactness {}

#[doc = include_str!("extending.md")]
pub mod extending {}
