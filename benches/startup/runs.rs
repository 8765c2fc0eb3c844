//! From a file to the first result, and to many: loading and verifying included.

use {
    crate::{
        HAS_HAND_WRITTEN, compile_by_hand,
        host::{self, BenchContext},
        median, table, text,
    },
    sbpf_cranelift::{Cache, CompileOptions, Hotness, Policy, TieredProgram},
    solana_sbpf::{
        aligned_memory::AlignedMemory,
        assembler::assemble,
        ebpf::{self, HOST_ALIGN},
        elf::Executable,
        memory_region::{MemoryMapping, MemoryRegion},
        program::BuiltinProgram,
        verifier::RequisiteVerifier,
        vm::{Config, EbpfVm},
    },
    std::{
        hint::black_box,
        sync::Arc,
        time::{Duration, Instant},
    },
};

/// Every way is taken so often, in turns.
const ROUNDS: usize = 9;

/// A way to run a program.
struct Way {
    name: &'static str,
    policy: Policy,
    /// Whether the hand-written JIT compiles the program first, to be the lower tier.
    by_hand: bool,
    /// Whether there is a directory with the program's code.
    stored: bool,
}

/// Nothing is ever hot: the lower tier alone.
fn never() -> Policy {
    let mut hotness = Hotness::default();
    hotness.runs = u64::MAX;
    hotness.instructions_per_slot = u64::MAX;
    Policy::Tiered(hotness)
}

fn ways() -> Vec<Way> {
    let way = |name, policy, by_hand, stored| Way {
        name,
        policy,
        by_hand,
        stored,
    };
    let tiered = Policy::Tiered(Hotness::default());
    let functions = Policy::LazyFunctions { after_runs: 0 };
    let mut ways = vec![
        way("interpreter", never(), false, false),
        way("tiered over the interpreter", tiered, false, false),
        way("the same, code stored", tiered, false, true),
        way("hand-written", never(), true, false),
        way("tiered over hand-written", tiered, true, false),
        way("the same, code stored", tiered, true, true),
        way("compiled at the first run", Policy::Lazy, false, false),
        way("the same, code stored", Policy::Lazy, false, true),
        way("each function at its first call", functions, false, false),
    ];
    ways.retain(|way| HAS_HAND_WRITTEN || !way.by_hand);
    ways
}

/// Where programs come from.
type Load<'a> = &'a dyn Fn() -> Executable<BenchContext>;

/// Prints the tables.
pub(crate) fn print() {
    let (name, elf) = host::elves().swap_remove(1);
    let load = || host::load(name, &elf).executable;
    print_table(name, 1_000, &[1, 1_000, 30_000], &load);
    let load = || {
        let text = "
            mov64 r2, 2000
            again:
            ldxdw r3, [r1+8]
            add64 r3, r2
            stxdw [r1+8], r3
            sub64 r2, 1
            jne r2, 0, again
            exit";
        let loader = BuiltinProgram::new_loader(Config::default());
        let executable = assemble(text, Arc::new(loader)).expect("the source is right");
        executable
            .verify::<RequisiteVerifier>()
            .expect("the source is right");
        executable
    };
    print_table("a loop", 100_000, &[1, 100, 10_000], &load);
}

