//! What differs from one compilation to the next: the key that hides constants, and where functions
//! are.
//!
//! All of it follows from one seed, which is random unless the caller gives one. Numbers come from
//! BLAKE3's output, so that one of them tells nothing about another.

use {
    crate::{CompileError, CompileOptions},
    sbpf_lowering::hidden::Key,
    target_lexicon::Architecture,
};

/// Bytes of padding before the first function of a program's own, at most.
const FIRST_PADDING: u32 = 256;

/// Bytes of padding before every other one for each time that its length holds the padding rate, at
/// most; at least so many in any case.
const PADDING: u32 = 16;

/// Bytes that a machine instruction takes, roughly.
const INSTRUCTION_LENGTH: usize = 4;

/// A source of numbers that nobody can predict who does not know the seed.
pub(crate) struct Diversity {
    key: Key,
    numbers: blake3::OutputReader,
    rate: u32,
}

impl Diversity {
    /// That of a compilation. `rate` is [`padding_rate`](sbpf_lowering::dialect::Dialect).
    ///
    /// # Errors
    /// [`CompileError::Random`] when the operating system has no random numbers.
    pub(crate) fn new(options: &CompileOptions, rate: u32) -> Result<Self, CompileError> {
        let mut seed = [0; 32];
        match options.seed {
            Some(chosen) => seed[..8].copy_from_slice(&chosen.to_le_bytes()),
            None => getrandom::fill(&mut seed).map_err(|error| CompileError::Random {
                reason: error.to_string(),
            })?,
        }
        let mut hasher = blake3::Hasher::new_derive_key("sbpf-cranelift: diversity of code");
        hasher.update(&seed);
        let mut numbers = hasher.finalize_xof();
        let mut key = [0; 8];
        numbers.fill(&mut key);
        Ok(Self {
            key: Key::new(u64::from_le_bytes(key)),
            numbers,
            rate,
        })
    }

    /// What hides constants.
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// Brings functions into another order, but for the first one.
    pub(crate) fn shuffle<T>(&mut self, functions: &mut [T]) {
        if self.rate == 0 {
            return;
        }
        if let Some((_, others)) = functions.split_first_mut() {
            self.permute(others);
        }
    }

    /// Brings anything into another order.
    pub(crate) fn permute<T>(&mut self, things: &mut [T]) {
        // Fisher and Yates.
        for last in (1..things.len()).rev() {
            let other = self.below(last as u32 + 1);
            things.swap(last, other as usize);
        }
    }

    /// Bytes of padding before the function that is the `index`-th in memory and has `length` bytes.
    pub(crate) fn padding(
        &mut self,
        index: usize,
        length: usize,
        architecture: Architecture,
    ) -> usize {
        if self.rate == 0 || index == 0 {
            return 0;
        }
        let most = match index {
            1 => FIRST_PADDING,
            _ => {
                let times = length / INSTRUCTION_LENGTH / self.rate as usize;
                PADDING.saturating_mul(times.clamp(1, 8) as u32)
            }
        };
        let padding = self.below(most) as usize;
        match architecture {
            Architecture::Aarch64(_) => padding.next_multiple_of(4),
            _ => padding,
        }
    }

    /// A number less than `bound`. What favours some of them is less than one in 2^32.
    fn below(&mut self, bound: u32) -> u32 {
        let mut bytes = [0; 8];
        self.numbers.fill(&mut bytes);
        ((u128::from(u64::from_le_bytes(bytes)) * u128::from(bound)) >> 64) as u32
    }
}

#[cfg(test)]
mod tests {
    use {super::*, crate::isa};

    fn of_seed(seed: Option<u64>) -> Diversity {
        let options = CompileOptions {
            seed,
            ..CompileOptions::default()
        };
        Diversity::new(&options, 256).expect("there are random numbers")
    }

    fn order(seed: Option<u64>) -> Vec<u32> {
        let mut order: Vec<u32> = (0..100).collect();
        of_seed(seed).shuffle(&mut order);
        order
    }

    #[test]
    fn everything_follows_from_the_seed() {
        assert_eq!(order(Some(1)), order(Some(1)));
        assert_ne!(order(Some(1)), order(Some(2)));
        assert_ne!(order(None), order(None));
        assert_ne!(of_seed(None).key(), of_seed(None).key());
    }

    #[test]
    fn the_first_function_stays_and_none_is_lost() {
        let mut order = order(None);
        assert_eq!(order[0], 0);
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn padding_is_spread_over_its_range() {
        let mut diversity = of_seed(Some(3));
        let isa = isa::of(&CompileOptions::default()).expect("it is known");
        let architecture = isa.triple().architecture;
        let paddings: Vec<_> = (0..1000)
            .map(|_| diversity.padding(1, 100, architecture))
            .collect();
        assert!(paddings.iter().any(|padding| *padding < 16));
        assert!(paddings.iter().any(|padding| *padding > 240));
        assert!(paddings.iter().all(|padding| *padding <= 256));
        assert_eq!(diversity.padding(0, 100, architecture), 0);
    }
}
