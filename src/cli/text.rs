//! Numbers, times and colours for people, and text for XML.

use std::{ffi::OsStr, io::IsTerminal, time::Duration};

/// `number` with a comma between each three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time with three significant digits or so.
pub(crate) fn time(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos() as f64;
    let (value, unit) = match nanoseconds {
        n if n >= 1e9 => (n / 1e9, "s"),
        n if n >= 1e6 => (n / 1e6, "ms"),
        n if n >= 1e3 => (n / 1e3, "µs"),
        n => (n, "ns"),
    };
    let decimals = match value {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$} {unit}")
}

/// `text` as it may stand in XML.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            character if character.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            character => escaped.push(character),
        }
    }
    escaped
}

/// How to stress a word.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tone {
    /// All is well.
    Good,
    /// Something is wrong.
    Bad,
    /// A heading.
    Strong,
}

/// Whether and how to colour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// Whether escape sequences are welcome.
    pub(crate) colour: bool,
}

impl Style {
    /// Colours only for a terminal, and not when `NO_COLOR` is set (<https://no-color.org>).
    pub(crate) fn of_standard_output() -> Self {
        let no_colour = std::env::var_os("NO_COLOR");
        Self::of(no_colour.as_deref(), std::io::stdout().is_terminal())
    }

    /// The same for this value of `NO_COLOR`. An empty one counts as none.
    fn of(no_colour: Option<&OsStr>, is_terminal: bool) -> Self {
        let refused = no_colour.is_some_and(|value| !value.is_empty());
        Self {
            colour: !refused && is_terminal,
        }
    }

    /// `text` in the tone's colour.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Strong => "1",
        };
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_has_colours_unless_they_are_refused() {
        let colour =
            |value: Option<&str>, is_terminal| Style::of(value.map(OsStr::new), is_terminal).colour;
        assert!(colour(None, true) && colour(Some(""), true));
        assert!(!colour(Some("1"), true) && !colour(None, false));
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("a<b>&\"\u{1}"), "a&lt;b&gt;&amp;&quot;\u{fffd}");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_400_000), "1,400,000");
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn times_pick_their_unit() {
        assert_eq!(time(Duration::from_nanos(7)), "7.00 ns");
        assert_eq!(time(Duration::from_nanos(12_345)), "12.3 µs");
        assert_eq!(time(Duration::from_millis(450)), "450 ms");
        assert_eq!(time(Duration::from_secs(2)), "2.00 s");
    }
}
