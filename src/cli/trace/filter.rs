//! Which instructions of a trace are written.

use {
    crate::cli::{failure::Failure, functions::Functions},
    std::ops::RangeInclusive,
};

/// A range of pcs: `120`, `120..140` (without 140), `120..=140`, `120..` or `..140`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PcRange(RangeInclusive<usize>);

/// Reads a range.
///
/// # Errors
/// When it is none, or empty.
pub(crate) fn pc_range(text: &str) -> Result<PcRange, String> {
    let number = |digits: &str, default: usize| match digits {
        "" => Ok(default),
        digits => digits
            .parse()
            .map_err(|error| format!("{digits:?} is no pc: {error}")),
    };
    let range = match text.split_once("..") {
        None => {
            let pc = text
                .parse()
                .map_err(|error| format!("{text:?} is no pc: {error}"))?;
            pc..=pc
        }
        Some((start, end)) => {
            let start = number(start, 0)?;
            match end.strip_prefix('=') {
                Some("") => return Err("a range ends with a pc after \"..=\"".to_string()),
                Some(end) => start..=number(end, usize::MAX)?,
                None if end.is_empty() => start..=usize::MAX,
                None => match number(end, usize::MAX)?.checked_sub(1) {
                    Some(last) => start..=last,
                    None => return Err("the range is empty".to_string()),
                },
            }
        }
    };
    if range.is_empty() {
        return Err("the range is empty".to_string());
    }
    Ok(PcRange(range))
}

/// What a trace is limited to; everything by default.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// Only these pcs.
    pub(crate) range: Option<PcRange>,
    /// Only functions of these names.
    pub(crate) functions: Vec<String>,
    /// Only instructions of these mnemonics.
    pub(crate) opcodes: Vec<String>,
}

impl Filter {
    /// Whether an instruction is to be written.
    pub(crate) fn admits(&self, pc: usize, function: &str, opcode: &str) -> bool {
        let is_among =
            |list: &[String], word: &str| list.is_empty() || list.iter().any(|entry| entry == word);
        self.range
            .as_ref()
            .is_none_or(|range| range.0.contains(&pc))
            && is_among(&self.functions, function)
            && is_among(&self.opcodes, opcode)
    }

    /// Refuses names that no function has, which would only give an empty trace.
    ///
    /// # Errors
    /// The first such name.
    pub(crate) fn check(&self, functions: &Functions) -> Result<(), Failure> {
        let unknown = self
            .functions
            .iter()
            .find(|wanted| functions.iter().all(|(_, name)| name != wanted.as_str()));
        match unknown {
            Some(name) => {
                let what = format!("there is no function {name:?}");
                Err(Failure::at("--trace-function", what))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_rust() {
        let range = |text| pc_range(text).map(|range| range.0);
        assert_eq!(range("7"), Ok(7..=7));
        assert_eq!(range("3..5"), Ok(3..=4));
        assert_eq!(range("3..=5"), Ok(3..=5));
        assert_eq!(range("3.."), Ok(3..=usize::MAX));
        assert_eq!(range("..5"), Ok(0..=4));
        for nonsense in ["", "x", "5..3", "..0", "3..=", "-1", "1..x"] {
            assert!(pc_range(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn all_conditions_have_to_hold() {
        let filter = Filter {
            range: Some(PcRange(2..=4)),
            functions: vec!["main".to_string()],
            opcodes: vec!["exit".to_string(), "call".to_string()],
        };
        assert!(filter.admits(2, "main", "exit"));
        assert!(!filter.admits(5, "main", "exit"));
        assert!(!filter.admits(2, "other", "exit"));
        assert!(!filter.admits(2, "main", "add64"));
        assert!(Filter::default().admits(9, "", ""));
    }
}
