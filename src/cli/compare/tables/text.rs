//! Tables for terminals and for Markdown.

use {
    super::{Cell, Table},
    comfy_table::{CellAlignment, LineStyle, presets},
};

/// What a table is printed for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A terminal.
    Plain,
    /// A document.
    Markdown,
}

/// `table` as text, with its title; if `is_brief`, only the rows that sum others up.
pub(crate) fn render(table: &Table, format: Format, is_brief: bool) -> String {
    let mut lines = comfy_table::Table::new();
    let title = match format {
        Format::Plain => {
            let separator = LineStyle::new(' ', '─', ' ', ' ');
            lines.load_style(presets::NOTHING.header_separator(separator));
            lines.set_header(&table.header);
            table.title.to_string()
        }
        Format::Markdown => {
            lines.load_style(presets::ASCII_MARKDOWN);
            lines.set_header(table.header.iter().map(|text| text.replace('\n', " ")));
            format!("### {}\n\n{}", table.title, table.about)
        }
    };
    for row in &table.rows {
        if is_brief && !row.is_summary {
            continue;
        }
        let mut cells = vec![row.name.clone()];
        cells.extend(row.cells.iter().map(cell));
        lines.add_row(cells);
    }
    for column in lines.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    if lines.is_empty() {
        return String::new();
    }
    // Cells of the last column are padded; spaces at the end of lines are of no use.
    let lines = lines.to_string();
    let lines: Vec<_> = lines.lines().map(str::trim_end).collect();
    format!("{title}\n\n{}\n", lines.join("\n"))
}

/// A figure and its change.
fn cell(cell: &Cell) -> String {
    let text = cell.text();
    match cell.change_text() {
        Some(change) => format!("{text} ({change})"),
        None => text,
    }
}
