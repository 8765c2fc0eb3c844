//! Loops of one block, whose turns may be counted before the first one: copies, sums, fills, in all
//! directions, with all ends.

mod common;

use {
    common::*,
    rand::{Rng, SeedableRng, seq::IndexedRandom},
    rand_chacha::ChaCha8Rng,
    solana_sbpf::ebpf::*,
};

/// Branches that a loop may end with, of which only some are counted.
const CONDITIONS: [&str; 9] = [
    "jne", "jlt", "jgt", "jslt", "jsgt", "jle", "jge", "jeq", "jset",
];

const STEPS: [i64; 12] = [1, 1, 1, -1, 2, 4, 8, 8, -8, 16, 3, 0];

/// Where what is counted starts: also where it wraps around, with a sign and without.
const STARTS: [u64; 9] = [
    0,
    100,
    MM_INPUT_START,
    u64::MAX - 20,
    u64::MAX - 100,
    i64::MAX as u64 - 20,
    i64::MAX as u64 - 100,
    i64::MIN as u64 + 20,
    i64::MIN as u64 + 100,
];

/// A loop that counts in r3 up to what is in r4, and accesses memory at r1 and r2, or behind these by what is in
/// r5.
struct Loop {
    body: String,
    step: i64,
}

impl Loop {
    fn random(random: &mut ChaCha8Rng) -> Self {
        let step = *STEPS.choose(random).expect("there are some");
        let mut lines = vec![format!("add64 r3, {step}\n")];
        for pointer in [1, 2] {
            let step = *STEPS.choose(random).expect("there are some");
            if random.random_ratio(3, 4) {
                lines.push(format!("add64 r{pointer}, {step}\n"));
            }
        }
        if random.random_ratio(1, 2) {
            let step = *STEPS.choose(random).expect("there are some");
            lines.push(format!("add64 r5, {step}\n"));
        }
        for _ in 0..random.random_range(1..4) {
            let offset = random.random_range(-4..12);
            let size = ["b", "h", "w", "dw"][random.random_range(0..4)];
            let mut base = random.random_range(1..3);
            let mut line = String::new();
            if random.random_ratio(1, 3) {
                line = format!("mov64 r6, r{base}\nadd64 r6, r5\n");
                base = 6;
            }
            line += &match random.random_range(0..3) {
                0 => format!("ldx{size} r0, [r{base}{offset:+}]\nadd64 r9, r0\n"),
                1 => format!("stx{size} [r{base}{offset:+}], r9\n"),
                _ => format!("ldx{size} r8, [r{base}{offset:+}]\nxor64 r9, r8\n"),
            };
            lines.push(line);
        }
        if random.random_ratio(1, 3) {
            lines.push("stxdw [r10-16], r9\nldxb r7, [r10-13]\n".to_string());
        }
        let mut body = String::new();
        while !lines.is_empty() {
            body += &lines.swap_remove(random.random_range(0..lines.len()));
        }
        Self { body, step }
    }

    /// The program: the loop with such a branch, and what shows all registers.
    fn text(&self, branch: &str) -> String {
        let mut text = format!("entrypoint:\nmov64 r9, 7\nagain:\n{}{branch}\n", self.body);
        for register in 1..9 {
            text += &format!("mul64 r9, 3\nadd64 r9, r{register}\n");
        }
        text + "mov64 r0, r9\nexit\n"
    }
}

/// Pointers to where ranges end, and to where there is room.
fn pointer(random: &mut ChaCha8Rng) -> u64 {
    let start = match random.random_range(0..4) {
        0 => MM_INPUT_START,
        1 => MM_HEAP_START,
        2 => MM_STACK_START + 4096 * random.random_range(0..2),
        _ => MM_INPUT_START + 256,
    };
    let offset = match random.random_range(0..3) {
        0 => random.random_range(-8..300),
        1 => 200,
        _ => 40,
    };
    start.wrapping_add(offset as u64)
}

