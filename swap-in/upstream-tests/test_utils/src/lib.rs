//! What the integration tests of `solana-sbpf` import, written anew for this project.
//!
//! The tests state programs, inputs, budgets and results; this crate runs each on the interpreter
//! and on the JIT, and compares everything that can be observed.

mod compare;
mod context;
mod host;
mod machine;
mod packets;
pub mod syscalls;
mod untraced;

pub use {
    compare::{Case, compare_register_trace},
    context::TestContextObject,
    machine::create_memory_mapping,
    packets::{PROG_TCP_PORT_80, TCP_SACK_ASM, TCP_SACK_BIN, TCP_SACK_MATCH, TCP_SACK_NOMATCH},
};

/// For programs without input.
pub const NO_INPUT: *const [u8; 0] = std::ptr::dangling();

/// Asserts that the `Debug` text of a result contains a formatted text.
#[macro_export]
macro_rules! assert_error {
    ($result:expr, $($text:tt)+) => {{
        let (result, expected) = (format!("{:?}", $result), format!($($text)+));
        assert!(result.contains(&expected), "{result} does not contain {expected}");
    }};
}

/// Declares a virtual machine with its memory.
#[macro_export]
macro_rules! create_vm {
    (
        $vm:ident, $executable:expr, $context:expr, $stack:ident, $heap:ident, $regions:expr,
        $handler:expr $(,)?
    ) => {
        let mut $stack = solana_sbpf::aligned_memory::AlignedMemory::zero_filled(
            $executable.get_config().stack_size(),
        );
        let mut $heap = solana_sbpf::aligned_memory::AlignedMemory::with_capacity(0);
        let context: &mut $crate::TestContextObject = $context;
        context.memory_mapping =
            $crate::create_memory_mapping($executable, &mut $stack, &mut $heap, $regions, $handler)
                .expect("the regions don't overlap");
        #[allow(unused_mut)]
        let mut $vm = solana_sbpf::vm::EbpfVm::new(
            $executable.get_loader().clone(),
            $executable.get_sbpf_version(),
            context,
            $stack.len(),
        );
    };
}

/// Runs an executable on both engines; the budget is the number of instructions it must take.
#[macro_export]
macro_rules! test_interpreter_and_jit {
    (
        override_budget => true, $executable:expr, $input:expr, $context:expr $(,)?
    ) => {
        $crate::Case {
            executable: &$executable,
            input: $input,
            budget: $context.remaining,
        }
        .check_count_only()
    };
    ($executable:expr, $input:expr, $context:expr, $expected:expr $(,)?) => {
        $crate::Case {
            executable: &$executable,
            input: $input,
            budget: $context.remaining,
        }
        .check(&$expected)
    };
}

/// Assembles and runs a program.
#[macro_export]
macro_rules! test_interpreter_and_jit_asm {
    ($source:expr, $config:expr, $input:expr, $context:expr, $expected:expr $(,)?) => {{
        let loader = solana_sbpf::program::BuiltinProgram::new_loader($config);
        let executable = solana_sbpf::assembler::assemble($source, std::sync::Arc::new(loader))
            .expect("the program can be assembled");
        $crate::test_interpreter_and_jit!(executable, $input, $context, $expected);
    }};
    ($source:expr, $input:expr, $context:expr, $expected:expr $(,)?) => {
        $crate::test_interpreter_and_jit_asm!(
            $source,
            solana_sbpf::vm::Config::default(),
            $input,
            $context,
            $expected
        )
    };
}

/// Assembles and runs a program with syscalls, without and with static ones.
#[macro_export]
macro_rules! test_syscall_asm {
    (
        $source:expr, $input:expr, ($($name:expr => $syscall:ty),* $(,)?), $context:expr,
        $expected:expr $(,)?
    ) => {
        for version in [
            solana_sbpf::program::SBPFVersion::V0,
            solana_sbpf::program::SBPFVersion::V4,
        ] {
            let config = solana_sbpf::vm::Config {
                enabled_sbpf_versions: version..=version,
                ..solana_sbpf::vm::Config::default()
            };
            let mut loader = solana_sbpf::program::BuiltinProgram::new_loader(config);
            $(<$syscall>::register(&mut loader, $name).expect("names are distinct");)*
            let executable = solana_sbpf::assembler::assemble($source, std::sync::Arc::new(loader))
                .expect("the program can be assembled");
            $crate::test_interpreter_and_jit!(executable, $input, $context, $expected);
        }
    };
}

/// Loads and runs an ELF file with syscalls.
#[macro_export]
macro_rules! test_interpreter_and_jit_elf {
    (
        $path:expr, $config:expr, $input:expr, ($($name:expr => $syscall:ty),* $(,)?),
        $context:expr, $expected:expr $(,)?
    ) => {{
        #[allow(unused_mut)]
        let mut loader = solana_sbpf::program::BuiltinProgram::new_loader($config);
        $(<$syscall>::register(&mut loader, $name).expect("names are distinct");)*
        let elf = std::fs::read($path).expect("the file is there");
        let executable = solana_sbpf::elf::Executable::from_elf(&elf, std::sync::Arc::new(loader))
            .expect("the file can be loaded");
        $crate::test_interpreter_and_jit!(executable, $input, $context, $expected);
    }};
    ($path:expr, $input:expr, ($($syscalls:tt)*), $context:expr, $expected:expr $(,)?) => {
        $crate::test_interpreter_and_jit_elf!(
            $path,
            solana_sbpf::vm::Config::default(),
            $input,
            ($($syscalls)*),
            $context,
            $expected
        )
    };
}
