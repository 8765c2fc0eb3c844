//! Tiers: what runs when, that nobody can tell from the outcome, and what ends a compilation.

mod common;

use {
    common::{
        TestContext,
        engine::{Engine, HAND_WRITTEN, observe},
        memory::Memory,
        *,
    },
    sbpf_cranelift::{
        Cache, CacheOptions, CompileError, CompileObserver, CompileOptions, Hotness, Policy, Tier,
        TieredProgram,
    },
    solana_sbpf::elf::Executable,
    std::{
        ops::ControlFlow,
        sync::{
            Arc, Barrier,
            atomic::{AtomicUsize, Ordering::SeqCst},
            mpsc,
        },
        thread,
        time::{Duration, Instant},
    },
};

/// Longer than any compilation of these programs takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A loop with accesses and calls, and its circumstances.
fn case(value: i32) -> Case {
    Case::assembly(
        SBPFVersion::V0,
        format!(
            "entrypoint:\n mov64 r7, 10\n again:\n ldxb r6, [r1+1]\n stxb [r1+2], r7\n\
             mov64 r8, r1\n call function_1\n mov64 r1, r8\n add64 r0, r6\n sub64 r7, 1\n\
             jne r7, 0, again\n exit\n\
             function_1:\n mov64 r0, {value}\n exit\n"
        ),
    )
}

struct Machine {
    executable: Executable<TestContext>,
    memory: Memory,
}

impl Machine {
    fn new(case: Case) -> Self {
        let executable = case.program.load(&case.config, &[]).expect("it loads");
        let layout = Layout::standard(&case.config, case.version, &case.input);
        let memory = Memory::new(&layout);
        Self { executable, memory }
    }

    /// A run on whatever tier, at this budget, compared with the interpreter.
    fn run(&mut self, program: &TieredProgram<TestContext>, budget: u64) {
        let registers = [(1, ebpf::MM_INPUT_START)];
        let executable = &self.executable;
        let mut run = |engine, program: &TieredProgram<TestContext>| {
            observe(
                executable,
                engine,
                &mut self.memory,
                &registers,
                budget,
                |vm| program.execute(vm, executable),
            )
        };
        // Cold for ever: the lower tier, which is the interpreter unless there is other code.
        let cold = TieredProgram::new(
            executable,
            tiered(u64::MAX, u64::MAX),
            &options(&Cache::none()),
        );
        let expected = run(Engine::Cranelift, &cold);
        assert_eq!(run(Engine::Cranelift, program), expected);
        assert!(!expected.panicked);
    }

    fn tier(&self, program: &TieredProgram<TestContext>) -> Tier {
        program.tier(&self.executable)
    }

    /// Runs until compiled code does.
    fn run_until_compiled(&mut self, program: &TieredProgram<TestContext>) {
        let start = Instant::now();
        while self.tier(program) != Tier::Cranelift {
            assert!(start.elapsed() < PATIENCE, "it is never compiled");
            self.run(program, 1_000);
            thread::sleep(Duration::from_millis(1));
        }
        self.run(program, 1_000);
    }
}

fn tiered(runs: u64, instructions_per_slot: u64) -> Policy {
    let mut hotness = Hotness::default();
    hotness.runs = runs;
    hotness.instructions_per_slot = instructions_per_slot;
    hotness.instructions = 0;
    Policy::Tiered(hotness)
}

fn options(cache: &Cache) -> CompileOptions {
    let mut options = CompileOptions::default();
    options.cache = cache.clone();
    options
}

fn cache() -> Cache {
    Cache::new(CacheOptions::default())
}

#[test]
fn the_policy_decides_when_a_program_is_compiled() {
    let mut machine = Machine::new(case(1));
    let new = |machine: &Machine, policy| {
        TieredProgram::new(&machine.executable, policy, &options(&Cache::none()))
    };
    let eager = new(&machine, Policy::Eager);
    assert_eq!(machine.tier(&eager), Tier::Cranelift);
    machine.run(&eager, 1_000);

    let lazy = new(&machine, Policy::Lazy);
    assert_eq!(machine.tier(&lazy), Tier::Interpreter);
    machine.run(&lazy, 1_000);
    assert_eq!(machine.tier(&lazy), Tier::Cranelift);
    assert!(lazy.compile_time().is_some());

    let after_runs = new(&machine, tiered(5, u64::MAX));
    for _ in 0..4 {
        machine.run(&after_runs, 1_000);
    }
    thread::sleep(Duration::from_millis(200));
    assert_eq!(
        machine.tier(&after_runs),
        Tier::Interpreter,
        "it is not hot"
    );
    machine.run_until_compiled(&after_runs);

    // 15 slots, and some 100 instructions a run.
    let after_instructions = new(&machine, tiered(u64::MAX, 25));
    for _ in 0..3 {
        machine.run(&after_instructions, 1_000);
    }
    thread::sleep(Duration::from_millis(200));
    assert_eq!(machine.tier(&after_instructions), Tier::Interpreter);
    machine.run_until_compiled(&after_instructions);
}

