//! How long it takes until a program is ready to run, by the way it gets there.

use {
    crate::{
        compile_by_hand,
        host::{self, BenchContext, Program},
        median, table, text,
    },
    sbpf_cranelift::{Cache, CodeOrigin, CompileOptions, CompiledProgram},
    std::{
        hint::black_box,
        sync::Arc,
        time::{Duration, Instant},
    },
};

/// Rounds of what takes microseconds or milliseconds.
const ROUNDS: usize = 101;
/// Rounds of compilations.
const COMPILATIONS: usize = 3;

/// Prints the table of all programs that have `filter` in their name.
pub(crate) fn print(filter: Option<&str>) {
    let mut table = table::new(&[
        "program",
        "instructions",
        "hand-written compile",
        "eager compile",
        "from the directory",
        "from memory, another executable",
        "from memory, same executable",
    ]);
    for program in host::all() {
        if filter.is_none_or(|filter| program.name.contains(filter)) {
            table.add_row(row(program));
        }
    }
    println!("Until a program is ready to run, medians of wall time:\n\n{table}\n");
}

/// One program by every way.
fn row(program: Program) -> Vec<String> {
    let instructions = program.instructions();
    let hand_written = times(ROUNDS, || compile_by_hand(&program.executable));
    let Program {
        name, executable, ..
    } = program;
    let executable = Arc::new(executable);
    let compile = |cache: &Cache| compile(&executable, cache);
    let eager = times(COMPILATIONS, || compile(&Cache::none()));
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let cache = Cache::in_directory(folder.path());
    assert_eq!(compile(&cache).origin(), CodeOrigin::Compiled);
    let directory = times(ROUNDS, || {
        let program = compile(&cache);
        assert_eq!(program.origin(), CodeOrigin::Directory);
        program
    });
    let kept = compile(&cache);
    let memory = times(ROUNDS, || {
        let program = compile(&cache);
        assert_eq!(program.origin(), CodeOrigin::Memory);
        program
    });
    let options = options(&cache);
    let shared = CompiledProgram::compile_shared(&executable, &options).expect("it compiles");
    let known = times(ROUNDS, || {
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
fn times<T>(rounds: usize, mut work: impl FnMut() -> T) -> Duration {
    let times = (0..rounds).map(|_| {
        let start = Instant::now();
        let made = black_box(work());
        let time = start.elapsed();
        drop(made);
        time
    });
    median(times.collect())
}
