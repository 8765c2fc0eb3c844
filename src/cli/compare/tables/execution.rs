//! The tables of subjects on engines.

use {
    super::{Cell, Row, Table},
    crate::cli::compare::{
        competitor::Competitor::{self, Cranelift, HandWritten, Native},
        execution::ExecutionRow,
        statistics::{Summary, geometric_mean},
        subject::Family,
    },
};

/// The ratios that are shown.
const RATIOS: [(Competitor, Competitor); 3] = [
    (Cranelift, HandWritten),
    (Cranelift, Native),
    (HandWritten, Native),
];

/// The cell of the ratio to the hand-written JIT in the table of times.
pub(crate) const TO_HAND_WRITTEN: usize = 2 + Competitor::ALL.len();
/// The cell of the ratio to native code.
pub(crate) const TO_NATIVE: usize = TO_HAND_WRITTEN + 1;

/// A figure of a row.
type Figure = Box<dyn Fn(&ExecutionRow) -> Option<f64>>;

/// A row's figures, each with what it was.
fn cells(row: &ExecutionRow, before: &[ExecutionRow], figures: &[Figure]) -> Vec<Cell> {
    let before = before.iter().find(|old| old.workload == row.workload);
    figures
        .iter()
        .map(|figure| Cell::Figure {
            now: figure(row),
            before: before.and_then(figure),
        })
        .collect()
}

/// Times for each instruction, and their ratios with geometric means.
pub(crate) fn times(rows: &[ExecutionRow], before: &[ExecutionRow]) -> Table {
    let times = Competitor::ALL
        .map(|engine| Box::new(move |row: &ExecutionRow| row.per_instruction(engine)) as Figure);
    let mut ratios: Vec<Figure> = Vec::new();
    for (engine, to) in RATIOS {
        ratios.push(Box::new(move |row| row.ratio(engine, to)));
    }
    ratios.push(Box::new(|row| {
        row.ratio_without_syscalls(Cranelift, HandWritten)
    }));
    let mut table = Table {
        title: "Execution",
        about: "Nanoseconds for each sBPF instruction, medians; ± is half the distance between the \
                quartiles. A ratio below 1 means that the first one is faster. The last column \
                is the ratio to hand-written without the time in syscalls.",
        header: [
            "ns per instruction",
            "instructions",
            "interpreter",
            "hand-written",
            "cranelift",
            "native",
            "cranelift\n± %",
            "cranelift /\nhand-written",
            "cranelift /\nnative",
            "hand-written /\nnative",
            "… without\nsyscalls",
        ]
        .map(str::to_string)
        .to_vec(),
        rows: Vec::new(),
    };
    for row in rows {
        let mut line = vec![Cell::Count(row.instructions)];
        line.extend(cells(row, before, &times));
        line.push(Cell::Percent(row.time(Cranelift).map(Summary::spread)));
        line.extend(cells(row, before, &ratios));
        table.rows.push(Row {
            name: row.workload.clone(),
            cells: line,
            is_summary: false,
        });
    }
    for family in Family::ALL {
        let is_member = |row: &&ExecutionRow| row.family == family.name();
        let members: Vec<_> = rows.iter().filter(is_member).collect();
        if !matches!(family, Family::Given) || members.len() > 1 {
            table
                .rows
                .extend(means(family.name(), &members, before, &ratios));
        }
    }
    let is_made_up = |row: &&ExecutionRow| {
        let mut families = Family::ALL.into_iter();
        families.any(|family| family.is_made_up() && family.name() == row.family)
    };
    let made_up: Vec<_> = rows.iter().filter(is_made_up).collect();
    table
        .rows
        .extend(means("all workloads", &made_up, before, &ratios));
    table
}

/// The geometric means of the ratios of `rows`, unless there are none.
fn means(
    name: &str,
    rows: &[&ExecutionRow],
    before: &[ExecutionRow],
    ratios: &[Figure],
) -> Option<Row> {
    if rows.is_empty() {
        return None;
    }
    let has_row = |old: &&ExecutionRow| rows.iter().any(|row| row.workload == old.workload);
    let before: Vec<_> = before.iter().filter(has_row).collect();
    let mut cells = vec![Cell::Empty; TO_HAND_WRITTEN];
    cells.extend(ratios.iter().map(|ratio| Cell::Figure {
        now: geometric_mean(rows.iter().filter_map(|row| ratio(row))),
        before: geometric_mean(before.iter().filter_map(|row| ratio(row))),
    }));
    Some(Row {
        name: format!("geometric mean, {name} ({})", rows.len()),
        cells,
        is_summary: true,
    })
}

/// The code that was run, and what it took to make it.
pub(crate) fn code(rows: &[ExecutionRow], before: &[ExecutionRow]) -> Table {
    let mut figures: Vec<Figure> = Vec::new();
    for engine in [HandWritten, Cranelift] {
        figures.push(Box::new(move |row| row.code_bytes(engine)));
    }
    for engine in [HandWritten, Cranelift, Native] {
        figures.push(Box::new(move |row| row.machine_instructions(engine)));
    }
    for engine in [HandWritten, Cranelift] {
        figures.push(Box::new(move |row| row.compile_time(engine)));
    }
    Table {
        title: "Code that was run",
        about: "Bytes of machine code for each instruction of the program, machine instructions \
                executed for each sBPF instruction executed (where the processor's counter can be \
                read), and processor time of compiling the whole program.",
        header: [
            "",
            "program's\ninstructions",
            "hand-written\nbytes",
            "cranelift\nbytes",
            "hand-written\nexecuted",
            "cranelift\nexecuted",
            "native\nexecuted",
            "hand-written\ncompiling µs",
            "cranelift\ncompiling µs",
        ]
        .map(str::to_string)
        .to_vec(),
        rows: rows
            .iter()
            .map(|row| {
                let mut line = vec![Cell::Count(row.program_instructions as u64)];
                line.extend(cells(row, before, &figures));
                Row {
                    name: row.workload.clone(),
                    cells: line,
                    is_summary: false,
                }
            })
            .collect(),
    }
}
