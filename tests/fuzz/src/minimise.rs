//! A smaller input that still shows a divergence.

use {
    crate::{Divergence, Target},
    std::time::{Duration, Instant},
};

/// How long one divergence may be made smaller.
const TIME: Duration = Duration::from_secs(20);

/// Takes pieces out of `input`, and makes bytes zero, while `target` still diverges in the same way.
/// Gives what is left with its report.
pub fn minimise(target: &Target, input: &[u8], found: &Divergence) -> (Vec<u8>, Divergence) {
    let end = Instant::now() + TIME;
    let mut best = (input.to_vec(), found.clone());
    let attempt = |best: &mut (Vec<u8>, Divergence), candidate: Vec<u8>| -> bool {
        match target.execute(&candidate) {
            Err(divergence) if kind(&divergence) == kind(&best.1) => {
                *best = (candidate, divergence);
                true
            }
            _ => false,
        }
    };
    let mut width = (best.0.len() / 2).next_multiple_of(target.unit);
    while width >= target.unit {
        let mut at = 0;
        while at < best.0.len() && Instant::now() < end {
            let mut candidate = best.0.clone();
            candidate.drain(at..(at + width).min(best.0.len()));
            if !attempt(&mut best, candidate) {
                at += width;
            }
        }
        if width == target.unit {
            break;
        }
        width = (width / 2).next_multiple_of(target.unit);
    }
    for at in 0..best.0.len() {
        if Instant::now() >= end {
            break;
        }
        if best.0[at] != 0 {
            let mut candidate = best.0.clone();
            candidate[at] = 0;
            attempt(&mut best, candidate);
        }
    }
    best
}

/// What a report is about: its first line without numbers.
fn kind(divergence: &Divergence) -> String {
    let line = divergence.0.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_ascii_hexdigit()).collect()
}
