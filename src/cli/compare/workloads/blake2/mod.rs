//! The compression functions of BLAKE2s and BLAKE2b (RFC 7693), unrolled as a compiler would.
//!
//! The working vector lives in the stack frame, message and chaining value behind a pointer into
//! the input: what hash functions in real programs look like.

mod assembly;
mod native;

use {
    super::{Family, Memory, Workload},
    assembly::Variant,
};

/// Which message word goes where in each round; BLAKE2b starts over after ten.
const SCHEDULE: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// The words that the eight mixing steps of a round work on.
const MIXED: [[usize; 4]; 8] = [
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
    [0, 5, 10, 15],
    [1, 6, 11, 12],
    [2, 7, 8, 13],
    [3, 4, 9, 14],
];

/// The constants of BLAKE2b; those of BLAKE2s are their upper halves.
const CONSTANTS: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// The message, padded to a block of words: the example of the RFC, whose digest vouches for us.
const MESSAGE: &[u8] = b"abc";

/// What the first word of the initial chaining value is mixed with: no key, a sequential hash.
const PARAMETERS: u64 = 0x0101_0000;

/// How often the message is compressed, each time as the last block, on the previous digest.
const COMPRESSIONS_S: u64 = 150;
const COMPRESSIONS_B: u64 = 150;

pub(super) fn workloads() -> [Workload; 2] {
    [
        workload("blake2s", &Variant::S, COMPRESSIONS_S, |memory| {
            let chain = native::hash_s(&words(memory).map(u32::from_le_bytes), COMPRESSIONS_S);
            write_chain(memory, &chain.map(u32::to_le_bytes));
            fold(chain.map(u64::from))
        }),
        workload("blake2b", &Variant::B, COMPRESSIONS_B, |memory| {
            let chain = native::hash_b(&words(memory).map(u64::from_le_bytes), COMPRESSIONS_B);
            write_chain(memory, &chain.map(u64::to_le_bytes));
            fold(chain)
        }),
    ]
}

fn workload(
    name: &'static str,
    variant: &Variant,
    compressions: u64,
    native: fn(&mut Memory) -> u64,
) -> Workload {
    native::check_against_rfc();
    let mut input = vec![0; (16 + 8) * variant.word_bytes];
    input[..MESSAGE.len()].copy_from_slice(MESSAGE);
    let assembly = assembly::program(variant, compressions);
    Workload::new(name, Family::Memory, assembly, native).with_input(input)
}

/// The message in the input, in words of `N` bytes.
fn words<const N: usize>(memory: &Memory) -> [[u8; N]; 16] {
    let words = memory.inputs[0].bytes().as_chunks().0;
    std::array::from_fn(|index| words[index])
}

/// Leaves the chaining value behind the message, where the program has it.
fn write_chain<const N: usize>(memory: &mut Memory, chain: &[[u8; N]; 8]) {
    memory.inputs[0].bytes_mut()[16 * N..].copy_from_slice(chain.as_flattened());
}

/// What the program returns of the chaining value.
fn fold(chain: [u64; 8]) -> u64 {
    chain
        .into_iter()
        .fold(0, |result, word| result.wrapping_mul(31).wrapping_add(word))
}
