//! Accounts as regions of their own, as hosts with SIMD-0460 lay them out: a header, its data, the next
//! header, each in host memory of its own.
//!
//! Checks reach over the ends of regions here, and look at the range that they have found last, in whatever
//! run that was.

mod common;

use {
    common::*,
    rand::{Rng, SeedableRng},
    rand_chacha::ChaCha8Rng,
    solana_sbpf::ebpf::*,
};

/// Bytes of an account's header.
const HEADER: u64 = 88;

/// Data of accounts, by length and whether it may be written. A length of zero is no region.
type Accounts = [(usize, bool)];

const LAYOUTS: [&Accounts; 5] = [
    &[(165, true), (165, true), (82, false)],
    &[(165, false), (0, false), (165, true)],
    &[(8, true), (40, true), (165, true), (0, true)],
    &[(0, false)],
    &[(500, true), (16, false)],
];

/// The input as regions, one behind the other, where frames have no gaps.
fn with_accounts(case: Case, accounts: &Accounts, handler: Handler) -> Case {
    with_accounts_and_gaps(case, accounts, handler, false)
}

/// With `gaps` between frames there are no hints: a program's first accesses call back.
fn with_accounts_and_gaps(case: Case, accounts: &Accounts, handler: Handler, gaps: bool) -> Case {
    case.configure(|config| {
        config.aligned_memory_mapping = false;
        config.enable_stack_frame_gaps = gaps;
    })
    .memory(|layout| {
        let mut layout = layout.without(MM_INPUT_START);
        let mut address = MM_INPUT_START;
        for (number, (length, writable)) in accounts.iter().enumerate() {
            let seed = number as u8;
            let header = RegionSpec::writable(address, pattern(seed, HEADER as usize));
            layout = layout.with(header);
            address += HEADER;
            if *length > 0 {
                let data = RegionSpec {
                    writable: *writable,
                    ..RegionSpec::writable(address, pattern(seed + 40, *length))
                };
                layout = layout.with(data.with_reserve(64).with_payload(seed.into()));
            }
            address += *length as u64;
        }
        layout.with_spare(pattern(9, 4096)).with_handler(handler)
    })
}

/// A program that reads and writes fields on both sides of where data begins, off several registers, with
/// decisions in between.
fn fields(random: &mut ChaCha8Rng) -> String {
    let mut text = String::from("entrypoint:\nmov64 r6, r1\nmov64 r9, 5\n");
    let length = random.random_range(6..40);
    for line in 0..length {
        let pointer = [1, 6, 6, 7, 8][random.random_range(0..5)];
        let register = [0, 2, 3, 4, 5][random.random_range(0..5)];
        let near = random.random_range(60..130);
        let far = random.random_range(0..360);
        let offset = if random.random_bool(0.7) { near } else { far };
        let skipped = random.random_range(line..length);
        text += &match random.random_range(0..15) {
            0..5 => format!("ldxdw r{register}, [r{pointer}+{offset}]\n"),
            5 => format!("ldxb r{register}, [r{pointer}+{offset}]\n"),
            6 | 7 => format!("stxw [r{pointer}+{offset}], r{register}\n"),
            8 => format!("stxdw [r{pointer}+{offset}], r{register}\n"),
            9 | 10 => format!("jeq r{register}, {offset}, end\n"),
            11 => format!("jlt r{register}, r9, line_{skipped}\n"),
            12 => format!("add64 r{pointer}, {}\n", offset - 60),
            13 => "call helper\n".to_string(),
            _ => format!("stxdw [r10-{}], r{register}\n", 8 + offset % 64),
        };
        text += &format!("line_{line}:\n");
    }
    text + "end:\nadd64 r0, r2\nadd64 r0, r4\nexit\n\
            helper:\nldxdw r0, [r1+88]\nldxb r3, [r1+8]\nadd64 r0, r3\nexit\n"
}

