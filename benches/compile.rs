//! Criterion's view of the compilers: each on every real program and on synthetic ones.

#[allow(
    dead_code,
    unused_imports,
    reason = "most of the command line, and its tests, are not needed here"
)]
#[path = "../src/cli/mod.rs"]
mod cli;

use {
    cli::{
        compare::{competitor::Competitor, compilers, programs},
        program::Program,
    },
    criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, measurement::WallTime},
    std::time::{Duration, Instant},
};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for source in programs::all().unwrap_or_else(|error| panic!("{error}")) {
        let program = source.load().unwrap_or_else(|error| panic!("{error}"));
        bench(&mut criterion, &program);
    }
    criterion.final_summary();
}

/// Benches one program; the throughput is in instructions.
fn bench(criterion: &mut Criterion, program: &Program) {
    let mut group = criterion.benchmark_group(format!("compile/{}", program.name));
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(program.instruction_slots() as u64));
    for competitor in Competitor::available() {
        if matches!(competitor, Competitor::HandWritten | Competitor::Cranelift) {
            bench_compiler(&mut group, competitor, program);
        }
    }
    group.finish();
}

/// Benches one compiler, then prints what it makes of an instruction, unless it was filtered out.
fn bench_compiler(
    group: &mut BenchmarkGroup<'_, WallTime>,
    competitor: Competitor,
    program: &Program,
) {
    let Some(engine) = competitor.engine() else {
        return;
    };
    let mut runs = 0;
    let mut time = Duration::ZERO;
    let mut code_bytes = 0;
    group.bench_function(competitor.name(), |bencher| {
        bencher.iter_custom(|iterations| {
            let start = Instant::now();
            for _ in 0..iterations {
                match compilers::compile(engine, &program.executable) {
                    Ok(compilation) => code_bytes = compilation.code_bytes,
                    Err(refusal) => panic!("{}: {refusal:?}", program.name),
                }
            }
            let elapsed = start.elapsed();
            runs += iterations;
            time += elapsed;
            elapsed
        });
    });
    if runs > 0 {
        let instructions = program.instruction_slots() as f64;
        println!(
            "{} with {}: {:.1} code bytes and {:.0} ns per instruction\n",
            program.name,
            competitor.name(),
            code_bytes as f64 / instructions,
            time.as_nanos() as f64 / runs as f64 / instructions,
        );
    }
}
