//! From the lower tier to compiled code: what the background was asked for, and how it came out.

use {
    super::{
        policy::Temperature,
        sync::{Arc, Mutex, PoisonError},
        ticket::Ticket,
    },
    std::sync::OnceLock,
};

/// What to do in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Look into the cache.
    Find,
    /// Compile, unless the cache has it.
    Compile,
}

/// Where no thread can be had, or too many programs wait for it, asking takes more time than a run.
const RUNS_BETWEEN_TRIES: u64 = 256;

/// Where the search for compiled code ends, with `T` for good, and what it waits for: answers of the
/// background. Dropping it cancels what it waits for.
#[derive(Debug)]
pub(super) struct Switch<T, A> {
    settled: OnceLock<T>,
    background: Mutex<Background<A>>,
}

#[derive(Debug)]
struct Background<A> {
    has_looked: bool,
    pending: Option<Arc<Ticket<A>>>,
    /// The run before which there is no use in asking again.
    next_try: u64,
}

/// What its owner does for a [`Switch`].
pub(super) trait Owner<T, A> {
    /// What an answer means for good, if it does.
    fn receive(&self, answer: A) -> Option<T>;

    /// Whether [`Task::Find`] may find something.
    fn may_find(&self) -> bool;

    /// Asks the background, which may have no time.
    ///
    /// # Errors
    /// How the search ends, if there is no use in asking.
    fn submit(&self, task: Task) -> Result<Option<Arc<Ticket<A>>>, T>;
}

impl<T, A> Switch<T, A> {
    pub(super) fn new() -> Self {
        Self {
            settled: OnceLock::new(),
            background: Mutex::new(Background {
                has_looked: false,
                pending: None,
                next_try: 0,
            }),
        }
    }

    /// How the search has ended, if it has.
    pub(super) fn settled(&self) -> Option<&T> {
        self.settled.get()
    }

    /// Ends the search on this thread, with what `find` returns. All others wait for it.
    pub(super) fn settle_now(&self, find: impl FnOnce() -> T) {
        self.settled.get_or_init(find);
    }

    /// Takes the answer of the background, if there is one. Waits for nobody.
    pub(super) fn look(&self, owner: &impl Owner<T, A>) {
        if let Ok(mut background) = self.background.try_lock() {
            self.receive(&mut background, owner);
        }
    }

    /// Asks the background for what the temperature calls for, after so many runs. Waits for nobody.
    pub(super) fn ask(&self, temperature: Temperature, runs: u64, owner: &impl Owner<T, A>) {
        // Somebody else is looking after it.
        let Ok(mut background) = self.background.try_lock() else {
            return;
        };
        self.receive(&mut background, owner);
        if background.pending.is_some() || self.settled.get().is_some() {
            return;
        }
        let task = match temperature {
            Temperature::Cold => return,
            Temperature::Warm => {
                if std::mem::replace(&mut background.has_looked, true) || !owner.may_find() {
                    return;
                }
                Task::Find
            }
            Temperature::Hot => {
                if runs < background.next_try {
                    return;
                }
                background.next_try = runs.saturating_add(RUNS_BETWEEN_TRIES);
                Task::Compile
            }
        };
        match owner.submit(task) {
            Ok(ticket) => background.pending = ticket,
            Err(end) => self.settle(end),
        }
    }

    fn receive(&self, background: &mut Background<A>, owner: &impl Owner<T, A>) {
        let pending = background.pending.as_ref();
        let Some(answer) = pending.and_then(|ticket| ticket.take_answer()) else {
            return;
        };
        background.pending = None;
        if let Some(end) = owner.receive(answer) {
            self.settle(end);
        }
    }

    fn settle(&self, end: T) {
        // Only the holder of the lock comes here, and once.
        let _ = self.settled.set(end);
    }
}

impl<T, A> Drop for Switch<T, A> {
    fn drop(&mut self) {
        let background = self.background.get_mut();
        if let Some(ticket) = &background.unwrap_or_else(PoisonError::into_inner).pending {
            ticket.cancel();
        }
    }
}
