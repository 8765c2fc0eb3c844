//! What a cache did, in numbers.

use {
    super::{CodeOrigin, memory::lock},
    std::sync::Mutex,
};

/// Different problems that are remembered.
const MOST_PROBLEMS: usize = 16;

/// What a [`Cache`](super::Cache) did since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStatistics {
    /// Programs that were compiled.
    pub compiled: u64,
    /// Programs whose code was alive in this process.
    pub memory_hits: u64,
    /// Programs whose code was in the directory.
    pub directory_hits: u64,
    /// Programs that were stored in the directory.
    pub stored: u64,
    /// Files that were there and not run: they were damaged, or not ours.
    pub rejected: u64,
    /// Programs that could not be stored in the directory.
    pub not_stored: u64,
    /// Why, in one line each, the first few ones.
    pub problems: Vec<String>,
}

/// The statistics of a cache in use.
#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<CacheStatistics>);

impl Counters {
    pub(super) fn get(&self) -> CacheStatistics {
        lock(&self.0).clone()
    }

    pub(super) fn count(&self, origin: CodeOrigin) {
        let mut statistics = lock(&self.0);
        *match origin {
            CodeOrigin::Compiled => &mut statistics.compiled,
            CodeOrigin::Memory => &mut statistics.memory_hits,
            CodeOrigin::Directory => &mut statistics.directory_hits,
        } += 1;
    }

    pub(super) fn stored(&self) {
        lock(&self.0).stored += 1;
    }

    pub(super) fn rejected(&self, problem: String) {
        let mut statistics = lock(&self.0);
        statistics.rejected += 1;
        statistics.note(problem);
    }

    pub(super) fn not_stored(&self, problem: String) {
        let mut statistics = lock(&self.0);
        statistics.not_stored += 1;
        statistics.note(problem);
    }
}

impl CacheStatistics {
    fn note(&mut self, problem: String) {
        if self.problems.len() < MOST_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}
