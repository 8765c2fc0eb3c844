//! The plots of a report.

use {
    super::{
        super::{
            competitor::Competitor,
            compilation::{CompilationRow, TARGETS},
            execution::ExecutionRow,
            report::Report,
            tables::compilation::pass_names,
        },
        canvas::{self, Line},
        dots::{self, Series},
    },
    crate::cli::failure::Failure,
    plotters::prelude::*,
};

/// A plot with what is beside it.
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    /// Colours, as CSS has them, and what they stand for.
    pub(crate) legend: Vec<(String, String)>,
    /// The picture.
    pub(crate) svg: String,
}

/// Colours that are told apart on light and on dark paper, and by the colour-blind as far as
/// there are enough.
pub(crate) const COLOURS: [RGBColor; 8] = [
    RGBColor(0x1f, 0x8f, 0xd6),
    RGBColor(0xe0, 0x82, 0x14),
    RGBColor(0x2c, 0xa2, 0x5f),
    RGBColor(0xb0, 0x63, 0xc5),
    RGBColor(0xd6, 0x4f, 0x6b),
    RGBColor(0x8a, 0x8f, 0x98),
    RGBColor(0xc9, 0xa2, 0x27),
    RGBColor(0x3a, 0xad, 0xa8),
];

/// The colour of an engine.
const fn colour(engine: Competitor) -> RGBColor {
    match engine {
        Competitor::Cranelift => COLOURS[0],
        Competitor::HandWritten => COLOURS[1],
        Competitor::Native => COLOURS[2],
        Competitor::Interpreter => COLOURS[5],
    }
}

/// An entry of a legend.
pub(crate) fn entry(colour: RGBColor, label: &str) -> (String, String) {
    let RGBColor(red, green, blue) = colour;
    (
        format!("#{red:02x}{green:02x}{blue:02x}"),
        label.to_string(),
    )
}

/// All plots of which there is something to show.
///
/// # Errors
/// When drawing fails, which would be a defect.
pub(crate) fn all(report: &Report) -> Result<Vec<Plot>, Failure> {
    let mut plots = Vec::new();
    if !report.execution.is_empty() {
        plots.push(times(&report.execution)?);
    }
    if !report.compilation.is_empty() {
        plots.push(sizes(&report.compilation)?);
        plots.push(passes(&report.compilation)?);
    }
    Ok(plots)
}

/// Time for each instruction: a dot for each engine, a line between its quartiles.
fn times(rows: &[ExecutionRow]) -> Result<Plot, Failure> {
    /// From the back to the front, with the size of dots.
    const LAYERS: [(Competitor, u32); 4] = [
        (Competitor::Interpreter, 5),
        (Competitor::Native, 7),
        (Competitor::HandWritten, 6),
        (Competitor::Cranelift, 5),
    ];
    let lines: Vec<_> = rows
        .iter()
        .map(|row| Line {
            name: &row.workload,
            group: &row.family,
        })
        .collect();
    let engines = Competitor::ALL
        .into_iter()
        .filter(|engine| rows.iter().any(|row| row.time(*engine).is_some()));
    let times = |engine: Competitor| {
        let each = |row: &ExecutionRow| {
            let time = row.time(engine)?;
            let times = [time.lower_quartile, time.median, time.upper_quartile];
            Some(times.map(|time| time / row.instructions as f64))
        };
        rows.iter().map(each).collect()
    };
    let series = LAYERS.map(|(engine, radius)| Series {
        colour: colour(engine),
        radius,
        times: times(engine),
    });
    Ok(Plot {
        title: "Time for each sBPF instruction",
        about: "Medians with the quartiles as a line behind them, on a logarithmic scale: left is \
                faster.",
        legend: engines
            .map(|engine| entry(colour(engine), engine.name()))
            .collect(),
        svg: dots::draw(&lines, &series)?,
    })
}

/// Bars that lie in a line of `number` bars: from where to where, beside the line's middle.
fn bar(index: usize, number: usize) -> (f64, f64) {
    const FILLED: f64 = 0.78;
    let width = FILLED / number as f64;
    let start = index as f64 * width - FILLED / 2.0;
    (start, start + width * 0.9)
}

/// The lines of programs.
fn program_lines(rows: &[CompilationRow]) -> Vec<Line<'_>> {
    rows.iter()
        .map(|row| Line {
            name: &row.program,
            group: "",
        })
        .collect()
}

