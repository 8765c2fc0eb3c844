//! Accesses between syscalls and handlers that move, shrink, grow and lock regions.

use {
    super::{
        choices::{self, Choices},
        differential::compare,
        head::Head,
    },
    crate::{
        Divergence, Observation, Target,
        common::{Case, Handler, Layout, RegionSpec, Size, Text, pattern},
    },
    rand::{Rng, RngCore, seq::IndexedRandom},
    solana_sbpf::{ebpf::*, program::SBPFVersion},
};

pub(super) const TARGET: Target = Target {
    name: "regions",
    about: "regions that move, shrink, grow and are locked while programs use them",
    unit: 1,
    seeds: || choices::seeds(256),
    dictionary: Vec::new,
    longest: 512,
    share: 25,
    run,
};

const HANDLERS: [Handler; 5] = [
    Handler::None,
    Handler::Grow,
    Handler::Unlock,
    Handler::Redirect,
    Handler::Empty,
];

/// Bytes of the first spare buffer; the second is short.
const SPARE: u64 = 4096;

fn run(input: &[u8]) -> Result<Observation, Divergence> {
    let Some((head, choices)) = Head::split(input) else {
        return Ok(Observation::default());
    };
    let version = head.version;
    let random = &mut Choices::new(choices);
    let [frames, flags, ..] = head.more;
    let frame_size = [64, 256, 4096][usize::from(frames) % 3];
    let depth = [1, 2, 5][usize::from(frames >> 2) % 3];
    let (gaps, aligned) = (flags & 1 != 0, flags & 2 != 0);
    let mut case = Case::text(&Text::new(version), &[]).configure(|config| {
        config.stack_frame_size = frame_size;
        config.max_call_depth = depth;
        config.enable_stack_frame_gaps = gaps;
        config.aligned_memory_mapping = aligned;
    });
    let layout = layout(random, &case);
    let places = layout.regions.iter();
    let places: Vec<(u64, u64)> = places
        .map(|region| {
            let has_gaps = region.gap_size != 0;
            let bytes = region.contents.len() as u64;
            (region.address, bytes << u32::from(has_gaps))
        })
        .collect();
    let (text, functions) = program(random, version, &places);
    let functions: Vec<_> = functions
        .into_iter()
        .map(|pc| (pc as u32, format!("function_{pc}"), pc))
        .collect();
    case.program = Case::raw(version, text, functions).program;
    case.layout = Some(layout);
    compare(case, &head)
}

fn pick<T: Copy>(random: &mut dyn RngCore, choices: &[T]) -> T {
    *choices.choose(random).expect("there is a choice")
}

fn layout(random: &mut dyn RngCore, case: &Case) -> Layout {
    let mut stack = Layout::stack(&case.config, case.version);
    if random.random_range(0..6) == 0 {
        stack.contents.truncate(random.random_range(0..300));
    }
    let mut layout = Layout::bare().with(stack);
    let heap = pick(random, &[0, 1, 100, 512, 4096]);
    layout = layout.with(RegionSpec::writable(MM_HEAP_START, pattern(2, heap)));
    let is_aligned = case.config.aligned_memory_mapping || case.version >= SBPFVersion::V4;
    let pieces = if is_aligned {
        1
    } else {
        random.random_range(1..=5)
    };
    let mut address = MM_INPUT_START;
    for seed in 0..pieces {
        let len = pick(random, &[1, 8, 31, 32, 64, 500]);
        let mut region = RegionSpec::writable(address, pattern(seed, len));
        region.writable = random.random_range(0..4) != 0;
        layout = layout.with(region.misaligned(random.random_range(0..8)));
        address += len as u64 + pick(random, &[0, 0, 1, 4, 100]);
    }
    if random.random_range(0..3) == 0 {
        make_strange(random, &mut layout.regions, is_aligned);
    }
    for region in &mut layout.regions {
        region.reserve = pick(random, &[0, 8, 300, 600]);
        region.payload = (random.random_range(0..3) != 0).then_some(random.random_range(0..2));
    }
    layout
        .with_spare(pattern(7, SPARE as usize))
        .with_spare(pattern(8, 60))
        .with_handler(pick(random, &HANDLERS))
}

/// Makes the last region one that no host has today, or puts one behind it.
fn make_strange(random: &mut dyn RngCore, regions: &mut Vec<RegionSpec>, is_aligned: bool) {
    // An aligned mapping has one region in each area of 4 GiB.
    let boundary = 5 << 32;
    let Some(last) = regions.last_mut() else {
        return;
    };
    match random.random_range(0..4) {
        0 => last.gap_size = pick(random, &[8, 64, 256]),
        1 => {
            let below = pick(random, &[1, 8, 31, 64, 100]);
            let len = below + pick(random, &[0, 1, 8, 40, 300]);
            last.address = boundary - below;
            last.contents = pattern(9, len as usize);
        }
        2 => {
            let address = boundary + pick(random, &[0, 1, 8]);
            regions.push(RegionSpec::writable(address, pattern(10, 64)));
        }
        _ if is_aligned => last.address += pick(random, &[1, 64, 4096]),
        _ => {
            let address = u64::MAX - pick(random, &[0, 7, 63, 99]);
            let len = pick(random, &[1, 8, 64, 200]);
            regions.push(RegionSpec::writable(address, pattern(11, len)));
        }
    }
}

