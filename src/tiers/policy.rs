//! What the caller can choose.

/// When a [`TieredProgram`](super::TieredProgram) is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Policy {
    /// At once.
    Eager,
    /// At the first run, which waits for it.
    #[default]
    Lazy,
    /// In the background, as soon as the program is hot; a lower tier runs it until then.
    ///
    /// This is the only policy with a thread of its own, one for the whole process, which is
    /// started when the first program is hot, or when there is a cache to look into.
    Tiered(Hotness),
}

/// When a program is hot: as soon as one of these is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hotness {
    /// Runs. 1,000 by default.
    pub runs: u64,
    /// Executed instructions for each instruction slot of the program, because a program of twice
    /// the size takes twice as long to compile. 100 by default: the interpreter takes about 1 µs
    /// for so many, and compiling a slot about 10 times as long. Without
    /// `Config::enable_instruction_meter` nothing is counted.
    pub instructions_per_slot: u64,
}

impl Default for Hotness {
    fn default() -> Self {
        Self {
            runs: 1_000,
            instructions_per_slot: 100,
        }
    }
}
