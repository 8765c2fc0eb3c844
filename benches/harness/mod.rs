//! Runs one workload on every engine, under conditions as equal as they can be made.
//!
//! - [`block`]: host memory that outlives the references to it, for the regions of a VM.
//! - [`compilers`]: what turns a program into native code.
//! - [`context`]: the context object, meter and memory mapping in one.
//! - [`engine`]: the competitors.
//! - [`machine`]: a workload loaded, compiled and ready to be run again and again.

pub(crate) mod block;
pub(crate) mod compilers;
pub(crate) mod context;
pub(crate) mod engine;
pub(crate) mod machine;
