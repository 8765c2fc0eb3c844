//! Subjects on every engine.

use {
    super::{
        clock,
        competitor::Competitor,
        compilers::{CompilerCost, CostSamples},
        counter::InstructionCounter,
        machine::Machine,
        settings::Settings,
        statistics::Summary,
        subject::Subject,
    },
    crate::cli::{engine::Ending, failure::Failure},
    serde::{Deserialize, Serialize},
    std::time::{Duration, Instant},
};

/// One subject's figures.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ExecutionRow {
    /// The subject's name.
    pub(crate) workload: String,
    /// The name of its family.
    pub(crate) family: String,
    /// sBPF instructions that a run executes.
    pub(crate) instructions: u64,
    /// Instructions of the whole program, in slots of 8 bytes.
    pub(crate) program_instructions: usize,
    /// How a run ends, on all engines.
    pub(crate) ending: String,
    /// Part of a run's time that is spent in syscalls, the same for all engines.
    pub(crate) syscall_nanoseconds: f64,
    /// One entry for each engine.
    pub(crate) engines: Vec<EngineFigures>,
}

/// One engine's figures.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct EngineFigures {
    engine: Competitor,
    /// Time of a run.
    nanoseconds: Summary,
    /// Machine instructions that a run executes, if they could be counted.
    machine_instructions: Option<u64>,
    /// What compiling the program took, if it was.
    compilation: Option<CompilerCost>,
}

impl ExecutionRow {
    fn figures(&self, engine: Competitor) -> Option<&EngineFigures> {
        self.engines.iter().find(|figures| figures.engine == engine)
    }

    /// The time of a whole run on `engine`, if it is there.
    pub(crate) fn time(&self, engine: Competitor) -> Option<&Summary> {
        Some(&self.figures(engine)?.nanoseconds)
    }

    /// Nanoseconds for each sBPF instruction.
    pub(crate) fn per_instruction(&self, engine: Competitor) -> Option<f64> {
        Some(self.time(engine)?.median / self.instructions as f64)
    }

    /// The time on `engine` as a part of that on `to`.
    pub(crate) fn ratio(&self, engine: Competitor, to: Competitor) -> Option<f64> {
        Some(self.time(engine)?.median / self.time(to)?.median)
    }

    /// The same without the time in syscalls, unless that is nearly all. Workloads with a native
    /// twin have no syscalls that are told apart.
    pub(crate) fn ratio_without_syscalls(&self, engine: Competitor, to: Competitor) -> Option<f64> {
        const LEAST_REST: f64 = 0.1;
        if self.time(Competitor::Native).is_some() {
            return None;
        }
        let rest = |time: f64| {
            let rest = time - self.syscall_nanoseconds;
            (rest > LEAST_REST * time).then_some(rest)
        };
        Some(rest(self.time(engine)?.median)? / rest(self.time(to)?.median)?)
    }

    /// Machine instructions for each sBPF instruction.
    pub(crate) fn machine_instructions(&self, engine: Competitor) -> Option<f64> {
        let executed = self.figures(engine)?.machine_instructions?;
        Some(executed as f64 / self.instructions as f64)
    }

    /// Bytes of code for each instruction of the program.
    pub(crate) fn code_bytes(&self, engine: Competitor) -> Option<f64> {
        let compilation = self.figures(engine)?.compilation.as_ref()?;
        Some(compilation.code_bytes as f64 / self.program_instructions as f64)
    }

    /// Microseconds of processor time that compiling the program takes.
    pub(crate) fn compile_time(&self, engine: Competitor) -> Option<f64> {
        let compilation = self.figures(engine)?.compilation.as_ref()?;
        Some(compilation.cpu_nanoseconds.median / 1_000.0)
    }
}

/// Samples of one engine.
struct Samples {
    engine: Competitor,
    /// Runs in a sample.
    repetitions: u32,
    times: Vec<Duration>,
    costs: CostSamples,
}

/// Checks that all engines agree on `subject`, then takes their times in turns.
///
/// # Errors
/// When an engine can't run the subject, or they don't agree.
pub(crate) fn measure(
    subject: &Subject,
    settings: &Settings,
    counter: &mut InstructionCounter,
) -> Result<ExecutionRow, Failure> {
    Machine::with(subject, |machine| {
        let agreement = machine.check()?;
        let mut samples: Vec<_> = machine
            .competitors()
            .map(|engine| {
                let once = sample(machine, engine, 1).as_secs_f64().max(1e-9);
                let repetitions = settings.shortest_sample.as_secs_f64() / once;
                Samples {
                    engine,
                    repetitions: (repetitions.ceil() as u32).max(1),
                    times: Vec::new(),
                    costs: CostSamples::default(),
                }
            })
            .collect();
        for _ in 0..settings.rounds {
            let compilations = machine.recompile()?;
            for samples in &mut samples {
                let engine = samples.engine;
                for (_, compilation) in compilations.iter().filter(|(who, _)| *who == engine) {
                    samples.costs.add(compilation);
                }
                sample(machine, engine, 1);
                let time = sample(machine, engine, samples.repetitions);
                samples.times.push(time);
            }
        }
        let engines = samples.into_iter().map(|samples| EngineFigures {
            engine: samples.engine,
            nanoseconds: Summary::of(&samples.times),
            machine_instructions: count(machine, samples.engine, counter),
            compilation: samples.costs.summary(),
        });
        Ok(ExecutionRow {
            workload: subject.name.clone(),
            family: subject.family.name().to_string(),
            instructions: agreement.instructions,
            program_instructions: subject.program.instruction_slots(),
            ending: match agreement.ending {
                Ending::Returned(value) => format!("returned {value:#x}"),
                Ending::Failed { text, .. } => text,
            },
            engines: engines.collect(),
            syscall_nanoseconds: syscall_time(machine),
        })
    })
}

/// The time of a run, which is never zero: the mean of `repetitions` in a row, or if memory has to
/// be put back between them, their median.
fn sample(machine: &mut Machine<'_>, engine: Competitor, repetitions: u32) -> Duration {
    const LEAST: Duration = Duration::from_nanos(1);
    if !machine.needs_reset() || engine == Competitor::Native {
        let start = clock::thread_time();
        for _ in 0..repetitions {
            machine.run(engine);
        }
        return ((clock::thread_time() - start) / repetitions).max(LEAST);
    }
    // Short runs are timed one by one, with a clock that is quick to read. It goes on while others
    // have the processor, which a median does not mind.
    let mut times: Vec<_> = (0..repetitions)
        .map(|_| {
            machine.reset();
            let start = Instant::now();
            machine.run(engine);
            start.elapsed()
        })
        .collect();
    machine.reset();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    median.saturating_sub(clock::reading_time()).max(LEAST)
}

/// Machine instructions of one run.
fn count(
    machine: &mut Machine<'_>,
    engine: Competitor,
    counter: &mut InstructionCounter,
) -> Option<u64> {
    machine.reset();
    let instructions = counter.count(|| machine.run(engine));
    machine.reset();
    instructions
}

/// Nanoseconds that a run spends in syscalls: the median of some runs.
fn syscall_time(machine: &mut Machine<'_>) -> f64 {
    const RUNS: usize = 25;
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            machine.reset();
            let (calls, time) = machine.time_syscalls();
            time.saturating_sub(clock::reading_time() * calls)
        })
        .collect();
    machine.reset();
    times.sort();
    times
        .get(RUNS / 2)
        .map_or(0.0, |time| time.as_nanos() as f64)
}
