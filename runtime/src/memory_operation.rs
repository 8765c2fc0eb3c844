//! Operations on memory in place of syscalls that do nothing else.
//!
//! A syscall's way out of compiled code takes longer than copying a hash does, and then the host finds both
//! ranges in its mapping, which the region cache knows. Where everything is as usual the operation is done
//! here; where anything is not, nothing has happened and the syscall is called.

use {
    crate::{
        abi::{Context, LEAVE},
        host::Host,
        run::{Frames, Run},
        translation,
    },
    std::{ptr, slice},
};

/// What a syscall does, its result being 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Copies from r2 to r1 as many bytes as r3 says, which fails where the ranges overlap.
    Copy,
    /// Copies from r2 to r1 as many bytes as r3 says, as if through a buffer.
    Move,
    /// Sets as many bytes at r1 as r3 says to the low byte of r2.
    Fill,
    /// Compares as many bytes at r1 and r2 as r3 says, and stores an `i32` at r4, whose host address has
    /// to be aligned: the first byte that differs less the one it is compared with, or 0.
    Compare,
}

/// A syscall that does nothing but an operation on memory, and the compute units that it takes for that, before
/// it does anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryOperation {
    /// What it does.
    pub operation: Operation,
    /// The least that it costs.
    pub base_cost: u64,
    /// Bytes for one compute unit, where that is more; 0 for any number.
    pub bytes_per_unit: u64,
}

impl MemoryOperation {
    /// What the operation costs on `length` bytes.
    fn cost(&self, length: u64) -> u64 {
        let cost = match length < self.bytes_per_unit {
            // Divisions are slow, and short operations need none.
            true => 0,
            false => length.checked_div(self.bytes_per_unit).unwrap_or(0),
        };
        cost.max(self.base_cost)
    }
}

impl<H: Host> Run<'_, H> {
    /// Does what a syscall would with `meter` left. Returns the meter that is left then, or `None` if the
    /// syscall has to be called, to which nothing has happened.
    #[inline(never)]
    pub(crate) fn operate(&mut self, what: MemoryOperation, meter: i64) -> Option<i64> {
        let [first, second, length] = [1, 2, 3].map(|number| self.host.argument(number));
        if length == 0 {
            return None;
        }
        match what.operation {
            Operation::Copy | Operation::Move => {
                if what.operation == Operation::Copy && first.abs_diff(second) < length {
                    return None;
                }
                let to = self.find(first, length, true)?;
                let from = self.find(second, length, false)?;
                let left = self.host.charge(what.cost(length), meter)?;
                // SAFETY: `find` has found host memory for all of both ranges, which the program may write
                // and read. They may overlap.
                unsafe { ptr::copy(from, to, length as usize) };
                Some(left)
            }
            Operation::Fill => {
                let to = self.find(first, length, true)?;
                let left = self.host.charge(what.cost(length), meter)?;
                // SAFETY: `find` has found host memory for all of the range, which the program may write.
                unsafe { ptr::write_bytes(to, second as u8, length as usize) };
                Some(left)
            }
            Operation::Compare => {
                let result = self.host.argument(4);
                let to = self.find(result, size_of::<i32>() as u64, true)?;
                let to = to.cast::<i32>();
                let one = self.find(first, length, false)?;
                let other = self.find(second, length, false)?;
                if !to.is_aligned() {
                    return None;
                }
                let left = self.host.charge(what.cost(length), meter)?;
                // SAFETY: `find` has found host memory for all of these ranges, which the program may read,
                // and nothing writes to it before they are gone.
                let difference = unsafe {
                    let length = length as usize;
                    let one = slice::from_raw_parts(one, length);
                    difference(one, slice::from_raw_parts(other, length))
                };
                // SAFETY: `find` has found host memory for it, which the program may write; it is aligned.
                unsafe { to.write(difference) };
                Some(left)
            }
        }
    }

    /// The host address of `length` bytes at `address`, at least one, if they are in one range that may be
    /// accessed without a handler.
    fn find(&mut self, address: u64, length: u64, store: bool) -> Option<*mut u8> {
        let host = match known(&self.context, self.frames(), address, length, store) {
            Some(host) => host,
            None => {
                let range = self.host.range(address, store)?;
                let host = range.resolve(address, length)?;
                // Checks that have hints look at the range that they have found themselves.
                if !self.image.learnt.has_hints() {
                    self.remember(address, range);
                }
                host
            }
        };
        (host > LEAVE).then(|| ptr::with_exposed_provenance_mut(host as usize))
    }
}

/// The host address of `length` bytes at `address` in a frame of a stack with gaps, or in the first level of
/// the region cache.
fn known(context: &Context, frames: Frames, address: u64, length: u64, store: bool) -> Option<u64> {
    let behind = address.wrapping_sub(context.stack_start);
    if behind < context.stack_span
        && let Frames::Fixed { size, .. } = frames
        && size.is_power_of_two()
    {
        let within = behind & (2 * size - 1);
        let host = context
            .stack_host
            .wrapping_add((behind - within) / 2 + within);
        return (within < size && length <= size - within).then_some(host);
    }
    let slot = &context.slots[translation::slot(address)];
    let range = match store {
        true => &slot.store,
        false => &slot.load,
    };
    let behind = address.wrapping_sub(range.start);
    let all = range.limits[0];
    (behind < all && length <= all - behind).then(|| range.host.wrapping_add(behind))
}

/// The first byte of `one` that differs from that of `other`, less that one; 0 if none does.
fn difference(one: &[u8], other: &[u8]) -> i32 {
    let differs = |(one, other): &(&u8, &u8)| one != other;
    let (words, rest) = one.as_chunks::<8>();
    let (other_words, other_rest) = other.as_chunks::<8>();
    for (word, other_word) in words.iter().zip(other_words) {
        if word != other_word {
            return difference_of(word.iter().zip(other_word).find(differs));
        }
    }
    difference_of(rest.iter().zip(other_rest).find(differs))
}

fn difference_of(bytes: Option<(&u8, &u8)>) -> i32 {
    bytes.map_or(0, |(one, other)| i32::from(*one) - i32::from(*other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_counts() {
        for length in 0..40 {
            let one: Vec<u8> = (0..length)
                .map(|byte| (byte as u8).wrapping_mul(7))
                .collect();
            assert_eq!(difference(&one, &one), 0);
            for place in 0..length {
                for byte in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut other = one.clone();
                    other[place] = byte;
                    // What follows does not count.
                    other[place + 1..].reverse();
                    let naive = one.iter().zip(&other).find(|(one, other)| one != other);
                    let naive = naive.map_or(0, |(one, other)| *one as i32 - *other as i32);
                    assert_eq!(difference(&one, &other), naive);
                }
            }
        }
    }

    #[test]
    fn costs() {
        let cost = |base_cost, bytes_per_unit, length| {
            let operation = Operation::Copy;
            let operation = MemoryOperation {
                operation,
                base_cost,
                bytes_per_unit,
            };
            operation.cost(length)
        };
        assert_eq!(cost(10, 250, 1), 10);
        assert_eq!(cost(10, 250, 2749), 10);
        assert_eq!(cost(10, 250, 2750), 11);
        assert_eq!(cost(0, 250, 249), 0);
        assert_eq!(cost(0, 1, u64::MAX), u64::MAX);
        assert_eq!(cost(7, 0, u64::MAX), 7);
    }
}
