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
//! | [`host`] | what an embedder offers |
//! | [`translation`] | the region cache that inline checks read |
//! | `callbacks` | the functions generated code calls |
//! | [`run`] | one execution, from entry to exit |

pub mod abi;
mod callbacks;
pub mod code;
pub mod host;
mod layout;
pub mod run;
pub mod site;
pub mod translation;

/// The version of this crate, whose layouts are part of what code depends on.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
