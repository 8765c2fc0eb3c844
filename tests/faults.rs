//! What the system refuses, and what happens at the wrong moment: errors, never a wrong result, and
//! afterwards all is as before. Panicking and re-entering syscalls are in `syscalls.rs`.

#![cfg(target_os = "linux")]

mod common;

use {
    common::{
        alone::{ignored_test, is_emulated},
        engine::{Engine, Prepared, run},
        memory::Memory,
        *,
    },
    rustix::process::{Resource, Rlimit, getrlimit, setrlimit},
    sbpf_cranelift::{Cache, CompileError, CompileOptions, CompiledProgram},
    solana_sbpf::elf::Executable,
    std::{
        env, fs,
        os::unix::process::ExitStatusExt,
        process::Stdio,
        sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        thread,
        time::{Duration, Instant},
    },
};

/// Memory that is free within the process while the system gives it no more.
const BALLAST: usize = 32 << 20;

/// A program that computes for a while, with calls and accesses, and returns what depends on `seed`.
fn busy(seed: u64) -> Case {
    let text = format!(
        "entrypoint:
        mov64 r6, 20000
        mov64 r7, {}
        again:
        mov64 r1, r7
        call mix
        mov64 r7, r0
        stxdw [r10-8], r7
        ldxw r8, [r10-6]
        xor64 r7, r8
        sub64 r6, 1
        jne r6, 0, again
        mov64 r0, r7
        exit
        mix:
        mov64 r0, r1
        lsh64 r0, 13
        xor64 r0, r1
        add64 r0, 12345
        exit",
        seed + 1
    );
    Case::assembly(SBPFVersion::V3, text).budget(1_000_000)
}

fn load(case: &Case) -> Executable<TestContext> {
    case.program.load(&case.config, &[]).expect("it loads")
}

/// Options that compile anew each time, on so many threads.
fn options(threads: usize) -> CompileOptions {
    let mut options = CompileOptions::default();
    options.cache = Cache::none();
    options.threads = threads;
    options.seed = Some(7);
    options
}

/// What a program does on an engine, on memory of its own.
fn outcome(case: &Case, prepared: &Prepared, engine: Engine) -> String {
    let mut memory = Memory::new(&Layout::standard(&case.config, case.version, &case.input));
    let registers = [(1, ebpf::MM_INPUT_START)];
    format!(
        "{:?}",
        run(prepared, engine, &mut memory, &registers, case.budget)
    )
}

/// Runs `work` while the process may not have more of `resource` than it has now, in kilobytes by
/// this line of its status.
fn without_more<T>(resource: Resource, line: &str, work: impl FnOnce() -> T) -> T {
    // Pieces that the allocator keeps, since the last one is in use.
    let mut ballast: Vec<Vec<u8>> = (0..BALLAST >> 16).map(|_| vec![1; 1 << 16]).collect();
    ballast.reverse();
    ballast.truncate(1);
    let before = getrlimit(resource);
    let limit = Rlimit {
        current: Some(kilobytes(line) << 10),
        ..before
    };
    setrlimit(resource, limit).expect("lower limits are allowed");
    let result = work();
    setrlimit(resource, before).expect("the old limit was allowed");
    drop(ballast);
    result
}

/// A number in the process's status.
fn kilobytes(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    let number = found.and_then(|text| text.split_whitespace().next()?.parse().ok());
    number.expect("it is a number")
}

/// Compiling fails with an error for as long as `resource` is used up, leaves nothing behind, and works
/// afterwards.
fn assert_refused(resource: Resource, line: &str) {
    let case = busy(1);
    let executable = load(&case);
    let compile = || CompiledProgram::compile_with(&executable, &options(1));
    drop(compile().expect("it compiles"));
    let (errors, grown) = without_more(resource, line, || {
        let before = kilobytes("VmSize:");
        let errors: Vec<_> = (0..100).map(|_| compile().err()).collect();
        (errors, kilobytes("VmSize:") - before)
    });
    for error in errors {
        assert!(
            matches!(error, Some(CompileError::CodeMemory(_))),
            "{error:?}"
        );
    }
    assert!(grown < 1024, "{grown} KiB were left behind");
    let prepared = Prepared {
        compiled: Some(compile().expect("there is memory again")),
        executable: load(&case),
    };
    assert!(prepared.compiled.is_some());
}

