//! When programs are compiled, and what runs them until then.
//!
//! | file | its one idea |
//! |---|---|
//! | `policy` | what the caller can choose |
//! | `program` | a program that starts on a lower tier |
//! | `lower` | the tier below compiled code |
//! | `owned` | what is compiled in the background, without borrowing an executable |
//! | `switch` | what the background was asked for, and how it came out |
//! | `ticket` | the same for one question, seen from both sides |
//! | `queue` | the one thread of the background, and the jobs that wait for it |
//! | `worker` | what that thread does |
//! | `switch_model` | switch, ticket and queue once more, in many orders of what threads do |

mod lower;
mod owned;
mod policy;
mod program;
mod queue;
mod switch;
#[cfg(all(test, target_os = "linux"))]
mod switch_model;
mod ticket;
mod worker;

// What threads agree by takes its types from here, so that its model can run on others.
use std::{sync, thread};

pub use {
    policy::{Hotness, Policy},
    program::{Tier, TieredProgram},
};
