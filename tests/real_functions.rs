//! Functions of deployed programs, each as the first one, on memory full of pointers: what compilers make of
//! programs, on ways that hardly any instruction takes.
//!
//! - `SBPF_TEST_PROGRAMS`: a directory with further programs.
//! - `SBPF_TEST_FUNCTIONS`: how many functions of each program to run.
//! - `SBPF_TEST_SEED`: which ones, and on what.

mod common;

use {
    common::{
        deployed::{deployed_programs, host_case, own_programs},
        engine::LAZILY,
        *,
    },
    rand::{Rng, SeedableRng, seq::SliceRandom},
    rand_chacha::ChaCha8Rng,
    solana_sbpf::ebpf::*,
    std::sync::atomic::Ordering::Relaxed,
};

/// Where the file header has the address of the first instruction.
const ENTRY: std::ops::Range<usize> = 24..32;

/// A word as programs may find it in memory or in a register.
fn word(random: &mut ChaCha8Rng) -> u64 {
    match random.random_range(0..20) {
        0..6 => random.random_range(0..300),
        6..11 => MM_INPUT_START + 8 * random.random_range(0..400),
        11..13 => MM_INPUT_START + random.random_range(0..3000),
        13..15 => MM_HEAP_START + 8 * random.random_range(0..400),
        15 => MM_STACK_START + 8 * random.random_range(0..512),
        16 => MM_BYTECODE_START + random.random_range(0..5000),
        17 => random.random(),
        _ => 0,
    }
}

fn words(random: &mut ChaCha8Rng, length: usize) -> Vec<u8> {
    (0..length / 8)
        .flat_map(|_| word(random).to_le_bytes())
        .collect()
}

/// The memory of a run: the input as one region or cut into several, some of which are changed when they are
/// accessed.
fn with_memory(case: Case, random: &mut ChaCha8Rng) -> Case {
    let heap = RegionSpec::writable(MM_HEAP_START, words(random, 4096));
    let input = words(random, 4096);
    if random.random_bool(0.4) {
        return case.memory(|layout| layout.replacing(heap)).input(input);
    }
    let handler = [Handler::None, Handler::Grow, Handler::Unlock][random.random_range(0..3)];
    let gaps = random.random_bool(0.7);
    case.configure(|config| {
        config.aligned_memory_mapping = false;
        config.enable_stack_frame_gaps = gaps;
    })
    .memory(|layout| {
        let mut layout = layout.replacing(heap).without(MM_INPUT_START);
        let mut rest = &input[..];
        let mut address = MM_INPUT_START;
        while !rest.is_empty() {
            let length = [88, 165, 200, 500, 1000, 4096][random.random_range(0..6)];
            let (contents, behind) = rest.split_at(length.min(rest.len()));
            let region = RegionSpec {
                writable: random.random_bool(0.8),
                ..RegionSpec::writable(address, contents)
            };
            layout = layout.with(region.with_reserve(64).with_payload(0));
            address += contents.len() as u64;
            rest = behind;
        }
        layout.with_spare(pattern(9, 4096)).with_handler(handler)
    })
}

/// The file with another function as its first one.
fn entered_at(elf: &[u8], entry: usize, function: usize) -> Vec<u8> {
    let mut elf = elf.to_vec();
    let address: [u8; 8] = elf[ENTRY].try_into().expect("eight bytes");
    let distance = (function as u64).wrapping_sub(entry as u64);
    let address = u64::from_le_bytes(address).wrapping_add(distance.wrapping_mul(INSN_SIZE as u64));
    elf[ENTRY].copy_from_slice(&address.to_le_bytes());
    elf
}

#[test]
fn any_function_may_be_the_first() {
    let functions = setting("SBPF_TEST_FUNCTIONS", 5) as usize;
    let seed = setting("SBPF_TEST_SEED", 1);
    let mut programs = deployed_programs();
    programs.extend(own_programs());
    for (name, elf) in programs {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ elf.len() as u64);
        let case = host_case(SBPFVersion::V0, &elf);
        let executable = case.program.load(&case.config, &case.extra_syscalls);
        let executable = executable.expect("deployed programs load");
        let entry = executable.get_entrypoint_instruction_offset();
        let registry = executable.get_function_registry();
        let mut starts: Vec<usize> = registry.iter().map(|(_, (_, pc))| pc).collect();
        starts.sort_unstable();
        starts.shuffle(&mut random);
        starts.truncate(functions);
        let mut instructions = 0;
        let mut runs = 0;
        for (number, start) in starts.iter().enumerate() {
            LAZILY.store(number % 8 != 0, Relaxed);
            let case = host_case(SBPFVersion::V0, &entered_at(&elf, entry, *start));
            let case = with_memory(case, &mut random).budget(3000).sweep_up_to(20);
            let mut registers = || (1..10).map(|number| (number, word(&mut random))).collect();
            let variations: Vec<Vec<(usize, u64)>> = (0..8).map(|_| registers()).collect();
            let verdicts = case.check_registers(variations);
            let counts = verdicts.iter();
            instructions += counts
                .map(|verdict| verdict.outcome.instruction_count)
                .sum::<u64>();
            runs += verdicts.len();
        }
        println!(
            "{name}: {runs} runs of {} functions, {instructions} instructions",
            starts.len()
        );
    }
}
