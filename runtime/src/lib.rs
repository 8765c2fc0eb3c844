//! What compiled programs run on.
//!
//! Generated code sees one structure of ours, the [`abi::Context`], and calls back through the
//! function pointers in it. Everything that needs `unsafe` lives in this crate: code memory, the
//! way in and out, and the slow paths. Nothing here names a type of an embedder: a version of
//! `solana-sbpf` stands behind the [`host::Host`] trait.
//!
//! | file | its one idea |
//! |---|---|
//! | [`abi`] | layout shared with generated code |
//! | `layout` | the same, asserted field by field at compile time |
//! | [`site`] | what the runtime knows about one place in generated code |
//! | [`code`] | code memory, never writable and executable at once |
//! | `gdb` | the interface through which gdb learns of code (feature `gdb`) |
//! | [`host`] | what an embedder offers |
//! | `jitdump` | the mark by which perf finds a file of code |
//! | [`translation`] | the region cache that inline checks read |
//! | `second_level` | more ranges, in order, for programs that work with many |
//! | [`learnt`] | what runs of a program learn for those that follow |
//! | [`memory_operation`] | what some syscalls do, without calling them |
//! | `callbacks` | the functions generated code calls |
//! | [`run`] | one execution, from entry to exit |
//! | `leaving` | how compiled code is left before the program's own `exit` |

pub mod abi;
mod callbacks;
pub mod code;
#[cfg(feature = "gdb")]
pub mod gdb;
pub mod host;
#[cfg(target_os = "linux")]
pub mod jitdump;
mod layout;
pub mod learnt;
mod leaving;
pub mod memory_operation;
pub mod run;
mod second_level;
pub mod site;
pub mod translation;

/// The version of this crate, whose layouts are part of what code depends on.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
