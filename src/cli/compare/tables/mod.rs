//! Tables of figures, each with what it was in an earlier report; apart from how they are printed.

pub(crate) mod compilation;
pub(crate) mod execution;
pub(crate) mod text;

use super::report::Report;

/// A table.
pub(crate) struct Table {
    /// What it is about.
    pub(crate) title: &'static str,
    /// How to read it, in a sentence or two.
    pub(crate) about: &'static str,
    /// What the columns hold; the first one holds names. A line break is one for terminals.
    pub(crate) header: Vec<String>,
    /// The rows.
    pub(crate) rows: Vec<Row>,
}

/// A row.
pub(crate) struct Row {
    /// What it is about.
    pub(crate) name: String,
    /// One for each column but the first.
    pub(crate) cells: Vec<Cell>,
    /// Whether it sums other rows up.
    pub(crate) is_summary: bool,
}

/// A cell.
#[derive(Clone, Copy)]
pub(crate) enum Cell {
    /// Nothing.
    Empty,
    /// A count.
    Count(u64),
    /// A part of a whole, without a change.
    Percent(Option<f64>),
    /// A measured figure; a dash if there is none.
    Figure {
        /// What it is.
        now: Option<f64>,
        /// What it was.
        before: Option<f64>,
    },
}

impl Cell {
    /// The cell's own text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Count(count) => crate::cli::text::grouped(*count),
            Self::Percent(part) => part.map_or_else(dash, |part| format!("{:.0}", part * 100.0)),
            Self::Figure { now, .. } => now.map_or_else(dash, digits),
        }
    }

    /// Whether there is a figure, not a dash.
    pub(crate) fn has_figure(&self) -> bool {
        matches!(self, Self::Figure { now: Some(_), .. })
    }

    /// By which part of what it was a figure is now larger.
    pub(crate) fn change(&self) -> Option<f64> {
        match self {
            Self::Figure {
                now: Some(now),
                before: Some(before),
            } if *before != 0.0 => Some(now / before - 1.0),
            _ => None,
        }
    }

    /// Whether the change is for the better, as a word; nothing if it is small. Less is better in
    /// all tables.
    pub(crate) fn verdict(&self) -> &'static str {
        const SMALL: f64 = 0.05;
        match self.change() {
            Some(change) if change > SMALL => "worse",
            Some(change) if change < -SMALL => "better",
            _ => "",
        }
    }

    /// The change as text: "+3 %", "−12 %", "±0 %".
    pub(crate) fn change_text(&self) -> Option<String> {
        let percent = (self.change()? * 100.0).round();
        Some(match percent {
            p if p > 0.0 => format!("+{p:.0} %"),
            p if p < 0.0 => format!("−{:.0} %", -p),
            _ => "±0 %".to_string(),
        })
    }
}

/// What stands where there is no figure.
fn dash() -> String {
    "–".to_string()
}

/// A figure to three digits.
pub(crate) fn digits(value: f64) -> String {
    match value {
        value if value >= 99.95 => format!("{value:.0}"),
        value if value >= 9.995 => format!("{value:.1}"),
        value if value >= 0.9995 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

/// The tables of `report` that have rows, compared with those of `baseline`.
pub(crate) fn all(report: &Report, baseline: Option<&Report>) -> Vec<Table> {
    let execution = &report.execution;
    let execution_before = baseline.map_or(&[][..], |baseline| &baseline.execution);
    let compilation = &report.compilation;
    let compilation_before = baseline.map_or(&[][..], |baseline| &baseline.compilation);
    let mut tables = Vec::new();
    if !execution.is_empty() {
        tables.push(execution::times(execution, execution_before));
        tables.push(execution::code(execution, execution_before));
    }
    if !compilation.is_empty() {
        tables.push(compilation::times(compilation, compilation_before));
        tables.push(compilation::sizes(compilation, compilation_before));
        tables.push(compilation::passes(compilation, compilation_before));
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let figure = |value| digits(value);
        assert_eq!(figure(0.87), "0.870");
        assert_eq!(figure(1.0), "1.00");
        assert_eq!(figure(99.94), "99.9");
        assert_eq!(figure(99.95), "100");
    }

    #[test]
    fn changes_are_relative_to_what_was() {
        let change = |now, before| {
            let cell = Cell::Figure { now, before };
            cell.change_text()
        };
        assert_eq!(change(Some(3.0), Some(2.0)).as_deref(), Some("+50 %"));
        assert_eq!(change(Some(1.0), Some(2.0)).as_deref(), Some("−50 %"));
        assert_eq!(change(Some(2.0), Some(2.001)).as_deref(), Some("±0 %"));
        assert_eq!(change(Some(2.0), None), None);
        assert_eq!(change(None, Some(2.0)), None);
    }
}
