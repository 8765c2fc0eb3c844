//! Tables for terminals and for Markdown.

use comfy_table::{CellAlignment, LineStyle, Table, presets};

/// What a table is printed for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A terminal.
    Plain,
    /// A document.
    Markdown,
}

/// A table with names in the first column and figures in the others. The lines of a header stay
/// lines in a terminal only.
pub(super) fn new(style: Style, header: &[&str]) -> Table {
    let mut table = Table::new();
    match style {
        Style::Plain => {
            let separator = LineStyle::new(' ', '─', ' ', ' ');
            table.load_style(presets::NOTHING.header_separator(separator));
            table.set_header(header.iter().copied());
        }
        Style::Markdown => {
            table.load_style(presets::ASCII_MARKDOWN);
            table.set_header(header.iter().map(|lines| lines.replace('\n', " ")));
        }
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A figure to three digits, or a dash.
pub(super) fn figure(value: Option<f64>) -> String {
    match value {
        None => "–".to_string(),
        Some(value) if value >= 99.95 => format!("{value:.0}"),
        Some(value) if value >= 9.995 => format!("{value:.1}"),
        Some(value) if value >= 0.9995 => format!("{value:.2}"),
        Some(value) => format!("{value:.3}"),
    }
}

/// A count in groups of three digits.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
