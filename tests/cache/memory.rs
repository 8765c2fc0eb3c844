//! One process.

use {
    super::*,
    sbpf_cranelift::{
        CacheOptions, CodeOrigin, CompileError, CompileObserver, MemoryOperation, MemorySyscall,
        Operation,
    },
    std::{
        ops::ControlFlow,
        sync::{Arc, Barrier},
        thread,
    },
};

fn cache() -> Cache {
    Cache::new(CacheOptions::default())
}

#[test]
fn executables_with_the_same_instructions_share_code() {
    let cache = cache();
    let (first, second, other) = (load(1), load(1), load(2));
    let compiled = compile(&first, &cache);
    assert_eq!(compiled.origin(), CodeOrigin::Compiled);
    let shared = compile(&second, &cache);
    assert_eq!(shared.origin(), CodeOrigin::Memory);
    assert_eq!(
        shared.machine_code().as_ptr(),
        compiled.machine_code().as_ptr()
    );
    assert_eq!(compile(&other, &cache).origin(), CodeOrigin::Compiled);
    // Each runs with its own executable, in whatever order they go.
    assert_runs(1, first, compiled);
    assert_runs(1, second, shared);
    let statistics = cache.statistics();
    assert_eq!((statistics.compiled, statistics.memory_hits), (2, 1));
    assert_eq!(statistics.problems, Vec::<String>::new());
}

/// From the second time on code is found by what it was made from rather than by its key.
#[test]
fn code_is_shared_however_often_it_is_asked_for() {
    let cache = cache();
    let first = compile(&load(1), &cache);
    let code = first.machine_code().as_ptr();
    let alone = first.mem_size();
    for time in 1..5 {
        let executable = load(1);
        let compiled = compile(&executable, &cache);
        assert_eq!(compiled.origin(), CodeOrigin::Memory);
        assert_eq!(compiled.machine_code().as_ptr(), code);
        assert_runs(1, executable, compiled);
        assert_eq!(cache.statistics().memory_hits, time);
    }
    assert!(first.mem_size() > alone, "what it was made from is counted");
    // It goes with the code.
    drop(first);
    assert_eq!(compile(&load(1), &cache).origin(), CodeOrigin::Compiled);
}

#[test]
fn whatever_differs_is_compiled_however_often_the_rest_was_asked_for() {
    let cache = cache();
    let kept: Vec<_> = (0..3).map(|_| compile(&load(1), &cache)).collect();
    assert_eq!(kept[2].origin(), CodeOrigin::Memory);
    let with = |change: fn(&mut Case, &mut CompileOptions, &mut Vec<String>)| {
        let (mut case, mut options, mut syscalls) = (case(1), options(&cache), Vec::new());
        change(&mut case, &mut options, &mut syscalls);
        let executable = case.program.load(&case.config, &syscalls);
        let executable = executable.expect("it loads");
        CompiledProgram::compile_with(&executable, &options).expect("it compiles")
    };
    let changes: [fn(&mut Case, &mut CompileOptions, &mut Vec<String>); 9] = [
        |case, _, _| case.config.enable_instruction_meter = false,
        |case, _, _| case.config.enable_address_translation = false,
        |case, _, _| case.config.stack_frame_size = 8192,
        |case, _, _| case.config.enable_stack_frame_gaps = false,
        |_, options, _| options.seed = Some(2),
        |_, options, _| options.seed = None,
        |_, options, _| options.guard_speculation = true,
        |_, _, syscalls| syscalls.push("one_more".to_string()),
        |case, _, _| {
            // One byte, and as long.
            *case = super::case(2);
        },
    ];
    let mut codes = vec![kept[0].machine_code().as_ptr()];
    let mut others = Vec::new();
    for (number, change) in changes.into_iter().enumerate() {
        for time in 0..4 {
            let compiled = with(change);
            let expected = match time {
                0 => CodeOrigin::Compiled,
                _ => CodeOrigin::Memory,
            };
            assert_eq!(compiled.origin(), expected, "change {number}, time {time}");
            let code = compiled.machine_code().as_ptr();
            match time {
                0 => codes.push(code),
                _ => assert_eq!(codes.last(), Some(&code)),
            }
            others.push(compiled);
        }
    }
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), 10);
    assert_eq!(compile(&load(1), &cache).origin(), CodeOrigin::Memory);
}

/// Wherever the difference is, however long they are.
#[test]
fn programs_that_differ_in_one_instruction_are_told_apart() {
    let cache = cache();
    let compile_with_two_at = |place: usize| {
        let mut text = "entrypoint:\n".to_string();
        for number in 0..100 {
            text += &format!(" mov64 r0, {}\n", if number == place { 2 } else { 1 });
        }
        let case = Case::assembly(SBPFVersion::V0, text + " exit\n");
        let executable = case.program.load(&case.config, &[]).expect("it loads");
        compile(&executable, &cache)
    };
    let kept: Vec<_> = (0..3).map(|_| compile_with_two_at(100)).collect();
    assert_eq!(kept[2].origin(), CodeOrigin::Memory);
    for place in 0..100 {
        let other = compile_with_two_at(place);
        assert_eq!(other.origin(), CodeOrigin::Compiled, "at {place}");
    }
}

