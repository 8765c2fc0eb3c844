//! How many programs were compiled, and where they ran.

use {
    super::{Engine, report},
    sbpf_cranelift::CodeOrigin,
    std::{
        fmt,
        sync::atomic::{AtomicU64, Ordering::Relaxed},
        time::Duration,
    },
};

/// Counts since the process started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Programs loaded.
    pub loaded: u64,
    /// Programs that have code from Cranelift.
    pub compiled: u64,
    /// Those among them whose code was found in the cache.
    pub found: u64,
    /// Programs that Cranelift could not compile, so that they are interpreted.
    pub refused: u64,
    /// Time spent compiling with Cranelift, and finding code.
    pub compile_time: Duration,
    /// Programs compiled by the hand-written JIT.
    pub hand_written_compiled: u64,
    /// Runs of code from Cranelift.
    pub cranelift_runs: u64,
    /// Runs of code from the hand-written JIT.
    pub hand_written_runs: u64,
    /// Runs on the interpreter.
    pub interpreter_runs: u64,
}

/// What happened in this process so far. With threads at work the counts may be of slightly
/// different moments.
pub fn statistics() -> Statistics {
    Statistics {
        loaded: LOADED.load(Relaxed),
        compiled: COMPILED.load(Relaxed),
        found: FOUND.load(Relaxed),
        refused: REFUSED.load(Relaxed),
        compile_time: Duration::from_nanos(COMPILE_NANOSECONDS.load(Relaxed)),
        hand_written_compiled: HAND_WRITTEN_COMPILED.load(Relaxed),
        cranelift_runs: CRANELIFT_RUNS.load(Relaxed),
        hand_written_runs: HAND_WRITTEN_RUNS.load(Relaxed),
        interpreter_runs: INTERPRETER_RUNS.load(Relaxed),
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "loaded={} compiled={} found={} refused={} compile_ms={} hand_written_compiled={} \
             cranelift_runs={} hand_written_runs={} interpreter_runs={}",
            self.loaded,
            self.compiled,
            self.found,
            self.refused,
            self.compile_time.as_millis(),
            self.hand_written_compiled,
            self.cranelift_runs,
            self.hand_written_runs,
            self.interpreter_runs,
        )
    }
}

static LOADED: AtomicU64 = AtomicU64::new(0);
static COMPILED: AtomicU64 = AtomicU64::new(0);
static FOUND: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);
static COMPILE_NANOSECONDS: AtomicU64 = AtomicU64::new(0);
static HAND_WRITTEN_COMPILED: AtomicU64 = AtomicU64::new(0);
static CRANELIFT_RUNS: AtomicU64 = AtomicU64::new(0);
static HAND_WRITTEN_RUNS: AtomicU64 = AtomicU64::new(0);
static INTERPRETER_RUNS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn count_load() {
    // Nothing can be compiled or run before it is loaded.
    report::at_exit();
    increment(&LOADED);
}

/// Counts a program that got its code from there in this time.
pub(crate) fn count_compilation(time: Duration, origin: CodeOrigin) {
    increment(&COMPILED);
    if origin != CodeOrigin::Compiled {
        increment(&FOUND);
    }
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    COMPILE_NANOSECONDS.fetch_add(nanoseconds, Relaxed);
}

pub(crate) fn count_refusal() {
    increment(&REFUSED);
}

#[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
pub(crate) fn count_hand_written_compilation() {
    increment(&HAND_WRITTEN_COMPILED);
}

pub(crate) fn count_run(engine: Engine) {
    increment(match engine {
        Engine::Cranelift => &CRANELIFT_RUNS,
        Engine::HandWritten => &HAND_WRITTEN_RUNS,
        Engine::Interpreter => &INTERPRETER_RUNS,
    });
}

fn increment(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