#[test]
fn no_address_space() {
    alone("in_no_address_space");
}

#[test]
#[ignore = "limits its own process; started by no_address_space"]
fn in_no_address_space() {
    assert_refused(Resource::As, "VmSize:");
}

#[test]
fn no_writable_memory() {
    alone("in_no_writable_memory");
}

#[test]
#[ignore = "limits its own process; started by no_writable_memory"]
fn in_no_writable_memory() {
    // Reserving works then, and changing the protection does not.
    assert_refused(Resource::Data, "VmData:");
}

#[test]
fn no_threads() {
    alone("in_no_threads");
}

/// Threads that can't be started are done without.
#[test]
#[ignore = "limits its own process; started by no_threads"]
fn in_no_threads() {
    let case = busy(2);
    let executable = load(&case);
    let program = |threads| CompiledProgram::compile_with(&executable, &options(threads));
    let expected = program(1).expect("it compiles").machine_code().to_vec();
    // Room for code, not for the stack of a thread.
    let error = without_more(Resource::As, "VmSize:", || program(4).err());
    assert!(
        matches!(error, Some(CompileError::CodeMemory(_))),
        "{error:?}"
    );
    let again = program(4).expect("there are threads again");
    assert_eq!(again.machine_code(), expected);
}

/// Runs an ignored test of this file in a process of its own.
fn alone(name: &str) {
    // Emulators need memory themselves.
    if is_emulated() {
        return;
    }
    let status = ignored_test(name).status().expect("it starts");
    assert!(status.success(), "{name}: {status}");
}

#[test]
fn no_native_stack() {
    alone("in_no_native_stack");
}

/// A thread without enough stack for compiled code gets no other: its programs are interpreted.
#[test]
#[ignore = "limits its own process; started by no_native_stack"]
fn in_no_native_stack() {
    let case = busy(5);
    let prepared = case.prepare().expect("it compiles");
    let expected = outcome(&case, &prepared, Engine::Interpreter);
    let on_small_stack = |work: &(dyn Fn() -> String + Sync)| {
        thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(160 << 10);
            let thread = thread.spawn_scoped(scope, || {
                let with_more = work();
                (with_more, without_more(Resource::As, "VmSize:", work))
            });
            thread.expect("it starts").join().expect("nothing panics")
        })
    };
    let found = on_small_stack(&|| outcome(&case, &prepared, Engine::Cranelift));
    assert_eq!(found, (expected.clone(), expected));

    #[cfg(feature = "ebpf")]
    {
        use sbpf_cranelift::ebpf::{Helpers, Options, Program};
        // `r0 = 5`, `exit`.
        let text = [0xb7, 0, 0, 0, 5, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
        let program = Program::from_bytes(&text, &Options::default()).expect("it is valid");
        let compiled = program.compile().expect("it compiles");
        let found = on_small_stack(&|| {
            let outcome = compiled.run(&mut program.memory(), &mut Helpers::new(), 100);
            format!("{outcome:?}")
        });
        let expected = program.interpret(&mut program.memory(), &mut Helpers::new(), 100);
        let expected = format!("{expected:?}");
        assert_eq!(found, (expected.clone(), expected));
    }
}

/// Memory that a process may have beyond what it has, in KiB, while it compiles.
const ROOMS: [u64; 9] = [0, 64, 256, 1024, 2048, 4096, 8192, 16 << 10, 256 << 10];

/// Says how much that is.
const ROOM: &str = "SBPF_TEST_ROOM";

