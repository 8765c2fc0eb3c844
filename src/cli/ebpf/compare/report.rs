//! All that was measured of programs of standard eBPF, as a file, tables and a page.

use {
    super::contenders::{Name, OURS},
    crate::cli::{
        compare::{
            page::{
                self, Line, Tile,
                dots::{self, Series},
                plots::{COLOURS, Plot, entry},
            },
            report::{Circumstances, circumstances},
            statistics::{Summary, geometric_mean},
            tables::{Cell, Row, Table, digits},
        },
        failure::Failure,
    },
    serde::{Deserialize, Serialize},
};

/// All that was measured.
#[derive(Serialize, Deserialize)]
pub(super) struct Report {
    /// Where and how.
    pub(super) circumstances: Circumstances,
    /// Programs on every engine.
    pub(super) programs: Vec<ProgramRow>,
}

/// One program's figures.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ProgramRow {
    /// What it is called.
    pub(super) name: String,
    /// Instructions that a run executes.
    pub(super) instructions: u64,
    /// Instructions of the whole program, in slots of 8 bytes.
    pub(super) program_instructions: usize,
    /// Bytes of our code.
    pub(super) code_bytes: usize,
    /// Processor time of compiling it with ours.
    pub(super) compile_nanoseconds: f64,
    /// The engines that ran it.
    pub(super) engines: Vec<EngineRow>,
}

/// One engine's figures.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct EngineRow {
    /// What it is called.
    pub(super) engine: String,
    /// Time of a run.
    pub(super) nanoseconds: Summary,
}

/// All engines in the order of columns, with the numbers of their colours.
const ENGINES: [(Name, usize); 8] = [
    (OURS, 0),
    ("no meter", 7),
    ("interpreter", 5),
    ("native Rust", 2),
    ("native C", 6),
    ("rbpf interpreter", 4),
    ("rbpf JIT", 1),
    ("rbpf Cranelift", 3),
];

impl ProgramRow {
    fn time(&self, engine: &str) -> Option<&Summary> {
        let mut engines = self.engines.iter();
        let row = engines.find(|row| row.engine == engine)?;
        Some(&row.nanoseconds)
    }

    /// Our time as a part of that on `engine`.
    fn ratio(&self, engine: &str) -> Option<f64> {
        Some(self.time(OURS)?.median / self.time(engine)?.median)
    }
}

impl Report {
    /// The engines that ran anything.
    fn engines(&self) -> Vec<(Name, usize)> {
        let has_run = |name: Name| self.programs.iter().any(|row| row.time(name).is_some());
        let engines = ENGINES.into_iter();
        engines.filter(|(name, _)| has_run(name)).collect()
    }

    /// Where and how it was measured, and what it is compared with.
    pub(super) fn circumstances(&self, baseline: Option<&Self>) -> String {
        let before = baseline.map(|baseline| &baseline.circumstances);
        circumstances(&self.circumstances, before)
    }

    /// All figures as tables, with the changes since `baseline`.
    pub(super) fn tables(&self, baseline: Option<&Self>) -> Vec<Table> {
        let names: Vec<Name> = self.engines().iter().map(|(name, _)| *name).collect();
        let before = baseline.map_or(&[][..], |baseline| &baseline.programs);
        match self.programs.is_empty() {
            true => Vec::new(),
            false => vec![
                self.times(&names, before),
                self.ratios(&names, before),
                self.code(before),
            ],
        }
    }

    fn times(&self, names: &[Name], before: &[ProgramRow]) -> Table {
        let mut header = vec!["ns".to_string(), "instructions".to_string()];
        header.extend(names.iter().map(|name| name.replace(' ', "\n")));
        header.push(format!("{OURS}\n± %"));
        let rows = self.programs.iter().map(|row| {
            let mut cells = vec![Cell::Count(row.instructions)];
            let median = |row: &ProgramRow, name: Name| Some(row.time(name)?.median);
            cells.extend(
                names
                    .iter()
                    .map(|name| figure(row, before, &|row| median(row, name))),
            );
            cells.push(Cell::Percent(row.time(OURS).map(Summary::spread)));
            line(&row.name, cells)
        });
        Table {
            title: "Execution",
            about: "Nanoseconds of one run, medians; ± is half the distance between the quartiles.",
            header,
            rows: rows.collect(),
        }
    }

