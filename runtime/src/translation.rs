//! The region cache: translations of address ranges that inline checks read.
//!
//! A cache may always hold less than the mapping allows, never more: whatever it does not admit
//! goes to the mapping itself. It is emptied when regions may have changed.

use {
    crate::abi::{Context, FOUND, Found, LIMITS, SLOT_SHIFT, SLOTS, Slot, Translation},
    std::{
        cell::Cell,
        sync::atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

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

impl From<Range> for Translation {
    fn from(range: Range) -> Self {
        let mut translation = Self::default();
        fill(&mut translation, &range);
        translation
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
fn slot(address: u64) -> usize {
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

/// The slots that a program has looked at and found empty, in any of its runs: those that are worth
/// filling before it runs. Most programs leave some regions alone, and the shortest all of them.
#[derive(Debug, Default)]
pub struct NeededSlots {
    slots: AtomicU8,
    /// Whether one range in each was not enough.
    are_crowded: AtomicBool,
}

impl NeededSlots {
    /// All of them, for programs that run often on the same memory.
    pub const fn all() -> Self {
        Self {
            slots: AtomicU8::new(u8::MAX),
            are_crowded: AtomicBool::new(false),
        }
    }

    /// Those known by now. It is no matter when a thread learns what another one has found.
    pub(crate) fn now(&self) -> Slots {
        Slots(self.slots.load(Ordering::Relaxed))
    }

    /// Adds the slot that `address` falls into; tells whether it is new.
    pub(crate) fn add(&self, address: u64) -> bool {
        let is_new = !self.now().has(address);
        if is_new {
            self.slots.fetch_or(1 << slot(address), Ordering::Relaxed);
        }
        is_new
    }

    /// Whether the second level is worth filling as well.
    pub(crate) fn are_crowded(&self) -> bool {
        self.are_crowded.load(Ordering::Relaxed)
    }

    /// Notes that a run has needed the second level.
    pub(crate) fn crowd(&self) {
        if !self.are_crowded() {
            self.are_crowded.store(true, Ordering::Relaxed);
        }
    }
}

/// A set of slots of the region cache.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slots(u8);

impl Slots {
    /// Adds the slot that `address` falls into; tells whether it is new.
    pub(crate) fn add(&mut self, address: u64) -> bool {
        let is_new = !self.has(address);
        self.0 |= 1 << slot(address);
        is_new
    }

    /// Whether the slot that `address` falls into is one of them.
    #[inline]
    pub fn has(self, address: u64) -> bool {
        self.0 >> slot(address) & 1 != 0
    }
}

const _: () = assert!(SLOTS == u8::BITS as usize);

/// The second level of the cache, which most executions never need.
#[derive(Debug, Default)]
pub struct SecondLevel {
    found: Option<Box<Found>>,
    count: usize,
    misses: u32,
}

/// Misses of the first level before there is a second one: what a program misses once or twice
/// is not worth clearing memory for.
const TOLERATED_MISSES: u32 = 4;

impl SecondLevel {
    /// Remembers a range that was missed in the first level, if that happens often; tells whether it does.
    pub fn miss(&mut self, context: &mut Context, range: Range) -> bool {
        self.misses += 1;
        let is_frequent = self.misses > TOLERATED_MISSES;
        if is_frequent {
            self.insert(context, range);
        }
        is_frequent
    }

    /// Remembers a range, and shows all to generated code.
    pub fn insert(&mut self, context: &mut Context, range: Range) {
        // The greatest address is what marks places without a range.
        if range.length > LONGEST || range.start == u64::MAX {
            return;
        }
        let found = self.found.get_or_insert_with(spare);
        let count = &mut self.count;
        let starts = &found.starts[..*count];
        let place = match starts.last() {
            // Regions come in order.
            Some(last) if *last >= range.start => {
                starts.partition_point(|start| *start < range.start)
            }
            _ => *count,
        };
        if found.starts.get(place) != Some(&range.start) {
            if *count == FOUND {
                // More than fit: those that the program works with now will come back.
                empty(found, *count);
                *count = 0;
                return self.insert(context, range);
            }
            make_room(&mut found.starts, place, *count);
            make_room(&mut found.hosts, place, *count);
            let [loads, stores] = &mut found.lengths;
            make_room(loads, place, *count);
            make_room(stores, place, *count);
            *count += 1;
            found.reach = (*count as u64).next_power_of_two() / 2;
        }
        found.starts[place] = range.start;
        found.hosts[place] = range.host;
        let [loads, stores] = &mut found.lengths;
        loads[place] = range.length;
        stores[place] = if range.writable { range.length } else { 0 };
        context.found = &raw const **found;
    }

    /// Drops all ranges.
    pub fn clear(&mut self) {
        if let Some(found) = &mut self.found {
            empty(found, self.count);
            self.count = 0;
        }
    }
}

impl Drop for SecondLevel {
    fn drop(&mut self) {
        if let Some(mut found) = self.found.take() {
            empty(&mut found, self.count);
            // Where the thread is about to end, nobody needs it.
            let _ = SPARE.try_with(|spare| spare.set(Some(found)));
        }
    }
}

thread_local! {
    /// An empty second level that the next execution takes: allocating one takes longer than filling it.
    static SPARE: Cell<Option<Box<Found>>> = const { Cell::new(None) };
}

fn spare() -> Box<Found> {
    let spare = SPARE.try_with(Cell::take).ok().flatten();
    spare.unwrap_or_else(|| {
        Box::new(Found {
            starts: [u64::MAX; FOUND],
            hosts: [0; FOUND],
            lengths: [[0; FOUND]; 2],
            reach: 0,
        })
    })
}

/// Removes the first `count` ranges, which are all.
fn empty(found: &mut Found, count: usize) {
    let [loads, stores] = &mut found.lengths;
    found.starts[..count].fill(u64::MAX);
    loads[..count].fill(0);
    stores[..count].fill(0);
    found.reach = 0;
}

/// Moves those of `count` words that are at `place` and behind it by one.
#[inline]
fn make_room(words: &mut [u64; FOUND], place: usize, count: usize) {
    if place < count {
        words.copy_within(place..count, place + 1);
    }
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
    fn slots_are_needed_once_they_were_missed() {
        let needed = NeededSlots::default();
        let address = |slot: u64| slot << SLOT_SHIFT | 5;
        assert!((0..8).all(|slot| !needed.now().has(address(slot))));
        assert!(needed.add(address(7)) && !needed.add(address(7)));
        assert!(needed.add(address(1)));
        let known = needed.now();
        let found: Vec<u64> = (0..8).filter(|slot| known.has(address(*slot))).collect();
        assert_eq!(found, [1, 7]);
        let all = NeededSlots::all();
        assert!((0..8).all(|slot| all.now().has(address(slot)) && !all.add(address(slot))));
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