#[test]
fn random_loops() {
    let mut random = ChaCha8Rng::seed_from_u64(0x0c0_0775);
    for _ in 0..300 {
        for version in SBPFVersion::ALL {
            let counted = Loop::random(&mut random);
            let condition = CONDITIONS[random.random_range(0..CONDITIONS.len())];
            let turns = random.random_range(0..45);
            let start = *STARTS.choose(&mut random).expect("there are some");
            let odd = if random.random_ratio(1, 6) { 1 } else { 0 };
            let bound = start
                .wrapping_add((counted.step * turns) as u64)
                .wrapping_add(odd);
            let branch = match random.random_range(0..6) {
                0 => format!("{condition} r4, r3, again"),
                1 => format!("{condition} r3, {}, again", bound as i32),
                _ => format!("{condition} r3, r4, again"),
            };
            // The last version allows nothing else.
            let aligned = *version == SBPFVersion::V4 || random.random();
            let split = random.random();
            Case::assembly(*version, counted.text(&branch))
                .configure(|config| config.aligned_memory_mapping = aligned)
                .memory(|layout| match split && !aligned {
                    true => layout.with(RegionSpec::writable(MM_INPUT_START + 256, pattern(5, 64))),
                    false => layout,
                })
                .register(1, pointer(&mut random))
                .register(2, pointer(&mut random))
                .register(3, start)
                .register(4, bound)
                .register(5, random.random_range(0..20))
                .budget(700)
                .sweep_up_to(120)
                .check();
        }
    }
}

/// All conditions that are counted, with few turns and more, at every budget.
#[test]
fn every_count_at_every_budget() {
    for (condition, step) in [
        ("jne", 1_i64),
        ("jne", -1),
        ("jne", 4),
        ("jlt", 1),
        ("jlt", 8),
        ("jgt", -1),
        ("jgt", -8),
        ("jslt", 1),
        ("jslt", 2),
        ("jsgt", -1),
        ("jsgt", -2),
    ] {
        for turns in [1, 7, 8, 12, 20] {
            // Three more make the last step wrap around.
            for odd in [0, 1, -3] {
                for start in STARTS {
                    let text = format!(
                        "entrypoint:
                        mov64 r0, 0
                        again:
                        ldxb r6, [r1+0]
                        add64 r0, r6
                        stxb [r1+100], r0
                        add64 r1, 1
                        add64 r3, {step}
                        {condition} r3, r4, again
                        add64 r0, r3
                        exit"
                    );
                    let bound = start.wrapping_add((step * turns - odd * step.signum()) as u64);
                    for aligned in [true, false] {
                        Case::assembly(SBPFVersion::V3, text.as_str())
                            .configure(|config| config.aligned_memory_mapping = aligned)
                            .register(3, start)
                            .register(4, bound)
                            .budget(400)
                            .sweep_up_to(if aligned { 150 } else { 0 })
                            .check();
                    }
                }
            }
        }
    }
}

/// Turns of [`walk`].
const TURNS: i64 = 20;

/// Bytes of the region that it goes through.
const LENGTH: i64 = 256;

/// A loop in which r1 goes on by `step` in every turn, before or behind the access `line`.
fn walk(line: &str, step: i64, goes_first: bool) -> String {
    let (before, behind) = if goes_first { (step, 0) } else { (0, step) };
    format!(
        "entrypoint:
        mov64 r3, {TURNS}
        again:
        add64 r1, {before}
        {line}
        add64 r9, r0
        add64 r1, {behind}
        add64 r3, -1
        jne r3, 0, again
        mov64 r0, r9
        exit"
    )
}

/// Runs a walk that begins `first` bytes behind the start of a region, of each kind.
fn check_walk(text: &str, first: i64) {
    for (aligned, writable, metered) in [
        (true, true, true),
        (false, true, true),
        (true, false, true),
        (true, true, false),
    ] {
        let region = match writable {
            true => RegionSpec::writable(MM_INPUT_START, pattern(9, LENGTH as usize)),
            false => RegionSpec::read_only(MM_INPUT_START, pattern(9, LENGTH as usize)),
        };
        Case::assembly(SBPFVersion::V3, text)
            .configure(|config| {
                config.aligned_memory_mapping = aligned;
                config.enable_instruction_meter = metered;
            })
            .memory(|layout| layout.replacing(region))
            .register(1, MM_INPUT_START.wrapping_add_signed(first))
            .sweep_up_to(0)
            .check();
    }
}

/// Ways through a region from one end to the other, and one byte beyond either.
#[test]
fn ends_of_ranges() {
    for step in [1, 2, 8, -1, -2, -8, 0] {
        for (line, bytes) in [
            ("ldxb r0, [r1+0]", 1),
            ("ldxdw r0, [r1+0]", 8),
            ("stxb [r1+0], r3", 1),
            ("stxdw [r1+0], r3", 8),
        ] {
            let way = step * (TURNS - 1);
            let lowest = -way.min(0);
            let highest = LENGTH - way.max(0) - bytes;
            for first in [lowest, highest] {
                for off in [-1, 0, 1] {
                    check_walk(&walk(line, step, false), first + off);
                    check_walk(&walk(line, step, true), first + off - step);
                }
            }
        }
    }
}

