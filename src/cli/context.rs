//! The context object of a run: the meter, the memory and what the syscalls keep.

use {
    super::{pubkey::Pubkey, sysvars::Sysvars},
    solana_sbpf::{memory_region::MemoryMapping, vm::ContextObject},
    std::{
        ptr::NonNull,
        sync::Arc,
        time::{Duration, Instant},
    },
};

/// Bytes of log lines kept, as agave's log collector keeps them (`LOG_MESSAGES_BYTES_LIMIT`).
const LOG_BYTES_LIMIT: usize = 10_000;

/// What a run starts from besides its memory; shared by all engines.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// Address of the program that runs.
    pub(crate) program_id: Pubkey,
    /// Clock, rent and so on.
    pub(crate) sysvars: Sysvars,
    /// Names of the syscalls that the program imports and that this command line lacks, by slot.
    pub(crate) missing_syscalls: Vec<String>,
}

/// The context object that all engines run with.
pub(crate) struct Context {
    /// Compute units left.
    remaining: u64,
    /// Compute units that syscalls took beside the instructions.
    pub(crate) charged: u64,
    /// Number and time of all syscalls, if somebody wants to know.
    pub(crate) stopwatch: Option<(u32, Duration)>,
    /// The program's memory.
    mapping: MemoryMapping,
    /// What is the same for every engine.
    pub(crate) environment: Arc<Environment>,
    /// Log lines so far.
    pub(crate) log: Vec<String>,
    /// Bytes in [`Self::log`].
    log_bytes: usize,
    /// Whether a line has been dropped.
    log_truncated: bool,
    /// Data returned to the caller and the program that set it.
    pub(crate) return_data: (Pubkey, Vec<u8>),
    /// Bytes of heap.
    pub(crate) heap_length: u64,
    /// Offset of the first byte of heap that `sol_alloc_free_` has not given out.
    pub(crate) heap_position: u64,
}

impl Context {
    /// A context at the start of a run.
    pub(crate) fn new(
        mapping: MemoryMapping,
        environment: Arc<Environment>,
        budget: u64,
        heap_length: u64,
    ) -> Self {
        Self {
            remaining: budget,
            charged: 0,
            stopwatch: None,
            mapping,
            environment,
            log: Vec::new(),
            log_bytes: 0,
            log_truncated: false,
            return_data: (Pubkey::default(), Vec::new()),
            heap_length,
            heap_position: 0,
        }
    }

    /// Forgets what a run did, so that the next one starts with `budget` from the same state.
    #[inline]
    pub(crate) fn reset(&mut self, budget: u64) {
        self.remaining = budget;
        self.charged = 0;
        self.log.clear();
        self.log_bytes = 0;
        self.log_truncated = false;
        self.return_data.0 = Pubkey::default();
        self.return_data.1.clear();
        self.heap_position = 0;
    }

    /// The memory, for syscalls.
    pub(crate) fn mapping(&self) -> &MemoryMapping {
        &self.mapping
    }

    /// Does the work of a syscall, and times it if that is wanted.
    #[inline]
    pub(crate) fn timed<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let Some((calls, time)) = self.stopwatch else {
            return work(self);
        };
        let start = Instant::now();
        let result = work(self);
        self.stopwatch = Some((
            calls.saturating_add(1),
            time.saturating_add(start.elapsed()),
        ));
        result
    }

    /// Takes `amount` compute units; what is left never goes below zero.
    ///
    /// Returns false when there were fewer than `amount`.
    pub(crate) fn try_consume(&mut self, amount: u64) -> bool {
        let enough = self.remaining >= amount;
        self.charged = self.charged.saturating_add(amount.min(self.remaining));
        self.remaining = self.remaining.saturating_sub(amount);
        enough
    }

    /// Appends a log line if it fits, or says once that one did not.
    pub(crate) fn write_log(&mut self, line: String) {
        let log_bytes = self.log_bytes.saturating_add(line.len());
        if log_bytes < LOG_BYTES_LIMIT {
            self.log_bytes = log_bytes;
            self.log.push(line);
        } else if !self.log_truncated {
            self.log_truncated = true;
            self.log.push("Log truncated".to_string());
        }
    }
}

impl ContextObject for Context {
    fn consume(&mut self, amount: u64) {
        self.remaining = self.remaining.saturating_sub(amount);
    }

    fn get_remaining(&self) -> u64 {
        self.remaining
    }

    fn active_mapping_ptr(&mut self) -> NonNull<MemoryMapping> {
        NonNull::from_mut(&mut self.mapping)
    }
}
