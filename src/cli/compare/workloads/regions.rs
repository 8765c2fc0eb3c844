//! Pointers into several regions at once: what defeats a cache of the last region.

use {
    super::super::block::Block,
    super::{Family, Workload, load, noise, store},
    solana_sbpf::ebpf,
    std::hint::black_box,
};

pub(super) fn workloads() -> Vec<Workload> {
    let mut workloads = Vec::new();
    workloads.extend(Workload::for_both_versions(mixed));
    workloads.extend(Workload::for_both_versions(rotating));
    workloads.extend([accounts_in_turn(), accounts_end_to_end()]);
    workloads
}

/// A function that takes pointers to its caller's frame, the input and the heap, and uses all of
/// them and its own frame in every turn; each pointer stays in its region.
fn mixed() -> Workload {
    const ITERATIONS: usize = 1024;
    const CALLS: u64 = 24;
    let assembly = format!(
        "
        entrypoint:
            stdw [r10-16], 3
            stdw [r10-8], 5
            mov r6, r1
            mov r7, {CALLS}
            mov r8, 0
        again:
            mov r1, r10
            add r1, -16
            mov r2, r6
            lddw r3, {heap:#x}
            mov r4, {ITERATIONS}
            call function_mix
            ldxdw r1, [r10-8]
            xor r0, r1
            add r8, r0
            add r7, -1
            jne r7, 0, again
            mov r0, r8
            exit
        function_mix:
            stdw [r3+0], 7
            mov r0, 0
        loop:
            ldxdw r5, [r1+0]
            ldxdw r6, [r2+0]
            add r5, r6
            ldxdw r6, [r3+0]
            xor r5, r6
            stxdw [r3+8], r5
            stxdw [r1+8], r5
            stxdw [r10-8], r5
            ldxdw r6, [r10-8]
            add r0, r6
            add r2, 8
            add r3, 8
            add r4, -1
            jne r4, 0, loop
            exit
        ",
        heap = ebpf::MM_HEAP_START
    );
    Workload::new("four regions", Family::Regions, assembly, |memory| {
        let mut frame = [3, 5];
        let mut result = 0u64;
        for _ in 0..black_box(CALLS) {
            let mixed = native_mix(
                &mut frame,
                memory.inputs[0].words_mut(),
                &mut memory.heap.words_mut()[..=ITERATIONS],
            );
            result = result.wrapping_add(mixed ^ load(&frame[1]));
        }
        result
    })
    .with_input(noise(ITERATIONS * 8, 5))
    .with_heap((ITERATIONS + 2) * 8)
}

#[inline(never)]
fn native_mix(callers: &mut [u64; 2], input: &[u64], heap: &mut [u64]) -> u64 {
    let mut own = 0;
    let mut result = 0u64;
    store(&mut heap[0], 7);
    for (index, word) in input.iter().enumerate() {
        let value = load(&callers[0]).wrapping_add(load(word)) ^ load(&heap[index]);
        store(&mut heap[index + 1], value);
        store(&mut callers[1], value);
        store(&mut own, value);
        result = result.wrapping_add(load(&own));
    }
    result
}

/// One load and one store whose pointer is in another region in every turn.
fn rotating() -> Workload {
    const ITERATIONS: u64 = 75_000;
    let assembly = format!(
        "
        entrypoint:
            stdw [r10-16], 3
            stdw [r10-8], 0
            mov r2, r1
            mov r1, r10
            add r1, -16
            lddw r3, {heap:#x}
            stdw [r3+0], 11
            mov r4, {ITERATIONS}
            call function_rotate
            ldxdw r1, [r10-8]
            xor r0, r1
            exit
        function_rotate:
            mov r0, 0
        loop:
            ldxdw r5, [r1+0]
            add r0, r5
            stxdw [r1+8], r0
            mov r5, r1
            mov r1, r2
            mov r2, r3
            mov r3, r5
            add r4, -1
            jne r4, 0, loop
            exit
        ",
        heap = ebpf::MM_HEAP_START
    );
    Workload::new("rotating pointer", Family::Regions, assembly, |memory| {
        let mut frame = [3, 0];
        let heap = first_pair(&mut memory.heap);
        store(&mut heap[0], 11);
        let input = first_pair(&mut memory.inputs[0]);
        native_rotate(&mut frame, input, heap, ITERATIONS) ^ load(&frame[1])
    })
    .with_input(noise(16, 6))
    .with_heap(16)
}

#[inline(never)]
fn native_rotate<'a>(
    mut first: &'a mut [u64; 2],
    mut second: &'a mut [u64; 2],
    mut third: &'a mut [u64; 2],
    iterations: u64,
) -> u64 {
    let mut result = 0u64;
    for _ in 0..iterations {
        result = result.wrapping_add(load(&first[0]));
        store(&mut first[1], result);
        (first, second, third) = (second, third, first);
    }
    result
}

/// The first two words of a block.
fn first_pair(block: &mut Block) -> &mut [u64; 2] {
    &mut block.words_mut().as_chunks_mut().0[0]
}

/// How many accounts a transaction passes, each a region of its own.
const ACCOUNTS: usize = 16;
/// The size of each.
const ACCOUNT_LENGTH: usize = 4096;

/// Sixteen input regions, one after the other in the address space as accounts are.
fn with_accounts(workload: Workload) -> Workload {
    (0..ACCOUNTS).fold(workload, |workload, account| {
        workload.with_input(noise(ACCOUNT_LENGTH, 7 + account as u64))
    })
}

/// One pointer that visits all sixteen regions in turn, with a load and a store in each.
fn accounts_in_turn() -> Workload {
    const PASSES: u64 = 14;
    let assembly = format!(
        "
        entrypoint:
            mov r0, 0
            mov r6, r1
            mov r9, {PASSES}
        pass:
            mov r7, r6
            mov r8, r6
            add r8, {ACCOUNT_LENGTH}
        offset:
            mov r1, r7
            mov r2, {ACCOUNTS}
        account:
            ldxdw r3, [r1+0]
            add r0, r3
            stxdw [r1+8], r0
            add r1, {ACCOUNT_LENGTH}
            add r2, -1
            jne r2, 0, account
            add r7, 16
            jne r7, r8, offset
            add r9, -1
            jne r9, 0, pass
            exit
        "
    );
    with_accounts(Workload::new(
        "16 input regions in turn",
        Family::Regions,
        assembly,
        |memory| {
            let mut result = 0u64;
            for _ in 0..black_box(PASSES) {
                for offset in (0..ACCOUNT_LENGTH / 8).step_by(2) {
                    for account in &mut memory.inputs {
                        let pair = &mut account.words_mut()[offset..offset + 2];
                        result = result.wrapping_add(load(&pair[0]));
                        store(&mut pair[1], result);
                    }
                }
            }
            result
        },
    ))
}

/// One pointer that runs through all sixteen regions as if they were one.
fn accounts_end_to_end() -> Workload {
    const PASSES: u64 = 20;
    let assembly = format!(
        "
        entrypoint:
            mov r0, 0
            mov r6, r1
            mov r8, r1
            add r8, {length}
            mov r9, {PASSES}
        pass:
            mov r1, r6
        word:
            ldxdw r3, [r1+0]
            add r0, r3
            add r1, 8
            jne r1, r8, word
            add r9, -1
            jne r9, 0, pass
            exit
        ",
        length = ACCOUNTS * ACCOUNT_LENGTH
    );
    with_accounts(Workload::new(
        "16 input regions end to end",
        Family::Regions,
        assembly,
        |memory| {
            let mut result = 0u64;
            for _ in 0..black_box(PASSES) {
                for account in &mut memory.inputs {
                    for word in account.words_mut() {
                        result = result.wrapping_add(load(word));
                    }
                }
            }
            result
        },
    ))
}
