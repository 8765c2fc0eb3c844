//! What it takes until written code is executed, where the processor does not see to it itself.
//!
//! On arm64, see "Concurrent modification and execution of instructions" in the Arm Architecture
//! Reference Manual: the writer cleans data and invalidates instructions line by line, and every
//! processor that executes the code synchronises its own context first.

/// Makes `length` bytes of freshly written code at `start` visible to instruction fetch.
#[cfg(all(unix, not(target_arch = "aarch64")))]
pub(super) fn flush(_start: *const u8, _length: usize) {}

/// Makes `length` bytes of freshly written code at `start` visible to instruction fetch.
#[cfg(all(target_arch = "aarch64", unix, not(target_os = "macos")))]
pub(super) fn flush(start: *const u8, length: usize) {
    use std::arch::asm;
    let lines = Lines::of_this_processor();
    for line in range(start, length, lines.data) {
        // SAFETY: cleans the cache line of an address in readable memory; no memory is changed.
        unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags)) };
    }
    // SAFETY: a barrier.
    unsafe { asm!("dsb ish", options(nostack, preserves_flags)) };
    for line in range(start, length, lines.instructions) {
        // SAFETY: invalidates the instruction cache line of an address in readable memory.
        unsafe { asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags)) };
    }
    // SAFETY: a barrier.
    unsafe { asm!("dsb ish", options(nostack, preserves_flags)) };
    synchronize();
}

/// Makes the current thread execute what has been flushed, rather than what its processor may
/// have fetched from the same addresses before.
#[inline]
pub(crate) fn synchronize() {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a barrier.
    unsafe {
        std::arch::asm!("isb", options(nostack, preserves_flags));
    }
}

/// Addresses of all lines of `line` bytes that hold some of the `length` bytes at `start`.
#[cfg(any(test, all(target_arch = "aarch64", unix, not(target_os = "macos"))))]
fn range(start: *const u8, length: usize, line: usize) -> impl Iterator<Item = usize> {
    let first = start.addr() & !(line - 1);
    (first..start.addr() + length).step_by(line)
}

/// Bytes in the lines of the smallest caches.
#[cfg(any(test, all(target_arch = "aarch64", unix, not(target_os = "macos"))))]
#[derive(Debug, PartialEq, Eq)]
struct Lines {
    data: usize,
    instructions: usize,
}

#[cfg(any(test, all(target_arch = "aarch64", unix, not(target_os = "macos"))))]
impl Lines {
    #[cfg(all(target_arch = "aarch64", unix, not(target_os = "macos")))]
    fn of_this_processor() -> Self {
        let cache_type: u64;
        // SAFETY: reads the cache type register, which is open to user programs.
        unsafe {
            std::arch::asm!(
                "mrs {}, ctr_el0",
                out(reg) cache_type,
                options(nomem, nostack, preserves_flags)
            );
        }
        Self::of(cache_type)
    }

    /// Reads the fields `DminLine` and `IminLine` of `CTR_EL0`: log2 of words of 4 bytes.
    fn of(cache_type: u64) -> Self {
        Self {
            data: 4 << (cache_type >> 16 & 15),
            instructions: 4 << (cache_type & 15),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, range};

    #[test]
    fn the_cache_type_register_is_read() {
        // Of a Cortex-A72.
        let lines = Lines::of(0x8444_c004);
        assert_eq!(
            lines,
            Lines {
                data: 64,
                instructions: 64
            }
        );
    }

    #[test]
    fn every_line_is_visited_once() {
        let at = |address: usize, length| -> Vec<usize> {
            range(std::ptr::without_provenance(address), length, 64).collect()
        };
        assert_eq!(at(0, 0), Vec::<usize>::new());
        assert_eq!(at(0, 64), [0]);
        assert_eq!(at(0, 65), [0, 64]);
        assert_eq!(at(63, 2), [0, 64]);
        assert_eq!(at(100, 28), [64]);
    }
}
