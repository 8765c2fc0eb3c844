//! Loops that read or copy the input from one end to the other.

use {
    super::{Family, Workload, load, noise, store},
    solana_sbpf::ebpf,
    std::hint::black_box,
};

/// The size of the input: with a copy it fits into the fastest cache, so that engines are measured
/// and not memory.
const LENGTH: usize = 16 << 10;

pub(super) fn workloads() -> Vec<Workload> {
    vec![fnv(), byte_sum(), word_copy(), struct_fields()]
}

/// FNV-1a: one load a turn, on a chain of multiplications.
fn fnv() -> Workload {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x100_0000_01b3;
    const PASSES: u64 = 8;
    let assembly = format!(
        "
        entrypoint:
            lddw r0, {BASIS:#x}
            lddw r5, {PRIME:#x}
            mov r6, r1
            mov r2, r1
            add r2, {LENGTH}
            mov r9, {PASSES}
        pass:
            mov r1, r6
        byte:
            ldxb r3, [r1+0]
            xor r0, r3
            mul r0, r5
            add r1, 1
            jne r1, r2, byte
            add r9, -1
            jne r9, 0, pass
            exit
        "
    );
    Workload::new("FNV-1a", Family::Memory, assembly, |memory| {
        let input = memory.inputs[0].bytes();
        let mut hash = BASIS;
        for _ in 0..black_box(PASSES) {
            for byte in input {
                hash = (hash ^ u64::from(load(byte))).wrapping_mul(PRIME);
            }
        }
        hash
    })
    .with_input(noise(LENGTH, 1))
}

/// The least work around a load.
fn byte_sum() -> Workload {
    const PASSES: u64 = 10;
    let assembly = format!(
        "
        entrypoint:
            mov r0, 0
            mov r6, r1
            mov r2, r1
            add r2, {LENGTH}
            mov r9, {PASSES}
        pass:
            mov r1, r6
        byte:
            ldxb r3, [r1+0]
            add r0, r3
            add r1, 1
            jne r1, r2, byte
            add r9, -1
            jne r9, 0, pass
            exit
        "
    );
    Workload::new("byte sum", Family::Memory, assembly, |memory| {
        let input = memory.inputs[0].bytes();
        let mut sum = 0;
        for _ in 0..black_box(PASSES) {
            for byte in input {
                sum += u64::from(load(byte));
            }
        }
        sum
    })
    .with_input(noise(LENGTH, 2))
}

/// A copy from the input to the heap, eight bytes at a time.
fn word_copy() -> Workload {
    const PASSES: u64 = 32;
    let assembly = format!(
        "
        entrypoint:
            mov r6, r1
            lddw r7, {heap:#x}
            mov r8, r1
            add r8, {LENGTH}
            mov r9, {PASSES}
        pass:
            mov r1, r6
            mov r2, r7
        word:
            ldxdw r3, [r1+0]
            stxdw [r2+0], r3
            add r1, 8
            add r2, 8
            jne r1, r8, word
            add r9, -1
            jne r9, 0, pass
            ldxdw r0, [r2-8]
            exit
        ",
        heap = ebpf::MM_HEAP_START
    );
    Workload::new("u64 copy", Family::Memory, assembly, |memory| {
        let (source, target) = (memory.inputs[0].words_mut(), memory.heap.words_mut());
        for _ in 0..black_box(PASSES) {
            for (from, to) in source.iter().zip(target.iter_mut()) {
                store(to, load(from));
            }
        }
        target[LENGTH / 8 - 1]
    })
    .with_input(noise(LENGTH, 3))
    .with_heap(LENGTH)
}

/// Eight fields read off one pointer: one check may cover them all.
fn struct_fields() -> Workload {
    const PASSES: u64 = 64;
    let assembly = format!(
        "
        entrypoint:
            mov r0, 0
            mov r6, r1
            mov r8, r1
            add r8, {LENGTH}
            mov r9, {PASSES}
        pass:
            mov r1, r6
        fields:
            ldxdw r2, [r1+0]
            add r0, r2
            ldxdw r2, [r1+8]
            xor r0, r2
            ldxdw r2, [r1+16]
            add r0, r2
            ldxdw r2, [r1+24]
            xor r0, r2
            ldxdw r2, [r1+32]
            add r0, r2
            ldxdw r2, [r1+40]
            xor r0, r2
            ldxdw r2, [r1+48]
            add r0, r2
            ldxdw r2, [r1+56]
            xor r0, r2
            add r1, 64
            jne r1, r8, fields
            add r9, -1
            jne r9, 0, pass
            exit
        "
    );
    Workload::new("struct fields", Family::Memory, assembly, |memory| {
        let (records, _) = memory.inputs[0].words_mut().as_chunks::<8>();
        let mut result = 0u64;
        for _ in 0..black_box(PASSES) {
            for record in records {
                for [added, mixed] in record.as_chunks::<2>().0 {
                    result = result.wrapping_add(load(added)) ^ load(mixed);
                }
            }
        }
        result
    })
    .with_input(noise(LENGTH, 4))
}
