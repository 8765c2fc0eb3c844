//! The region cache: translations of address ranges that inline checks read.
//!
//! A cache may always hold less than the mapping allows, never more: whatever it does not admit
//! goes to the mapping itself. It is emptied when regions may have changed.

use crate::abi::{Context, LIMITS, SLOT_SHIFT, SLOTS, Slot, Translation};

/// A contiguous range of virtual addresses with its host memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First virtual address.
    pub start: u64,
    /// Length in bytes.
    pub length: u64,
    /// Host address of the first byte.
    pub host: u64,
    /// Whether it may be written.
    pub writable: bool,
}

impl Range {
    /// The host address of `span` bytes at `address`, if all of them are inside.
    pub fn resolve(&self, address: u64, span: u64) -> Option<u64> {
        let offset = address.checked_sub(self.start)?;
        let end = offset.checked_add(span)?;
        (end <= self.length).then(|| self.host.wrapping_add(offset))
    }
}

impl Slot {
    /// Makes this that of `range`, whatever it was before.
    #[inline]
    pub fn set(&mut self, range: &Range) {
        fill_slot(self, range);
        if !range.writable {
            self.store = Translation::default();
        }
    }

    /// Whether this is what [`Self::set`] makes it.
    #[inline]
    pub(crate) fn is_set(&self, range: &Range) -> bool {
        let written = if range.writable { range.length } else { 0 };
        let lengths = [self.load.limits[0], self.store.limits[0]];
        self.load.start == range.start
            && self.load.host == range.host
            && lengths == [range.length, written]
    }
}

/// Makes `translation` that of `range`.
///
/// Word by word, straight to where it belongs: a copy of words just stored would wait for them to
/// leave the store buffer.
#[inline(always)]
fn fill(translation: &mut Translation, range: &Range) {
    translation.start = range.start;
    translation.host = range.host;
    for (limit, size) in translation.limits.iter_mut().zip(SIZES) {
        *limit = range.length.saturating_sub(size - 1);
    }
}

/// What [`Translation::limits`] are for.
const SIZES: [u64; LIMITS] = [1, 2, 4, 8, 16, 32];

/// Ranges longer than this are not cached, so that `offset + span` can't wrap in generated code.
pub const LONGEST: u64 = 1 << 48;

/// The entry that generated code looks at for `address`.
#[inline]
pub(crate) fn slot(address: u64) -> usize {
    (address >> SLOT_SHIFT) as usize % SLOTS
}

/// Makes `range` the translation of the slot that `address` falls into.
#[inline]
pub fn insert(context: &mut Context, address: u64, range: Range) {
    let slot = &mut context.slots[slot(address)];
    #[expect(
        clippy::if_same_then_else,
        reason = "compiled differently: usually no limit has to be clamped"
    )]
    if (SIZES[LIMITS - 1]..=LONGEST).contains(&range.length) {
        fill_slot(slot, &range);
    } else if range.length <= LONGEST {
        fill_slot(slot, &range);
    }
}

#[inline(always)]
fn fill_slot(slot: &mut Slot, range: &Range) {
    fill(&mut slot.load, range);
    if range.writable {
        fill(&mut slot.store, range);
    }
}

/// Whether nothing is translated in the slot that `address` falls into.
#[inline]
pub(crate) fn is_empty(context: &Context, address: u64) -> bool {
    context.slots[slot(address)].load.limits[0] == 0
}

/// Drops all translations of the first level.
pub fn clear(context: &mut Context) {
    context.slots = [Slot::default(); SLOTS];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_admit_exactly_what_fits() {
        for length in 0..40 {
            let mut translation = Translation::default();
            let range = Range {
                start: 0,
                length,
                host: 0,
                writable: true,
            };
            fill(&mut translation, &range);
            for (log2, size) in [1u64, 2, 4, 8, 16, 32].into_iter().enumerate() {
                for offset in 0..44 {
                    let fits = offset + size <= length;
                    assert_eq!(
                        offset < translation.limits[log2],
                        fits,
                        "{length} {size} {offset}"
                    );
                }
            }
        }
    }

    #[test]
    fn nothing_is_resolved_outside() {
        let range = Range {
            start: 100,
            length: 10,
            host: 1000,
            writable: false,
        };
        assert_eq!(range.resolve(100, 10), Some(1000));
        assert_eq!(range.resolve(109, 1), Some(1009));
        assert_eq!(range.resolve(109, 2), None);
        assert_eq!(range.resolve(99, 1), None);
        assert_eq!(range.resolve(u64::MAX, 8), None);
        assert_eq!(range.resolve(102, u64::MAX), None);
    }
}
