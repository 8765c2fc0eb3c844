//! Criterion's view of the workloads and the real programs: each on every engine.

#[allow(
    dead_code,
    unused_imports,
    reason = "most of the command line, and its tests, are not needed here"
)]
#[path = "../src/cli/mod.rs"]
mod cli;

use {
    cli::{
        compare::{
            machine::Machine,
            real,
            subject::{Family, Subject},
            workloads,
        },
        failure::Failure,
    },
    criterion::{BatchSize, Criterion, SamplingMode, Throughput},
    std::{cell::RefCell, time::Duration},
};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let workloads = workloads::all().into_iter().map(|one| one.subject());
    let samples = real::samples().map(|one| real::sample(one, Family::RealPrograms));
    for subject in workloads.chain(samples) {
        let result = subject.and_then(|subject| bench(&mut criterion, &subject));
        result.unwrap_or_else(|error| panic!("{error}"));
    }
    criterion.final_summary();
}

/// Benches one subject; only the runs are timed, with registers and meter set anew for each.
fn bench(criterion: &mut Criterion, subject: &Subject) -> Result<(), Failure> {
    let mut group = criterion.benchmark_group(format!("execute/{}", subject.name));
    group.sampling_mode(SamplingMode::Flat);
    Machine::with(subject, |machine| {
        group.throughput(Throughput::Elements(machine.check()?.instructions));
        for competitor in machine.competitors() {
            let needs_reset = machine.needs_reset();
            let shared = RefCell::new(&mut *machine);
            group.bench_function(competitor.name(), |bencher| {
                if needs_reset {
                    bencher.iter_batched(
                        || shared.borrow_mut().reset(),
                        |()| shared.borrow_mut().run(competitor),
                        BatchSize::PerIteration,
                    );
                } else {
                    let mut machine = shared.borrow_mut();
                    bencher.iter(|| machine.run(competitor));
                }
            });
            machine.reset();
        }
        Ok(())
    })?;
    group.finish();
    Ok(())
}
