//! Functions that are compiled when they are called first: the outcome is that of the interpreter,
//! whatever is compiled by then, whatever can't be, and whoever else runs the program.

mod common;

use {
    common::{
        deployed::{deployed_programs, host_case, program_keys, token_inputs},
        engine::{Engine, LAZILY, Outcome, Prepared, observe, run},
        memory::Memory,
        shrink::{describe, failure_of, shrink},
        surroundings::random_case,
        *,
    },
    sbpf_cranelift::{
        Cache, CacheOptions, CodeOrigin, CompileObserver, CompileOptions, CompiledProgram, Policy,
        Tier, TieredProgram,
    },
    solana_sbpf::elf::Executable,
    std::{
        fmt::Write,
        ops::ControlFlow,
        sync::{
            Arc, Barrier,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
        thread,
    },
};

/// Calls of functions that call others and themselves, and jumps into the middle of functions; where
/// it goes is up to the first two bytes of the input.
const TEXT: &str = "
    entrypoint:
        ldxb r6, [r1+0]
        ldxb r7, [r1+1]
        mov64 r1, r6
        call function_first
        mov64 r8, r0
        mov64 r1, r7
        call function_second
        add64 r0, r8
        jgt r7, 200, shared
        exit
    function_first:
        jgt r1, 100, shared
        mov64 r2, r1
        call function_third
        stxdw [r10-8], r0
        ldxdw r0, [r10-8]
        exit
    function_second:
        mov64 r0, 7
        jlt r1, 3, leave
        sub64 r1, 3
        call function_second
        add64 r0, 1
    leave:
        exit
    function_third:
        mov64 r0, r2
        div64 r0, r1
    shared:
        add64 r0, 5
        exit
";

fn case() -> Case {
    Case::assembly(SBPFVersion::V0, TEXT)
}

fn load(case: &Case) -> Executable<TestContext> {
    case.program.load(&case.config, &[]).expect("it loads")
}

fn options() -> CompileOptions {
    let mut options = CompileOptions::default();
    options.cache = Cache::none();
    options.seed = Some(5);
    options
}

fn prepare(case: &Case, options: &CompileOptions) -> Prepared {
    let executable = load(case);
    let compiled = CompiledProgram::compile_lazily(&executable, options).expect("it can be begun");
    Prepared {
        executable,
        compiled: Some(compiled),
    }
}

/// What a program does with these bytes at the start of its input.
fn outcome(
    case: &Case,
    prepared: &Prepared,
    engine: Engine,
    input: [u8; 2],
    budget: u64,
) -> Outcome {
    let case = case.clone().input(input);
    let mut memory = Memory::new(&Layout::standard(&case.config, case.version, &case.input));
    let registers = [(1, ebpf::MM_INPUT_START)];
    run(prepared, engine, &mut memory, &registers, budget)
}

/// Whether functions are compiled one by one here.
fn is_possible() -> bool {
    let prepared = prepare(&case(), &options());
    prepared.compiled.is_some_and(|compiled| compiled.is_lazy())
}

const INPUTS: [[u8; 2]; 6] = [[9, 9], [0, 1], [101, 0], [3, 255], [255, 201], [1, 2]];

#[test]
fn only_what_is_called_is_compiled() {
    if !is_possible() {
        return;
    }
    let case = case();
    let prepared = prepare(&case, &options());
    let compiled = prepared.compiled.as_ref().expect("it was begun");
    let functions = || compiled.statistics().functions;
    let before = functions();
    outcome(&case, &prepared, Engine::Cranelift, [9, 9], 0);
    // The way in, and where the budget was found to be too small.
    assert_eq!(functions(), before + 1);
    outcome(&case, &prepared, Engine::Cranelift, [101, 0], 1_000);
    let some = functions();
    let size = compiled.mem_size();
    outcome(&case, &prepared, Engine::Cranelift, [101, 0], 1_000);
    assert_eq!((functions(), compiled.mem_size()), (some, size));
    outcome(&case, &prepared, Engine::Cranelift, [9, 9], 1_000);
    assert!(functions() > some);
    assert!(compiled.statistics().code_bytes > compiled.machine_code().len());
}

/// A program that is compiled as far as other inputs and budgets have taken it.
#[test]
fn every_budget() {
    let case = case();
    for budgets in [(0..60).collect::<Vec<u64>>(), (0..60).rev().collect()] {
        let prepared = prepare(&case, &options());
        for budget in budgets {
            for input in INPUTS {
                let [expected, actual] = [Engine::Interpreter, Engine::Cranelift]
                    .map(|engine| outcome(&case, &prepared, engine, input, budget));
                assert_eq!(actual, expected, "{input:?} {budget}");
            }
        }
    }
}

/// The observer refuses the n-th function and those after it, for each n.
#[test]
fn functions_are_refused() {
    let case = case();
    let asked = Arc::new(AtomicUsize::new(0));
    for allowed in 0..8 {
        let counted = Arc::clone(&asked);
        let mut options = options();
        options.observer = Some(CompileObserver::new(move |_| {
            match counted.fetch_add(1, Relaxed) < allowed {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        }));
        for budget in (0..60).step_by(7).chain([1_000]) {
            for input in INPUTS {
                asked.store(0, Relaxed);
                let prepared = prepare(&case, &options);
                let [expected, actual] = [Engine::Interpreter, Engine::Cranelift]
                    .map(|engine| outcome(&case, &prepared, engine, input, budget));
                assert_eq!(actual, expected, "{input:?} {budget} {allowed}");
            }
        }
    }
}

/// What was refused is asked for again in the next run.
#[test]
fn a_refusal_is_not_for_ever() {
    if !is_possible() {
        return;
    }
    let case = case();
    let allowed = Arc::new(AtomicUsize::new(0));
    let left = Arc::clone(&allowed);
    let mut options = options();
    options.observer = Some(CompileObserver::new(move |_| {
        let take = |left: usize| left.checked_sub(1);
        match left.fetch_update(Relaxed, Relaxed, take) {
            Ok(_) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }));
    let prepared = prepare(&case, &options);
    let compiled = prepared.compiled.as_ref().expect("it was begun");
    let functions = || compiled.statistics().functions;
    let first = functions();
    for count in 0..4 {
        let run = || outcome(&case, &prepared, Engine::Cranelift, [9, 9], 1_000);
        let expected = outcome(&case, &prepared, Engine::Interpreter, [9, 9], 1_000);
        assert_eq!(run(), expected);
        assert_eq!(functions(), first + count);
        allowed.store(1, Relaxed);
        assert_eq!(run(), expected);
        assert_eq!(functions(), first + count + 1);
    }
}

/// The observer panics: nothing of it is seen but a function that is not compiled.
#[test]
fn the_compiler_panics() {
    let case = case();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let mut options = options();
    options.observer = Some(CompileObserver::new(move |_| {
        assert!(counted.fetch_add(1, Relaxed) != 2, "the third function");
        ControlFlow::Continue(())
    }));
    let prepared = prepare(&case, &options);
    for input in INPUTS {
        let [expected, actual] = [Engine::Interpreter, Engine::Cranelift]
            .map(|engine| outcome(&case, &prepared, engine, input, 1_000));
        assert_eq!(actual, expected, "{input:?}");
    }
    assert!(calls.load(Relaxed) > 3 || !is_possible());
}

/// Many threads run a program of many functions while none of it is compiled, each in another order.
#[test]
fn sixty_four_threads() {
    const FUNCTIONS: usize = 40;
    let mut text = "entrypoint:\n ldxb r6, [r1+0]\n mov64 r7, 0\n".to_string();
    // Starts anywhere, and goes round.
    for function in 0..FUNCTIONS {
        let _ = writeln!(text, " jeq r6, {function}, call_{function}");
    }
    for function in 0..FUNCTIONS {
        let _ = write!(
            text,
            "call_{function}:\n mov64 r1, r7\n call function_{function}\n mov64 r7, r0\n"
        );
    }
    text.push_str(" mov64 r0, r7\n exit\n");
    for function in 0..FUNCTIONS {
        let other = (function * 7 + 3) % FUNCTIONS;
        let _ = write!(
            text,
            "function_{function}:\n stxdw [r10-8], r1\n mul64 r1, 3\n jgt r1, 1000, function_{other}\n\
             add64 r1, {function}\n ldxdw r0, [r10-8]\n add64 r0, r1\n exit\n"
        );
    }
    let case = Case::assembly(SBPFVersion::V0, text);
    for _ in 0..4 {
        let executable = load(&case);
        let program = TieredProgram::new(
            &executable,
            Policy::LazyFunctions { after_runs: 0 },
            &options(),
        );
        let barrier = Barrier::new(64);
        thread::scope(|scope| {
            for number in 0..64u8 {
                let (case, executable, program, barrier) = (&case, &executable, &program, &barrier);
                scope.spawn(move || {
                    let case = case.clone().input([number % 41, 0]);
                    let layout = Layout::standard(&case.config, case.version, &case.input);
                    let mut memory = Memory::new(&layout);
                    let registers = [(1, ebpf::MM_INPUT_START)];
                    let interpreted = Prepared {
                        executable: load(&case),
                        compiled: None,
                    };
                    let expected = run(
                        &interpreted,
                        Engine::Interpreter,
                        &mut memory,
                        &registers,
                        10_000,
                    );
                    barrier.wait();
                    for _ in 0..3 {
                        let actual = observe(
                            executable,
                            Engine::Cranelift,
                            &mut memory,
                            &registers,
                            10_000,
                            |vm| program.execute(vm, executable),
                        );
                        assert_eq!(actual, expected, "{number}");
                    }
                });
            }
        });
    }
}

#[test]
fn random_programs() {
    LAZILY.store(true, Relaxed);
    for version in SBPFVersion::ALL {
        for seed in 5_000_000..5_000_120 {
            let case = random_case(*version, seed);
            if let Some(failure) = failure_of(&case, false, seed) {
                let (small, left) = shrink(&case, failure);
                panic!("{version:?}, seed {seed}:\n{}", describe(&small, &left));
            }
        }
    }
}

/// The one program goes on with what earlier inputs have had compiled.
#[test]
fn real_programs() {
    LAZILY.store(true, Relaxed);
    let keys = program_keys();
    for (name, elf) in deployed_programs() {
        if name.starts_with("spl_token_2022") || name.starts_with("spl_p_token") {
            let inputs = token_inputs(&keys[0]).into_iter().take(12);
            host_case(SBPFVersion::V0, &elf).check_inputs(inputs);
        }
    }
}

#[test]
fn the_policy_counts_runs() {
    let case = case();
    let executable = load(&case);
    let program = TieredProgram::new(
        &executable,
        Policy::LazyFunctions { after_runs: 2 },
        &options(),
    );
    let mut memory = Memory::new(&Layout::standard(&case.config, case.version, &case.input));
    let registers = [(1, ebpf::MM_INPUT_START)];
    let mut run = || {
        observe(
            &executable,
            Engine::Cranelift,
            &mut memory,
            &registers,
            1_000,
            |vm| program.execute(vm, &executable),
        )
    };
    let first = run();
    assert_eq!(program.tier(&executable), Tier::Interpreter);
    assert_eq!(run(), first);
    assert_eq!(program.tier(&executable), Tier::Interpreter);
    assert_eq!(run(), first);
    assert_eq!(program.tier(&executable), Tier::Cranelift);
}

#[test]
fn code_of_the_cache_is_used_as_it_is() {
    let case = case();
    let executable = load(&case);
    let mut options = options();
    options.cache = Cache::new(CacheOptions::default());
    let lazy = CompiledProgram::compile_lazily(&executable, &options).expect("it can be begun");
    assert_eq!(lazy.origin(), CodeOrigin::Compiled);
    let whole = CompiledProgram::compile_with(&executable, &options).expect("it compiles");
    assert_eq!(whole.origin(), CodeOrigin::Compiled);
    let found = CompiledProgram::compile_lazily(&executable, &options).expect("it is there");
    assert_eq!(
        (found.origin(), found.is_lazy()),
        (CodeOrigin::Memory, false)
    );
}

#[cfg(target_os = "linux")]
mod linux {
    use {
        super::*,
        common::alone::{ignored_test, is_emulated},
        rustix::process::{Resource, Rlimit, getrlimit, setrlimit},
        std::fs,
    };

    /// No page is writable and executable while functions are added on other threads.
    #[test]
    fn nothing_is_writable_and_executable() {
        let case = case();
        thread::scope(|scope| {
            let adds = scope.spawn(|| {
                for turn in 0..200usize {
                    let prepared = prepare(&case, &options());
                    for input in INPUTS.iter().cycle().skip(turn % 6).take(6) {
                        outcome(&case, &prepared, Engine::Cranelift, *input, 1_000);
                    }
                }
            });
            while !adds.is_finished() {
                let maps = fs::read_to_string("/proc/self/maps").expect("Linux has it");
                let permissions = maps.lines().filter_map(|line| line.split(' ').nth(1));
                for permissions in permissions {
                    assert!(!permissions.contains("wx"), "{maps}");
                }
            }
        });
    }

    #[test]
    fn no_memory_for_functions() {
        // Emulators need memory themselves.
        if is_emulated() {
            return;
        }
        let status = ignored_test("linux::in_no_memory_for_functions").status();
        assert!(status.expect("it starts").success());
    }

    /// The way in is there, and for what it leads to there is no address space.
    #[test]
    #[ignore = "limits its own process; started by no_memory_for_functions"]
    fn in_no_memory_for_functions() {
        let case = case();
        let warm = prepare(&case, &options());
        let expected = INPUTS.map(|input| outcome(&case, &warm, Engine::Interpreter, input, 1_000));
        let _ = INPUTS.map(|input| outcome(&case, &warm, Engine::Cranelift, input, 1_000));
        let prepared = prepare(&case, &options());
        let functions = || {
            let compiled = prepared.compiled.as_ref().expect("it was begun");
            compiled.statistics().functions
        };
        let before = functions();
        let limits = getrlimit(Resource::As);
        let status = fs::read_to_string("/proc/self/statm").expect("Linux has it");
        let pages: u64 = status
            .split(' ')
            .next()
            .and_then(|pages| pages.parse().ok())
            .expect("it is a number");
        let set = |current| {
            let limit = Rlimit {
                current,
                maximum: limits.maximum,
            };
            setrlimit(Resource::As, limit).expect("lower limits are allowed");
        };
        // Enough for what else is done, too little for a piece of code memory.
        set(Some(
            pages * rustix::param::page_size() as u64 + (256 << 10),
        ));
        let actual = INPUTS.map(|input| outcome(&case, &prepared, Engine::Cranelift, input, 1_000));
        let within = functions();
        set(limits.current);
        assert_eq!(actual, expected);
        assert_eq!(within, before);
        let actual = INPUTS.map(|input| outcome(&case, &prepared, Engine::Cranelift, input, 1_000));
        assert_eq!(actual, expected);
        assert!(functions() > before);
    }
}
