//! A directory of code.

use {
    super::*,
    sbpf_cranelift::{CacheOptions, CodeOrigin},
    std::{
        fs::{self, File},
        path::{Path, PathBuf},
        time::{Duration, SystemTime},
    },
};

/// The files in a directory, by name.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("there is a directory");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    files.sort();
    files
}

#[test]
fn code_is_found_by_a_later_process() {
    let folder = tempfile::tempdir().expect("there is room");
    // A cache of its own stands for another process: it shares no memory.
    let first = Cache::in_directory(folder.path());
    let executable = load(1);
    let compiled = compile(&executable, &first);
    assert_eq!(compiled.origin(), CodeOrigin::Compiled);
    assert_eq!(first.statistics().stored, 1);
    let second = Cache::in_directory(folder.path());
    let found = compile(&executable, &second);
    assert_eq!(found.origin(), CodeOrigin::Directory);
    assert_eq!(found.machine_code(), compiled.machine_code());
    assert_eq!(found.statistics(), compiled.statistics());
    assert_eq!(compile(&executable, &second).origin(), CodeOrigin::Memory);
    let contents = second.directory_contents().expect("it can be read");
    assert_eq!(contents.files, 1);
    assert_eq!(
        contents.bytes,
        files(folder.path())[0]
            .metadata()
            .expect("it is there")
            .len()
    );
    assert_runs(1, executable, found);
    assert_eq!(
        second.clear_directory().expect("it can be written"),
        contents
    );
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[test]
fn each_program_has_its_own_file() {
    let folder = tempfile::tempdir().expect("there is room");
    for value in 0..3 {
        let executable = load(value);
        let compiled = compile(&executable, &Cache::in_directory(folder.path()));
        assert_eq!(compiled.origin(), CodeOrigin::Compiled);
    }
    for value in 0..3 {
        let executable = load(value);
        let compiled = compile(&executable, &Cache::in_directory(folder.path()));
        assert_eq!(compiled.origin(), CodeOrigin::Directory);
        assert_runs(value, executable, compiled);
    }
}

#[test]
fn configurations_have_their_own_files() {
    let folder = tempfile::tempdir().expect("there is room");
    let changes: [fn(&mut Config); 5] = [
        |_| (),
        |config| config.enable_instruction_meter = false,
        |config| config.enable_address_translation = false,
        |config| config.stack_frame_size = 8192,
        |config| config.enable_stack_frame_gaps = false,
    ];
    for origin in [CodeOrigin::Compiled, CodeOrigin::Directory] {
        for change in changes {
            let case = case(1).configure(change);
            let executable = case.program.load(&case.config, &[]).expect("it loads");
            let compiled = compile(&executable, &Cache::in_directory(folder.path()));
            assert_eq!(compiled.origin(), origin);
        }
    }
    // One more syscall has other numbers for those behind it.
    let case = case(1);
    let syscalls = ["one_more".to_string()];
    let executable = case
        .program
        .load(&case.config, &syscalls)
        .expect("it loads");
    let compiled = compile(&executable, &Cache::in_directory(folder.path()));
    assert_eq!(compiled.origin(), CodeOrigin::Compiled);
}

#[test]
fn the_least_used_files_go_first() {
    let folder = tempfile::tempdir().expect("there is room");
    drop(compile(&load(0), &Cache::in_directory(folder.path())));
    let size = files(folder.path())[0]
        .metadata()
        .expect("it is there")
        .len();
    let mut options = CacheOptions::default();
    options.directory = Some(folder.path().to_path_buf());
    options.directory_limit = 3 * size + size / 2;
    let origin = |value| compile(&load(value), &Cache::new(options.clone())).origin();
    let age = |before: &[PathBuf], hours: u64| {
        let now = files(folder.path());
        let new = now
            .iter()
            .find(|file| !before.contains(file))
            .expect("one was written");
        let time = SystemTime::now() - Duration::from_secs(3_600 * hours);
        let file = File::options().write(true).open(new).expect("it is ours");
        file.set_modified(time).expect("it is ours");
        now
    };
    let mut known = age(&[], 4);
    for (value, hours) in [(1, 3), (2, 2)] {
        assert_eq!(origin(value), CodeOrigin::Compiled);
        known = age(&known, hours);
    }
    // 0 is the oldest, but used.
    assert_eq!(origin(0), CodeOrigin::Directory);
    assert_eq!(origin(3), CodeOrigin::Compiled);
    assert_eq!(files(folder.path()).len(), 3);
    assert_eq!([0, 2, 3].map(origin), [CodeOrigin::Directory; 3]);
    assert_eq!(origin(1), CodeOrigin::Compiled);
    assert_eq!(files(folder.path()).len(), 3);
}

#[test]
fn what_is_larger_than_the_limit_is_not_stored() {
    let folder = tempfile::tempdir().expect("there is room");
    let mut options = CacheOptions::default();
    options.directory = Some(folder.path().to_path_buf());
    options.directory_limit = 100;
    let cache = Cache::new(options);
    let executable = load(1);
    let compiled = compile(&executable, &cache);
    assert_eq!(
        (cache.statistics().stored, cache.statistics().not_stored),
        (0, 1)
    );
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    assert_runs(1, executable, compiled);
}

#[test]
fn other_files_are_left_alone() {
    let folder = tempfile::tempdir().expect("there is room");
    let note = folder.path().join("note.txt");
    fs::write(&note, "Dear reader").expect("there is room");
    let cache = Cache::in_directory(folder.path());
    drop(compile(&load(1), &cache));
    assert_eq!(cache.clear_directory().expect("it can be written").files, 1);
    assert_eq!(files(folder.path()), [note]);
}

#[test]
fn a_directory_that_can_not_be_used_is_no_error() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("there is room");
    let executable = load(1);
    for directory in [file.clone(), file.join("below")] {
        let cache = Cache::in_directory(&directory);
        let compiled = compile(&executable, &cache);
        assert_eq!(compiled.origin(), CodeOrigin::Compiled);
        let statistics = cache.statistics();
        assert_eq!((statistics.stored, statistics.not_stored), (0, 1));
        assert!(!statistics.problems.is_empty());
    }
    // One that does not exist is made, with those above it.
    let missing = folder.path().join("some/where");
    assert_eq!(
        Cache::in_directory(&missing)
            .directory_contents()
            .expect("it is empty")
            .files,
        0
    );
    drop(compile(&executable, &Cache::in_directory(&missing)));
    assert_eq!(files(&missing).len(), 1);
}

