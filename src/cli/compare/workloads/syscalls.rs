//! The way out of the VM and back.

use {
    super::{Family, Workload},
    crate::cli::context::Context,
    solana_sbpf::program::BuiltinFunctionDefinition,
    std::{error::Error, hint::black_box},
};

pub(super) fn workloads() -> [Workload; 2] {
    Workload::for_both_versions(trivial)
}

/// A loop over a syscall that does next to nothing.
fn trivial() -> Workload {
    const ITERATIONS: u64 = 120_000;
    let assembly = format!(
        "
        entrypoint:
            mov r6, {ITERATIONS}
            mov r0, 0
        loop:
            mov r1, r0
            syscall {name}
            add r6, -1
            jne r6, 0, loop
            exit
        ",
        name = Increment::NAME
    );
    Workload::new("trivial syscall", Family::Syscalls, assembly, |_| {
        let syscall = black_box(native_increment as fn(u64) -> Result<u64, Box<dyn Error>>);
        let mut result = 0;
        for _ in 0..black_box(ITERATIONS) {
            match syscall(result) {
                Ok(next) => result = next,
                Err(error) => panic!("the syscall failed: {error}"),
            }
        }
        result
    })
}

#[inline(never)]
fn native_increment(argument: u64) -> Result<u64, Box<dyn Error>> {
    black_box(Ok(argument.wrapping_add(1)))
}

/// The trivial syscall: returns its argument plus one.
pub(super) struct Increment;

impl Increment {
    /// What programs call it.
    pub(super) const NAME: &str = "bench_increment";
}

impl BuiltinFunctionDefinition<Context> for Increment {
    type Error = Box<dyn Error>;

    fn rust(
        _context: &mut Context,
        argument: u64,
        _: u64,
        _: u64,
        _: u64,
        _: u64,
    ) -> Result<u64, Self::Error> {
        Ok(argument.wrapping_add(1))
    }
}
