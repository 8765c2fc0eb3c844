//! Loops without memory or calls: the register allocator's and the meter's cost.

use {
    super::{Family, Workload},
    std::hint::black_box,
};

/// Where the generators start.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

pub(super) fn workloads() -> Vec<Workload> {
    vec![
        xorshift(),
        linear_congruential(),
        five_chains(),
        wide_product(),
    ]
}

/// One long chain of cheap dependent operations.
fn xorshift() -> Workload {
    const ITERATIONS: u64 = 400_000;
    let assembly = format!(
        "
        entrypoint:
            lddw r0, {SEED:#x}
            mov r9, {ITERATIONS}
        loop:
            mov r1, r0
            lsh r1, 13
            xor r0, r1
            mov r1, r0
            rsh r1, 7
            xor r0, r1
            mov r1, r0
            lsh r1, 17
            xor r0, r1
            add r9, -1
            jne r9, 0, loop
            exit
        "
    );
    Workload::new("xorshift", Family::Arithmetic, assembly, |_| {
        let mut state = black_box(SEED);
        for _ in 0..black_box(ITERATIONS) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
        }
        state
    })
}

/// A multiplication in every turn of a short loop.
fn linear_congruential() -> Workload {
    const ITERATIONS: u64 = 800_000;
    const MULTIPLIER: u64 = 0x5851_f42d_4c95_7f2d;
    const INCREMENT: u64 = 0x1405_7b7e_f767_814f;
    let assembly = format!(
        "
        entrypoint:
            lddw r0, {SEED:#x}
            lddw r1, {MULTIPLIER:#x}
            lddw r2, {INCREMENT:#x}
            mov r9, {ITERATIONS}
        loop:
            mul r0, r1
            add r0, r2
            add r9, -1
            jne r9, 0, loop
            exit
        "
    );
    Workload::new("LCG", Family::Arithmetic, assembly, |_| {
        // Known constants would let the compiler do several turns as one.
        let [mut state, multiplier, increment] = black_box([SEED, MULTIPLIER, INCREMENT]);
        for _ in 0..black_box(ITERATIONS) {
            state = state.wrapping_mul(multiplier).wrapping_add(increment);
        }
        state
    })
}

/// Five chains that don't wait for each other: the CPU's width counts, not its latency.
fn five_chains() -> Workload {
    const ITERATIONS: u64 = 400_000;
    let assembly = format!(
        "
        entrypoint:
            mov r1, 1
            mov r2, 2
            mov r3, 3
            mov r4, 4
            mov r5, 5
            mov r9, {ITERATIONS}
        loop:
            add r1, r9
            xor r1, 0x5bd1e995
            mov r0, r2
            lsh r0, 5
            add r2, r0
            mul r3, 0x10dcd
            sub r4, r9
            or r4, 0x100
            mov r0, r5
            rsh r0, 3
            add r5, r0
            add r9, -1
            jne r9, 0, loop
            mov r0, r1
            xor r0, r2
            xor r0, r3
            xor r0, r4
            xor r0, r5
            exit
        "
    );
    Workload::new("five chains", Family::Arithmetic, assembly, |_| {
        let [mut a, mut b, mut c, mut d, mut e] = black_box([1u64, 2, 3, 4, 5]);
        for remaining in (1..=black_box(ITERATIONS)).rev() {
            a = a.wrapping_add(remaining) ^ 0x5bd1_e995;
            b = b.wrapping_add(b << 5);
            c = c.wrapping_mul(0x10dcd);
            d = d.wrapping_sub(remaining) | 0x100;
            e = e.wrapping_add(e >> 3);
        }
        a ^ b ^ c ^ d ^ e
    })
}

/// Products of 128 bits as compilers make them of four of 64: carries go either way, as data has it.
fn wide_product() -> Workload {
    const ITERATIONS: u64 = 50_000;
    const MULTIPLIER: u64 = 0xff51_afd7_ed55_8ccd;
    let assembly = format!(
        "
        entrypoint:
            lddw r0, {SEED:#x}
            mov r9, {ITERATIONS}
        loop:
            lddw r2, {MULTIPLIER:#x}
            mov r3, r0
            lsh r3, 32
            rsh r3, 32
            mov r1, r0
            rsh r1, 32
            mov r4, r2
            lsh r4, 32
            rsh r4, 32
            rsh r2, 32
            mov r5, r3
            mul r5, r4
            mul r3, r2
            mul r4, r1
            mul r1, r2
            add r3, r4
            mov r6, 1
            jlt r3, r4, middle
            mov r6, 0
        middle:
            lsh r6, 32
            add r1, r6
            mov r0, r3
            lsh r0, 32
            add r0, r5
            mov r7, 1
            jlt r0, r5, low
            mov r7, 0
        low:
            rsh r3, 32
            add r1, r3
            add r1, r7
            xor r0, r1
            add r0, r9
            add r9, -1
            jne r9, 0, loop
            exit
        "
    );
    Workload::new("wide product", Family::Arithmetic, assembly, |_| {
        let [mut state, multiplier] = black_box([SEED, MULTIPLIER]);
        let halves = |value: u64| [value & u64::from(u32::MAX), value >> 32];
        for remaining in (1..=black_box(ITERATIONS)).rev() {
            let [[low, high], [right_low, right_high]] = [state, multiplier].map(halves);
            let (middle, carry) = (low * right_high).overflowing_add(high * right_low);
            let (product, low_carry) = (low * right_low).overflowing_add(middle << 32);
            let upper = (high * right_high)
                .wrapping_add(middle >> 32)
                .wrapping_add(u64::from(carry) << 32)
                .wrapping_add(u64::from(low_carry));
            state = (product ^ upper).wrapping_add(remaining);
        }
        state
    })
}
