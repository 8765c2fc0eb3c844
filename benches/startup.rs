//! How long it takes until a program is ready to run, by the way it gets there.

#[allow(
    dead_code,
    reason = "shared by the benches, none of which uses all of it"
)]
mod harness;
#[allow(
    dead_code,
    reason = "shared by the benches, none of which uses all of it"
)]
mod workloads;

use {
    comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN},
    harness::{compilers, context::BenchContext},
    sbpf_cranelift::{Cache, CodeOrigin, CompileOptions, CompiledProgram},
    std::{
        hint::black_box,
        sync::Arc,
        time::{Duration, Instant},
    },
    workloads::programs::Program,
};

/// Rounds of what takes microseconds or milliseconds.
const ROUNDS: usize = 101;
/// Rounds of compilations.
const COMPILATIONS: usize = 3;

fn main() {
    let filter = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let is_chosen = |program: &Program| filter.as_ref().is_none_or(|it| program.name.contains(it));
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "program",
        "instructions",
        "hand-written compile",
        "eager compile",
        "from the directory",
        "from memory, another executable",
        "from memory, same executable",
    ]);
    for program in workloads::programs::all() {
        if is_chosen(&program) {
            table.add_row(row(program));
        }
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("Until a program is ready to run, medians of wall time:\n\n{table}");
}

/// One program by every way.
fn row(program: Program) -> Vec<String> {
    let instructions = program.instructions();
    let hand_written = median(ROUNDS, || compilers::hand_written(&program));
    let Program {
        name, executable, ..
    } = program;
    let executable = Arc::new(executable);
    let compile = |cache: &Cache| compile(&executable, cache);
    let eager = median(COMPILATIONS, || compile(&Cache::none()));
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let cache = Cache::in_directory(folder.path());
    assert_eq!(compile(&cache).origin(), CodeOrigin::Compiled);
    let directory = median(ROUNDS, || {
        let program = compile(&cache);
        assert_eq!(program.origin(), CodeOrigin::Directory);
        program
    });
    let kept = compile(&cache);
    let memory = median(ROUNDS, || {
        let program = compile(&cache);
        assert_eq!(program.origin(), CodeOrigin::Memory);
        program
    });
    let options = options(&cache);
    let shared = CompiledProgram::compile_shared(&executable, &options).expect("it compiles");
    let known = median(ROUNDS, || {
        let program = CompiledProgram::compile_shared(&executable, &options).expect("it compiles");
        assert!(Arc::ptr_eq(&program, &shared));
        program
    });
    drop(kept);
    vec![
        name,
        instructions.to_string(),
        text(hand_written),
        text(eager),
        text(directory),
        text(memory),
        text(known),
    ]
}

fn options(cache: &Cache) -> CompileOptions {
    let mut options = CompileOptions::default();
    options.cache = cache.clone();
    options
}

fn compile(
    executable: &Arc<solana_sbpf::elf::Executable<BenchContext>>,
    cache: &Cache,
) -> CompiledProgram<BenchContext> {
    CompiledProgram::compile_with(executable, &options(cache)).expect("it compiles")
}

/// The median time of `work`; what it returns is dropped outside of it.
fn median<T>(rounds: usize, mut work: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            let made = black_box(work());
            let time = start.elapsed();
            drop(made);
            time
        })
        .collect();
    times.sort_unstable();
    times[rounds / 2]
}

fn text(time: Duration) -> String {
    format!("{time:.1?}")
}
