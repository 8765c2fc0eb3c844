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
    /// Function by function, each when it is called first, from the run after so many runs on a lower
    /// tier on; 0 for none. See [`CompiledProgram::compile_lazily`](crate::CompiledProgram::compile_lazily).
    ///
    /// The first result takes a small part of the time that compiling the whole program takes, and no
    /// time is spent on what is never called. Code that the cache has is used as it is.
    LazyFunctions {
        /// Runs on a lower tier before.
        after_runs: u64,
    },
    /// In the background, as soon as the program is hot; a lower tier runs it until then.
    ///
    /// This is the only policy with a thread of its own, one for the whole process, which is
    /// started when the first program is hot, or warm enough to look for it in the cache. On Linux
    /// it only takes processor time that nobody else wants.
    Tiered(Hotness),
}

/// When a program is hot: after so many runs, or after so many instructions.
///
/// Compiling takes time in proportion to the size of a program, and so do the defaults: about as
/// much time goes into the interpreter before as into the compiler then. At a 32nd of this the
/// program is looked for in the cache, if there is any code there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hotness {
    /// Runs; 100,000 by default.
    pub runs: u64,
    /// Executed instructions for each instruction slot of the program, 1,000 by default. Without
    /// `Config::enable_instruction_meter` no instructions are counted.
    pub instructions_per_slot: u64,
    /// Executed instructions at least, 1,000,000 by default: handing a program over takes time,
    /// however small it is.
    pub instructions: u64,
}

impl Default for Hotness {
    fn default() -> Self {
        Self {
            runs: 100_000,
            instructions_per_slot: 1_000,
            instructions: 1_000_000,
        }
    }
}

impl Hotness {
    /// What a program of `slots` has reached after so much.
    pub(super) fn of(&self, slots: u64, runs: u64, instructions: u64) -> Temperature {
        let needed = self
            .instructions_per_slot
            .saturating_mul(slots)
            .max(self.instructions);
        let has =
            |part: u64| runs >= self.runs.div_ceil(part) || instructions >= needed.div_ceil(part);
        if has(1) {
            Temperature::Hot
        } else if has(WARM_PART) {
            Temperature::Warm
        } else {
            Temperature::Cold
        }
    }
}

/// The part of what makes a program hot that makes it warm. Looking for code takes little time, but
/// more than the first run of most programs.
const WARM_PART: u64 = 32;

/// How much a program was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Temperature {
    /// Next to never.
    Cold,
    /// Enough to look for its code.
    Warm,
    /// Enough to compile it.
    Hot,
}
