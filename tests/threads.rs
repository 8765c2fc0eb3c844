//! Compilation on several threads gives the code that one thread gives.

mod common;

use {
    common::*,
    sbpf_cranelift::{Cache, CompileOptions, CompiledProgram},
    std::fmt::Write,
};

#[test]
fn code_does_not_depend_on_threads() {
    // More functions than a batch, of different sizes, each calling the next.
    let mut text = "entrypoint:\n call function_0\n exit\n".to_string();
    for function in 0..300 {
        let _ = writeln!(text, "function_{function}:");
        for access in 0..function % 7 {
            let _ = writeln!(
                text,
                " ldxb r2, [r1+{access}]\n add64 r0, r2\n div64 r0, r2"
            );
        }
        if function < 299 {
            let _ = writeln!(text, " jgt r0, 1000, end_{function}");
            let _ = writeln!(text, " call function_{}", function + 1);
            let _ = writeln!(text, "end_{function}:");
        }
        text.push_str(" exit\n");
    }
    for version in [SBPFVersion::V0, SBPFVersion::V3] {
        let case = Case::assembly(version, text.clone());
        let executable = case.program.load(&case.config, &[]).expect("it loads");
        let compile = |threads| {
            let mut options = CompileOptions::default();
            options.threads = threads;
            options.cache = Cache::none();
            options.seed = Some(1);
            CompiledProgram::compile_with(&executable, &options).expect("it compiles")
        };
        let expected = compile(1);
        for threads in [0, 2, 3, 16] {
            let actual = compile(threads);
            assert_eq!(actual.statistics(), expected.statistics());
            assert_eq!(actual.machine_code(), expected.machine_code());
        }
    }
}
