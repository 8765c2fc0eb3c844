//! Criterion's view of the compilers: each on every real program and on synthetic ones.

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
    criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, measurement::WallTime},
    harness::{
        compilers,
        engine::{Engine, HAS_HAND_WRITTEN},
    },
    std::time::{Duration, Instant},
    workloads::programs::Program,
};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for program in workloads::programs::all()
        .iter()
        .chain(&workloads::synthetic::all())
    {
        bench(&mut criterion, program);
    }
    criterion.final_summary();
}

/// Benches one program; the throughput is in instructions.
fn bench(criterion: &mut Criterion, program: &Program) {
    let mut group = criterion.benchmark_group(format!("compile/{}", program.name));
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(program.instructions() as u64));
    if HAS_HAND_WRITTEN {
        bench_compiler(&mut group, Engine::HandWritten, program, |program| {
            compilers::hand_written(program).unwrap_or_default()
        });
    }
    bench_compiler(&mut group, Engine::Cranelift, program, compilers::cranelift);
    group.finish();
}

/// Benches one compiler, then prints what it makes of an instruction, unless it was filtered out.
fn bench_compiler(
    group: &mut BenchmarkGroup<'_, WallTime>,
    engine: Engine,
    program: &Program,
    compile: impl Fn(&Program) -> usize,
) {
    let mut runs = 0;
    let mut time = Duration::ZERO;
    let mut code_bytes = 0;
    group.bench_function(engine.name(), |bencher| {
        bencher.iter_custom(|iterations| {
            let start = Instant::now();
            for _ in 0..iterations {
                code_bytes = compile(program);
            }
            let elapsed = start.elapsed();
            runs += iterations;
            time += elapsed;
            elapsed
        });
    });
    if runs > 0 {
        let instructions = program.instructions() as f64;
        println!(
            "{} with {}: {:.1} code bytes and {:.0} ns per instruction\n",
            program.name,
            engine.name(),
            code_bytes as f64 / instructions,
            time.as_nanos() as f64 / runs as f64 / instructions,
        );
    }
}