#[test]
fn the_default_is_one_cache_for_the_process() {
    // No other test compiles this.
    let executable = load(0x7e57);
    let compiled = CompiledProgram::compile(&executable).expect("it compiles");
    let again = CompiledProgram::compile(&executable).expect("it compiles");
    assert_eq!(again.origin(), CodeOrigin::Memory);
    assert_eq!(
        again.machine_code().as_ptr(),
        compiled.machine_code().as_ptr()
    );
    let apart = compile(&executable, &Cache::none());
    assert_eq!(apart.origin(), CodeOrigin::Compiled);
    assert_ne!(
        apart.machine_code().as_ptr(),
        compiled.machine_code().as_ptr()
    );
    // It has a seed, and the others have none.
    assert_ne!(apart.machine_code(), compiled.machine_code());
    let same = compile(&executable, &Cache::none());
    assert_eq!(apart.machine_code(), same.machine_code());
}

#[test]
fn code_goes_with_the_last_program() {
    let cache = cache();
    let executable = load(1);
    let kept = compile(&executable, &cache).shared_machine_code();
    assert_eq!(compile(&executable, &cache).origin(), CodeOrigin::Memory);
    drop(kept);
    assert_eq!(compile(&executable, &cache).origin(), CodeOrigin::Compiled);
}

#[test]
fn code_can_be_retained_up_to_a_limit() {
    let size = compile(&load(1), &cache()).mem_size();
    let mut options = CacheOptions::default();
    options.retained_bytes = 2 * size + size / 2;
    let cache = Cache::new(options);
    let origin = |value| compile(&load(value), &cache).origin();
    assert_eq!(
        [1, 2, 1].map(origin),
        [
            CodeOrigin::Compiled,
            CodeOrigin::Compiled,
            CodeOrigin::Memory
        ]
    );
    // 2 was used before 1, so it makes room.
    assert_eq!(
        [3, 1, 2].map(origin),
        [
            CodeOrigin::Compiled,
            CodeOrigin::Memory,
            CodeOrigin::Compiled
        ]
    );
}

#[test]
fn the_same_executable_is_the_same_program() {
    let (cache, executable) = (cache(), Arc::new(load(1)));
    let compile = |executable| {
        CompiledProgram::compile_shared(executable, &options(&cache)).expect("it compiles")
    };
    let first = compile(&executable);
    assert!(Arc::ptr_eq(&first, &compile(&executable)));
    let other = Arc::new(load(1));
    let shared = compile(&other);
    assert!(!Arc::ptr_eq(&first, &shared));
    assert_eq!(
        first.machine_code().as_ptr(),
        shared.machine_code().as_ptr()
    );
}

#[test]
fn other_options_make_another_program() {
    let (cache, executable) = (cache(), Arc::new(load(1)));
    let plain = options(&cache);
    let mut guarded = options(&cache);
    guarded.guard_speculation = true;
    let mut knowing = options(&cache);
    knowing.memory_syscalls = vec![MemorySyscall {
        name: "sol_memset_".to_string(),
        operation: MemoryOperation {
            operation: Operation::Fill,
            base_cost: 10,
            bytes_per_unit: 250,
        },
    }];
    let compile =
        |options| CompiledProgram::compile_shared(&executable, options).expect("it compiles");
    let first = compile(&plain);
    for other in [&guarded, &knowing] {
        let program = compile(other);
        assert!(!Arc::ptr_eq(&first, &program));
        assert!(Arc::ptr_eq(&program, &compile(other)));
    }
}

#[test]
fn an_address_that_is_used_again_is_no_proof() {
    let cache = cache();
    let mut programs = Vec::new();
    for value in 0..64 {
        // Dropped at once, so that the next ones may get the same memory.
        let executable = Arc::new(load(value));
        let options = options(&cache);
        let program = CompiledProgram::compile_shared(&executable, &options).expect("it compiles");
        assert_eq!(program.origin(), CodeOrigin::Compiled, "{value}");
        programs.push(program);
    }
}

#[test]
fn threads_wait_for_the_one_that_compiles() {
    const THREADS: usize = 64;
    let (cache, barrier) = (cache(), Barrier::new(THREADS));
    let executable = load(1);
    let programs: Vec<_> = thread::scope(|scope| {
        let compile = || {
            barrier.wait();
            super::compile(&executable, &cache)
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(compile)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("it compiles"))
            .collect()
    });
    let first = programs[0].machine_code().as_ptr();
    assert!(
        programs
            .iter()
            .all(|program| program.machine_code().as_ptr() == first)
    );
    let statistics = cache.statistics();
    assert_eq!(
        (statistics.compiled, statistics.memory_hits),
        (1, THREADS as u64 - 1)
    );
}

#[test]
fn a_compilation_can_be_watched_and_ended() {
    let cache = cache();
    let executable = load(1);
    for threads in [1, 2] {
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut options = options(&cache);
        options.threads = threads;
        let log = Arc::clone(&seen);
        options.observer = Some(CompileObserver::new(move |progress| {
            log.lock()
                .expect("nobody panics")
                .push((progress.done, progress.total));
            ControlFlow::Continue(())
        }));
        let compiled = CompiledProgram::compile_with(&executable, &options).expect("it compiles");
        let total = compiled.statistics().functions;
        let expected: Vec<_> = (0..=total).map(|done| (done, total)).collect();
        assert_eq!(*seen.lock().expect("nobody panics"), expected);
        drop(compiled);

        for last in 0..=total {
            options.observer = Some(CompileObserver::new(move |progress| {
                if progress.done == last {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            }));
            let error = CompiledProgram::compile_with(&executable, &options).expect_err("it ends");
            assert!(matches!(error, CompileError::Cancelled), "{error}");
        }
    }
    assert_eq!(compile(&executable, &cache).origin(), CodeOrigin::Compiled);
}
