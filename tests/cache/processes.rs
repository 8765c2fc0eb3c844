//! Many processes and threads with one directory, while somebody damages it.

// Other systems' emulators are too slow for this, and deny what is done to open files.
#![cfg(unix)]

use {
    super::{common::alone::ignored_test, directory::files, *},
    rand::{Rng, SeedableRng},
    rand_chacha::ChaCha8Rng,
    sbpf_cranelift::CacheOptions,
    std::{
        env,
        fs::{self, File},
        io::{Seek, SeekFrom, Write},
        path::Path,
        process::Stdio,
        thread,
        time::{Duration, Instant},
    },
};

/// Names the directory for a process that [`worker`] is run in.
const VARIABLE: &str = "SBPF_TEST_SHARED_CACHE";
const PROCESSES: usize = 6;
const THREADS: u64 = 3;
const PROGRAMS: i32 = 8;
const TIME: Duration = Duration::from_secs(3);

#[test]
fn processes_share_a_directory_that_is_damaged() {
    let folder = tempfile::tempdir().expect("there is room");
    let mut workers: Vec<_> = (0..PROCESSES)
        .map(|_| {
            ignored_test("processes::worker")
                .env(VARIABLE, folder.path())
                .stdout(Stdio::piped())
                .spawn()
                .expect("it starts")
        })
        .collect();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    while workers
        .iter_mut()
        .any(|worker| worker.try_wait().expect("it is ours").is_none())
    {
        damage(folder.path(), &mut random);
        thread::sleep(Duration::from_millis(2));
    }
    let mut totals = [0; 3];
    for worker in workers {
        let output = worker.wait_with_output().expect("it is ours");
        assert!(output.status.success());
        let output = String::from_utf8(output.stdout).expect("it is text");
        // Cargo's test runner writes on the same line.
        let (_, line) = output.split_once("counts ").expect("it was printed");
        for (total, count) in totals.iter_mut().zip(line.split_whitespace()) {
            *total += count.parse::<u64>().expect("it is a number");
        }
    }
    let [compiled, found, rejected] = totals;
    println!("{compiled} compiled, {found} found, {rejected} rejected");
    assert!(compiled > 0 && found > 0 && rejected > 0);
}

/// Truncates, changes or removes a file, in place, as nobody should.
fn damage(directory: &Path, random: &mut ChaCha8Rng) {
    let files = files(directory);
    if files.is_empty() {
        return;
    }
    let path = &files[random.random_range(0..files.len())];
    // The file may be gone by now.
    let Ok(mut file) = File::options().write(true).open(path) else {
        return;
    };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let at = random.random_range(0..=length);
    let _ = match random.random_range(0..4) {
        0 => file.set_len(at),
        1 => fs::remove_file(path),
        _ => file
            .seek(SeekFrom::Start(at))
            .and_then(|_| file.write_all(&[random.random()])),
    };
}

#[test]
#[ignore = "a part of the test above"]
fn worker() {
    let Some(directory) = env::var_os(VARIABLE) else {
        return;
    };
    let mut options = CacheOptions::default();
    options.directory = Some(directory.into());
    // Not all programs fit.
    options.directory_limit = 14_000;
    let start = Instant::now();
    let caches: Vec<Cache> = (0..2).map(|_| Cache::new(options.clone())).collect();
    thread::scope(|scope| {
        for seed in 0..THREADS {
            let caches = &caches;
            scope.spawn(move || {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                while start.elapsed() < TIME {
                    let value = random.random_range(0..PROGRAMS);
                    let cache = &caches[random.random_range(0..caches.len())];
                    let executable = load(value);
                    let compiled = compile(&executable, cache);
                    assert_runs(value, executable, compiled);
                }
            });
        }
    });
    let mut totals = [0; 3];
    for cache in caches {
        let statistics = cache.statistics();
        totals[0] += statistics.compiled;
        totals[1] += statistics.directory_hits;
        totals[2] += statistics.rejected;
    }
    println!("counts {} {} {}", totals[0], totals[1], totals[2]);
}