/// A program over regions at `places` (starts, and lengths with gaps), with the pcs of its functions.
fn program(
    random: &mut dyn RngCore,
    version: SBPFVersion,
    places: &[(u64, u64)],
) -> (Vec<u8>, Vec<usize>) {
    let mut text = Text::new(version);
    for base in [6, 7, 8] {
        let place = edge(random, places);
        text.constant(base, place);
    }
    statements(random, &mut text, places, true);
    let is_called = random.random();
    let call = text.pc();
    if is_called {
        text.call(0);
        statements(random, &mut text, places, false);
    }
    text.push(ADD64_REG, 0, 9, 0, 0);
    text.exit();
    let mut functions = vec![0];
    if is_called {
        let function = text.pc();
        let mut patch = Text::new(version);
        patch.bytes = text.bytes[..call * INSN_SIZE].to_vec();
        patch.call(function);
        text.bytes[call * INSN_SIZE..][..INSN_SIZE]
            .copy_from_slice(&patch.bytes[call * INSN_SIZE..]);
        statements(random, &mut text, places, true);
        text.exit();
        functions.push(function);
    }
    (text.bytes, functions)
}

fn statements(random: &mut dyn RngCore, text: &mut Text, places: &[(u64, u64)], loops: bool) {
    for _ in 0..random.random_range(2..10) {
        match random.random_range(0..10) {
            0..=4 => access(random, text),
            5 | 6 => change(random, text, places),
            7 if loops => walk(random, text, places),
            8 => {
                let base = pick(random, &[6, 7, 8]);
                let place = edge(random, places);
                text.constant(base, place);
            }
            _ => {
                let base = pick(random, &[6, 7, 8]);
                let step = pick(random, &[1, 8, -8, 32, 300, -300]);
                text.push(ADD64_IMM, base, 0, 0, step);
            }
        }
    }
}

/// An address at or around one of the ends of a region.
fn edge(random: &mut dyn RngCore, places: &[(u64, u64)]) -> u64 {
    let (start, len) = pick(random, places);
    let place = match random.random_range(0..3) {
        0 => start,
        1 => start.wrapping_add(len),
        _ => start.wrapping_add(random.random_range(0..=len)),
    };
    place.wrapping_add_signed(random.random_range(-16..=8))
}

/// Some accesses off the same base, what is read folded into r9.
fn access(random: &mut dyn RngCore, text: &mut Text) {
    let base = pick(random, &[6, 6, 7, 8, 10]);
    for _ in 0..random.random_range(1..5) {
        let offset = match base {
            10 => -random.random_range(1..=64i16),
            _ => random.random_range(-8..40i16),
        };
        let size = pick(random, &Size::ALL);
        match random.random_range(0..4) {
            0 | 1 => {
                text.load(size, 2, base, offset);
                text.push(XOR64_REG, 9, 2, 0, 0);
            }
            2 => drop(text.store(size, base, offset, 9)),
            _ => drop(text.store_immediate(size, base, offset, random.random())),
        }
    }
}

/// A syscall that changes a region, or uses one.
fn change(random: &mut dyn RngCore, text: &mut Text, places: &[(u64, u64)]) {
    let (start, len) = pick(random, places);
    let other = pick(random, places).0;
    let near = len.saturating_add_signed(random.random_range(-40..=40));
    let (name, arguments) = match random.random_range(0..9) {
        0 | 1 => ("sys_resize", vec![start, near]),
        2 => {
            let offset = random.random_range(0..64);
            let room = random.random_range(0..=SPARE - offset);
            ("sys_redirect", vec![start, 0, offset, room])
        }
        3 => ("sys_redirect", vec![start, 1, 0, 60]),
        4 => ("sys_protect", vec![start]),
        5 => ("sys_unprotect", vec![start]),
        6 => ("sys_swap", vec![start, other]),
        7 => ("sys_remap", vec![random.random_range(0..2)]),
        _ => ("sys_sum", vec![edge(random, places), near.min(64)]),
    };
    // Syscalls that fail end the program; most have to go on.
    text.syscall_with(name, &arguments);
}

/// A loop that walks off a region, or back over its start, beside a pointer that stays; with a
/// syscall in it now and then.
fn walk(random: &mut dyn RngCore, text: &mut Text, places: &[(u64, u64)]) {
    let (moving, staying) = (6, 7);
    let place = edge(random, places);
    text.constant(moving, place);
    text.mov(3, random.random_range(1..20));
    // The counter has to survive syscalls.
    text.copy(8, 3);
    let start = text.pc();
    access_at(random, text, moving);
    if random.random() {
        access_at(random, text, staying);
    }
    if random.random_range(0..4) == 0 {
        change(random, text, places);
    }
    let step = pick(random, &[1, 4, 8, 16, -8]);
    text.push(ADD64_IMM, moving, 0, 0, step);
    text.push(ADD64_IMM, 8, 0, 0, -1);
    let distance = start as i64 - text.pc() as i64 - 1;
    text.push(JNE64_IMM, 8, 0, distance as i16, 0);
}

fn access_at(random: &mut dyn RngCore, text: &mut Text, base: u8) {
    let size = pick(random, &Size::ALL);
    let offset = pick(random, &[0, 0, 8, 4, -3]);
    if random.random() {
        text.load(size, 2, base, offset);
        text.push(ADD64_REG, 9, 2, 0, 0);
    } else {
        text.store(size, base, offset, 9);
    }
}
