//! Random configurations, memory and registers for random programs.

use {
    super::{
        case::Case,
        generator::{Habitat, generate},
        layout::{Handler, Layout, RegionSpec, pattern},
        opcodes::OPERANDS,
    },
    rand::{Rng, RngCore, SeedableRng, seq::IndexedRandom},
    rand_chacha::ChaCha8Rng,
    solana_sbpf::{ebpf::*, program::SBPFVersion, vm::Config},
};

fn pick<T: Copy>(random: &mut dyn RngCore, choices: &[T]) -> T {
    *choices.choose(random).expect("there is a choice")
}

/// The random case of `seed`.
pub fn random_case(version: SBPFVersion, seed: u64) -> Case {
    case_of(version, &mut ChaCha8Rng::seed_from_u64(seed))
}

/// The case that the choices of `random` make.
pub fn case_of(version: SBPFVersion, random: &mut dyn RngCore) -> Case {
    let config = random_config(random, version);
    let layout = random_layout(random, version, &config);
    let mut regions: Vec<(u64, u64)> = layout
        .regions
        .iter()
        .map(|region| (region.address, region.contents.len() as u64))
        .collect();
    regions.push((
        if version.enable_lower_rodata_vaddr() {
            MM_RODATA_START
        } else {
            MM_BYTECODE_START
        },
        64,
    ));
    let habitat = Habitat {
        version,
        regions,
        frame_size: config.stack_frame_size as u64,
    };
    let generated = generate(random, &habitat);

    let mut functions = Vec::new();
    for pc in &generated.functions {
        functions.push((*pc as u32, format!("function_{pc}"), *pc));
    }
    if random.random_range(0..4) == 0 {
        let pc = pick(random, &generated.functions);
        let key = if version.static_syscalls() {
            pc as u32
        } else {
            hash_symbol_name(b"entrypoint")
        };
        functions.retain(|(other, _, _)| *other != key);
        functions.push((key, "entrypoint".to_string(), pc));
    }
    let mut case = Case::raw(version, generated.text, functions);
    case.config = config;
    case.registers.clear();
    case = case.register(1, MM_INPUT_START);
    for register in [0, 2, 3, 4, 5, 6, 7, 8, 9] {
        let value = match random.random_range(0..3) {
            0 => 0,
            1 => pick(random, &OPERANDS),
            _ => pick(random, &habitat.regions).0 + random.random_range(0..100),
        };
        case = case.register(register, value);
    }
    case.layout = Some(layout);
    case
}

fn random_config(random: &mut dyn RngCore, version: SBPFVersion) -> Config {
    let mut config = Config {
        max_call_depth: pick(random, &[1, 2, 3, 5, 10, 20]),
        stack_frame_size: pick(random, &[64, 128, 256, 512, 4096]),
        enable_stack_frame_gaps: random.random(),
        aligned_memory_mapping: random.random_range(0..3) == 0,
        optimize_rodata: random.random(),
        enabled_sbpf_versions: SBPFVersion::V0..=version,
        ..Config::default()
    };
    // No random number of its own: programs stay what they are.
    let hidden = config.enable_stack_frame_gaps != config.optimize_rodata;
    super::mitigate(&mut config, hidden, if hidden { 16 } else { 0 });
    config
}

fn random_layout(random: &mut dyn RngCore, version: SBPFVersion, config: &Config) -> Layout {
    let heap_len = pick(random, &[0, 1, 64, 100, 512, 1024]);
    let mut layout = Layout::bare().with(Layout::stack(config, version));
    if random.random_range(0..10) != 0 {
        layout = layout.with(RegionSpec::writable(MM_HEAP_START, pattern(2, heap_len)));
    }
    let one_per_slot = config.aligned_memory_mapping || version >= SBPFVersion::V4;
    let pieces = if one_per_slot {
        1
    } else {
        random.random_range(1..=4)
    };
    let mut address = MM_INPUT_START;
    for _ in 0..pieces {
        let mut contents = vec![0; pick(random, &[8, 24, 64, 100, 256, 500])];
        random.fill_bytes(&mut contents);
        // Some words are small, edges or pointers.
        for word in contents.chunks_exact_mut(8) {
            let value = match random.random_range(0..4) {
                0 => random.random_range(0..20),
                1 => pick(random, &OPERANDS),
                2 => pick(random, &[MM_INPUT_START, MM_HEAP_START, MM_STACK_START]) + 16,
                _ => continue,
            };
            word.copy_from_slice(&value.to_le_bytes());
        }
        let len = contents.len() as u64;
        let mut region = RegionSpec::writable(address, contents)
            .misaligned(random.random_range(0..4))
            .with_reserve(pick(random, &[0, 0, 40, 300]));
        region.writable = random.random_range(0..5) != 0;
        layout = layout.with(region);
        address += len + pick(random, &[0, 0, 1, 8, 100]);
    }
    let handler = pick(
        random,
        &[
            Handler::None,
            Handler::None,
            Handler::Grow,
            Handler::Unlock,
            Handler::Redirect,
            Handler::Empty,
        ],
    );
    for region in &mut layout.regions {
        if random.random_range(0..3) != 0 {
            region.payload = Some(random.random_range(0..2));
        }
        if random.random_range(0..3) == 0 {
            region.reserve += 128;
        }
    }
    layout
        .with_spare(pattern(7, 8192))
        .with_spare(pattern(8, 96))
        .with_handler(handler)
}