/// A write that ends halfway, as on a full disk: here at the size that files may have.
#[cfg(all(unix, feature = "cli"))]
#[test]
fn a_full_disk_is_no_error() {
    use std::process::Command;
    if common::alone::is_emulated() {
        return;
    }
    let folder = tempfile::tempdir().expect("there is room");
    let run = |blocks: &str| {
        // Without the signal, what ends the write is an error.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let output = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_sbpf-cranelift")])
            .args([
                "run", "--sample", "memo", "--quiet", "--repeat", "1", "--cache",
            ])
            .arg(folder.path())
            .output();
        let output = output.expect("there is a shell");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        told
    };
    let told = run("8");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.starts_with("warning: cache: "), "{told}");
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    assert_eq!(run("unlimited"), "");
    assert_eq!(files(folder.path()).len(), 1);
}

#[cfg(unix)]
#[test]
fn a_directory_that_can_only_be_read_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("there is room");
    let set = |mode| {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    drop(compile(&load(1), &Cache::in_directory(folder.path())));
    set(0o500);
    let cache = Cache::in_directory(folder.path());
    assert_eq!(compile(&load(1), &cache).origin(), CodeOrigin::Directory);
    let executable = load(2);
    let compiled = compile(&executable, &cache);
    assert_eq!(compiled.origin(), CodeOrigin::Compiled);
    // The superuser can write nevertheless.
    let is_superuser = rustix::process::geteuid().is_root();
    assert_eq!(cache.statistics().not_stored == 1, !is_superuser);
    assert_runs(2, executable, compiled);
    set(0o700);
}

#[cfg(unix)]
#[test]
fn directories_and_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    let folder = tempfile::tempdir().expect("there is room");
    let directory = folder.path().join("cache");
    drop(compile(&load(1), &Cache::in_directory(&directory)));
    assert_eq!(mode(&directory), 0o700);
    let file = &files(&directory)[0];
    assert_eq!(mode(file), 0o600);

    // What others can write is not run.
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    for others in [0o620, 0o602, 0o666] {
        set(file, others);
        let cache = Cache::in_directory(&directory);
        assert_eq!(compile(&load(1), &cache).origin(), CodeOrigin::Compiled);
        assert_eq!(cache.statistics().rejected, 1);
        assert_eq!(mode(file), 0o600, "it was replaced");
    }
    // Where others can write nothing is stored.
    for others in [0o770, 0o707] {
        set(&directory, others);
        let cache = Cache::in_directory(&directory);
        assert_eq!(compile(&load(2), &cache).origin(), CodeOrigin::Compiled);
        assert_eq!(cache.statistics().not_stored, 1);
    }
    set(&directory, 0o700);
    // A link is not followed.
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(file, &elsewhere).expect("it is ours");
    std::os::unix::fs::symlink(&elsewhere, file).expect("there is room");
    let cache = Cache::in_directory(&directory);
    assert_eq!(compile(&load(1), &cache).origin(), CodeOrigin::Compiled);
    assert_eq!(cache.statistics().rejected, 1);
}
