//! What hostile programs cost the compiler: time, memory, and when it refuses.
//!
//! Each program is compiled at 1 MiB and at 10 MiB of text, the most that an account on Solana holds, in a
//! process of its own, whose peak memory is that of the compilation. `cargo bench --bench worst_cases` prints
//! a table; a word is a filter.

#[path = "../../src/cli/deployed.rs"]
#[allow(
    dead_code,
    reason = "the host loads real programs, too, which is not done here"
)]
mod deployed;
#[path = "../startup/host.rs"]
#[allow(
    dead_code,
    reason = "the host loads real programs, too, which is not done here"
)]
mod host;
mod shapes;
#[path = "../startup/table.rs"]
mod table;
#[path = "../../tests/common/text.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "it encodes more than these programs have, for all tests"
)]
mod text;

use {
    shapes::{SHAPES, Shape},
    std::{
        env,
        error::Error,
        process::{Command, ExitCode},
        time::{Duration, Instant},
    },
};

/// Instruction slots of 1 MiB of text, and of 10.
const SIZES: [usize; 2] = [1 << 17, 10 << 17];
/// What a compilation may take, or else it has to be refused within [`REFUSAL`].
const TIME: Duration = Duration::from_secs(30);
/// What it may take to refuse a program.
const REFUSAL: Duration = Duration::from_secs(1);
/// KiB of memory that the process may have had.
const MEMORY: u64 = 3 << 19;
/// Ten times as many instructions may take so many times as long.
const GROWTH: f64 = 12.0;
/// The argument with which this program compiles one program only.
const ONE: &str = "--one";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [one, name, slots] = &arguments[..]
        && one == ONE
    {
        return match compile(name, slots) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&*error),
        };
    }
    let filter = arguments.iter().find(|word| !word.starts_with('-'));
    let is_chosen = |shape: &&Shape| filter.is_none_or(|word| shape.name.contains(word.as_str()));
    match print(SHAPES.iter().filter(is_chosen)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(missed) => {
            println!("beyond the bounds: {missed}");
            ExitCode::FAILURE
        }
        Err(error) => fail(&*error),
    }
}

fn fail(error: &dyn Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

/// Prints the table. Returns how many programs were beyond the bounds.
fn print<'s>(shapes: impl Iterator<Item = &'s Shape>) -> Result<usize, Box<dyn Error>> {
    let mut table = table::new(&[
        "program",
        "1 MiB",
        "10 MiB",
        "growth",
        "peak memory",
        "outcome at 1 MiB",
        "outcome at 10 MiB",
        "within bounds",
    ]);
    let mut missed = 0;
    for shape in shapes {
        let [small, large] = [measure(shape, SIZES[0])?, measure(shape, SIZES[1])?];
        let growth = large.time.as_secs_f64() / small.time.as_secs_f64();
        let is_within = small.is_within(0.0) && large.is_within(growth);
        missed += usize::from(!is_within);
        table.add_row([
            shape.name.to_string(),
            format!("{:.1?}", small.time),
            format!("{:.1?}", large.time),
            match large.is_refused {
                // It takes no longer then.
                true => "–".to_string(),
                false => format!("{growth:.1}"),
            },
            small
                .memory
                .max(large.memory)
                .map_or("–".to_string(), |kib| format!("{} MiB", kib >> 10)),
            small.outcome().to_string(),
            large.outcome().to_string(),
            if is_within { "yes" } else { "no" }.to_string(),
        ]);
    }
    println!("Compiling what is made to be compiled slowly, wall time on one thread:\n\n{table}\n");
    Ok(missed)
}

/// What one compilation took.
struct Measured {
    time: Duration,
    /// KiB, where the system tells.
    memory: Option<u64>,
    is_refused: bool,
}

impl Measured {
    fn outcome(&self) -> &'static str {
        match self.is_refused {
            true => "refused",
            false => "compiled",
        }
    }

    fn is_within(&self, growth: f64) -> bool {
        if self.is_refused {
            return self.time <= REFUSAL;
        }
        self.time <= TIME && growth <= GROWTH && self.memory.is_none_or(|memory| memory <= MEMORY)
    }
}

/// Compiles a program in a process of its own.
fn measure(shape: &Shape, slots: usize) -> Result<Measured, Box<dyn Error>> {
    let output = Command::new(env::current_exe()?)
        .args([ONE, shape.name, &slots.to_string()])
        .output()?;
    let said = String::from_utf8(output.stdout)?;
    let mut lines = said.lines();
    let (Some(time), Some(memory), true) = (lines.next(), lines.next(), output.status.success())
    else {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}, {slots} slots: {}, {said}", shape.name, output.status).into());
    };
    Ok(Measured {
        time: Duration::from_nanos(time.parse()?),
        memory: memory.parse().ok(),
        is_refused: lines.next().is_some(),
    })
}

/// What the process of its own does: prints time, memory and, if it was refused, why.
fn compile(name: &str, slots: &str) -> Result<(), Box<dyn Error>> {
    let shape = SHAPES.iter().find(|shape| shape.name == name);
    let executable = shape.ok_or("no such program")?.load(slots.parse()?)?;
    let start = Instant::now();
    let compiled = sbpf_cranelift::CompiledProgram::compile(&executable);
    println!("{}", start.elapsed().as_nanos());
    println!("{}", peak_memory().unwrap_or_default());
    if let Err(error) = compiled {
        println!("{error}");
    }
    Ok(())
}

/// KiB that this process has had at most, on Linux.
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next().map(str::to_string)
}
