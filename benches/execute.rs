//! Criterion's view of the workloads: each on every engine.

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
    criterion::{Criterion, SamplingMode, Throughput},
    harness::{engine::Engine, machine::Machine},
    std::time::Duration,
    workloads::Workload,
};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for workload in &workloads::all() {
        bench(&mut criterion, workload);
    }
    criterion.final_summary();
}

/// Benches one workload; only the runs are timed, with registers and meter set anew for each.
fn bench(criterion: &mut Criterion, workload: &Workload) {
    let mut group = criterion.benchmark_group(format!("execute/{workload}"));
    group.sampling_mode(SamplingMode::Flat);
    Machine::with(workload, |machine| {
        group.throughput(Throughput::Elements(machine.check()));
        for engine in Engine::available() {
            group.bench_function(engine.name(), |bencher| {
                bencher.iter(|| machine.run(engine));
            });
        }
    });
    group.finish();
}