fn print_table(name: &str, budget: u64, runs: &[u64], load: Load<'_>) {
    let mut header = vec!["way".to_string()];
    for runs in runs {
        header.push(if *runs == 1 {
            "1 run".to_string()
        } else {
            format!("{runs} runs")
        });
        header.push("to its lower tier".to_string());
    }
    header.push("a run at the end".to_string());
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = table::new(&header);
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let store = Cache::in_directory(folder.path());
    drop(TieredProgram::new(&load(), Policy::Eager, &options(&store)));
    let mut instructions = 0;
    let mut rows: Vec<(Way, Vec<Vec<Duration>>, Vec<Duration>)> = ways()
        .into_iter()
        .map(|way| (way, vec![Vec::new(); runs.len()], Vec::new()))
        .collect();
    for _ in 0..ROUNDS {
        for (way, times, last) in &mut rows {
            let cache = if way.stored {
                Cache::in_directory(folder.path())
            } else {
                Cache::none()
            };
            // What the way before has left in caches and in the allocator takes longer than what is to be
            // measured.
            measure(way, &cache, load, budget, 1);
            for (runs, times) in runs.iter().zip(times) {
                let measured = measure(way, &cache, load, budget, *runs);
                times.push(measured.total);
                if *runs > 1 {
                    last.push(measured.last);
                }
                instructions = measured.instructions;
            }
        }
    }
    let mut lower = Vec::new();
    for (way, times, last) in rows {
        let times: Vec<Duration> = times.into_iter().map(median).collect();
        if way.policy == never() {
            lower.clone_from(&times);
        }
        let mut cells = vec![way.name.to_string()];
        for (time, lower) in times.iter().zip(&lower) {
            cells.push(text(*time));
            cells.push(format!("{:.2}", time.as_secs_f64() / lower.as_secs_f64()));
        }
        // The longest measurement is the last of each round.
        let end = last
            .into_iter()
            .skip(runs.len() - 2)
            .step_by(runs.len() - 1)
            .collect();
        cells.push(text(median(end)));
        table.add_row(cells);
    }
    println!(
        "{name}, {instructions} instructions a run: from the file to so many results, medians of \
         wall time:\n\n{table}\n"
    );
}

struct Measured {
    total: Duration,
    /// The median of the last runs.
    last: Duration,
    instructions: u64,
}

fn options(cache: &Cache) -> CompileOptions {
    let mut options = CompileOptions::default();
    options.cache = cache.clone();
    options
}

/// Loads, verifies, prepares and runs a program.
fn measure(way: &Way, cache: &Cache, load: Load<'_>, budget: u64, runs: u64) -> Measured {
    let start = Instant::now();
    let executable = load();
    if way.by_hand {
        compile_by_hand(&executable);
    }
    let program = TieredProgram::new(&executable, way.policy, &options(cache));
    let config = executable.get_config();
    let version = executable.get_sbpf_version();
    let mut stack = AlignedMemory::<HOST_ALIGN>::zero_filled(config.stack_size());
    let mut input = AlignedMemory::<HOST_ALIGN>::zero_filled(1 << 10);
    let gap = if version.stack_frame_gaps() && config.enable_stack_frame_gaps {
        config.stack_frame_size as u64
    } else {
        0
    };
    let regions = vec![
        executable.get_ro_region(),
        MemoryRegion::new_gapped(&mut stack, ebpf::MM_STACK_START, gap),
        MemoryRegion::new(&mut input, ebpf::MM_INPUT_START),
    ];
    // SAFETY: the memory outlives the mapping, which goes with the context; plain integers may be
    // overwritten with any bytes.
    let mapping = unsafe { MemoryMapping::new(regions, config, version) };
    let mut context = BenchContext::new(mapping.expect("the regions are in order"));
    let loader = Arc::clone(executable.get_loader());
    let mut vm = EbpfVm::new(loader, version, &mut context, config.stack_size());
    vm.registers[1] = ebpf::MM_INPUT_START;
    let registers = vm.registers;
    let mut instructions = 0;
    let mut last = Vec::new();
    for run in 0..runs {
        vm.registers = registers;
        vm.call_depth = 0;
        vm.context().remaining = budget;
        let before = (runs - run <= 101).then(Instant::now);
        let (count, result) = program.execute(&mut vm, &executable);
        if let Some(before) = before {
            last.push(before.elapsed());
        }
        let _ = black_box(result);
        instructions = count;
    }
    let total = start.elapsed();
    Measured {
        total,
        last: median(last),
        instructions,
    }
}
