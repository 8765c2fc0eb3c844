//! Loads and stores in the program's own stack frame, where compilers spill.

use {
    super::{Family, Workload, load, store},
    std::hint::black_box,
};

pub(super) fn workloads() -> Vec<Workload> {
    let mut workloads = Vec::new();
    workloads.extend(Workload::for_both_versions(traffic));
    workloads.extend(Workload::for_both_versions(fibonacci));
    workloads
}

/// Four loads and four stores a turn.
fn traffic() -> Workload {
    const ITERATIONS: u64 = 25_000;
    let assembly = format!(
        "
        entrypoint:
            stdw [r10-8], 1
            stdw [r10-16], 2
            stdw [r10-24], 3
            stdw [r10-32], 4
            mov r6, {ITERATIONS}
        loop:
            ldxdw r1, [r10-8]
            ldxdw r2, [r10-16]
            ldxdw r3, [r10-24]
            ldxdw r4, [r10-32]
            add r1, r6
            xor r2, r1
            add r3, r2
            xor r4, r3
            stxdw [r10-8], r2
            stxdw [r10-16], r3
            stxdw [r10-24], r4
            stxdw [r10-32], r1
            add r6, -1
            jne r6, 0, loop
            mov r0, r4
            exit
        "
    );
    Workload::new("stack traffic", Family::Stack, assembly, |_| {
        let mut frame = [1u64, 2, 3, 4];
        let mut result = 0;
        for remaining in (1..=black_box(ITERATIONS)).rev() {
            let [a, b, c, d] = frame.each_ref().map(load);
            let a = a.wrapping_add(remaining);
            let b = b ^ a;
            let c = c.wrapping_add(b);
            let d = d ^ c;
            for (slot, value) in frame.iter_mut().zip([b, c, d, a]) {
                store(slot, value);
            }
            result = d;
        }
        result
    })
}

/// Recursion that keeps its values in stack frames, one gap apart in V0.
fn fibonacci() -> Workload {
    const INDEX: u64 = 22;
    let assembly = format!(
        "
        entrypoint:
            mov r1, {INDEX}
            call function_fibonacci
            exit
        function_fibonacci:
            stxdw [r10-8], r1
            mov r0, r1
            jlt r1, 2, done
            add r1, -1
            call function_fibonacci
            stxdw [r10-16], r0
            ldxdw r1, [r10-8]
            add r1, -2
            call function_fibonacci
            ldxdw r1, [r10-16]
            add r0, r1
        done:
            exit
        "
    );
    Workload::new("fib with stack traffic", Family::Stack, assembly, |_| {
        native_fibonacci(black_box(INDEX))
    })
}

#[inline(never)]
fn native_fibonacci(index: u64) -> u64 {
    let mut frame = [0u64; 2];
    store(&mut frame[0], index);
    if index < 2 {
        return index;
    }
    let first = native_fibonacci(index - 1);
    store(&mut frame[1], first);
    let second = native_fibonacci(load(&frame[0]) - 2);
    load(&frame[1]) + second
}
