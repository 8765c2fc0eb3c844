//! Calls: what it costs to enter and leave a function, without memory.

use {
    super::{Family, Workload, address_of},
    std::hint::black_box,
};

pub(super) fn workloads() -> Vec<Workload> {
    let mut workloads = Vec::new();
    workloads.extend(Workload::for_both_versions(fibonacci));
    workloads.extend(Workload::for_both_versions(leaf_calls));
    workloads.extend(Workload::for_both_versions(indirect_calls));
    workloads
}

/// Recursion, with values that live across calls in r6 and r7.
fn fibonacci() -> Workload {
    const INDEX: u64 = 24;
    let assembly = format!(
        "
        entrypoint:
            mov r1, {INDEX}
            call function_fibonacci
            exit
        function_fibonacci:
            mov r0, r1
            jlt r1, 2, done
            mov r6, r1
            add r1, -1
            call function_fibonacci
            mov r7, r0
            mov r1, r6
            add r1, -2
            call function_fibonacci
            add r0, r7
        done:
            exit
        "
    );
    Workload::new("recursive fib", Family::Calls, assembly, |_| {
        native_fibonacci(black_box(INDEX))
    })
}

#[inline(never)]
fn native_fibonacci(index: u64) -> u64 {
    if index < 2 {
        return index;
    }
    native_fibonacci(index - 1) + native_fibonacci(index - 2)
}

/// A loop over a call of a function that calls nothing.
fn leaf_calls() -> Workload {
    const ITERATIONS: u64 = 200_000;
    let assembly = format!(
        "
        entrypoint:
            mov r6, {ITERATIONS}
            mov r0, 0
        loop:
            mov r1, r0
            mov r2, r6
            call function_leaf
            add r6, -1
            jne r6, 0, loop
            exit
        function_leaf:
            mov r0, r1
            add r0, r2
            xor r0, 0x5bd1
            exit
        "
    );
    Workload::new("direct leaf calls", Family::Calls, assembly, |_| {
        let mut result = 0;
        for remaining in (1..=black_box(ITERATIONS)).rev() {
            result = native_leaf(result, remaining);
        }
        result
    })
}

#[inline(never)]
fn native_leaf(left: u64, right: u64) -> u64 {
    left.wrapping_add(right) ^ 0x5bd1
}

/// The same loop through a register.
fn indirect_calls() -> Workload {
    const ITERATIONS: u64 = 200_000;
    let assembly = |address: u64| {
        format!(
            "
            entrypoint:
                lddw r8, {address:#x}
                mov r6, {ITERATIONS}
                mov r0, 0
            loop:
                mov r1, r0
                mov r2, r6
                callx r8
                add r6, -1
                jne r6, 0, loop
                exit
            function_leaf:
                mov r0, r1
                add r0, r2
                xor r0, 0x5bd1
                exit
            "
        )
    };
    let assembly = assembly(address_of("function_leaf", &assembly(0)));
    Workload::new("callx loop", Family::Calls, assembly, |_| {
        let leaf = black_box(native_leaf as fn(u64, u64) -> u64);
        let mut result = 0;
        for remaining in (1..=black_box(ITERATIONS)).rev() {
            result = leaf(result, remaining);
        }
        result
    })
}