#[test]
fn no_budget_tells_the_tiers_apart() {
    let mut machine = Machine::new(case(2));
    let program = TieredProgram::new(
        &machine.executable,
        tiered(20, u64::MAX),
        &options(&cache()),
    );
    // The switch happens somewhere in between.
    for budget in (0..120).cycle().take(2_000) {
        machine.run(&program, budget);
    }
    machine.run_until_compiled(&program);
    for budget in 0..120 {
        machine.run(&program, budget);
    }
}

#[test]
fn the_lower_tier_is_the_hand_written_jit_where_there_is_its_code() {
    if !HAND_WRITTEN {
        return;
    }
    let mut machine = Machine::new(case(3));
    #[cfg(all(
        feature = "hand-written",
        target_arch = "x86_64",
        not(target_os = "windows")
    ))]
    machine.executable.jit_compile().expect("it compiles");
    let program = TieredProgram::new(&machine.executable, tiered(3, u64::MAX), &options(&cache()));
    assert_eq!(machine.tier(&program), Tier::HandWritten);
    machine.run(&program, 1_000);
    machine.run_until_compiled(&program);
}

#[test]
fn threads_compile_once() {
    const THREADS: usize = 64;
    for policy in [Policy::Lazy, tiered(1, 0)] {
        let cache = cache();
        let machine = Machine::new(case(4));
        let program = TieredProgram::new(&machine.executable, policy, &options(&cache));
        let barrier = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let mut machine = Machine::new(case(4));
                    barrier.wait();
                    if program.compiled(&machine.executable).is_some() {
                        unreachable!("it is for another executable");
                    }
                    machine.run(&program, 1_000);
                });
            }
        });
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    program.compiled(&machine.executable);
                    program.record(&machine.executable, 100);
                });
            }
        });
        let start = Instant::now();
        while program.compiled(&machine.executable).is_none() {
            assert!(start.elapsed() < PATIENCE, "it is never compiled");
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(cache.statistics().compiled, 1);
    }
}

#[test]
fn stored_code_is_used_although_the_program_is_not_hot() {
    let folder = tempfile::tempdir().expect("there is room");
    let mut machine = Machine::new(case(5));
    // Warm after ten runs, and hot after more than there are.
    let warm = tiered(320, u64::MAX);
    let cold = |cache: &Cache| TieredProgram::new(&machine.executable, warm, &options(cache));
    let cache = Cache::in_directory(folder.path());
    drop(TieredProgram::new(
        &machine.executable,
        Policy::Eager,
        &options(&cache),
    ));
    let cache = Cache::in_directory(folder.path());
    let second = cold(&cache);
    for _ in 0..9 {
        machine.run(&second, 1_000);
    }
    thread::sleep(Duration::from_millis(100));
    assert_eq!(machine.tier(&second), Tier::Interpreter, "it is not warm");
    machine.run_until_compiled(&second);
    let statistics = cache.statistics();
    assert_eq!((statistics.compiled, statistics.directory_hits), (0, 1));
}

#[test]
fn what_can_not_be_compiled_stays_on_the_lower_tier() {
    for policy in [Policy::Eager, Policy::Lazy, tiered(1, 0)] {
        let mut machine = Machine::new(case(6));
        let cache = cache();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let mut options = options(&cache);
        options.observer = Some(CompileObserver::new(move |_| {
            counted.fetch_add(1, SeqCst);
            ControlFlow::Break(())
        }));
        let program = TieredProgram::new(&machine.executable, policy, &options);
        let start = Instant::now();
        while !program.is_refused() {
            assert!(start.elapsed() < PATIENCE, "it is never refused");
            machine.run(&program, 1_000);
            thread::sleep(Duration::from_millis(1));
        }
        for _ in 0..10 {
            machine.run(&program, 1_000);
        }
        assert!(matches!(
            program.compile_error(),
            Some(CompileError::Cancelled)
        ));
        assert_eq!(machine.tier(&program), Tier::Interpreter);
        assert_eq!(calls.load(SeqCst), 1, "nobody tries again");
    }
}

#[test]
fn dropping_a_program_ends_its_compilation() {
    let machine = Machine::new(case(7));
    let cache = cache();
    let (started, has_started) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let mut options = options(&cache);
    options.observer = Some(CompileObserver::new(move |progress| {
        started.send(progress.done).expect("the test listens");
        if progress.done == 0 {
            let _ = may_go_on.lock().expect("nobody panics").recv();
        }
        ControlFlow::Continue(())
    }));
    let program = TieredProgram::new(&machine.executable, tiered(1, 0), &options);
    drop(options);
    program.record(&machine.executable, 1_000);
    assert_eq!(has_started.recv_timeout(PATIENCE).expect("it begins"), 0);
    drop(program);
    go_on.send(()).expect("the compiler waits");
    // Then the observer is dropped with the options, without having been called again.
    assert_eq!(
        has_started.recv_timeout(PATIENCE),
        Err(mpsc::RecvTimeoutError::Disconnected)
    );
    assert_eq!(cache.statistics().compiled, 0);
}

