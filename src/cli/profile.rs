//! How often each instruction was executed, as the JSON document that `run --profile-json` writes:
//!
//! ```text
//! { "format": 1, "counts": { "0": 1, "1": 1, "2": 100 } }
//! ```
//!
//! `counts` has the decimal pc of each instruction that was executed; what is absent was not. Other
//! keys are of no concern here.

use {
    super::{failure::Failure, program::read_file},
    serde::Deserialize,
    std::{collections::BTreeMap, path::Path},
};

/// The format that is read.
const FORMAT: u64 = 1;

/// Bytes that a document may have: enough for a line for each slot of the largest program.
const BYTES_LIMIT: u64 = 256 << 20;

/// How often instructions were executed.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    counts: BTreeMap<u32, u64>,
    most: u64,
}

#[derive(Deserialize)]
struct Document {
    format: Option<u64>,
    counts: BTreeMap<String, u64>,
}

/// Steps of [`Profile::heat`], beside that of what was not executed.
pub(crate) const HEATS: u32 = 9;

impl Profile {
    /// Reads a document.
    ///
    /// # Errors
    /// When it can't be read, or is no such document.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let place = path.display().to_string();
        let bytes = read_file(path, BYTES_LIMIT)?;
        Self::parse(&bytes).map_err(|what| Failure::at(place, what))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(bytes)
            .map_err(|error| format!("not a profile of a run: {error}"))?;
        if let Some(format) = document.format.filter(|format| *format != FORMAT) {
            return Err(format!("has format {format}; this reads format {FORMAT}"));
        }
        let mut profile = Self::default();
        for (pc, count) in document.counts {
            let pc = pc
                .parse()
                .map_err(|_| format!("counts has {pc:?}, which is no pc"))?;
            profile.most = count.max(profile.most);
            profile.counts.insert(pc, count);
        }
        Ok(profile)
    }

    /// Refuses a profile of another program, as far as that shows.
    ///
    /// # Errors
    /// When it counts an instruction behind the text's `slots`.
    pub(crate) fn check(&self, slots: usize) -> Result<(), Failure> {
        match self.counts.last_key_value() {
            Some((pc, _)) if *pc as usize > slots => {
                let what = format!(
                    "is of another program: it counts pc {pc}, and the text has {slots} slots"
                );
                Err(Failure::at("--profile", what))
            }
            _ => Ok(()),
        }
    }

    /// How often the instruction at `pc` was executed.
    pub(crate) fn count(&self, pc: u32) -> u64 {
        self.counts.get(&pc).copied().unwrap_or(0)
    }

    /// All pcs that were executed, with their counts.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (u32, u64)> {
        self.counts.iter().map(|(pc, count)| (*pc, *count))
    }

    /// From 0 for what was not executed to [`HEATS`] for what was most often, on a logarithmic
    /// scale.
    pub(crate) fn heat(&self, count: u64) -> u32 {
        if count == 0 {
            return 0;
        }
        let part = (count as f64).ln_1p() / (self.most.max(1) as f64).ln_1p();
        ((part * f64::from(HEATS)).round() as u32).clamp(1, HEATS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_and_scaled() {
        let document = br#"{"format":1,"program":"a.so","counts":{"0":1,"7":1000}}"#;
        let profile = Profile::parse(document).unwrap();
        assert_eq!(
            (profile.count(0), profile.count(1), profile.count(7)),
            (1, 0, 1000)
        );
        assert_eq!(profile.heat(0), 0);
        assert_eq!(profile.heat(1), 1);
        assert_eq!(profile.heat(1000), HEATS);
        assert!(profile.check(7).is_ok() && profile.check(6).is_err());
    }

    #[test]
    fn other_documents_are_refused() {
        for document in [
            &br#"{"counts":{"x":1}}"#[..],
            br#"{"counts":{"-1":1}}"#,
            br#"{"counts":{"1":-1}}"#,
            br#"{"format":2,"counts":{}}"#,
            b"{}",
            b"[]",
            b"",
        ] {
            assert!(Profile::parse(document).is_err());
        }
    }
}
