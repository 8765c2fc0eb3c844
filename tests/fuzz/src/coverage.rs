//! How much of this workspace's code has been executed, where it was built to count that.
//!
//! `.ci/fuzz` builds it so, with `-C instrument-coverage`, which is part of stable Rust: every region
//! of code then has a counter, all of them in one section of the program. They are looked at while
//! the process runs; no file is written.

use serde::{Deserialize, Serialize};

/// Regions of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Those that were executed.
    pub reached: usize,
    /// Those that there are, in what is linked of the workspace's crates.
    pub regions: usize,
}

/// The coverage of this process so far; nothing, if it was not built to count.
pub fn so_far() -> Option<Coverage> {
    let none = Coverage {
        reached: 0,
        regions: 0,
    };
    Some(counters()?.fold(none, |sum, count| Coverage {
        reached: sum.reached + usize::from(count != 0),
        regions: sum.regions + 1,
    }))
}

#[cfg(all(sbpf_coverage, target_os = "linux"))]
fn counters() -> Option<impl Iterator<Item = u64>> {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    unsafe extern "C" {
        #[link_name = "__start___llvm_prf_cnts"]
        static START: AtomicU64;
        #[link_name = "__stop___llvm_prf_cnts"]
        static STOP: AtomicU64;
    }
    let (start, stop) = (&raw const START, &raw const STOP);
    let length = (stop.addr() - start.addr()) / size_of::<AtomicU64>();
    // SAFETY: the linker defines both ends of the section, which has counters of 64 bits only. They
    // change while others are read, each in one go.
    let counters = unsafe { std::slice::from_raw_parts(start, length) };
    Some(counters.iter().map(|counter| counter.load(Relaxed)))
}

#[cfg(not(all(sbpf_coverage, target_os = "linux")))]
fn counters() -> Option<std::iter::Empty<u64>> {
    None
}
