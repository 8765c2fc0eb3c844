//! Classic algorithms on arrays in the heap, with data-dependent branches and addresses.

use {
    super::{Family, Workload, load, store},
    solana_sbpf::ebpf,
    std::hint::black_box,
};

pub(super) fn workloads() -> Vec<Workload> {
    vec![sieve(), insertion_sort()]
}

/// The sieve of Eratosthenes, a byte per number: stores at growing strides.
fn sieve() -> Workload {
    const LIMIT: usize = 24 << 10;
    let assembly = format!(
        "
        entrypoint:
            lddw r1, {heap:#x}
            mov r2, r1
            mov r3, r1
            add r3, {LIMIT}
        clear:
            stb [r2+0], 0
            add r2, 1
            jne r2, r3, clear
            mov r0, 0
            mov r4, 2
        candidate:
            mov r2, r1
            add r2, r4
            ldxb r5, [r2+0]
            jne r5, 0, next
            add r0, 1
            mov r5, r4
            mul r5, r4
            jge r5, {LIMIT}, next
            add r5, r1
        multiple:
            stb [r5+0], 1
            add r5, r4
            jlt r5, r3, multiple
        next:
            add r4, 1
            jlt r4, {LIMIT}, candidate
            exit
        ",
        heap = ebpf::MM_HEAP_START
    );
    Workload::new("sieve", Family::Memory, assembly, |memory| {
        let composite = black_box(memory.heap.bytes_mut());
        composite.iter_mut().for_each(|flag| store(flag, 0));
        let mut primes = 0;
        for candidate in 2..LIMIT {
            if load(&composite[candidate]) != 0 {
                continue;
            }
            primes += 1;
            for multiple in (candidate * candidate..LIMIT).step_by(candidate) {
                store(&mut composite[multiple], 1);
            }
        }
        primes
    })
    .with_heap(LIMIT)
}

/// Insertion sort of pseudo-random words: a load, a comparison and a store a turn.
fn insertion_sort() -> Workload {
    const COUNT: usize = 600;
    const SEED: u64 = 0x0123_4567_89ab_cdef;
    const MULTIPLIER: u64 = 0x5851_f42d_4c95_7f2d;
    let assembly = format!(
        "
        entrypoint:
            lddw r1, {heap:#x}
            mov r5, r1
            add r5, {bytes}
            lddw r2, {SEED:#x}
            lddw r3, {MULTIPLIER:#x}
            mov r4, r1
        fill:
            mul r2, r3
            add r2, 1
            stxdw [r4+0], r2
            add r4, 8
            jne r4, r5, fill
            mov r4, r1
            add r4, 8
        element:
            ldxdw r0, [r4+0]
            mov r2, r4
        shift:
            jeq r2, r1, place
            ldxdw r3, [r2-8]
            jle r3, r0, place
            stxdw [r2+0], r3
            add r2, -8
            ja shift
        place:
            stxdw [r2+0], r0
            add r4, 8
            jne r4, r5, element
            mov r0, 0
            mov r4, r1
        fold:
            mul r0, 31
            ldxdw r2, [r4+0]
            add r0, r2
            add r4, 8
            jne r4, r5, fold
            exit
        ",
        heap = ebpf::MM_HEAP_START,
        bytes = COUNT * 8
    );
    Workload::new("insertion sort", Family::Memory, assembly, |memory| {
        let values = black_box(memory.heap.words_mut());
        let mut state = SEED;
        for value in values.iter_mut() {
            state = state.wrapping_mul(MULTIPLIER).wrapping_add(1);
            *value = state;
        }
        for sorted in 1..values.len() {
            let value = values[sorted];
            let mut position = sorted;
            while position > 0 && load(&values[position - 1]) > value {
                values[position] = values[position - 1];
                position -= 1;
            }
            values[position] = value;
        }
        values.iter().fold(0u64, |result, &value| {
            result.wrapping_mul(31).wrapping_add(value)
        })
    })
    .with_heap(COUNT * 8)
}
