//! One executable, many threads, and virtual machines within virtual machines.

use {
    sbpf_swap_in::{
        self as solana_sbpf,
        assembler::assemble,
        declare_builtin_function,
        elf::Executable,
        program::{BuiltinFunctionDefinition, BuiltinProgram},
        swap_in::statistics,
        vm::{Config, ExecutionMode},
    },
    std::{error::Error, sync::Arc, thread},
    test_utils::{TestContextObject, create_vm},
};

const THREADS: usize = 8;
const RUNS: usize = 200;

declare_builtin_function!(
    /// Runs a program in a machine of its own that calls this again, `depth` times.
    SyscallNested,
    fn rust(
        _context: &mut TestContextObject,
        depth: u64,
        _b: u64,
        _c: u64,
        _d: u64,
        _e: u64,
    ) -> Result<u64, Box<dyn Error>> {
        if depth == 0 {
            return Ok(1);
        }
        Ok(run(&program(), depth - 1) + 1)
    }
);

fn program() -> Executable<TestContextObject> {
    let mut loader = BuiltinProgram::new_loader(Config::default());
    SyscallNested::register(&mut loader, "nested").expect("the name is free");
    let source = "
        mov64 r6, r1
        syscall nested
        add64 r0, r6
        exit";
    assemble(source, Arc::new(loader)).expect("the source is right")
}

fn run(executable: &Executable<TestContextObject>, depth: u64) -> u64 {
    let mut context = TestContextObject::new(1000);
    create_vm!(vm, executable, &mut context, stack, heap, Vec::new(), None);
    vm.registers[1] = depth;
    let mut mode = ExecutionMode::PreferJit;
    let (count, result) = vm.execute_program(executable, &mut mode, &mut []);
    assert!(matches!(mode, ExecutionMode::Jit));
    assert_eq!(count, 4);
    result.unwrap()
}

#[test]
fn executables_are_shared_and_machines_nest() {
    let executable = program();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..RUNS {
                    assert_eq!(run(&executable, 0), 1);
                }
            });
        }
    });
    let statistics = statistics();
    assert_eq!(statistics.compiled, 1, "threads wait for the first one");
    assert_eq!(statistics.cranelift_runs, (THREADS * RUNS) as u64);
    assert_eq!(statistics.interpreter_runs, 0);

    // 3 + (2 + (1 + (0 + 1) + 1) + 1) + 1
    assert_eq!(run(&executable, 3), 10);

    // Code in use stays alive while it is compiled again.
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for run_number in 0..RUNS {
                    if run_number % 50 == 0 {
                        executable.jit_compile().expect("it can be compiled");
                    }
                    assert_eq!(run(&executable, 0), 1);
                }
            });
        }
    });
}