    fn ratios(&self, names: &[Name], before: &[ProgramRow]) -> Table {
        let rivals: Vec<Name> = names.iter().copied().filter(|name| *name != OURS).collect();
        let mut header = vec![format!("{OURS} /")];
        header.extend(rivals.iter().map(|name| name.replace(' ', "\n")));
        let rows = self.programs.iter().map(|row| {
            let cell = |name: &Name| figure(row, before, &|row| row.ratio(name));
            line(&row.name, rivals.iter().map(cell).collect())
        });
        let mean = |rows: &[ProgramRow], name: Name| {
            geometric_mean(rows.iter().filter_map(|row| row.ratio(name)))
        };
        let is_here = |old: &&ProgramRow| self.programs.iter().any(|row| row.name == old.name);
        let before_here: Vec<ProgramRow> = before.iter().filter(is_here).cloned().collect();
        let means = rivals.iter().map(|name| Cell::Figure {
            now: mean(&self.programs, name),
            before: mean(&before_here, name),
        });
        let summary = Row {
            name: format!("geometric mean ({})", self.programs.len()),
            cells: means.collect(),
            is_summary: true,
        };
        Table {
            title: "Ratios",
            about: "Time on cranelift over that on the other engine: below 1, cranelift is faster.",
            header,
            rows: rows.chain([summary]).collect(),
        }
    }

    fn code(&self, before: &[ProgramRow]) -> Table {
        let rows = self.programs.iter().map(|row| {
            let bytes =
                |row: &ProgramRow| Some(row.code_bytes as f64 / row.program_instructions as f64);
            let time = |row: &ProgramRow| Some(row.compile_nanoseconds / 1e3);
            let cells = vec![
                Cell::Count(row.program_instructions as u64),
                figure(row, before, &bytes),
                figure(row, before, &time),
            ];
            line(&row.name, cells)
        });
        let header = [
            "",
            "program's\ninstructions",
            "bytes per\ninstruction",
            "compiling\nµs",
        ];
        Table {
            title: "Code that was run",
            about: "Bytes of machine code for each instruction of the program, the functions that all \
                    programs have included, and processor time of compiling it.",
            header: header.map(str::to_string).to_vec(),
            rows: rows.collect(),
        }
    }

    /// A page of tables and a plot.
    ///
    /// # Errors
    /// When a plot can't be drawn, which would be a defect.
    pub(super) fn page(
        &self,
        baseline: Option<&Self>,
        tables: &[Table],
        problems: &[Failure],
    ) -> Result<String, Failure> {
        let plots = match self.programs.is_empty() {
            true => Vec::new(),
            false => vec![self.plot()?],
        };
        let circumstances = self.circumstances(baseline);
        page::page(circumstances, problems, self.tiles(), plots, tables)
    }

    /// The means of the ratios.
    fn tiles(&self) -> Vec<Tile> {
        let engines = self.engines().into_iter().skip(1);
        let tile = |(name, _)| {
            let ratios = self.programs.iter().filter_map(|row| row.ratio(name));
            let ratios: Vec<f64> = ratios.collect();
            Some(Tile {
                name: format!("{OURS} / {name}"),
                value: digits(geometric_mean(ratios.iter().copied())?),
                detail: format!("{} programs", ratios.len()),
            })
        };
        engines.filter_map(tile).collect()
    }

    fn plot(&self) -> Result<Plot, Failure> {
        let lines: Vec<Line<'_>> = self
            .programs
            .iter()
            .map(|row| Line {
                name: &row.name,
                group: "",
            })
            .collect();
        let times = |name: Name| {
            let quartiles = |row: &ProgramRow| {
                let time = row.time(name)?;
                Some([time.lower_quartile, time.median, time.upper_quartile])
            };
            self.programs.iter().map(quartiles).collect()
        };
        let engines = self.engines();
        let series: Vec<Series> = engines
            .iter()
            .rev()
            .map(|(name, colour)| Series {
                colour: COLOURS[*colour],
                radius: if *name == OURS { 5 } else { 6 },
                times: times(name),
            })
            .collect();
        Ok(Plot {
            title: "Time of one run",
            about: "Medians with the quartiles as a line behind them, on a logarithmic scale: left is \
                    faster.",
            legend: engines
                .iter()
                .map(|(name, colour)| entry(COLOURS[*colour], name))
                .collect(),
            svg: dots::draw(&lines, &series)?,
        })
    }
}

fn line(name: &str, cells: Vec<Cell>) -> Row {
    Row {
        name: name.to_string(),
        cells,
        is_summary: false,
    }
}

/// A figure of a program, with what it was.
fn figure(
    row: &ProgramRow,
    before: &[ProgramRow],
    figure: &dyn Fn(&ProgramRow) -> Option<f64>,
) -> Cell {
    let before = before.iter().find(|old| old.name == row.name);
    Cell::Figure {
        now: figure(row),
        before: before.and_then(figure),
    }
}