/// Where memory ends in the middle of a compilation, there is an error, or Rust ends the process, as it
/// does whenever an allocation fails. It never hangs, and what compiles is right.
#[test]
fn little_memory() {
    if is_emulated() {
        return;
    }
    let endings = ROOMS.map(|room| {
        let mut child = ignored_test("in_little_memory")
            .env(ROOM, room.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let end = Instant::now() + Duration::from_secs(120);
        while child.try_wait().expect("it is ours").is_none() {
            assert!(Instant::now() < end, "it hangs with {room} KiB");
            thread::sleep(Duration::from_millis(10));
        }
        let output = child.wait_with_output().expect("it has ended");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_abort = output.status.signal() == Some(libc::SIGABRT);
        match (output.status.success(), is_abort) {
            (true, _) if told.contains("compiled") => "compiled",
            (true, _) if told.contains("refused") => "refused",
            (_, true) if errors.contains("memory allocation of") => "aborted",
            _ => panic!("{room} KiB: {}\n{told}\n{errors}", output.status),
        }
    });
    println!("{ROOMS:?} KiB: {endings:?}");
    assert_ne!(endings[0], "compiled");
    assert_eq!(endings[ROOMS.len() - 1], "compiled");
}

#[test]
#[ignore = "limits its own process; started by little_memory"]
fn in_little_memory() {
    let room: u64 = env::var(ROOM)
        .ok()
        .and_then(|room| room.parse().ok())
        .unwrap_or(1 << 20);
    // Many functions, so that there is much to allocate.
    let mut text = "entrypoint:\nmov64 r1, 1\n".to_string();
    for function in 0..2000 {
        text.push_str(&format!("call function_{function}\nmov64 r1, r0\n"));
    }
    text.push_str("exit\n");
    for function in 0..2000 {
        text.push_str(&format!(
            "function_{function}:\nmov64 r0, r1\nmul64 r0, {}\nstxdw [r10-8], r0\n\
             ldxw r2, [r10-6]\nxor64 r0, r2\nexit\n",
            function + 1000
        ));
    }
    let case = Case::assembly(SBPFVersion::V3, text);
    let executable = load(&case);
    let limits = getrlimit(Resource::As);
    let limit = Rlimit {
        current: Some((kilobytes("VmSize:") + room) << 10),
        ..limits
    };
    setrlimit(Resource::As, limit).expect("lower limits are allowed");
    let compiled = CompiledProgram::compile_with(&executable, &options(2));
    setrlimit(Resource::As, limits).expect("the old limit was allowed");
    match compiled {
        Ok(compiled) => {
            let prepared = Prepared {
                compiled: Some(compiled),
                executable,
            };
            let [expected, found] = [Engine::Interpreter, Engine::Cranelift]
                .map(|engine| outcome(&case, &prepared, engine));
            assert_eq!(found, expected);
            println!("compiled");
        }
        Err(CompileError::CodeMemory(_)) => println!("refused"),
        Err(error) => panic!("{error}"),
    }
}

/// Why syscalls that panic are compared with the interpreter only (`syscalls.rs`).
#[cfg(all(feature = "hand-written", target_arch = "x86_64"))]
#[test]
fn a_panic_ends_the_process_of_the_hand_written_jit() {
    if is_emulated() {
        return;
    }
    let output = ignored_test("in_a_panicking_syscall").output();
    let output = output.expect("it starts");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("entered"), "{told}");
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{told}");
}

#[cfg(all(feature = "hand-written", target_arch = "x86_64"))]
#[test]
#[ignore = "ends its own process; started by a_panic_ends_the_process_of_the_hand_written_jit"]
fn in_a_panicking_syscall() {
    let text = "mov64 r1, 42\nsyscall sys_panic\nexit";
    let case = Case::assembly(SBPFVersion::V3, text);
    let prepared = case.prepare().expect("it compiles");
    println!("entered");
    println!("{}", outcome(&case, &prepared, Engine::HandWritten));
}

