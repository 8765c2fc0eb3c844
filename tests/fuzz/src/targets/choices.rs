//! The bytes of an input as the choices of a generator.

use {
    arbitrary::Unstructured,
    rand::{RngCore, SeedableRng},
    rand_chacha::ChaCha8Rng,
};

/// How many of them there are.
const SEEDS: u64 = 12;

/// A source of "random" numbers that are the bytes of an input, and zeros behind its end.
pub(super) struct Choices<'b>(Unstructured<'b>);

impl<'b> Choices<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }
}

/// Inputs of `length` bytes that follow from nothing, for targets to which all bytes are choices: other
/// fuzzers begin with short ones if they are given none.
pub(super) fn seeds(length: usize) -> Vec<Vec<u8>> {
    (0..SEEDS)
        .map(|seed| {
            let mut input = vec![0; length];
            ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut input);
            input
        })
        .collect()
}

impl RngCore for Choices<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.arbitrary().unwrap_or_default()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.arbitrary().unwrap_or_default()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        if self.0.fill_buffer(bytes).is_err() {
            bytes.fill(0);
        }
    }
}
