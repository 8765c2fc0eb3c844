//! The tables of programs through compilers.

use {
    super::{Cell, Row, Table},
    crate::cli::compare::{
        compilation::{CompilationRow, OUTSIDE, TARGETS},
        compilers::CompilerCost,
    },
};

/// A figure of several programs as one.
type Figure = Box<dyn Fn(&[&CompilationRow]) -> Option<f64>>;

/// The sum over programs of a quantity that each of them has.
fn sum(rows: &[&CompilationRow], quantity: impl Fn(&CompilationRow) -> Option<f64>) -> Option<f64> {
    rows.iter().map(|row| quantity(row)).sum()
}

/// A quantity for each instruction.
fn each(
    rows: &[&CompilationRow],
    quantity: impl Fn(&CompilationRow) -> Option<f64>,
) -> Option<f64> {
    let instructions = sum(rows, |row| Some(row.instructions as f64))?;
    (instructions > 0.0).then_some(sum(rows, quantity)? / instructions)
}

/// Processor time.
fn cpu(cost: &CompilerCost) -> f64 {
    cost.cpu_nanoseconds.median
}

/// One row a program, and one of all real programs as one.
fn rows(rows: &[CompilationRow], before: &[CompilationRow], figures: &[Figure]) -> Vec<Row> {
    let line = |name: String, members: &[&CompilationRow], is_summary| {
        let known = |row: &&CompilationRow| before.iter().find(|old| old.program == row.program);
        let before: Vec<_> = members.iter().filter_map(known).collect();
        let is_known = !before.is_empty() && before.len() == members.len();
        let instructions: usize = members.iter().map(|row| row.instructions).sum();
        let mut cells = vec![Cell::Count(instructions as u64)];
        cells.extend(figures.iter().map(|figure| Cell::Figure {
            now: figure(members),
            before: is_known.then(|| figure(&before)).flatten(),
        }));
        Row {
            name,
            cells,
            is_summary,
        }
    };
    let mut lines: Vec<_> = rows
        .iter()
        .map(|row| line(row.program.clone(), &[row], false))
        .collect();
    let real: Vec<_> = rows.iter().filter(|row| row.real).collect();
    if real.len() > 1 {
        let name = format!("the real ones together ({})", real.len());
        lines.push(line(name, &real, true));
    }
    lines
}

/// What compiling takes.
pub(crate) fn times(programs: &[CompilationRow], before: &[CompilationRow]) -> Table {
    let figures: [Figure; 6] = [
        Box::new(|rows| each(rows, |row| row.hand_written.as_ref().map(cpu))),
        Box::new(|rows| each(rows, |row| Some(cpu(&row.cranelift) / 1_000.0))),
        Box::new(|rows| {
            each(rows, |row| {
                Some(row.cranelift.wall_nanoseconds.median / 1_000.0)
            })
        }),
        Box::new(|rows| {
            let rival = sum(rows, |row| row.hand_written.as_ref().map(cpu))?;
            Some(sum(rows, |row| Some(cpu(&row.cranelift)))? / rival)
        }),
        Box::new(|rows| {
            let bytes = |cost: &CompilerCost| cost.code_bytes as f64;
            each(rows, |row| row.hand_written.as_ref().map(bytes))
        }),
        Box::new(|rows| each(rows, |row| Some(row.cranelift.code_bytes as f64))),
    ];
    Table {
        title: "Compilation",
        about: "Processor time of all threads, time until the program was ready, and bytes of code \
                for this machine, for each instruction of the program. Mind that one compiler's \
                time is in nanoseconds and the other's in microseconds.",
        header: [
            "per instruction",
            "instructions",
            "hand-written\nCPU ns",
            "cranelift\nCPU µs",
            "cranelift\nwall µs",
            "cranelift /\nhand-written",
            "hand-written\nbytes",
            "cranelift\nbytes",
        ]
        .map(str::to_string)
        .to_vec(),
        rows: rows(programs, before, &figures),
    }
}