/// Many threads compile and run the same program and others, all through one cache, while handles are
/// dropped that other threads still run.
#[test]
fn sixty_four_threads() {
    let cases: Vec<Case> = (0..8).map(busy).collect();
    let expected: Vec<String> = cases
        .iter()
        .map(|case| {
            let prepared = case.prepare().expect("it compiles");
            outcome(case, &prepared, Engine::Interpreter)
        })
        .collect();
    let cache = Cache::new(Default::default());
    thread::scope(|scope| {
        for number in 0..64usize {
            let (cases, expected, cache) = (&cases, &expected, &cache);
            scope.spawn(move || {
                for turn in 0..4 {
                    // Half of the threads share a program, the others take turns.
                    let index = if number % 2 == 0 {
                        0
                    } else {
                        (number + turn) % 8
                    };
                    let case = &cases[index];
                    let executable = load(case);
                    let mut options = CompileOptions::default();
                    options.cache = cache.clone();
                    let compiled = CompiledProgram::compile_with(&executable, &options);
                    let prepared = Prepared {
                        compiled: Some(compiled.expect("it compiles")),
                        executable,
                    };
                    assert_eq!(outcome(case, &prepared, Engine::Cranelift), expected[index]);
                }
            });
        }
    });
}

/// Code stays as long as anybody runs it, whoever made it.
#[test]
fn dropped_while_others_run_it() {
    let case = busy(3);
    let expected = outcome(
        &case,
        &case.prepare().expect("it compiles"),
        Engine::Interpreter,
    );
    let cache = Cache::new(Default::default());
    let ends = AtomicBool::new(false);
    let compile = || {
        let executable = load(&case);
        let mut options = CompileOptions::default();
        options.cache = cache.clone();
        let compiled = CompiledProgram::compile_with(&executable, &options);
        Prepared {
            compiled: Some(compiled.expect("it compiles")),
            executable,
        }
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !ends.load(Relaxed) {
                    drop(compile());
                }
            });
        }
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(1) {
            assert_eq!(outcome(&case, &compile(), Engine::Cranelift), expected);
        }
        ends.store(true, Relaxed);
    });
}

/// Signals that handlers have taken.
static SIGNALS: AtomicU64 = AtomicU64::new(0);

/// Uses some stack, as handlers of profilers do.
extern "C" fn handler(_: libc::c_int) {
    let mut bytes = [0xa5u8; 4096];
    std::hint::black_box(&mut bytes);
    SIGNALS.fetch_add(1, Relaxed);
}

#[test]
fn signals_during_an_execution() {
    if !is_emulated() {
        alone("in_a_storm_of_signals");
    }
}

/// A handler on the same stack finds nothing there that generated code still needs below its own.
#[test]
#[ignore = "changes its own process; started by signals_during_an_execution"]
fn in_a_storm_of_signals() {
    let case = busy(4);
    let prepared = case.prepare().expect("it compiles");
    let expected = outcome(&case, &prepared, Engine::Interpreter);
    let interval = libc::timeval {
        tv_sec: 0,
        tv_usec: 200,
    };
    let timer = libc::itimerval {
        it_interval: interval,
        it_value: interval,
    };
    // SAFETY: the handler touches nothing but its own stack and an atomic number.
    unsafe {
        libc::signal(libc::SIGPROF, handler as *const () as libc::sighandler_t);
        libc::setitimer(libc::ITIMER_PROF, &raw const timer, std::ptr::null_mut());
    }
    let start = Instant::now();
    while SIGNALS.load(Relaxed) < 50 && start.elapsed() < Duration::from_secs(20) {
        assert_eq!(outcome(&case, &prepared, Engine::Cranelift), expected);
    }
    assert!(SIGNALS.load(Relaxed) >= 50, "the handler hardly ever ran");
}
