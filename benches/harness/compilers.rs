//! The compilers, each as one call that returns how many bytes of native code there are.

use {
    crate::workloads::programs::Program,
    sbpf_cranelift::{Cache, CompileOptions, CompiledProgram},
};

/// Compiles `program` with the hand-written JIT, where there is one.
///
/// # Panics
/// If the program can't be compiled.
pub(crate) fn hand_written(program: &Program) -> Option<usize> {
    #[cfg(all(
        feature = "hand-written",
        target_arch = "x86_64",
        not(target_os = "windows")
    ))]
    {
        if let Err(error) = program.executable.jit_compile() {
            panic!("{}: the hand-written JIT: {error}", program.name);
        }
        program
            .executable
            .get_compiled_program()
            .map(|compiled| compiled.machine_code_length())
    }
    #[cfg(not(all(
        feature = "hand-written",
        target_arch = "x86_64",
        not(target_os = "windows")
    )))]
    {
        let _ = program;
        None
    }
}

/// Compiles `program` with this project's compiler.
///
/// # Panics
/// If the program can't be compiled.
pub(crate) fn cranelift(program: &Program) -> usize {
    let mut options = CompileOptions::default();
    options.cache = Cache::none();
    match CompiledProgram::compile_with(&program.executable, &options) {
        Ok(compiled) => compiled.statistics().code_bytes,
        Err(error) => panic!("{}: compiling: {error}", program.name),
    }
}