/// What the code and the IR amount to.
pub(crate) fn sizes(programs: &[CompilationRow], before: &[CompilationRow]) -> Table {
    let mut figures: Vec<Figure> = vec![
        Box::new(|rows| each(rows, |row| Some(row.clif_instructions as f64))),
        Box::new(|rows| each(rows, |row| Some(row.clif_blocks as f64))),
    ];
    let mut header = [
        "per instruction",
        "instructions",
        "CLIF\ninstructions",
        "CLIF\nblocks",
    ]
    .map(str::to_string)
    .to_vec();
    for (target, _) in TARGETS {
        header.push(target.replacen(' ', "\n", 1) + " bytes");
        figures.push(Box::new(move |rows| {
            each(rows, |row| {
                let mut sizes = row.targets.iter();
                let size = sizes.find(|size| size.target == target)?;
                Some(size.code_bytes as f64)
            })
        }));
    }
    Table {
        title: "Code size",
        about: "Cranelift IR, and bytes of machine code for each instruction of the program, with \
                the features that all machines of a kind have.",
        header,
        rows: rows(programs, before, &figures),
    }
}

/// Where the time of compiling goes: of the real programs if there are any, or else of all.
pub(crate) fn passes(programs: &[CompilationRow], before: &[CompilationRow]) -> Table {
    let has_real = programs.iter().any(|row| row.real);
    let members: Vec<_> = programs
        .iter()
        .filter(|row| row.real || !has_real)
        .collect();
    let is_member = |old: &&CompilationRow| members.iter().any(|row| row.program == old.program);
    let before: Vec<_> = before.iter().filter(is_member).collect();
    let time = |row: &CompilationRow, pass: &str| {
        let mut passes = row.passes.iter();
        Some(
            passes
                .find(|cost| cost.pass == pass)
                .map_or(0.0, |cost| cost.nanoseconds),
        )
    };
    let each_pass = |rows: &[&CompilationRow], pass: &str| {
        let is_known = rows.len() == members.len();
        is_known
            .then(|| each(rows, |row| time(row, pass)))
            .flatten()
    };
    let mut costs: Vec<_> = pass_names(&members)
        .into_iter()
        .map(|pass| (each_pass(&members, pass), each_pass(&before, pass), pass))
        .collect();
    costs.sort_by(|(left, ..), (right, ..)| {
        right
            .unwrap_or_default()
            .total_cmp(&left.unwrap_or_default())
    });
    let total: f64 = costs.iter().filter_map(|(now, ..)| *now).sum();
    let total_before: Option<f64> = costs.iter().map(|(_, before, _)| *before).sum();
    let mut rows: Vec<_> = costs
        .into_iter()
        .map(|(now, before, pass)| Row {
            name: pass.to_string(),
            cells: vec![
                Cell::Figure { now, before },
                Cell::Percent(now.map(|now| now / total)),
            ],
            is_summary: false,
        })
        .collect();
    rows.push(Row {
        name: format!("together, {} programs", members.len()),
        cells: vec![
            Cell::Figure {
                now: Some(total),
                before: total_before,
            },
            Cell::Percent(Some(1.0)),
        ],
        is_summary: true,
    });
    Table {
        title: "Passes",
        about: "Where the time of compiling goes: nanoseconds for each instruction of the programs, \
                each pass without those within it.",
        header: ["pass", "ns per\ninstruction", "%"]
            .map(str::to_string)
            .to_vec(),
        rows,
    }
}

/// The names of all passes, our own work first.
pub(crate) fn pass_names<'rows>(rows: &[&'rows CompilationRow]) -> Vec<&'rows str> {
    let mut names: Vec<&str> = vec![OUTSIDE];
    for cost in rows.iter().flat_map(|row| &row.passes) {
        if !names.contains(&cost.pass.as_str()) {
            names.push(&cost.pass);
        }
    }
    names
}
