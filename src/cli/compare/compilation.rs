//! Programs through every compiler.

use {
    super::{
        compilers::{self, Compilation, CompilerCost, CostSamples},
        passes,
        settings::Settings,
    },
    crate::cli::{
        engine::{Engine, Prepared, Refusal},
        failure::Failure,
        program::Program,
    },
    sbpf_cranelift::{CompileOptions, CompileStatistics, GeneratedCode},
    serde::{Deserialize, Serialize},
    std::time::Duration,
};

/// The machines whose code is measured: what to call them, and their triple.
pub(crate) const TARGETS: [(&str, &str); 4] = [
    ("x86_64 Linux", "x86_64-unknown-linux-gnu"),
    ("x86_64 Windows", "x86_64-pc-windows-msvc"),
    ("arm64 Linux", "aarch64-unknown-linux-gnu"),
    ("arm64 macOS", "aarch64-apple-darwin"),
];

/// What is done outside of Cranelift's passes, as a pass.
pub(crate) const OUTSIDE: &str = "lowering, linking, sealing";

/// One program's compile times and code sizes.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CompilationRow {
    /// The program's name.
    pub(crate) program: String,
    /// Whether people use it.
    pub(crate) real: bool,
    /// Its instructions, in slots of 8 bytes.
    pub(crate) instructions: usize,
    /// The hand-written JIT, where there is one.
    pub(crate) hand_written: Option<CompilerCost>,
    /// This project's compiler.
    pub(crate) cranelift: CompilerCost,
    /// Native functions.
    pub(crate) functions: usize,
    /// Instructions of Cranelift IR.
    pub(crate) clif_instructions: usize,
    /// Blocks of Cranelift IR.
    pub(crate) clif_blocks: usize,
    /// Code for every machine.
    pub(crate) targets: Vec<TargetSize>,
    /// Where this project's compiler spends its time.
    pub(crate) passes: Vec<PassCost>,
}

/// Code for one machine, with the features that all of its kind have.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct TargetSize {
    /// What the machine is called.
    pub(crate) target: String,
    /// Bytes of code.
    pub(crate) code_bytes: usize,
}

/// A pass of Cranelift.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PassCost {
    /// What it does.
    pub(crate) pass: String,
    /// Its time without the passes within it: the median of all compilations.
    pub(crate) nanoseconds: f64,
}

/// Compiles `program` over and over with each compiler in turn.
///
/// # Errors
/// When a compiler fails.
pub(crate) fn measure(
    name: &str,
    is_real: bool,
    program: &Program,
    settings: &Settings,
) -> Result<CompilationRow, Failure> {
    let executable = &program.executable;
    let compile = |engine| match compilers::compile(engine, executable) {
        Ok(compilation) => Ok(Some(compilation)),
        Err(Refusal::Absent(_)) => Ok(None),
        Err(Refusal::Failed(what)) => Err(Failure::at(name, what)),
    };
    let mut hand_written = CostSamples::default();
    let mut cranelift = CostSamples::default();
    let mut pass_samples = PassSamples::default();
    let mut statistics = CompileStatistics::default();
    for _ in 0..settings.rounds {
        if hand_written.spent() <= settings.longest_compilation
            && let Some(compilation) = compile(Engine::HandWritten)?
        {
            hand_written.add(&compilation);
        }
        if cranelift.spent() <= settings.longest_compilation {
            let (compilation, times) = passes::profile(|| compile(Engine::Cranelift));
            let Some(compilation) = compilation? else {
                continue;
            };
            cranelift.add(&compilation);
            pass_samples.add(&times, &compilation);
            if let Prepared::Cranelift(compiled) = &compilation.prepared {
                statistics = compiled.statistics();
            }
        }
    }
    let Some(cranelift) = cranelift.summary() else {
        return Err(Failure::at(name, "it was not compiled"));
    };
    Ok(CompilationRow {
        program: name.to_string(),
        real: is_real,
        instructions: program.instruction_slots(),
        hand_written: hand_written.summary(),
        cranelift,
        functions: statistics.functions,
        clif_instructions: statistics.clif_instructions,
        clif_blocks: statistics.clif_blocks,
        targets: target_sizes(name, program)?,
        passes: pass_samples.medians(),
    })
}

/// Bytes of code for every machine.
fn target_sizes(name: &str, program: &Program) -> Result<Vec<TargetSize>, Failure> {
    let size = |(target, triple): &(&str, &str)| {
        let mut options = CompileOptions::default();
        let parsed = triple.parse();
        options.target = Some(parsed.map_err(|_| Failure::new(format!("no machine {triple}")))?);
        let code = GeneratedCode::generate(&program.executable, &options)
            .map_err(|error| Failure::at(name, format!("{target}: {error}")))?;
        Ok(TargetSize {
            target: target.to_string(),
            code_bytes: code.bytes().len(),
        })
    };
    TARGETS.iter().map(size).collect()
}

/// Samples of the time of each pass.
#[derive(Default)]
struct PassSamples(Vec<(&'static str, Vec<Duration>)>);

impl PassSamples {
    /// Adds the passes of one compilation.
    ///
    /// They were timed by the clock on the wall, which is quick to read. While others have the
    /// processor it goes on, which is taken to hit all passes alike: they add up to the
    /// compilation's processor time.
    fn add(&mut self, times: &passes::PassTimes, compilation: &Compilation) {
        let inside: Duration = times.iter().map(|(_, time)| *time).sum();
        let outside = (OUTSIDE, compilation.wall.saturating_sub(inside));
        let passes = times.iter().map(|(pass, time)| (pass.description(), *time));
        let wall = compilation.wall.as_secs_f64().max(f64::MIN_POSITIVE);
        let scale = (compilation.cpu.as_secs_f64() / wall).min(1.0);
        for (pass, time) in [outside].into_iter().chain(passes) {
            let time = time.mul_f64(scale);
            match self.0.iter_mut().find(|(known, _)| *known == pass) {
                Some((_, samples)) => samples.push(time),
                None => self.0.push((pass, vec![time])),
            }
        }
    }

    fn medians(mut self) -> Vec<PassCost> {
        self.0
            .iter_mut()
            .map(|(pass, samples)| {
                samples.sort();
                let median = samples.get(samples.len() / 2).copied().unwrap_or_default();
                PassCost {
                    pass: pass.to_string(),
                    nanoseconds: median.as_nanos() as f64,
                }
            })
            .collect()
    }
}
