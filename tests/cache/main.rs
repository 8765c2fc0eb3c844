//! Code that was compiled before: in memory, in a directory, shared, damaged, too much.

#[path = "../common/mod.rs"]
mod common;
mod damage;
mod directory;
mod memory;
mod processes;

use {
    common::{
        TestContext,
        engine::{Engine, Prepared, run},
        memory::Memory,
        *,
    },
    sbpf_cranelift::{Cache, CompileOptions, CompiledProgram},
    solana_sbpf::elf::Executable,
};

/// A program that returns `value`, with an access and a call.
fn case(value: i32) -> Case {
    Case::assembly(
        SBPFVersion::V0,
        format!(
            "entrypoint:\n ldxb r6, [r1+1]\n call function_1\n add64 r0, r6\n exit\n\
             function_1:\n mov64 r0, {value}\n exit\n"
        ),
    )
}

fn load(value: i32) -> Executable<TestContext> {
    let case = case(value);
    case.program.load(&case.config, &[]).expect("it loads")
}

fn options(cache: &Cache) -> CompileOptions {
    let mut options = CompileOptions::default();
    options.cache = cache.clone();
    options.seed = Some(1);
    options
}

fn compile(executable: &Executable<TestContext>, cache: &Cache) -> CompiledProgram<TestContext> {
    CompiledProgram::compile_with(executable, &options(cache)).expect("it compiles")
}

/// Runs `compiled`, and sees to it that it does what the interpreter does for [`case`].
fn assert_runs(
    value: i32,
    executable: Executable<TestContext>,
    compiled: CompiledProgram<TestContext>,
) {
    let case = case(value);
    let layout = Layout::standard(&case.config, case.version, &case.input);
    let mut memory = Memory::new(&layout);
    let prepared = Prepared {
        executable,
        compiled: Some(compiled),
    };
    let registers = [(1, ebpf::MM_INPUT_START)];
    let expected = run(&prepared, Engine::Interpreter, &mut memory, &registers, 100);
    let actual = run(&prepared, Engine::Cranelift, &mut memory, &registers, 100);
    assert!(expected.value.is_some(), "{}", expected.result);
    assert_eq!(actual, expected);
}
