//! Modes of execution and the compiled program, as a host sees them.

use {
    sbpf_swap_in::{
        self as solana_sbpf,
        assembler::assemble,
        elf::Executable,
        error::{EbpfError, ProgramResult},
        program::BuiltinProgram,
        vm::{CallFrame, Config, ExecutionMode},
    },
    std::sync::Arc,
    test_utils::{TestContextObject, create_vm},
};

const PROGRAM: &str = "
    mov64 r0, 40
    add64 r0, 2
    exit";

fn program() -> Executable<TestContextObject> {
    let loader = BuiltinProgram::new_loader(Config::default());
    assemble(PROGRAM, Arc::new(loader)).expect("the source is right")
}

fn run(
    executable: &Executable<TestContextObject>,
    mode: ExecutionMode,
    frames: usize,
) -> (u64, ProgramResult, ExecutionMode) {
    let mut mode = mode;
    let mut context = TestContextObject::new(100);
    let mut call_frames = vec![CallFrame::default(); frames];
    create_vm!(vm, executable, &mut context, stack, heap, Vec::new(), None);
    let (count, result) = vm.execute_program(executable, &mut mode, &mut call_frames);
    (count, result, mode)
}

#[test]
fn interpreted_stays_interpreted() {
    let executable = program();
    executable.jit_compile().expect("it can be compiled");
    let (count, result, mode) = run(&executable, ExecutionMode::Interpreted, 64);
    assert_eq!((count, result.unwrap()), (3, 42));
    assert!(matches!(mode, ExecutionMode::Interpreted));
}

#[test]
fn jit_needs_compilation() {
    let executable = program();
    let (count, result, mode) = run(&executable, ExecutionMode::Jit, 0);
    assert_eq!(count, 0);
    assert!(matches!(
        result,
        ProgramResult::Err(EbpfError::JitNotCompiled)
    ));
    assert!(matches!(mode, ExecutionMode::Jit));
    executable.jit_compile().expect("it can be compiled");
    let (count, result, mode) = run(&executable, ExecutionMode::Jit, 0);
    assert_eq!((count, result.unwrap()), (3, 42));
    assert!(matches!(mode, ExecutionMode::Jit));
}

#[test]
fn prefer_jit_compiles_by_itself() {
    let executable = program();
    assert!(executable.get_compiled_program().is_none());
    let (count, result, mode) = run(&executable, ExecutionMode::PreferJit, 0);
    assert_eq!((count, result.unwrap()), (3, 42));
    assert!(matches!(mode, ExecutionMode::Jit));
    assert!(executable.get_compiled_program().is_some());
}

#[test]
fn a_program_taken_away_is_interpreted() {
    let executable = program();
    executable.jit_compile().expect("it can be compiled");
    let taken = executable.take_compiled_program().expect("it was compiled");
    assert!(taken.machine_code_length() > 0);
    assert!(executable.get_compiled_program().is_none());
    let (_, result, mode) = run(&executable, ExecutionMode::PreferJit, 64);
    assert_eq!(result.unwrap(), 42);
    assert!(matches!(mode, ExecutionMode::Interpreted));
    let (_, result, _) = run(&executable, ExecutionMode::Jit, 0);
    assert!(matches!(
        result,
        ProgramResult::Err(EbpfError::JitNotCompiled)
    ));
    executable.jit_compile().expect("it can be compiled");
    let (_, _, mode) = run(&executable, ExecutionMode::PreferJit, 0);
    assert!(matches!(mode, ExecutionMode::Jit));
}

#[test]
fn the_compiled_program_is_one_object() {
    let executable = program();
    let before = executable.mem_size();
    executable.jit_compile().expect("it can be compiled");
    let first = executable.get_compiled_program().expect("it was compiled");
    let second = executable.get_compiled_program().expect("it was compiled");
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(first, second);
    assert_eq!(first.text_section().len(), first.machine_code_length());
    assert!(executable.mem_size() >= before + first.mem_size());
    executable.jit_compile().expect("it can be compiled");
    let third = executable.get_compiled_program().expect("it was compiled");
    assert_ne!(first, third);
}

#[test]
fn programs_that_no_verifier_has_seen_do_no_harm() {
    use solana_sbpf::program::{FunctionRegistry, SBPFVersion};
    for opcode in 0..=u8::MAX {
        let mut text = [0; 16];
        text[0] = opcode;
        text[1] = 0xff;
        text[8] = 0x95;
        let executable = Executable::<TestContextObject>::from_text_bytes(
            &text,
            Arc::new(BuiltinProgram::new_loader(Config::default())),
            SBPFVersion::V3,
            FunctionRegistry::default(),
        )
        .expect("it is loaded");
        executable.jit_compile().expect("it can be compiled");
        assert!(executable.get_compiled_program().is_some());
    }
}
