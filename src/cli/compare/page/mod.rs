//! A report as one page of HTML that needs nothing else, in light and in dark.

mod canvas;
pub(crate) mod dots;
pub(crate) mod plots;

pub(crate) use canvas::Line;

use {
    super::{
        report::{Report, circumstances},
        tables::{Table, execution},
    },
    crate::cli::failure::Failure,
    askama::Template,
    plots::Plot,
};

/// The page.
#[derive(Template)]
#[template(path = "comparison.html")]
struct Page<'a> {
    circumstances: String,
    problems: &'a [Failure],
    tiles: Vec<Tile>,
    plots: Vec<Plot>,
    tables: &'a [Table],
}

/// A figure in large print.
pub(crate) struct Tile {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) detail: String,
}

/// The page of `report`, with the changes since `baseline` that `tables` hold.
///
/// # Errors
/// When a plot can't be drawn, which would be a defect.
pub(crate) fn render(
    report: &Report,
    baseline: Option<&Report>,
    tables: &[Table],
    problems: &[Failure],
) -> Result<String, Failure> {
    let tiles = tables.first().map_or_else(Vec::new, tiles);
    let circumstances = circumstances(&report.circumstances, baseline.map(|b| &b.circumstances));
    page(circumstances, problems, tiles, plots::all(report)?, tables)
}

/// A page of these parts.
///
/// # Errors
/// When it can't be made, which would be a defect.
pub(crate) fn page(
    circumstances: String,
    problems: &[Failure],
    tiles: Vec<Tile>,
    plots: Vec<Plot>,
    tables: &[Table],
) -> Result<String, Failure> {
    let page = Page {
        circumstances,
        problems,
        tiles,
        plots,
        tables,
    };
    page.render()
        .map_err(|error| Failure::new(format!("can't make the page: {error}")))
}

/// The means of the ratios, that of all workloads first.
fn tiles(table: &Table) -> Vec<Tile> {
    let summaries = table.rows.iter().filter(|row| row.is_summary);
    let mut tiles: Vec<_> = summaries
        .filter_map(|row| {
            let ratio = row.cells.get(execution::TO_HAND_WRITTEN)?;
            let to_native = row.cells.get(execution::TO_NATIVE)?;
            let name = row
                .name
                .split_once(", ")
                .map_or(&*row.name, |(_, name)| name);
            let mut detail = "× hand-written".to_string();
            if to_native.has_figure() {
                detail += &format!(", {} × native", to_native.text());
            }
            Some(Tile {
                name: name.to_string(),
                value: ratio.text(),
                detail,
            })
        })
        .collect();
    if let Some(all) = tiles.pop() {
        tiles.insert(0, all);
    }
    tiles
}
