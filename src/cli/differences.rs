//! Whether two runs can be told apart.

use super::engine::{Ending, Outcome};

/// Something that differs between two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// What: "result", "final pc" and so on.
    pub(crate) what: &'static str,
    /// What the oracle has.
    pub(crate) expected: String,
    /// What the other engine has.
    pub(crate) found: String,
}

/// Everything in which `found` differs from the oracle's `expected`.
pub(crate) fn differences(expected: &Outcome, found: &Outcome) -> Vec<Difference> {
    let left = observations(expected);
    let right = observations(found);
    left.into_iter()
        .zip(right)
        .filter(|(left, right)| left != right)
        .map(|((what, expected), (_, found))| Difference {
            what,
            expected,
            found,
        })
        .collect()
}

/// What the comparison covers: result with the error's whole text, units used and left, final pc,
/// all writable memory, log lines and return data.
fn observations(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let (setter, data) = &outcome.return_data;
    vec![
        ("result", ending_text(&outcome.ending)),
        ("compute units", outcome.units.to_string()),
        ("compute units left", outcome.remaining.to_string()),
        ("final pc", outcome.pc.to_string()),
        ("input memory", digest(&outcome.input)),
        ("stack memory", hex::encode(outcome.stack_digest)),
        ("heap memory", hex::encode(outcome.heap_digest)),
        ("log", format!("{:?}", outcome.log)),
        ("return data", format!("{setter} {}", hex::encode(data))),
    ]
}

/// An ending with all fields of the error.
fn ending_text(ending: &Ending) -> String {
    match ending {
        Ending::Returned(value) => format!("Ok({value:#x})"),
        Ending::Failed { debug, .. } => format!("Err({debug})"),
    }
}

/// SHA-256 in hexadecimal.
fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use {super::*, crate::cli::pubkey::Pubkey, std::time::Duration};

    /// An observation and how to change it.
    type Change = (&'static str, fn(&mut Outcome));

    /// A run that returned 1 after 2 units.
    fn outcome() -> Outcome {
        Outcome {
            ending: Ending::Returned(1),
            units: 2,
            remaining: 3,
            pc: 4,
            log: vec!["Program log: line".to_string()],
            return_data: (Pubkey::default(), vec![5]),
            input: vec![6; 7],
            stack_digest: [8; 32],
            heap_digest: [9; 32],
            run_time: Duration::ZERO,
        }
    }

    #[test]
    fn equal_runs_do_not_differ_whatever_their_times() {
        let mut found = outcome();
        found.run_time = Duration::from_secs(1);
        assert_eq!(differences(&outcome(), &found), []);
    }

    #[test]
    fn every_observation_can_differ() {
        let expected = outcome();
        let changes: [Change; 9] = [
            ("result", |outcome| outcome.ending = Ending::Returned(0)),
            ("compute units", |outcome| outcome.units = 0),
            ("compute units left", |outcome| outcome.remaining = 0),
            ("final pc", |outcome| outcome.pc = 0),
            ("input memory", |outcome| outcome.input[6] = 0),
            ("stack memory", |outcome| outcome.stack_digest[0] = 0),
            ("heap memory", |outcome| outcome.heap_digest[0] = 0),
            ("log", |outcome| outcome.log.clear()),
            ("return data", |outcome| outcome.return_data.1.clear()),
        ];
        for (what, change) in changes {
            let mut found = outcome();
            change(&mut found);
            let list = differences(&expected, &found);
            assert_eq!(list.len(), 1);
            assert_eq!(list[0].what, what);
        }
    }
}
