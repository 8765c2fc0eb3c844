//! The second level of the region cache: more ranges than the first one has slots for.

use {
    crate::{
        abi::{FOUND, Found, HINTS, Slot},
        learnt::Learnt,
        translation::{LONGEST, Range},
    },
    std::{cell::Cell, ptr},
};

/// The second level of one execution. Most never need it.
#[derive(Debug, Default)]
pub(crate) struct SecondLevel {
    found: Option<Box<Spare>>,
    count: usize,
    misses: u32,
}

/// A second level, with whose hints it has.
#[derive(Debug)]
struct Spare {
    found: Found,
    /// What has learnt the hints; only compared.
    owner: *const Learnt,
    /// How many ranges an execution before has left. Generated code must not see them; but as most are likely
    /// to be the next execution's as well, they are compared with those before they are removed.
    left: usize,
}

/// Misses of the first level before there is a second one: what a program misses once or twice
/// is not worth clearing memory for.
const TOLERATED_MISSES: u32 = 4;

/// Of so many executions that have found better hints one keeps them: others run at the same time, with
/// accounts of their own.
const KEPT_IN: u32 = 16;

impl SecondLevel {
    /// Remembers a range that was missed in the first level, if that happens often; tells whether it does.
    /// `shown` is what generated code sees, see [`crate::abi::Context::found`].
    pub(crate) fn miss(&mut self, shown: &mut *const Found, range: Range) -> bool {
        self.misses += 1;
        let is_frequent = self.misses > TOLERATED_MISSES;
        if is_frequent {
            self.insert(shown, range);
        }
        is_frequent
    }

    /// Prepares for a program whose checks have hints. Ranges that were left by another execution are there
    /// until [`Self::begun`].
    pub(crate) fn begin(&mut self, shown: &mut *const Found, learnt: &Learnt) {
        let spare = self.found.get_or_insert_with(spare);
        if !ptr::eq(spare.owner, learnt) {
            spare.owner = learnt;
            learnt.recall(&mut spare.found.hints);
        }
        spare.found.are_hints_new = 0;
        *shown = &raw const spare.found;
    }

    /// Removes what another execution has left, once the ranges of this one are there.
    pub(crate) fn begun(&mut self) {
        if let Some(spare) = &mut self.found {
            spare.remove_left(self.count);
        }
    }

    /// Lets later runs know the hints.
    pub(crate) fn end(&mut self, learnt: &Learnt) {
        let Some(spare) = &mut self.found else { return };
        if spare.found.are_hints_new == 0 {
            return;
        }
        let turn = TURNS.try_with(|turns| turns.replace(turns.get().wrapping_add(1)));
        if !learnt.knows_hints() || turn.is_ok_and(|turn| turn.is_multiple_of(KEPT_IN)) {
            learnt.keep(&spare.found.hints);
        }
    }

    /// [`Self::insert`] between [`Self::begin`] and [`Self::begun`], where ranges are likely to be those that
    /// another execution has left, one after the other.
    #[inline]
    pub(crate) fn insert_again(&mut self, shown: &mut *const Found, range: Range) {
        if let Some(spare) = &mut self.found
            && self.count < spare.left
            && let found = &spare.found
            && found.starts[self.count] == range.start
            && (self.count == 0 || found.starts[self.count - 1] < range.start)
            && found.slots[self.count].is_set(&range)
        {
            // How many there are is set in the end.
            self.count += 1;
            return;
        }
        self.insert(shown, range);
    }

