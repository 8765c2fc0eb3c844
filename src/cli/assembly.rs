//! Assembly text: comments, limits, and errors with a line number.
//!
//! The assembler of `solana-sbpf` knows no comments, gives a line only for syntax errors, and may
//! panic. This module removes comments without moving anything, refuses what would exhaust memory,
//! and finds the line of an error by assembling ever smaller parts of the text.

use {
    super::{context::Context, failure::Failure, guard},
    solana_sbpf::{assembler::assemble, elf::Executable, program::BuiltinProgram},
    std::{collections::BTreeSet, sync::Arc},
};

/// Instructions that `.fill` directives may make in one program.
const FILL_LIMIT: u128 = 1 << 20;

/// The words that start a comment; none of them is part of the assembler's syntax.
const COMMENT_STARTS: [&str; 3] = ["//", "#", ";"];

/// `source` without its comments, each line where it was.
fn without_comments(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    for line in source.lines() {
        let end = COMMENT_STARTS
            .iter()
            .filter_map(|start| line.find(start))
            .min()
            .unwrap_or(line.len());
        text.push_str(line.get(..end).unwrap_or(line));
        text.push('\n');
    }
    text
}

/// Assembles `source`, read from `place`, for the newest version that `loader` enables.
///
/// # Errors
/// One line with `place`, the line and, for syntax errors, the column.
pub(crate) fn assemble_program(
    place: &str,
    source: &str,
    loader: &Arc<BuiltinProgram<Context>>,
) -> Result<Executable<Context>, Failure> {
    let text = without_comments(source);
    if text.trim().is_empty() {
        return Err(Failure::at(place, "there is no instruction in this file"));
    }
    check_fill(place, &text)?;
    try_assemble(&text, loader).map_err(|error| locate(place, &text, &error, loader))
}

/// Assembles `text`; a panic counts as an error.
fn try_assemble(
    text: &str,
    loader: &Arc<BuiltinProgram<Context>>,
) -> Result<Executable<Context>, String> {
    guard::catch(|| assemble(text, Arc::clone(loader)))
        .unwrap_or_else(|panic| Err(format!("the assembler gave up: {panic}")))
}

/// Refuses `.fill` directives that would make more than [`FILL_LIMIT`] instructions.
///
/// The assembler would allocate whatever they ask for.
fn check_fill(place: &str, text: &str) -> Result<(), Failure> {
    let mut total = 0_u128;
    for (index, line) in text.lines().enumerate() {
        for (_, rest) in line
            .match_indices(".fill")
            .map(|(at, word)| line.split_at(at + word.len()))
        {
            total = total.saturating_add(leading_number(rest));
        }
        if total > FILL_LIMIT {
            return Err(Failure::at(
                format!("{place}:{}", index + 1),
                format!(".fill makes the program longer than {FILL_LIMIT} instructions"),
            ));
        }
    }
    Ok(())
}

/// The number at the start of `text`, decimal or hexadecimal, or zero; a negative one counts as
/// too many, because the assembler would wrap it around.
fn leading_number(text: &str) -> u128 {
    let text = text.trim_start_matches([' ', '+']);
    if text.starts_with('-') {
        return u128::MAX;
    }
    let (digits, radix) = text
        .strip_prefix("0x")
        .map_or((text, 10), |digits| (digits, 16));
    let end = digits
        .find(|character: char| !character.is_digit(radix))
        .unwrap_or(digits.len());
    match digits.get(..end) {
        Some("") | None => 0,
        Some(digits) => u128::from_str_radix(digits, radix).unwrap_or(u128::MAX),
    }
}

/// A failure with the place that `error` is about, as exactly as can be found.
fn locate(place: &str, text: &str, error: &str, loader: &Arc<BuiltinProgram<Context>>) -> Failure {
    if let Some((line, column, what)) = syntax_error(error) {
        return Failure::at(format!("{place}:{line}:{column}"), what);
    }
    match first_bad_line(text, loader) {
        Some((line, error)) => Failure::at(format!("{place}:{line}"), plain(&error)),
        None => Failure::at(place, plain(error)),
    }
}

/// Line, column and message of "Parse error at line L column C: message".
fn syntax_error(error: &str) -> Option<(&str, &str, &str)> {
    let rest = error.strip_prefix("Parse error at line ")?;
    let (line, rest) = rest.split_once(" column ")?;
    let (column, what) = rest.split_once(": ")?;
    Some((line, column, what))
}

/// An assembler's message with a small first letter, as the other messages here.
fn plain(error: &str) -> String {
    let mut characters = error.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(characters).collect()
    })
}

/// The first line that does not assemble by itself, next to all labels of the program.
///
/// None when the error is not in a line, as a jump that is too far.
fn first_bad_line(text: &str, loader: &Arc<BuiltinProgram<Context>>) -> Option<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    first_bad_line_in(&lines, &label_definitions(text), loader)
}

/// The first bad one of `lines`, counted from 1, and its error; by halving.
fn first_bad_line_in(
    lines: &[&str],
    labels: &BTreeSet<&str>,
    loader: &Arc<BuiltinProgram<Context>>,
) -> Option<(usize, String)> {
    let mut candidate = lines.join("\n");
    let own = label_definitions(&candidate);
    let others: Vec<&str> = labels
        .iter()
        .copied()
        .filter(|label| !own.contains(label))
        .collect();
    drop(own);
    candidate.push('\n');
    candidate.push_str(&others.join("\n"));
    candidate.push_str("\nexit");
    let error = try_assemble(&candidate, loader).err()?;
    if lines.len() <= 1 {
        // A syntax error here would be of our own making.
        return syntax_error(&error).is_none().then_some((1, error));
    }
    let (left, right) = lines.split_at(lines.len() / 2);
    first_bad_line_in(left, labels, loader).or_else(|| {
        let (line, error) = first_bad_line_in(right, labels, loader)?;
        Some((left.len() + line, error))
    })
}

/// The words of `text` that define labels, each with its colon.
fn label_definitions(text: &str) -> BTreeSet<&str> {
    text.split_whitespace()
        .filter_map(|word| word.find(':').and_then(|colon| word.get(..=colon)))
        .collect()
}

/// Names that follow the word `syscall` in `source`.
pub(crate) fn syscall_names(source: &str) -> Vec<String> {
    let text = without_comments(source);
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| pair[0] == "syscall" || pair[0].ends_with(":syscall"))
        .map(|pair| pair[1].to_string())
        .filter(|name| !name.starts_with(|first: char| !(first.is_alphabetic() || first == '_')))
        .collect()
}
