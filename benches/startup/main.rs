//! How long it takes until a program is ready to run, by the way it gets there.

#[allow(
    dead_code,
    reason = "shared by the benches, none of which uses all of it"
)]
#[path = "../harness/mod.rs"]
mod harness;
mod ready;
mod runs;
#[allow(
    dead_code,
    reason = "shared by the benches, none of which uses all of it"
)]
#[path = "../workloads/mod.rs"]
mod workloads;

use {
    comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN},
    std::time::Duration,
};

fn main() {
    // Cargo adds an option of its own.
    let filter = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    ready::print(filter.as_deref());
    if filter.is_none() {
        runs::print();
    }
}

/// A table for a document, with figures in all columns but the first.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The median of an odd number of times.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn text(time: Duration) -> String {
    format!("{time:.1?}")
}