/// What a turn with checks has found out about a pointer is not used for another pointer, whose turns were
/// counted.
#[test]
fn accesses_behind_a_loop_in_a_loop() {
    for version in SBPFVersion::ALL {
        for turns in [[3, 3], [3, 20], [20, 3], [20, 20]] {
            for aligned in [true, false] {
                let text = format!(
                    "entrypoint:
                    mov64 r6, 2
                    mov64 r2, {first}
                    outer:
                    mov64 r3, 0
                    again:
                    ldxb r0, [r1+0]
                    add64 r9, r0
                    add64 r3, 1
                    jlt r3, r2, again
                    jset r9, 1, odd
                    odd:
                    ldxb r0, [r1+9]
                    stxb [r7+0], r0
                    add64 r7, 1
                    add64 r9, r0
                    mov64 r1, r5
                    mov64 r2, {second}
                    add64 r6, -1
                    jne r6, 0, outer
                    mov64 r0, r9
                    exit",
                    first = turns[0],
                    second = turns[1],
                );
                Case::assembly(*version, text)
                    .configure(|config| {
                        config.aligned_memory_mapping = aligned || *version == SBPFVersion::V4;
                    })
                    .register(1, MM_INPUT_START + 30)
                    .register(5, MM_HEAP_START + 70)
                    .register(7, MM_HEAP_START)
                    .check()
                    .succeeds();
            }
        }
    }
}

/// Copies within one region, onto themselves.
#[test]
fn overlapping_copies() {
    for version in SBPFVersion::ALL {
        for distance in [-9, -8, -1, 0, 1, 7, 8, 9] {
            for (size, step) in [("b", 1), ("dw", 8), ("dw", -8)] {
                let text = format!(
                    "entrypoint:
                    mov64 r2, r1
                    add64 r2, {distance}
                    mov64 r3, 12
                    again:
                    ldx{size} r0, [r1+0]
                    stx{size} [r2+0], r0
                    add64 r1, {step}
                    add64 r2, {step}
                    add64 r3, -1
                    jne r3, 0, again
                    exit"
                );
                Case::assembly(*version, text)
                    .register(1, MM_INPUT_START + 128)
                    .check()
                    .succeeds();
            }
        }
    }
}

/// The loop stores over what it loads its own bytes from, and what follows is checked anew.
#[test]
fn accesses_behind_a_loop() {
    for version in SBPFVersion::ALL {
        for first in [0, 100, 240, 250, 256] {
            for turns in [3, 9, 30] {
                let text = format!(
                    "entrypoint:
                    mov64 r2, {turns}
                    mov64 r7, r1
                    again:
                    ldxb r0, [r7+0]
                    ldxb r3, [r1+4]
                    add64 r0, r3
                    add64 r2, -1
                    jne r2, 0, again
                    ldxdw r4, [r7+8]
                    stxdw [r7+16], r4
                    add64 r0, r4
                    exit"
                );
                Case::assembly(*version, text)
                    .register(1, MM_INPUT_START + first)
                    .check();
            }
        }
    }
}

/// Steps so long that their product with the turns would be small again.
#[test]
fn steps_across_the_address_space() {
    for version in SBPFVersion::ALL {
        for log2 in [31, 32, 33, 60, 61, 62, 63] {
            for (constant, turns) in [(1_u64 << log2, 9), (1_u64 << log2, 17), (0, 64)] {
                let step = constant.wrapping_sub(u64::from(constant == 0));
                let text = format!(
                    "entrypoint:
                    mov64 r7, {high}
                    lsh64 r7, 32
                    or64 r7, {low}
                    mov64 r3, {turns}
                    mov64 r0, 0
                    again:
                    {constant_again}
                    ldxb r6, [r1+0]
                    add64 r0, r6
                    add64 r1, r7
                    add64 r3, -1
                    jne r3, 0, again
                    exit",
                    high = (step >> 32) as i32,
                    low = step as i32,
                    // Known in the loop only if it is set there.
                    constant_again = match version.disable_lddw() {
                        true => format!("mov64 r7, {}", step as i32),
                        false => format!("lddw r7, {step}"),
                    },
                );
                Case::assembly(*version, text).check();
            }
        }
    }
}
