//! One number for all that a fixed set of programs does, the same on every machine.
//!
//! ```text
//! cargo test --release --test digest -- --nocapture
//! ```
//!
//! Random programs of every version and the programs deployed on chain run on the interpreter and
//! as compiled code. Result, error text, instruction count, final pc, meter, what syscalls and
//! handlers saw, regions and memory of every run go into a SHA-256 for each engine. No host
//! address is among them. The two must be equal here, and equal to those of any other machine.
//!
//! - `SBPF_DIGEST_PROGRAMS`: how many random programs of each version take part.
//! - `SBPF_DIGEST_LARGEST`: how many bytes a deployed program may have to take part; all do by
//!   default. Other programs give another digest.
//! - `SBPF_DIGEST_FILE`: a file to write the digest to.

mod common;

use {
    common::{
        deployed::{deployed_programs, host_case, inputs, program_keys, token_inputs},
        engine::Prepared,
        shrink::CAP,
        surroundings::random_case,
        *,
    },
    rand::SeedableRng,
    rand_chacha::ChaCha8Rng,
    sha2::{Digest as _, Sha256},
    std::thread,
};

/// Random programs of each version by default; there are five versions.
const PROGRAMS: u64 = 1_000;

/// Seeds of the random programs count up from here, which is far from those of other tests.
const FIRST_SEED: u64 = 7_000_000;

/// The engines whose outcomes are digested.
const ENGINES: [Engine; 2] = [Engine::Interpreter, Engine::Cranelift];

/// Digests of the same runs on both of [`ENGINES`].
#[derive(Default)]
struct Digests {
    hashes: [Sha256; 2],
    programs: u64,
    runs: u64,
}

impl Digests {
    /// Runs a program on both engines; gives the interpreter's instruction count.
    fn run(&mut self, case: &Case, prepared: &Prepared, budget: u64) -> u64 {
        let mut count = 0;
        for (engine, hash) in ENGINES.into_iter().zip(&mut self.hashes) {
            let outcome = case.outcome(prepared, engine, budget);
            add(hash, &outcome);
            if engine == Engine::Interpreter {
                count = outcome.instruction_count;
            }
        }
        self.runs += 1;
        count
    }

    /// Adds digests to those that there are.
    fn append(&mut self, part: Self) {
        for (hash, part) in self.hashes.iter_mut().zip(part.hashes) {
            hash.update(part.finalize());
        }
        self.programs += part.programs;
        self.runs += part.runs;
    }

    /// The digests as hexadecimal text.
    fn texts(&self) -> [String; 2] {
        self.hashes.clone().map(|hash| {
            let bytes = hash.finalize();
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        })
    }
}

/// Adds everything that was observed of a run.
fn add(hash: &mut Sha256, outcome: &Outcome) {
    let Outcome {
        result,
        value: _, // The result's text tells it.
        panicked,
        instruction_count,
        final_pc,
        call_depth,
        remaining,
        events,
        regions,
        buffers,
    } = outcome;
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    field(result.as_bytes());
    field(&[u8::from(*panicked)]);
    for number in [instruction_count, final_pc, call_depth, remaining] {
        field(&number.to_le_bytes());
    }
    field(format!("{events:?}").as_bytes());
    field(format!("{regions:?}").as_bytes());
    for buffer in buffers {
        field(buffer);
    }
}

/// Random programs of one version, each with enough budget and with half of what it needs.
fn random_programs(version: SBPFVersion, programs: u64) -> Digests {
    let mut digests = Digests::default();
    for seed in FIRST_SEED.. {
        if digests.programs == programs {
            break;
        }
        let case = random_case(version, seed).interpreter_only("two engines are digested");
        let prepared = match case.prepare() {
            Ok(prepared) => prepared,
            // The generator also makes programs that no machine would load.
            Err(error) if error.starts_with("verification failed") => continue,
            Err(error) => panic!("{version:?}, seed {seed}: {error}"),
        };
        let count = digests.run(&case, &prepared, CAP);
        digests.run(&case, &prepared, count / 2);
        digests.programs += 1;
    }
    digests
}

/// A program deployed on chain, with inputs of all kinds.
fn deployed_program(key: &[u8; 32], elf: &[u8]) -> Digests {
    let mut digests = Digests {
        programs: 1,
        ..Digests::default()
    };
    let case = host_case(SBPFVersion::V0, elf).interpreter_only("two engines are digested");
    let prepared = case.prepare().expect("it ran on chain");
    let mut random = ChaCha8Rng::seed_from_u64(elf.len() as u64);
    let mut inputs = inputs(&mut random, key);
    inputs.extend(token_inputs(key));
    for input in inputs {
        let case = case.clone().input(input);
        let count = digests.run(&case, &prepared, case.budget);
        digests.run(&case, &prepared, count / 2);
    }
    digests
}

/// The digests of `programs` random programs of each version and the deployed ones of at most
/// `largest` bytes; each version and each deployed program has its part.
fn digests(programs: u64, largest: u64) -> Digests {
    thread::scope(|scope| {
        let random: Vec<_> = SBPFVersion::ALL
            .iter()
            .map(|version| scope.spawn(move || random_programs(*version, programs)))
            .collect();
        let key = program_keys()[0];
        let deployed = scope.spawn(move || {
            let programs = deployed_programs().into_iter();
            let programs = programs.filter(|(_, elf)| elf.len() as u64 <= largest);
            let digest = |(name, elf): (String, Vec<u8>)| (name, deployed_program(&key, &elf));
            programs.map(digest).collect::<Vec<_>>()
        });
        let finished = "the engines run to the end";
        let mut parts: Vec<(String, Digests)> = random
            .into_iter()
            .zip(SBPFVersion::ALL)
            .map(|(part, version)| (format!("random {version:?}"), part.join().expect(finished)))
            .collect();
        parts.extend(deployed.join().expect(finished));

        let mut all = Digests::default();
        for (name, part) in parts {
            let [interpreter, cranelift] = part.texts();
            println!("{name}: {} runs, {interpreter}", part.runs);
            assert_eq!(interpreter, cranelift, "{name}");
            all.append(part);
        }
        all
    })
}

#[test]
fn compiled_code_and_the_interpreter_have_one_digest() {
    let programs = setting("SBPF_DIGEST_PROGRAMS", PROGRAMS);
    let largest = setting("SBPF_DIGEST_LARGEST", u64::MAX);
    let digests = digests(programs, largest);
    let [interpreter, cranelift] = digests.texts();
    println!("{} programs, {} runs", digests.programs, digests.runs);
    println!("digest of the interpreter: {interpreter}");
    println!("digest of compiled code:   {cranelift}");
    assert_eq!(interpreter, cranelift);
    if largest == u64::MAX {
        assert_eq!(digests.programs, 5 * programs + 10);
    }
    if let Some(path) = std::env::var_os("SBPF_DIGEST_FILE") {
        std::fs::write(path, format!("{cranelift}\n")).expect("the file can be written");
    }
}