/// A case of such a program, with pointers to different accounts.
fn case(version: SBPFVersion, text: &str, random: &mut ChaCha8Rng) -> Case {
    Case::assembly(version, text)
        .register(7, MM_INPUT_START + 88 + random.random_range(0..300))
        .register(8, MM_STACK_START + 4096 - random.random_range(0..256))
        .budget(300)
}

/// At every budget, with and without somebody who saves accesses.
#[test]
fn fields_on_both_sides() {
    let mut random = ChaCha8Rng::seed_from_u64(0xacc0);
    let mut ended_well = 0;
    for round in 0..150 {
        let text = fields(&mut random);
        for version in UNALIGNED_VERSIONS {
            let accounts = LAYOUTS[round % LAYOUTS.len()];
            let handler = match round % 3 {
                0 => Handler::Grow,
                1 => Handler::Unlock,
                _ => Handler::None,
            };
            let case = case(version, &text, &mut random);
            for gaps in [false, true] {
                let case = with_accounts_and_gaps(case.clone(), accounts, handler, gaps);
                let verdict = case.check();
                ended_well += u32::from(verdict.outcome.result.starts_with("Ok"));
            }
        }
    }
    assert!(ended_well > 200, "hardly a program ends well: {ended_well}");
}

/// One check for fields in two regions: what it leaves to the second field must not be an address behind the
/// first region.
#[test]
fn a_check_that_reaches_into_the_next_region() {
    let text = "
        entrypoint:
            ldxw r2, [r7+0]
            jeq r2, 77, end
            ldxdw r0, [r7+60]
            jeq r0, 77, end
            stxdw [r7+52], r2
            ldxdw r3, [r7+52]
            add64 r0, r3
        end:
            exit";
    for version in UNALIGNED_VERSIONS {
        for gaps in [false, true] {
            for distance in [20, 36, 40, 84, 206] {
                let case = Case::assembly(version, text).register(7, MM_INPUT_START + distance);
                with_accounts_and_gaps(case, LAYOUTS[0], Handler::None, gaps)
                    .check()
                    .succeeds();
            }
        }
    }
}

/// One compiled program on accounts of other numbers and lengths in each run: what it has learnt of one
/// must not let it into another.
#[test]
fn what_was_learnt_of_other_accounts() {
    let mut random = ChaCha8Rng::seed_from_u64(0x1ea7);
    for round in 0..60 {
        let text = fields(&mut random);
        for version in UNALIGNED_VERSIONS {
            let case = case(version, &text, &mut random);
            let cases =
                LAYOUTS.map(|accounts| with_accounts(case.clone(), accounts, Handler::None));
            let prepared = cases[0].prepare().expect("the program loads");
            for _ in 0..12 {
                let chosen = &cases[random.random_range(0..cases.len())];
                let budget = random.random_range(1..60);
                let [expected, found] = [Engine::Interpreter, Engine::Cranelift]
                    .map(|engine| chosen.outcome(&prepared, engine, budget));
                let difference = report::difference(&expected, &found);
                assert_eq!(difference, None, "round {round}, {version:?}:\n{text}");
            }
        }
    }
}

/// More regions than are remembered, and two of them in turns.
#[test]
fn more_accounts_than_are_remembered() {
    let accounts: Vec<(usize, bool)> = (0..60)
        .map(|number| (8 + number, number % 3 != 0))
        .collect();
    let text = "
        entrypoint:
            mov64 r6, 8000
            mov64 r0, 0
            mov64 r7, r1
        turn:
            ldxb r2, [r7+0]
            add64 r0, r2
            ldxb r2, [r1+0]
            add64 r0, r2
            add64 r7, 1
            sub64 r6, 1
            jne r6, 0, turn
            exit";
    for version in UNALIGNED_VERSIONS {
        with_accounts(Case::assembly(version, text), &accounts, Handler::None)
            .sweep_up_to(0)
            .check()
            .fails_with("AccessViolation");
    }
}
