//! Tables for a document.

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

/// A table with figures in all columns but the first.
pub(crate) fn new(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
