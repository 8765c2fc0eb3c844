//! Programs that each stress one thing, with twins in Rust.
//!
//! A program finds its memory in r1; the length is put into r2 by its first instruction, since not
//! all engines do.

use super::text::Text;

/// A program to be measured.
pub(super) struct Workload {
    /// What it is called.
    pub(super) name: &'static str,
    /// Its instructions.
    pub(super) text: Vec<u8>,
    /// The memory that it starts with.
    pub(super) memory: Vec<u8>,
    /// The same in Rust.
    pub(super) native: fn(&mut [u8]) -> u64,
}

/// The number of the helper that programs call: the sum of its first two arguments.
pub(super) const HELPER: u32 = 1;

/// All workloads.
pub(super) fn all() -> Vec<Workload> {
    vec![
        workload("return", |text| text.op(0xb7, [0, 0], 0, 42), 16, |_| 42),
        workload("packet", packet, 64, packet_native),
        workload("arithmetic64", arithmetic64, 8, arithmetic64_native),
        workload("arithmetic32", arithmetic32, 8, arithmetic32_native),
        workload("division", division, 8, division_native),
        workload("branches", branches, 8, branches_native),
        workload("words", words, 8192, words_native),
        workload("bytes", bytes, 2048, bytes_native),
        workload("checksum", checksum, 1500, checksum_native),
        workload("copy", copy, 8192, copy_native),
        workload("sieve", sieve, 4096, sieve_native),
        workload("stack", stack, 8, stack_native),
        workload("calls", calls, 8, calls_native),
        workload("nested calls", nested_calls, 8, nested_calls_native),
        workload("helpers", helpers, 8, helpers_native),
    ]
}

