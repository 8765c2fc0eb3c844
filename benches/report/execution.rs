//! Workloads on every engine.

use {
    super::{
        Settings, clock,
        statistics::{Summary, geometric_mean},
        table::{self, Style, count, figure},
    },
    crate::{
        harness::{engine::Engine, machine::Machine},
        workloads::{Family, Workload},
    },
    serde::Serialize,
    std::{hint::black_box, time::Duration},
};

/// One workload's times.
#[derive(Serialize)]
pub(crate) struct ExecutionRow {
    workload: String,
    family: &'static str,
    instructions: u64,
    engines: Vec<EngineTime>,
}

/// One engine's time for a run.
#[derive(Serialize)]
struct EngineTime {
    #[serde(serialize_with = "by_name")]
    engine: Engine,
    nanoseconds: Summary,
}

fn by_name<S: serde::Serializer>(engine: &Engine, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(engine.name())
}

impl ExecutionRow {
    /// The time of a whole run on `engine`, if it is there.
    fn time(&self, engine: Engine) -> Option<&Summary> {
        self.engines
            .iter()
            .find(|time| time.engine == engine)
            .map(|time| &time.nanoseconds)
    }

    fn per_instruction(&self, engine: Engine) -> Option<f64> {
        Some(self.time(engine)?.median / self.instructions as f64)
    }

    fn ratio(&self, engine: Engine, to: Engine) -> Option<f64> {
        Some(self.time(engine)?.median / self.time(to)?.median)
    }
}

/// Checks that all engines agree on `workload`, then takes their times in turns.
pub(crate) fn measure(
    workload: &Workload,
    machine: &mut Machine<'_>,
    settings: &Settings,
) -> ExecutionRow {
    let instructions = machine.check();
    let mut times: Vec<_> = Engine::available()
        .map(|engine| {
            let once = sample(machine, engine, 1).as_secs_f64().max(1e-9);
            let repetitions = (settings.shortest_sample.as_secs_f64() / once).ceil() as u32;
            (engine, repetitions.max(1), Vec::new())
        })
        .collect();
    for _ in 0..settings.rounds {
        machine.recompile();
        for (engine, repetitions, samples) in &mut times {
            sample(machine, *engine, 1);
            samples.push(sample(machine, *engine, *repetitions));
        }
    }
    ExecutionRow {
        workload: workload.to_string(),
        family: workload.family.name(),
        instructions,
        engines: times
            .into_iter()
            .map(|(engine, _, samples)| EngineTime {
                engine,
                nanoseconds: Summary::of(&samples),
            })
            .collect(),
    }
}

/// The mean time of `repetitions` runs in a row.
fn sample(machine: &mut Machine<'_>, engine: Engine, repetitions: u32) -> Duration {
    let start = clock::thread_time();
    for _ in 0..repetitions {
        black_box(machine.run(engine));
    }
    (clock::thread_time() - start) / repetitions
}

/// The engines whose time per instruction is shown.
const SHOWN: [Engine; 4] = [
    Engine::Interpreter,
    Engine::HandWritten,
    Engine::Cranelift,
    Engine::Native,
];

/// The ratios that are shown.
const RATIOS: [(Engine, Engine); 3] = [
    (Engine::Cranelift, Engine::HandWritten),
    (Engine::Cranelift, Engine::Native),
    (Engine::HandWritten, Engine::Native),
];

/// The rows as a table, with geometric means by family and of all.
pub(crate) fn table(rows: &[ExecutionRow], style: Style) -> comfy_table::Table {
    let mut table = table::new(
        style,
        &[
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
        ],
    );
    for row in rows {
        let mut cells = vec![row.workload.clone(), count(row.instructions)];
        cells.extend(SHOWN.map(|engine| figure(row.per_instruction(engine))));
        let spread = row.time(Engine::Cranelift).map(Summary::spread);
        cells.push(spread.map_or_else(String::new, |spread| format!("{:.0}", spread * 100.0)));
        cells.extend(RATIOS.map(|(engine, to)| figure(row.ratio(engine, to))));
        table.add_row(cells);
    }
    for family in Family::ALL {
        let members = rows.iter().filter(|row| row.family == family.name());
        add_means(&mut table, family.name(), members);
    }
    add_means(&mut table, "all", rows.iter());
    table
}

/// Adds the geometric means of the ratios of `rows`, unless there are none.
fn add_means<'a>(
    table: &mut comfy_table::Table,
    name: &str,
    rows: impl Iterator<Item = &'a ExecutionRow> + Clone,
) {
    let number = rows.clone().count();
    if number == 0 {
        return;
    }
    let mut cells = vec![format!("geometric mean, {name} ({number})")];
    cells.resize(3 + SHOWN.len(), String::new());
    cells.extend(RATIOS.map(|(engine, to)| {
        figure(geometric_mean(
            rows.clone().filter_map(|row| row.ratio(engine, to)),
        ))
    }));
    table.add_row(cells);
}
