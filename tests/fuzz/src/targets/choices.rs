//! The bytes of an input as the choices of a generator.

use {arbitrary::Unstructured, rand::RngCore};

/// A source of "random" numbers that are the bytes of an input, and zeros behind its end.
pub(super) struct Choices<'b>(Unstructured<'b>);

impl<'b> Choices<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }
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
