//! What the environment chooses, each choice in a process of its own.

use {
    sbpf_swap_in::{
        self as solana_sbpf,
        assembler::assemble,
        elf::Executable,
        program::BuiltinProgram,
        swap_in::statistics,
        vm::{CallFrame, Config, ExecutionMode},
    },
    std::{
        env,
        ffi::OsString,
        path::Path,
        process::Command,
        sync::Arc,
        time::{Duration, Instant},
    },
    test_utils::{TestContextObject, create_vm},
};

const HAS_HAND_WRITTEN: bool = cfg!(all(
    feature = "jit",
    target_arch = "x86_64",
    not(target_os = "windows")
));

/// Longer than any compilation of these programs takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs another test of this file with `variables`.
fn run_alone(test: &str, variables: &[(&str, &Path)]) {
    let program = env::current_exe().expect("there is one");
    // The program that executes it, if this machine doesn't do so itself.
    let runner = env::var("SBPF_RUNNER").unwrap_or_default();
    let mut words = runner
        .split_whitespace()
        .map(OsString::from)
        .chain([program.into()]);
    let status = Command::new(words.next().expect("there is the program"))
        .args(words)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env_remove("SBPF_CRANELIFT_ENGINE")
        .envs(variables.iter().copied())
        .status()
        .expect("it starts");
    assert!(status.success(), "{test} with {variables:?}");
}

fn program() -> Executable<TestContextObject> {
    let loader = BuiltinProgram::new_loader(Config::default());
    let source = "mov64 r0, 40\n add64 r0, 2\n exit";
    assemble(source, Arc::new(loader)).expect("the source is right")
}

/// Runs the program, and returns whether that was compiled code of any kind.
fn run(executable: &Executable<TestContextObject>) -> bool {
    let mut mode = ExecutionMode::PreferJit;
    let mut context = TestContextObject::new(100);
    create_vm!(vm, executable, &mut context, stack, heap, Vec::new(), None);
    let mut call_frames = vec![CallFrame::default(); 64];
    let (count, result) = vm.execute_program(executable, &mut mode, &mut call_frames);
    assert_eq!((count, result.unwrap()), (3, 42));
    matches!(mode, ExecutionMode::Jit)
}

#[test]
fn a_tiered_program_goes_up() {
    run_alone("tiered", &[("SBPF_CRANELIFT_COMPILE", Path::new("tiered"))]);
}

#[test]
#[ignore = "a part of the test above"]
fn tiered() {
    let (compiled, fresh) = (program(), program());
    compiled.jit_compile().expect("it can be compiled");
    assert_eq!(run(&compiled), HAS_HAND_WRITTEN);
    assert!(!run(&fresh), "as upstream without `jit_compile`");
    assert_eq!(statistics().cranelift_runs, 0);
    let start = Instant::now();
    let mut before = statistics().cranelift_runs;
    for executable in [&compiled, &fresh] {
        while statistics().cranelift_runs == before {
            assert!(start.elapsed() < PATIENCE, "it is never compiled");
            run(executable);
        }
        assert!(run(executable));
        before = statistics().cranelift_runs;
    }
    let statistics = statistics();
    assert_eq!((statistics.compiled, statistics.refused), (2, 0));
    assert_eq!(statistics.hand_written_runs > 0, HAS_HAND_WRITTEN);
    assert!(statistics.interpreter_runs > 0);

    assert!(compiled.take_compiled_program().is_some());
    assert!(compiled.get_compiled_program().is_none());
    assert!(!run(&compiled), "it is interpreted");
}

#[test]
fn a_later_process_finds_code() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("swap-in-cache");
    // An earlier run of this test made it.
    let _ = std::fs::remove_dir_all(&folder);
    let lazy = ("SBPF_CRANELIFT_COMPILE", Path::new("lazy"));
    let cache = ("SBPF_CRANELIFT_CACHE", folder.as_path());
    run_alone("compiles", &[lazy, cache]);
    run_alone("finds", &[lazy, cache]);
    // Where there can be no directory programs are compiled.
    let file = folder.join("file");
    std::fs::write(&file, "").expect("there is room");
    run_alone("compiles", &[lazy, ("SBPF_CRANELIFT_CACHE", &file)]);
}

#[test]
#[ignore = "a part of the test above"]
fn compiles() {
    assert!(run(&program()));
    let statistics = statistics();
    assert_eq!((statistics.compiled, statistics.found), (1, 0));
}

#[test]
#[ignore = "a part of the test above"]
fn finds() {
    assert!(run(&program()));
    let statistics = statistics();
    assert_eq!((statistics.compiled, statistics.found), (1, 1));
}
