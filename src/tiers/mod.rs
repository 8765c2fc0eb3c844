//! When programs are compiled, and what runs them until then.
//!
//! | file | its one idea |
//! |---|---|
//! | `policy` | what the caller can choose |
//! | `program` | a program that starts on a lower tier |
//! | `lower` | the tier below compiled code |
//! | `owned` | what is compiled in the background, without borrowing an executable |
//! | `worker` | the one thread that compiles in the background |

mod lower;
mod owned;
mod policy;
mod program;
mod worker;

pub use {
    policy::{Hotness, Policy},
    program::{Tier, TieredProgram},
};
