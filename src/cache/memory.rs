//! Code that is alive in this process, by its key.
//!
//! Only weak references are kept, so that code goes with the last program that uses it, but for
//! what a caller wants to be retained. Whoever asks for the same code at the same time waits for
//! the first one.

use {
    super::{
        Code,
        key::CodeKey,
        sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak},
    },
    std::collections::{BTreeMap, HashMap},
};

/// Code by key.
#[derive(Debug, Default)]
pub(super) struct Memory {
    slots: Mutex<Slots>,
    retained: Mutex<Retained>,
    /// Bytes that may be retained.
    limit: usize,
}

/// The places of all keys.
#[derive(Debug, Default)]
struct Slots {
    by_key: HashMap<CodeKey, Arc<Slot>>,
    /// With so many, it is worth looking for those whose code is gone.
    many: usize,
}

/// Fewer slots than this are never too many.
const FEW: usize = 64;

/// The place of one key; locked while its code is made.
type Slot = Mutex<Weak<Code>>;

impl Memory {
    /// An empty one that keeps the code used last, up to `limit` bytes, from being dropped.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// The code of `key`, made by `make` if there is none, and whether it was there.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) fn get_or<E>(
        &self,
        key: CodeKey,
        make: impl FnOnce() -> Result<Arc<Code>, E>,
    ) -> Result<(Arc<Code>, bool), E> {
        let slot = self.slot(key);
        let mut place = lock(&slot);
        if let Some(code) = place.upgrade() {
            drop(place);
            self.retain(&code);
            return Ok((code, true));
        }
        let code = make()?;
        *place = Arc::downgrade(&code);
        drop(place);
        self.retain(&code);
        Ok((code, false))
    }

    /// The code of `key`; what `load` returns if there is none; none if somebody is making it.
    pub(super) fn find_or(
        &self,
        key: CodeKey,
        load: impl FnOnce() -> Option<Arc<Code>>,
    ) -> Option<Arc<Code>> {
        let slot = self.slot(key);
        let mut place = match slot.try_lock() {
            Ok(place) => place,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let code = match place.upgrade() {
            Some(code) => code,
            None => {
                let code = load()?;
                *place = Arc::downgrade(&code);
                code
            }
        };
        drop(place);
        self.retain(&code);
        Some(code)
    }

    /// Whether there is any code.
    pub(super) fn has_code(&self) -> bool {
        let slots = lock(&self.slots);
        slots
            .by_key
            .values()
            .any(|slot| slot.try_lock().is_ok_and(|code| code.strong_count() > 0))
    }

    fn slot(&self, key: CodeKey) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        let Slots { by_key, many } = &mut *slots;
        if let Some(slot) = by_key.get(&key) {
            return Arc::clone(slot);
        }
        // Looking for what is gone each time the number has doubled takes constant time each.
        if by_key.len() >= *many {
            by_key.retain(|_, slot| {
                Arc::strong_count(slot) > 1
                    || slot.try_lock().is_ok_and(|code| code.strong_count() > 0)
            });
            *many = FEW.max(2 * by_key.len());
        }
        Arc::clone(by_key.entry(key).or_default())
    }

    /// Makes `code` the one used last.
    pub(super) fn retain(&self, code: &Arc<Code>) {
        if self.limit > 0 {
            lock(&self.retained).push(code, self.limit);
        }
    }
}

/// Code that is kept although nobody may use it.
#[derive(Debug, Default)]
struct Retained {
    /// By the time of its last use, with its size then.
    codes: BTreeMap<u64, (Arc<Code>, usize)>,
    /// These times, by the address of the code, which is alive.
    times: HashMap<usize, u64>,
    time: u64,
    bytes: usize,
}

impl Retained {
    fn push(&mut self, code: &Arc<Code>, limit: usize) {
        self.time += 1;
        let address = Arc::as_ptr(code).addr();
        if let Some(before) = self.times.insert(address, self.time)
            && let Some((_, size)) = self.codes.remove(&before)
        {
            self.bytes = self.bytes.saturating_sub(size);
        }
        let size = code.size();
        self.bytes += size;
        self.codes.insert(self.time, (Arc::clone(code), size));
        while self.bytes > limit {
            let Some((_, (oldest, size))) = self.codes.pop_first() else {
                return;
            };
            self.times.remove(&Arc::as_ptr(&oldest).addr());
            self.bytes = self.bytes.saturating_sub(size);
        }
    }
}

/// What a panic leaves behind is whole: every change is a single assignment, or repeated by the
/// next call.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
