//! New inputs out of old ones.

use rand::{Rng, RngCore, seq::IndexedRandom};

/// Values at which behaviour often changes.
const EDGES: [i64; 18] = [
    0,
    1,
    -1,
    2,
    7,
    8,
    31,
    32,
    63,
    64,
    127,
    128,
    4095,
    4096,
    i16::MAX as i64,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MIN,
];

/// Changes `input` in one to six places. Whole units of `unit` bytes are moved, and `others` lend
/// theirs; the result has at most `longest` bytes.
pub fn mutate(
    input: &mut Vec<u8>,
    others: &[Vec<u8>],
    unit: usize,
    longest: usize,
    random: &mut impl Rng,
) {
    // Mostly one: of what is changed in many places, little is accepted.
    let steps = [1, 1, 1, 2, 3, 6][random.random_range(0..6)];
    for _ in 0..steps {
        step(input, others, unit, random);
    }
    input.truncate(longest);
}

/// Bytes that follow from nothing.
pub fn fresh(longest: usize, random: &mut impl Rng) -> Vec<u8> {
    let mut input = vec![0; random.random_range(0..=longest)];
    random.fill_bytes(&mut input);
    input
}

fn step(input: &mut Vec<u8>, others: &[Vec<u8>], unit: usize, random: &mut impl Rng) {
    if input.is_empty() {
        input.resize(unit, 0);
        random.fill_bytes(input);
        return;
    }
    let at = random.random_range(0..input.len());
    let (start, end) = units(input.len(), unit, random);
    match random.random_range(0..12) {
        0 => input[at] ^= 1 << random.random_range(0..8),
        1 => input[at] = random.random(),
        2 => input[at] = input[at].wrapping_add(random.random_range(-4..=4i8) as u8),
        3 | 4 => {
            let edge = EDGES.choose(random).expect("there are edges").to_le_bytes();
            let width = [1, 2, 4, 8][random.random_range(0..4)].min(input.len() - at);
            input[at..at + width].copy_from_slice(&edge[..width]);
        }
        5 => drop(input.drain(start..end)),
        6 => {
            let copy = input[start..end].to_vec();
            let (place, _) = units(input.len(), unit, random);
            input.splice(place..place, copy);
        }
        7 => {
            let (from, _) = units(input.len(), unit, random);
            let copy = input[from..input.len().min(from + end - start)].to_vec();
            input[start..start + copy.len().min(end - start)]
                .copy_from_slice(&copy[..copy.len().min(end - start)]);
        }
        // What others have, put in or in place of what is here.
        kind @ (8..=10) => {
            let Some(other) = others.choose(random).filter(|other| !other.is_empty()) else {
                return;
            };
            let (from, to) = units(other.len(), unit, random);
            let replaced = if kind == 8 { start } else { end };
            input.splice(start..replaced, other[from..to].iter().copied());
        }
        _ => {
            let mut bytes = vec![0; unit];
            random.fill_bytes(&mut bytes);
            input.splice(start..start, bytes);
        }
    }
}

/// Start and end of one to eight units within `length` bytes.
fn units(length: usize, unit: usize, random: &mut impl RngCore) -> (usize, usize) {
    let count = length.div_ceil(unit).max(1);
    let first = random.random_range(0..count);
    let last = (first + random.random_range(1..=8)).min(count);
    ((first * unit).min(length), (last * unit).min(length))
}
