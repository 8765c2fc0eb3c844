//! Programs through every compiler.

use {
    super::{
        Settings, clock,
        statistics::Summary,
        table::{self, Style, count, figure},
    },
    crate::{harness::compilers, workloads::programs::Program},
    serde::Serialize,
    std::time::{Duration, Instant},
};

/// One program's compile times and code sizes.
#[derive(Serialize)]
pub(crate) struct CompilationRow {
    program: String,
    real: bool,
    instructions: usize,
    hand_written: Option<CompilerCost>,
    cranelift: CompilerCost,
}

/// What one compiler took.
#[derive(Serialize)]
struct CompilerCost {
    /// Processor time, of all threads together.
    cpu_nanoseconds: Summary,
    /// Time until the program was ready.
    wall_nanoseconds: Summary,
    code_bytes: usize,
}

/// Compiles `program` over and over with each compiler in turn.
pub(crate) fn measure(program: &Program, settings: &Settings) -> CompilationRow {
    let mut hand_written = Samples::default();
    let mut cranelift = Samples::default();
    for _ in 0..settings.rounds {
        hand_written.take(settings, || compilers::hand_written(program));
        cranelift.take(settings, || Some(compilers::cranelift(program)));
    }
    CompilationRow {
        program: program.name.clone(),
        real: program.real,
        instructions: program.instructions(),
        hand_written: hand_written.summary(),
        cranelift: match cranelift.summary() {
            Some(cost) => cost,
            None => unreachable!("there is at least one round"),
        },
    }
}

/// Samples of one compiler.
#[derive(Default)]
struct Samples {
    cpu: Vec<Duration>,
    wall: Vec<Duration>,
    code_bytes: usize,
}

impl Samples {
    /// Compiles once more, unless enough time went into it already or there is no such compiler.
    fn take(&mut self, settings: &Settings, compile: impl FnOnce() -> Option<usize>) {
        if self.wall.iter().sum::<Duration>() > settings.longest_compilation {
            return;
        }
        let (cpu, wall) = (clock::process_time(), Instant::now());
        if let Some(code_bytes) = compile() {
            self.cpu.push(clock::process_time() - cpu);
            self.wall.push(wall.elapsed());
            self.code_bytes = code_bytes;
        }
    }

    fn summary(&self) -> Option<CompilerCost> {
        (!self.cpu.is_empty()).then(|| CompilerCost {
            cpu_nanoseconds: Summary::of(&self.cpu),
            wall_nanoseconds: Summary::of(&self.wall),
            code_bytes: self.code_bytes,
        })
    }
}

/// Sums over programs, to be divided.
#[derive(Clone, Copy)]
struct Totals {
    instructions: f64,
    hand_written_cpu: Option<f64>,
    hand_written_bytes: Option<f64>,
    cranelift_cpu: f64,
    cranelift_wall: f64,
    cranelift_bytes: f64,
}

impl Totals {
    fn of(row: &CompilationRow) -> Self {
        let hand_written = row.hand_written.as_ref();
        Self {
            instructions: row.instructions as f64,
            hand_written_cpu: hand_written.map(|cost| cost.cpu_nanoseconds.median),
            hand_written_bytes: hand_written.map(|cost| cost.code_bytes as f64),
            cranelift_cpu: row.cranelift.cpu_nanoseconds.median,
            cranelift_wall: row.cranelift.wall_nanoseconds.median,
            cranelift_bytes: row.cranelift.code_bytes as f64,
        }
    }

    fn plus(self, other: Self) -> Self {
        let add = |left: Option<f64>, right: Option<f64>| Some(left? + right?);
        Self {
            instructions: self.instructions + other.instructions,
            hand_written_cpu: add(self.hand_written_cpu, other.hand_written_cpu),
            hand_written_bytes: add(self.hand_written_bytes, other.hand_written_bytes),
            cranelift_cpu: self.cranelift_cpu + other.cranelift_cpu,
            cranelift_wall: self.cranelift_wall + other.cranelift_wall,
            cranelift_bytes: self.cranelift_bytes + other.cranelift_bytes,
        }
    }

    fn cells(self, name: &str) -> Vec<String> {
        let each = |value: f64| value / self.instructions;
        vec![
            name.to_string(),
            count(self.instructions as u64),
            figure(self.hand_written_cpu.map(each)),
            figure(Some(each(self.cranelift_cpu) / 1000.0)),
            figure(Some(each(self.cranelift_wall) / 1000.0)),
            figure(self.hand_written_cpu.map(|time| self.cranelift_cpu / time)),
            figure(self.hand_written_bytes.map(each)),
            figure(Some(each(self.cranelift_bytes))),
        ]
    }
}

/// The rows as a table; the last one is of all real programs together.
pub(crate) fn table(rows: &[CompilationRow], style: Style) -> comfy_table::Table {
    let mut table = table::new(
        style,
        &[
            "per instruction",
            "instructions",
            "hand-written\nCPU ns",
            "cranelift\nCPU µs",
            "cranelift\nwall µs",
            "cranelift /\nhand-written",
            "hand-written\nbytes",
            "cranelift\nbytes",
        ],
    );
    for row in rows {
        table.add_row(Totals::of(row).cells(&row.program));
    }
    let real: Vec<_> = rows.iter().filter(|row| row.real).map(Totals::of).collect();
    let number = real.len();
    if let Some(together) = real.into_iter().reduce(Totals::plus) {
        table.add_row(together.cells(&format!("the real ones together ({number})")));
    }
    table
}