fn workload(
    name: &'static str,
    body: fn(&mut Text),
    length: usize,
    native: fn(&mut [u8]) -> u64,
) -> Workload {
    let mut text = Text::default();
    text.op(0xb7, [2, 0], 0, length as i32);
    body(&mut text);
    text.exit();
    let mut memory: Vec<u8> = (0..length).map(|index| (index * 7 + 1) as u8).collect();
    if length == 8 {
        memory = 1_000u64.to_le_bytes().to_vec();
    }
    if length == 64 {
        // Ethernet, IPv4 and TCP to port 443.
        memory[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
        memory[23] = 6;
        memory[36..38].copy_from_slice(&[0x01, 0xbb]);
    }
    Workload {
        name,
        text: text.bytes(),
        memory,
        native,
    }
}

fn word(memory: &[u8], at: usize) -> u64 {
    let bytes = memory.get(at..).and_then(|rest| rest.first_chunk::<8>());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Opens a loop that r3 counts down from the first word of memory, r0 being 0.
fn begin(text: &mut Text) -> usize {
    text.op(0x79, [3, 1], 0, 0);
    text.op(0xb7, [0, 0], 0, 0);
    text.here()
}

/// Closes it.
fn end(text: &mut Text, start: usize) {
    text.op(0x07, [3, 0], 0, -1);
    text.back(0x55, [3, 0], 0, start);
}

/// Is it a TCP packet to port 443?
fn packet(text: &mut Text) {
    text.op(0xb7, [0, 0], 0, 0);
    let mut misses = vec![text.ahead(0xa5, [2, 0], 54)];
    text.op(0x69, [3, 1], 12, 0);
    misses.push(text.ahead(0x55, [3, 0], 0x0008));
    text.op(0x71, [4, 1], 14, 0);
    text.op(0xbf, [5, 4], 0, 0);
    text.op(0x77, [5, 0], 0, 4);
    misses.push(text.ahead(0x55, [5, 0], 4));
    text.op(0x71, [5, 1], 23, 0);
    misses.push(text.ahead(0x55, [5, 0], 6));
    text.op(0x57, [4, 0], 0, 15);
    text.op(0x67, [4, 0], 0, 2);
    text.op(0x0f, [4, 1], 0, 0);
    text.op(0x69, [5, 4], 16, 0);
    text.op(0xdc, [5, 0], 0, 16);
    misses.push(text.ahead(0x55, [5, 0], 443));
    text.op(0xb7, [0, 0], 0, 1);
    misses.into_iter().for_each(|miss| text.land(miss));
}

fn packet_native(memory: &mut [u8]) -> u64 {
    let is_wanted = memory.len() >= 54
        && memory[12..14] == [8, 0]
        && memory[14] >> 4 == 4
        && memory[23] == 6
        && {
            let header = usize::from(memory[14] & 15) * 4;
            memory.get(header + 16..header + 18) == Some(&[0x01, 0xbb])
        };
    u64::from(is_wanted)
}

fn arithmetic64(text: &mut Text) {
    let start = begin(text);
    text.op(0x27, [0, 0], 0, 31);
    text.op(0x0f, [0, 3], 0, 0);
    text.op(0xbf, [4, 0], 0, 0);
    text.op(0x77, [4, 0], 0, 7);
    text.op(0xaf, [0, 4], 0, 0);
    text.op(0x67, [4, 0], 0, 3);
    text.op(0x1f, [0, 4], 0, 0);
    end(text, start);
}

fn arithmetic64_native(memory: &mut [u8]) -> u64 {
    (1..=word(memory, 0)).rev().fold(0, |sum: u64, count| {
        let sum = sum.wrapping_mul(31).wrapping_add(count);
        let shifted = sum >> 7;
        (sum ^ shifted).wrapping_sub(shifted << 3)
    })
}

fn arithmetic32(text: &mut Text) {
    let start = begin(text);
    text.op(0x24, [0, 0], 0, 31);
    text.op(0x0c, [0, 3], 0, 0);
    text.op(0xbc, [4, 0], 0, 0);
    text.op(0x74, [4, 0], 0, 7);
    text.op(0xac, [0, 4], 0, 0);
    text.op(0x64, [4, 0], 0, 3);
    text.op(0x1c, [0, 4], 0, 0);
    end(text, start);
}

fn arithmetic32_native(memory: &mut [u8]) -> u64 {
    let sum = (1..=word(memory, 0)).rev().fold(0, |sum: u32, count| {
        let sum = sum.wrapping_mul(31).wrapping_add(count as u32);
        let shifted = sum >> 7;
        (sum ^ shifted).wrapping_sub(shifted << 3)
    });
    u64::from(sum)
}

fn division(text: &mut Text) {
    let start = begin(text);
    text.op(0x07, [0, 0], 0, 1_000_003);
    text.op(0xbf, [4, 0], 0, 0);
    text.op(0x3f, [4, 3], 0, 0);
    text.op(0x9f, [0, 3], 0, 0);
    text.op(0x0f, [0, 4], 0, 0);
    end(text, start);
}

fn division_native(memory: &mut [u8]) -> u64 {
    (1..=word(memory, 0)).rev().fold(0, |sum: u64, count| {
        let sum = sum.wrapping_add(1_000_003);
        (sum % count).wrapping_add(sum / count)
    })
}

/// Steps of the Collatz sequences of the numbers up to a hundred and something.
fn branches(text: &mut Text) {
    text.op(0x79, [3, 1], 0, 0);
    text.op(0x77, [3, 0], 0, 3);
    text.op(0xb7, [0, 0], 0, 0);
    let start = text.here();
    text.op(0xbf, [4, 3], 0, 0);
    let step = text.here();
    let done = text.ahead(0xb5, [4, 0], 1);
    text.op(0x07, [0, 0], 0, 1);
    let odd = text.ahead(0x45, [4, 0], 1);
    text.op(0x77, [4, 0], 0, 1);
    text.back(0x05, [0, 0], 0, step);
    text.land(odd);
    text.op(0x27, [4, 0], 0, 3);
    text.op(0x07, [4, 0], 0, 1);
    text.back(0x05, [0, 0], 0, step);
    text.land(done);
    end(text, start);
}

fn branches_native(memory: &mut [u8]) -> u64 {
    let mut steps = 0;
    for start in 1..=word(memory, 0) >> 3 {
        let mut number = start;
        while number > 1 {
            steps += 1;
            number = match number % 2 {
                0 => number / 2,
                _ => 3 * number + 1,
            };
        }
    }
    steps
}

/// The sum of all words.
fn words(text: &mut Text) {
    text.op(0x0f, [2, 1], 0, 0);
    text.op(0xb7, [0, 0], 0, 0);
    let start = text.here();
    text.op(0x79, [3, 1], 0, 0);
    text.op(0x0f, [0, 3], 0, 0);
    text.op(0x07, [1, 0], 0, 8);
    text.back(0xad, [1, 2], 0, start);
}

fn words_native(memory: &mut [u8]) -> u64 {
    let words = memory.as_chunks::<8>().0.iter();
    words.fold(0, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)))
}