#[test]
fn another_executable_runs_on_the_lower_tier() {
    let (mut machine, other) = (Machine::new(case(8)), Machine::new(case(9)));
    let program = TieredProgram::new(&other.executable, Policy::Eager, &options(&cache()));
    assert!(program.compiled(&machine.executable).is_none());
    machine.run(&program, 1_000);
}

/// In a process of its own, because other tests start the thread.
#[cfg(target_os = "linux")]
mod alone {
    use {
        super::*,
        common::alone::{ignored_test, is_emulated},
    };

    fn in_a_process_of_its_own(test: &str) {
        // What an emulator counts and limits is its own.
        if !is_emulated() {
            let status = ignored_test(test).status().expect("it starts");
            assert!(status.success());
        }
    }

    fn threads() -> usize {
        std::fs::read_dir("/proc/self/task")
            .expect("it is Linux")
            .count()
    }

    #[test]
    fn no_thread_is_started_that_the_policy_did_not_ask_for() {
        in_a_process_of_its_own("alone::threads_of_the_policies");
    }

    #[test]
    #[ignore = "a part of the test above"]
    fn threads_of_the_policies() {
        let before = threads();
        let mut machine = Machine::new(case(1));
        for policy in [Policy::Eager, Policy::Lazy, tiered(1_000, u64::MAX)] {
            let program = TieredProgram::new(&machine.executable, policy, &options(&Cache::none()));
            machine.run(&program, 1_000);
            assert_eq!(threads(), before, "{policy:?}");
        }
        let program = TieredProgram::new(&machine.executable, tiered(1, 0), &options(&cache()));
        machine.run_until_compiled(&program);
        assert_eq!(threads(), before + 1);
        let another =
            TieredProgram::new(&machine.executable, tiered(1, 0), &options(&Cache::none()));
        machine.run_until_compiled(&another);
        assert_eq!(threads(), before + 1);
    }

    #[test]
    fn without_a_thread_programs_stay_on_the_lower_tier() {
        in_a_process_of_its_own("alone::no_thread_can_be_had");
    }

    #[test]
    #[ignore = "a part of the test above"]
    fn no_thread_can_be_had() {
        let mut machine = Machine::new(case(2));
        let program = TieredProgram::new(&machine.executable, tiered(1, 0), &options(&cache()));
        // Enough for what runs, too little for the stack of a thread.
        with_address_space(1 << 20, || {
            for _ in 0..20 {
                machine.run(&program, 1_000);
                assert_eq!(machine.tier(&program), Tier::Interpreter);
                thread::sleep(Duration::from_millis(1));
            }
        });
        machine.run_until_compiled(&program);
    }

    #[test]
    fn without_memory_for_code_programs_stay_on_the_lower_tier() {
        in_a_process_of_its_own("alone::no_memory_for_code");
    }

    #[test]
    #[ignore = "a part of the test above"]
    fn no_memory_for_code() {
        let mut machine = Machine::new(case(2));
        let new = |machine: &Machine| {
            let options = options(&Cache::none());
            TieredProgram::new(&machine.executable, Policy::Eager, &options)
        };
        // Memory that was used before can be had again, but no more.
        drop(new(&machine));
        with_address_space(0, || {
            let program = new(&machine);
            assert!(matches!(
                program.compile_error(),
                Some(CompileError::CodeMemory(_))
            ));
            machine.run(&program, 1_000);
            assert_eq!(machine.tier(&program), Tier::Interpreter);
        });
        let program = new(&machine);
        machine.run(&program, 1_000);
        assert_eq!(machine.tier(&program), Tier::Cranelift);
    }

    /// Does `work` with so many bytes of address space beyond those in use.
    fn with_address_space(more: u64, work: impl FnOnce()) {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let pages = std::fs::read_to_string("/proc/self/statm").expect("it is Linux");
        let pages = pages
            .split(' ')
            .next()
            .and_then(|pages| pages.parse::<u64>().ok());
        let page = rustix::param::page_size() as u64;
        let limits = getrlimit(Resource::As);
        let set = |current| {
            let limit = Rlimit {
                current,
                maximum: limits.maximum,
            };
            setrlimit(Resource::As, limit).expect("it may be lowered");
        };
        set(Some(pages.expect("it is a number") * page + more));
        work();
        set(limits.current);
    }
}
