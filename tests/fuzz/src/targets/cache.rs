//! Stored code that was damaged: it is noticed, told, and never run.

use {
    super::choices::{self, Choices},
    crate::{
        Divergence, Observation, Target,
        common::{Case, TestContext, surroundings::random_case},
    },
    rand::{Rng, RngCore},
    sbpf_cranelift::{Cache, CodeOrigin, CompileOptions, CompiledProgram},
    solana_sbpf::{elf::Executable, program::SBPFVersion},
    std::{cell::RefCell, fs, ops::Range, path::PathBuf},
    tempfile::TempDir,
};

pub(super) const TARGET: Target = Target {
    name: "cache",
    about: "files of the cache, truncated, flipped and spliced",
    unit: 4,
    seeds: || choices::seeds(64),
    dictionary: Vec::new,
    longest: 256,
    share: 10,
    run,
};

/// Where the hash is in a file (`src/cache/file.rs`).
const HASH: Range<usize> = 48..64;

/// Programs with stored code.
const PROGRAMS: u64 = 4;

/// Stored programs, as they were written.
struct Stored {
    directory: TempDir,
    programs: Vec<(Executable<TestContext>, PathBuf, Vec<u8>)>,
}

thread_local! {
    /// Each thread has a directory of its own.
    static STORED: RefCell<Option<Stored>> = const { RefCell::new(None) };
}

impl Stored {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("there is room");
        let mut programs: Vec<(Executable<TestContext>, PathBuf, Vec<u8>)> = Vec::new();
        for seed in 0..PROGRAMS {
            let case: Case = random_case(SBPFVersion::V3, 500 + seed);
            let executable = case.program.load(&case.config, &[]).expect("it loads");
            let compiled = CompiledProgram::compile_with(&executable, &options(&directory).0);
            drop(compiled.expect("it compiles"));
            let files = fs::read_dir(directory.path()).expect("it is ours");
            let path = files
                .map(|file| file.expect("it is ours").path())
                .find(|path| programs.iter().all(|(_, known, _)| known != path))
                .expect("the program was stored");
            let bytes = fs::read(&path).expect("it is ours");
            let mut rehashed = bytes.clone();
            rehash(&mut rehashed);
            assert!(rehashed == bytes, "a right hash stays as it is");
            programs.push((executable, path, bytes));
        }
        Self {
            directory,
            programs,
        }
    }

    fn test(&self, input: &[u8]) -> Result<Observation, Divergence> {
        let random = &mut Choices::new(input);
        let (executable, path, whole) = &self.programs[random.random_range(0..PROGRAMS as usize)];
        let other = &self.programs[random.random_range(0..PROGRAMS as usize)].2;
        let mut damaged = damage(whole.clone(), other, random);
        let is_whole = damaged == *whole;
        let is_forged = !is_whole && random.random_range(0..3) == 0;
        if is_forged {
            rehash(&mut damaged);
        }
        fs::write(path, damaged).expect("it is ours");

        let (options, cache) = options(&self.directory);
        let compiled = CompiledProgram::compile_with(executable, &options)
            .map_err(|error| Divergence(format!("damage made compiling fail: {error}")))?;
        let statistics = cache.statistics();
        if is_forged {
            fs::write(path, whole).expect("it is ours");
            return Ok(observe(&statistics.problems));
        }
        let left = fs::read(path).map_err(|error| Divergence(format!("lost: {error}")))?;
        let told = (compiled.origin(), statistics.rejected, statistics.stored);
        let expected = match is_whole {
            true => (CodeOrigin::Directory, 0, 0),
            false => (CodeOrigin::Compiled, 1, 1),
        };
        if told != expected || left != *whole {
            fs::write(path, whole).expect("it is ours");
            return Err(Divergence(format!(
                "damaged file of {} bytes: {told:?} instead of {expected:?}, {} replaced",
                whole.len(),
                if left == *whole { "and" } else { "not" },
            )));
        }
        Ok(observe(&statistics.problems))
    }
}

/// What the cache complained about.
fn observe(problems: &[String]) -> Observation {
    let mut observation = Observation {
        ran: true,
        ..Observation::default()
    };
    for problem in problems {
        // Behind the path, which is another one each time.
        let what = problem.rsplit(": ").next().unwrap_or_default();
        observation.see(what);
    }
    observation
}

fn options(directory: &TempDir) -> (CompileOptions, Cache) {
    let cache = Cache::in_directory(directory.path());
    let mut options = CompileOptions::default();
    options.cache = cache.clone();
    // A repaired file is that of before.
    options.seed = Some(7);
    (options, cache)
}

/// Up to four damages of a file.
fn damage(mut file: Vec<u8>, other: &[u8], random: &mut dyn RngCore) -> Vec<u8> {
    for _ in 0..=random.random_range(0..4) {
        if file.is_empty() {
            break;
        }
        // The header is where most is decided.
        let at = if random.random() {
            random.random_range(0..file.len().min(256))
        } else {
            random.random_range(0..file.len())
        };
        match random.random_range(0..8) {
            0 => file.truncate(at),
            1 => file[at] ^= 1 << random.random_range(0..8),
            2 => file[at] = random.random(),
            3 => file[at..].iter_mut().take(8).for_each(|byte| *byte = 0xff),
            4 => file[at..].iter_mut().take(8).for_each(|byte| *byte = 0),
            5 => {
                let from = random.random_range(0..other.len());
                file.truncate(at);
                file.extend_from_slice(&other[from..]);
            }
            6 => {
                let tail = file[at..].to_vec();
                file.extend_from_slice(&tail);
            }
            _ => {
                for (byte, theirs) in file[at..]
                    .iter_mut()
                    .zip(&other[at.min(other.len())..])
                    .take(64)
                {
                    *byte = *theirs;
                }
            }
        }
    }
    file
}

/// Puts the right hash into a damaged file, as only the owner of the directory could. What is checked
/// behind the hash then has to refuse the rest or take it; nothing of it is run here.
fn rehash(file: &mut [u8]) {
    if file.len() > HASH.end {
        let mut hasher = twox_hash::XxHash3_128::new();
        hasher.write(&file[..HASH.start]);
        hasher.write(&file[HASH.end..]);
        file[HASH].copy_from_slice(&hasher.finish_128().to_le_bytes());
    }
}

fn run(input: &[u8]) -> Result<Observation, Divergence> {
    STORED.with_borrow_mut(|stored| stored.get_or_insert_with(Stored::new).test(input))
}
