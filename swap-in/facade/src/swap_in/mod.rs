//! Which engine runs programs, and what ran so far.
//!
//! The environment chooses, once for the whole process:
//!
//! | variable | value | meaning |
//! |---|---|---|
//! | `SBPF_CRANELIFT_ENGINE` | `cranelift` | the default |
//! | | `hand-written` | everything is left to upstream, its own JIT included |
//! | | `interpreter` | upstream's interpreter, whatever mode the host asks for |
//! | `SBPF_CRANELIFT_COMPILE` | `lazy` | a program is compiled when it runs first (the default) |
//! | | `eager` | `jit_compile` compiles it at once |
//! | | `tiered` | it is compiled in the background when it was busy for a while |
//! | `SBPF_CRANELIFT_CACHE` | a path | a directory of compiled code, for all processes of this user |
//! | `SBPF_CRANELIFT_STATISTICS` | `stderr` | [`statistics()`] is printed when the process exits |
//! | | a path | a line with it is appended to that file |

pub(crate) mod choice;
mod report;
pub(crate) mod statistics;

pub use {
    choice::{Engine, When},
    statistics::{Statistics, statistics},
};
