//! Clocks that stand still while others have the processor.

use std::time::{Duration, Instant};

/// Processor time of this thread, for work that stays in it.
pub(crate) fn thread_time() -> Duration {
    system::thread_time()
}

/// The time that reading the clock of [`Instant`] takes: the shortest seen.
pub(crate) fn reading_time() -> Duration {
    (0..1_000)
        .map(|_| {
            let start = Instant::now();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

/// Processor time of all threads of this process, for work that may be spread over several.
pub(crate) fn process_time() -> Duration {
    system::process_time()
}

#[cfg(unix)]
mod system {
    use {
        rustix::time::{ClockId, clock_gettime},
        std::time::Duration,
    };

    pub(super) fn thread_time() -> Duration {
        read(ClockId::ThreadCPUTime)
    }

    pub(super) fn process_time() -> Duration {
        read(ClockId::ProcessCPUTime)
    }

    fn read(clock: ClockId) -> Duration {
        let time = clock_gettime(clock);
        // Both parts of a processor time are positive, and the second is below a billion.
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

/// Elsewhere the time on the wall has to do.
#[cfg(not(unix))]
mod system {
    use std::{
        sync::LazyLock,
        time::{Duration, Instant},
    };

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    pub(super) fn thread_time() -> Duration {
        START.elapsed()
    }

    pub(super) fn process_time() -> Duration {
        START.elapsed()
    }
}