/// The hash FNV-1a with a multiplier of 32 bits.
fn bytes(text: &mut Text) {
    text.op(0x0f, [2, 1], 0, 0);
    text.op(0xb7, [0, 0], 0, 0x1cb_1e5);
    let start = text.here();
    text.op(0x71, [3, 1], 0, 0);
    text.op(0xaf, [0, 3], 0, 0);
    text.op(0x27, [0, 0], 0, 0x0100_0193);
    text.op(0x07, [1, 0], 0, 1);
    text.back(0xad, [1, 2], 0, start);
}

fn bytes_native(memory: &mut [u8]) -> u64 {
    let bytes = memory.iter();
    bytes.fold(0x1cb_1e5, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// The Internet checksum (RFC 1071).
fn checksum(text: &mut Text) {
    text.op(0x0f, [2, 1], 0, 0);
    text.op(0xb7, [0, 0], 0, 0);
    let start = text.here();
    text.op(0x69, [3, 1], 0, 0);
    text.op(0xdc, [3, 0], 0, 16);
    text.op(0x0f, [0, 3], 0, 0);
    text.op(0x07, [1, 0], 0, 2);
    text.back(0xad, [1, 2], 0, start);
    for _ in 0..2 {
        text.op(0xbf, [3, 0], 0, 0);
        text.op(0x77, [3, 0], 0, 16);
        text.op(0x57, [0, 0], 0, 0xffff);
        text.op(0x0f, [0, 3], 0, 0);
    }
    text.op(0xa7, [0, 0], 0, 0xffff);
}

fn checksum_native(memory: &mut [u8]) -> u64 {
    let words = memory.as_chunks::<2>().0.iter();
    let mut sum: u64 = words.map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    for _ in 0..2 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum ^ 0xffff
}

/// Copies the lower half to the upper one.
fn copy(text: &mut Text) {
    text.op(0xbf, [4, 2], 0, 0);
    text.op(0x77, [4, 0], 0, 1);
    text.op(0x0f, [4, 1], 0, 0);
    text.op(0xbf, [5, 4], 0, 0);
    text.op(0xb7, [0, 0], 0, 0);
    let start = text.here();
    text.op(0x79, [3, 1], 0, 0);
    text.op(0x7b, [4, 3], 0, 0);
    text.op(0x07, [1, 0], 0, 8);
    text.op(0x07, [4, 0], 0, 8);
    text.back(0xad, [1, 5], 0, start);
    text.op(0x79, [0, 4], -8, 0);
}

fn copy_native(memory: &mut [u8]) -> u64 {
    let (from, to) = memory.split_at_mut(memory.len() / 2);
    to.copy_from_slice(from);
    word(to, to.len() - 8)
}

/// How many numbers below the length are prime.
fn sieve(text: &mut Text) {
    text.op(0xb7, [3, 0], 0, 2);
    let clear = text.here();
    text.op(0xbf, [4, 1], 0, 0);
    text.op(0x0f, [4, 3], 0, 0);
    text.op(0x72, [4, 0], 0, 1);
    text.op(0x07, [3, 0], 0, 1);
    text.back(0xad, [3, 2], 0, clear);
    text.op(0xb7, [0, 0], 0, 0);
    text.op(0xb7, [3, 0], 0, 2);
    let outer = text.here();
    text.op(0xbf, [4, 1], 0, 0);
    text.op(0x0f, [4, 3], 0, 0);
    text.op(0x71, [5, 4], 0, 0);
    let next = text.ahead(0x15, [5, 0], 0);
    text.op(0x07, [0, 0], 0, 1);
    text.op(0xbf, [5, 3], 0, 0);
    text.op(0x2f, [5, 5], 0, 0);
    let inner = text.here();
    let done = text.ahead(0x3d, [5, 2], 0);
    text.op(0xbf, [4, 1], 0, 0);
    text.op(0x0f, [4, 5], 0, 0);
    text.op(0x72, [4, 0], 0, 0);
    text.op(0x0f, [5, 3], 0, 0);
    text.back(0x05, [0, 0], 0, inner);
    text.land(done);
    text.land(next);
    text.op(0x07, [3, 0], 0, 1);
    text.back(0xad, [3, 2], 0, outer);
}

fn sieve_native(memory: &mut [u8]) -> u64 {
    let length = memory.len();
    memory[2..].fill(1);
    let mut count = 0;
    for number in 2..length {
        if memory[number] == 0 {
            continue;
        }
        count += 1;
        let mut multiple = number * number;
        while multiple < length {
            memory[multiple] = 0;
            multiple += number;
        }
    }
    count
}

/// Fibonacci numbers in words of the frame.
fn stack(text: &mut Text) {
    text.op(0x7a, [10, 0], -8, 0);
    text.op(0x7a, [10, 0], -16, 1);
    let start = begin(text);
    text.op(0x79, [4, 10], -8, 0);
    text.op(0x79, [5, 10], -16, 0);
    text.op(0x7b, [10, 5], -8, 0);
    text.op(0x0f, [5, 4], 0, 0);
    text.op(0x7b, [10, 5], -16, 0);
    end(text, start);
    text.op(0x79, [0, 10], -8, 0);
}

fn stack_native(memory: &mut [u8]) -> u64 {
    let step = |(a, b): (u64, u64), _| std::hint::black_box((b, b.wrapping_add(a)));
    (0..word(memory, 0)).fold((0, 1), step).0
}

/// A function called in a loop.
fn calls(text: &mut Text) {
    text.op(0x79, [6, 1], 0, 0);
    text.op(0xb7, [1, 0], 0, 0);
    let start = text.here();
    text.op(0xbf, [2, 6], 0, 0);
    let call = text.ahead(0x85, [0, 1], 0);
    text.op(0xbf, [1, 0], 0, 0);
    text.op(0x07, [6, 0], 0, -1);
    text.back(0x55, [6, 0], 0, start);
    text.exit();
    text.land_call(call);
    text.op(0xbf, [0, 1], 0, 0);
    text.op(0x27, [0, 0], 0, 3);
    text.op(0x0f, [0, 2], 0, 0);
}

#[inline(never)]
fn callee(a: u64, b: u64) -> u64 {
    a.wrapping_mul(3).wrapping_add(b)
}

fn calls_native(memory: &mut [u8]) -> u64 {
    (1..=word(memory, 0)).rev().fold(0, callee)
}

/// A function that calls itself six times, in a loop.
fn nested_calls(text: &mut Text) {
    text.op(0x79, [6, 1], 0, 0);
    text.op(0xb7, [7, 0], 0, 0);
    let start = text.here();
    text.op(0xb7, [1, 0], 0, 6);
    let call = text.ahead(0x85, [0, 1], 0);
    text.op(0x0f, [7, 0], 0, 0);
    text.op(0x07, [6, 0], 0, -1);
    text.back(0x55, [6, 0], 0, start);
    text.op(0xbf, [0, 7], 0, 0);
    text.exit();
    text.land_call(call);
    let function = text.here();
    text.op(0xb7, [0, 0], 0, 1);
    let end = text.ahead(0x15, [1, 0], 0);
    text.op(0xbf, [6, 1], 0, 0);
    text.op(0x07, [1, 0], 0, -1);
    let distance = function as i64 - text.here() as i64 - 1;
    text.op(0x85, [0, 1], 0, distance as i32);
    text.op(0x0f, [0, 6], 0, 0);
    text.land(end);
}

#[inline(never)]
fn nested(depth: u64) -> u64 {
    match std::hint::black_box(depth) {
        0 => 1,
        depth => nested(depth - 1) + depth,
    }
}

fn nested_calls_native(memory: &mut [u8]) -> u64 {
    (0..word(memory, 0)).map(|_| nested(6)).sum()
}

/// A helper called in a loop.
fn helpers(text: &mut Text) {
    text.op(0x79, [6, 1], 0, 0);
    text.op(0xb7, [0, 0], 0, 0);
    let start = text.here();
    text.op(0xbf, [1, 0], 0, 0);
    text.op(0xbf, [2, 6], 0, 0);
    for register in 3..6 {
        text.op(0xb7, [register, 0], 0, 0);
    }
    text.op(0x85, [0, 0], 0, HELPER as i32);
    text.op(0x07, [6, 0], 0, -1);
    text.back(0x55, [6, 0], 0, start);
}

/// What the helper does.
#[inline(never)]
pub(super) extern "C" fn helper(a: u64, b: u64, _: u64, _: u64, _: u64) -> u64 {
    a.wrapping_add(b)
}

fn helpers_native(memory: &mut [u8]) -> u64 {
    let counts = (1..=word(memory, 0)).rev();
    counts.fold(0, |sum, count| helper(sum, count, 0, 0, 0))
}