    /// Remembers a range, and shows all to generated code.
    #[inline(never)]
    pub(crate) fn insert(&mut self, shown: &mut *const Found, range: Range) {
        // The greatest address is what marks places without a range.
        if range.length > LONGEST || range.start == u64::MAX {
            return;
        }
        let spare = self.found.get_or_insert_with(|| {
            let mut spare = spare();
            spare.remove_left(0);
            spare
        });
        let (found, left) = (&mut spare.found, spare.left);
        let count = &mut self.count;
        let starts = &found.starts[..*count];
        let place = match starts.last() {
            // Regions come in order.
            Some(last) if *last >= range.start => {
                starts.partition_point(|start| *start < range.start)
            }
            _ => *count,
        };
        let is_last = place == *count;
        if is_last || found.starts[place] != range.start {
            if *count == FOUND {
                // More than fit: those that the program works with now will come back.
                remove(found, 0, *count);
                *count = 0;
                return self.insert(shown, range);
            }
            if place < *count {
                found.starts.copy_within(place..*count, place + 1);
                found.slots.copy_within(place..*count, place + 1);
            }
            *count += 1;
            found.reach = reach(*count);
        }
        found.starts[place] = range.start;
        if !(is_last && place < left && found.slots[place].is_set(&range)) {
            found.slots[place].set(&range);
        }
        *shown = &raw const *found;
    }

    /// Drops all ranges.
    pub(crate) fn clear(&mut self) {
        if let Some(spare) = &mut self.found {
            remove(&mut spare.found, 0, self.count);
            self.count = 0;
        }
    }
}

impl Drop for SecondLevel {
    #[inline]
    fn drop(&mut self) {
        if let Some(spare) = self.found.take() {
            keep(spare, self.count);
        }
    }
}

thread_local! {
    /// A second level that the next execution takes: allocating one takes longer than filling it.
    static SPARE: Cell<Option<Box<Spare>>> = const { Cell::new(None) };

    /// Executions that have found better hints.
    static TURNS: Cell<u32> = const { Cell::new(0) };
}

impl Spare {
    /// Removes what another execution has left behind the first `count` ranges.
    fn remove_left(&mut self, count: usize) {
        let left = std::mem::take(&mut self.left).max(count);
        remove(&mut self.found, count, left);
    }
}

/// [`Found::reach`] for so many ranges.
fn reach(count: usize) -> u64 {
    (count as u64).next_power_of_two() / 2
}

/// Keeps a second level for the next execution; this one has `count` ranges.
#[inline(never)]
fn keep(mut spare: Box<Spare>, count: usize) {
    spare.left = spare.left.max(count);
    // Where the thread is about to end, nobody needs it.
    let _ = SPARE.try_with(|place| place.set(Some(spare)));
}

fn spare() -> Box<Spare> {
    let spare = SPARE.try_with(Cell::take).ok().flatten();
    spare.unwrap_or_else(|| {
        Box::new(Spare {
            found: Found {
                slots: [Slot::default(); FOUND],
                starts: [u64::MAX; FOUND],
                hints: [0; HINTS],
                reach: 0,
                are_hints_new: 0,
            },
            owner: ptr::null(),
            left: 0,
        })
    })
}

