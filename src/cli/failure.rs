//! Why a command ended early, in one line.

use std::{fmt, path::Path};

/// An error for the person at the terminal: one line, saying where and what.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Where: a file, `file:line:column`, or an option's name. Empty when there is no place.
    place: String,
    /// What is wrong there.
    what: String,
}

impl Failure {
    /// A failure that belongs to no file.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            place: String::new(),
            what: what.into(),
        }
    }

    /// A failure at `place`, for instance `program.s:3:5` or `--heap`.
    pub(crate) fn at(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
        }
    }

    /// A failure of reading or writing `path`.
    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        // The system's own text, without the "(os error 2)" that follows it.
        let text = error.to_string();
        let what = text.split(" (os error").next().unwrap_or_default();
        Self::at(path.display().to_string(), what)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(formatter, "{}: ", one_line(&self.place))?;
        }
        formatter.write_str(&one_line(&self.what))
    }
}

impl std::error::Error for Failure {}

/// `text` with line breaks and other control characters escaped, so that it stays one line.
pub(crate) fn one_line(text: &str) -> String {
    text.trim_end()
        .chars()
        .flat_map(|character| {
            let escaped = character.is_control();
            escaped
                .then(|| character.escape_default())
                .into_iter()
                .flatten()
                .chain((!escaped).then_some(character))
        })
        .collect()
}