/// Bytes of code for each instruction: a bar for each machine.
fn sizes(rows: &[CompilationRow]) -> Result<Plot, Failure> {
    const LINE_HEIGHT: u32 = 58;
    let mut series = vec![(Competitor::HandWritten.name().to_string(), COLOURS[1])];
    let colours = [COLOURS[0], COLOURS[3], COLOURS[2], COLOURS[7]];
    for ((target, _), colour) in TARGETS.iter().zip(colours) {
        series.push((format!("cranelift, {target}"), colour));
    }
    let bytes = |row: &CompilationRow, index: usize| {
        let bytes = match index.checked_sub(1) {
            None => row.hand_written.as_ref()?.code_bytes,
            Some(target) => row.targets.get(target)?.code_bytes,
        };
        Some(bytes as f64 / row.instructions as f64)
    };
    let all =
        (0..series.len()).flat_map(|index| rows.iter().filter_map(move |row| bytes(row, index)));
    let most = all.fold(0.0, f64::max) * 1.05;
    let svg = canvas::draw(
        &program_lines(rows),
        LINE_HEIGHT,
        0.0..most,
        &|value| format!("{value} B"),
        |chart, middles| {
            for (row, middle) in rows.iter().zip(middles) {
                for (index, (_, colour)) in series.iter().enumerate() {
                    let Some(bytes) = bytes(row, index) else {
                        continue;
                    };
                    let (start, end) = bar(index, series.len());
                    let corners = [(0.0, middle + start), (bytes, middle + end)];
                    chart.draw_series([Rectangle::new(corners, colour.filled())])?;
                }
            }
            Ok::<_, DrawingAreaErrorKind<_>>(())
        },
    )?;
    Ok(Plot {
        title: "Code size",
        about: "Bytes of machine code for each instruction of the program.",
        legend: series
            .iter()
            .map(|(label, colour)| entry(*colour, label))
            .collect(),
        svg,
    })
}

/// Compile time for each instruction, split by pass.
fn passes(rows: &[CompilationRow]) -> Result<Plot, Failure> {
    const LINE_HEIGHT: u32 = 30;
    let members: Vec<_> = rows.iter().collect();
    let time = |row: &CompilationRow, pass: &str| {
        let mut passes = row.passes.iter();
        let cost = passes.find(|cost| cost.pass == pass);
        cost.map_or(0.0, |cost| {
            cost.nanoseconds / 1_000.0 / row.instructions as f64
        })
    };
    let total = |row: &CompilationRow| {
        let passes = row.passes.iter();
        passes.map(|cost| time(row, &cost.pass)).sum::<f64>()
    };
    // The longest ones have colours of their own.
    let weight = |pass: &str| rows.iter().map(|row| time(row, pass)).sum::<f64>();
    let mut names = pass_names(&members);
    names.sort_by(|left, right| weight(right).total_cmp(&weight(left)));
    let shown = names.len().min(COLOURS.len() - 1);
    let named = names.get(..shown).unwrap_or_default();
    let others = COLOURS[5];
    let colours = || COLOURS.into_iter().filter(|colour| *colour != others);
    let most = rows.iter().map(total).fold(0.0, f64::max) * 1.05;
    let svg = canvas::draw(
        &program_lines(rows),
        LINE_HEIGHT,
        0.0..most,
        &|value| format!("{value} µs"),
        |chart, middles| {
            for (row, middle) in rows.iter().zip(middles) {
                let (start, end) = bar(0, 1);
                let mut position = 0.0;
                let parts = named.iter().map(|pass| time(row, pass)).zip(colours());
                let rest = total(row) - named.iter().map(|pass| time(row, pass)).sum::<f64>();
                for (time, colour) in parts.chain([(rest.max(0.0), others)]) {
                    let corners = [(position, middle + start), (position + time, middle + end)];
                    chart.draw_series([Rectangle::new(corners, colour.filled())])?;
                    position += time;
                }
            }
            Ok::<_, DrawingAreaErrorKind<_>>(())
        },
    )?;
    let mut legend: Vec<_> = named
        .iter()
        .zip(colours())
        .map(|(pass, colour)| entry(colour, pass))
        .collect();
    if names.len() > shown {
        legend.push(entry(others, "the other passes"));
    }
    Ok(Plot {
        title: "Where compiling takes its time",
        about: "Microseconds for each instruction of the program, on one thread: each pass of \
                Cranelift without those within it, and what is done before and after.",
        legend,
        svg,
    })
}