/// Removes all ranges behind the first `kept`, of `count` that there are.
fn remove(found: &mut Found, kept: usize, count: usize) {
    found.starts[kept..count].fill(u64::MAX);
    found.slots[kept..count].fill(Slot::default());
    found.reach = reach(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What [`SecondLevel`] has, in order.
    fn ranges(level: &SecondLevel) -> Vec<(u64, u64, u64)> {
        let found = &level.found.as_ref().expect("it has ranges").found;
        let all = found.starts.iter().zip(&found.slots);
        assert!(all.clone().skip(level.count).all(|(start, slot)| {
            *start == u64::MAX && slot.load.limits == [0; 6] && slot.store.limits == [0; 6]
        }));
        let known = all.take(level.count);
        known
            .map(|(start, slot)| {
                assert_eq!(slot.load.start, *start);
                (*start, slot.load.limits[0], slot.store.limits[0])
            })
            .collect()
    }

    fn range(start: u64, length: u64) -> Range {
        Range {
            start,
            length,
            host: start.wrapping_add(1),
            writable: start.is_multiple_of(2),
        }
    }

    #[test]
    fn ranges_are_in_order_whatever_they_came_in() {
        let mut level = SecondLevel::default();
        let mut shown = ptr::null();
        for start in [50, 10, 31, 90, 70, 20] {
            level.insert(&mut shown, range(start, 5));
        }
        level.insert(&mut shown, range(70, 7));
        assert!(!shown.is_null());
        let expected = [
            (10, 5, 5),
            (20, 5, 5),
            (31, 5, 0),
            (50, 5, 5),
            (70, 7, 7),
            (90, 5, 5),
        ];
        assert_eq!(ranges(&level), expected);
        assert_eq!(level.found.as_ref().map(|spare| spare.found.reach), Some(4));
        level.clear();
        assert_eq!(ranges(&level), []);
    }

    #[test]
    fn more_ranges_than_fit_begin_anew() {
        let mut level = SecondLevel::default();
        let mut shown = ptr::null();
        for number in 0..=FOUND as u64 {
            level.insert(&mut shown, range(number * 10, 10));
        }
        assert_eq!(ranges(&level), [(640, 10, 10)]);
    }

    #[test]
    fn nothing_is_left_for_the_next_execution_but_hints() {
        let learnt = Learnt::with_hints();
        let mut shown = ptr::null();
        let mut level = SecondLevel::default();
        level.begin(&mut shown, &learnt);
        level.insert(&mut shown, range(10, 10));
        let spare = level.found.as_mut().expect("it has begun");
        (spare.found.hints[7], spare.found.are_hints_new) = (9, 1);
        level.end(&learnt);
        drop(level);
        let mut next = SecondLevel::default();
        next.begin(&mut shown, &learnt);
        next.begun();
        assert_eq!(ranges(&next), []);
        let hint = |level: &SecondLevel| level.found.as_ref().map(|spare| spare.found.hints[7]);
        assert_eq!(hint(&next), Some(9));
        // Another one at the same time, and one on another thread.
        let mut inner = SecondLevel::default();
        inner.begin(&mut shown, &learnt);
        assert_eq!(hint(&inner), Some(9));
        let elsewhere = std::thread::scope(|scope| {
            let begins = scope.spawn(|| {
                let (mut level, mut shown) = (SecondLevel::default(), ptr::null());
                level.begin(&mut shown, &learnt);
                hint(&level)
            });
            begins.join()
        });
        assert_eq!(elsewhere.ok().flatten(), Some(9));
    }

    #[test]
    fn what_another_execution_has_left_is_replaced() {
        let learnt = Learnt::with_hints();
        let mut shown = ptr::null();
        let mut level = SecondLevel::default();
        level.begin(&mut shown, &learnt);
        for start in [10, 20, 30, 40] {
            level.insert(&mut shown, range(start, 10));
        }
        level.begun();
        drop(level);
        let mut next = SecondLevel::default();
        next.begin(&mut shown, &learnt);
        next.insert_again(&mut shown, range(10, 10));
        let moved = Range {
            host: 99,
            ..range(20, 10)
        };
        let locked = Range {
            writable: false,
            ..range(30, 10)
        };
        next.insert_again(&mut shown, moved);
        next.insert_again(&mut shown, locked);
        next.begun();
        assert_eq!(ranges(&next), [(10, 10, 10), (20, 10, 10), (30, 10, 0)]);
        let slots = next.found.as_ref().map(|spare| &spare.found.slots);
        assert_eq!(slots.map(|slots| slots[1].load.host), Some(99));
        drop(next);
        // Without hints there is no beginning.
        let mut other = SecondLevel::default();
        other.insert(&mut shown, range(20, 10));
        assert_eq!(ranges(&other), [(20, 10, 10)]);
    }

    #[test]
    fn greatest_addresses_and_lengths_are_left_out() {
        let mut level = SecondLevel::default();
        let mut shown = ptr::null();
        level.insert(&mut shown, range(u64::MAX, 1));
        level.insert(&mut shown, range(0, LONGEST + 1));
        assert!(level.found.is_none() && shown.is_null());
        assert!(!level.miss(&mut shown, range(0, 1)) && level.found.is_none());
    }
}
