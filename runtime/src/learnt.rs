//! What the runs of a program learn about it, for those that follow.
//!
//! Nothing here decides what a program may do, only how fast it is. Threads learn side by side, and it is
//! no matter when one sees what another has found.

use {
    crate::{
        abi::{FOUND, HINTS, SLOTS},
        translation::slot,
    },
    std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
};

/// What the runs of a program have learnt.
#[derive(Debug, Default)]
pub struct Learnt {
    /// Slots of the region cache that a run has looked at and found empty: those that are worth filling
    /// before a program runs. Most programs leave some regions alone, and the shortest all of them.
    slots: AtomicU8,
    /// Whether one range in each was not enough.
    are_crowded: AtomicBool,
    hints: Option<Box<Hints>>,
}

/// The hints with which a run has ended, as words.
#[derive(Debug)]
struct Hints {
    are_known: AtomicBool,
    words: [AtomicU64; HINTS / 8],
}

impl Default for Hints {
    fn default() -> Self {
        Self {
            are_known: AtomicBool::new(false),
            words: [const { AtomicU64::new(0) }; HINTS / 8],
        }
    }
}

impl Learnt {
    /// For programs that run often on the same memory: all slots are filled.
    pub const fn all_slots() -> Self {
        Self {
            slots: AtomicU8::new(u8::MAX),
            are_crowded: AtomicBool::new(false),
            hints: None,
        }
    }

    /// For programs whose checks have hints, see [`crate::abi::Found::hints`].
    pub fn with_hints() -> Self {
        Self {
            hints: Some(Box::default()),
            ..Self::default()
        }
    }

    /// Bytes of memory that this takes beside itself.
    pub(crate) fn size(&self) -> usize {
        self.hints.as_deref().map_or(0, size_of_val)
    }

    /// Whether checks have hints.
    #[inline]
    pub(crate) fn has_hints(&self) -> bool {
        self.hints.is_some()
    }

    /// The slots that are known to be needed.
    #[inline]
    pub(crate) fn slots(&self) -> Slots {
        Slots(u32::from(self.slots.load(Relaxed)))
    }

    /// Adds the slot that `address` falls into; tells whether it is new.
    pub(crate) fn add(&self, address: u64) -> bool {
        let is_new = self.slots().add(address);
        if is_new {
            self.slots.fetch_or(1 << slot(address), Relaxed);
        }
        is_new
    }

    /// Whether the second level is worth filling before a program runs.
    #[inline]
    pub(crate) fn are_crowded(&self) -> bool {
        self.has_hints() || self.are_crowded.load(Relaxed)
    }

    /// Notes that a run has needed the second level.
    pub(crate) fn crowd(&self) {
        if !self.are_crowded() {
            self.are_crowded.store(true, Relaxed);
        }
    }

    /// Replaces `hints` by those of an earlier run, if there was one.
    pub(crate) fn recall(&self, hints: &mut [u8; HINTS]) {
        let Some(known) = self
            .hints
            .as_ref()
            .filter(|known| known.are_known.load(Relaxed))
        else {
            return;
        };
        for (bytes, word) in hints.chunks_exact_mut(8).zip(&known.words) {
            bytes.copy_from_slice(&word.load(Relaxed).to_le_bytes());
        }
    }

    /// Keeps hints for later runs.
    pub(crate) fn keep(&self, hints: &[u8; HINTS]) {
        let Some(known) = &self.hints else { return };
        for (bytes, word) in hints.as_chunks().0.iter().zip(&known.words) {
            word.store(u64::from_le_bytes(*bytes), Relaxed);
        }
        known.are_known.store(true, Relaxed);
    }

    /// Whether hints have been kept.
    pub(crate) fn knows_hints(&self) -> bool {
        let known = self.hints.as_ref();
        known.is_some_and(|known| known.are_known.load(Relaxed))
    }
}

/// A set of slots of the region cache.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slots(u32);

impl Slots {
    /// Whether the slot that `address` falls into is one of them.
    #[inline]
    pub fn has(self, address: u64) -> bool {
        self.0 >> slot(address) & 1 != 0
    }

    /// Whether there are none.
    #[inline]
    pub fn are_none(self) -> bool {
        self.0 == 0
    }

    /// Adds the slot that `address` falls into; tells whether it is new.
    pub(crate) fn add(&mut self, address: u64) -> bool {
        let is_new = !self.has(address);
        self.0 |= 1 << slot(address);
        is_new
    }
}

const _: () = assert!(SLOTS == u8::BITS as usize);
const _: () = assert!(HINTS.is_multiple_of(8) && FOUND <= u8::MAX as usize + 1);

#[cfg(test)]
mod tests {
    use {super::*, crate::abi::SLOT_SHIFT};

    #[test]
    fn slots_are_needed_once_they_were_missed() {
        let learnt = Learnt::default();
        let address = |slot: u64| slot << SLOT_SHIFT | 5;
        assert!((0..8).all(|slot| !learnt.slots().has(address(slot))));
        assert!(learnt.add(address(7)) && !learnt.add(address(7)));
        assert!(learnt.add(address(1)));
        let known = learnt.slots();
        let found: Vec<u64> = (0..8).filter(|slot| known.has(address(*slot))).collect();
        assert_eq!(found, [1, 7]);
        let all = Learnt::all_slots();
        assert!((0..8).all(|slot| all.slots().has(address(slot)) && !all.add(address(slot))));
    }

    #[test]
    fn hints_are_recalled_as_they_were_kept() {
        let learnt = Learnt::with_hints();
        let mut hints = [3; HINTS];
        learnt.recall(&mut hints);
        assert_eq!(hints, [3; HINTS], "nothing is known yet");
        let kept: [u8; HINTS] = std::array::from_fn(|index| index as u8 % FOUND as u8);
        learnt.keep(&kept);
        learnt.recall(&mut hints);
        assert_eq!(hints, kept);
    }
}
