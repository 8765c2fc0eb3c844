//! What a fuzz target is, and what an execution of one tells.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Kinds of observation that are told apart; a power of two.
pub const FEATURES: usize = 1 << 16;

/// A way to make a test out of any bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it tests, in one line.
    pub about: &'static str,
    /// Bytes that belong together, and at multiples of which they start: 8 for instructions.
    pub unit: usize,
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Bytes that mean something wherever they are, for fuzzers that insert such; none for targets to
    /// which all bytes are choices.
    pub dictionary: fn() -> Vec<Vec<u8>>,
    /// How long an input may get, in bytes.
    pub longest: usize,
    /// Its part of the time, compared with the others'.
    pub share: u32,
    /// One execution.
    pub run: fn(&[u8]) -> Result<Observation, Divergence>,
}

/// What must not be: the report of what differs from what it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence(pub String);

/// What an execution has shown.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// Whether there was a program to run. Input that is refused tests only the refusal.
    pub ran: bool,
    /// Which of [`FEATURES`] kinds of observation were made; inputs that make a new one are kept.
    pub features: Vec<u16>,
    /// A difference between the interpreter and the hand-written JIT of `solana-sbpf`, in which
    /// this project has no part.
    pub rival: Option<String>,
}

impl Observation {
    /// Adds what `observed` stands for.
    pub fn see(&mut self, observed: impl Hash) {
        let mut hasher = DefaultHasher::new();
        observed.hash(&mut hasher);
        self.features.push(hasher.finish() as u16);
    }
}

impl Target {
    /// One execution, in which a panic is a divergence as well.
    ///
    /// # Errors
    /// When something was not as it has to be.
    pub fn execute(&self, input: &[u8]) -> Result<Observation, Divergence> {
        match catch_unwind(AssertUnwindSafe(|| (self.run)(input))) {
            Ok(result) => result,
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                let text = text.unwrap_or_else(|| "without a message".into());
                Err(Divergence(format!("panic: {text}")))
            }
        }
    }
}
