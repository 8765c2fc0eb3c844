//! Files that are not what was written.

use {
    super::{directory::files, *},
    sbpf_cranelift::CodeOrigin,
    std::{fs, path::Path},
};

/// Replaces the only file of `directory` by what `damage` makes of it, and sees to it that it is
/// not run, told once, and replaced.
fn assert_is_replaced(directory: &Path, damage: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let executable = load(1);
    let file = &files(directory)[0];
    let whole = fs::read(file).expect("it is ours");
    fs::write(file, damage(whole.clone())).expect("it is ours");
    let cache = Cache::in_directory(directory);
    let compiled = compile(&executable, &cache);
    assert_eq!(compiled.origin(), CodeOrigin::Compiled);
    let statistics = cache.statistics();
    assert_eq!((statistics.rejected, statistics.stored), (1, 1));
    assert_eq!(statistics.problems.len(), 1);
    assert_eq!(fs::read(file).expect("it is ours"), whole);
    drop(compiled);
    let compiled = compile(&executable, &cache);
    assert_eq!(compiled.origin(), CodeOrigin::Directory);
    assert_eq!(cache.statistics().problems.len(), 1);
    assert_runs(1, executable, compiled);
}

#[test]
fn damaged_files_are_replaced() {
    let folder = tempfile::tempdir().expect("there is room");
    let directory = folder.path();
    drop(compile(&load(1), &Cache::in_directory(directory)));
    let length = fs::read(&files(directory)[0]).expect("it is ours").len();
    for at in [0, 1, 8, 16, 100, 191, 192, length / 2, length - 1] {
        assert_is_replaced(directory, |mut file| {
            file.truncate(at);
            file
        });
        assert_is_replaced(directory, |mut file| {
            file[at] ^= 0x10;
            file
        });
    }
    assert_is_replaced(directory, |_| b"#!/bin/sh\nexit\n".to_vec());
    assert_is_replaced(directory, |file| vec![0; file.len()]);
    assert_is_replaced(directory, |file| [file.clone(), file].concat());
}

#[test]
fn another_program_under_this_name_is_not_run() {
    let (folder, other) = (
        tempfile::tempdir().expect("there is room"),
        tempfile::tempdir().expect("there is room"),
    );
    drop(compile(&load(1), &Cache::in_directory(folder.path())));
    drop(compile(&load(2), &Cache::in_directory(other.path())));
    let other = fs::read(&files(other.path())[0]).expect("it is ours");
    assert_is_replaced(folder.path(), |_| other);
}

#[test]
fn a_file_of_another_version_is_not_run() {
    let folder = tempfile::tempdir().expect("there is room");
    drop(compile(&load(1), &Cache::in_directory(folder.path())));
    assert_is_replaced(folder.path(), |mut file| {
        file[8] += 1;
        // As if a later version had written it: with a right hash.
        let mut hasher = twox_hash::XxHash3_128::new();
        hasher.write(&file[..48]);
        hasher.write(&file[64..]);
        file[48..64].copy_from_slice(&hasher.finish_128().to_le_bytes());
        file
    });
}

#[test]
fn something_else_in_place_of_a_file_is_not_run() {
    let folder = tempfile::tempdir().expect("there is room");
    drop(compile(&load(1), &Cache::in_directory(folder.path())));
    let file = files(folder.path()).remove(0);
    fs::remove_file(&file).expect("it is ours");
    fs::create_dir(&file).expect("there is room");
    let cache = Cache::in_directory(folder.path());
    let executable = load(1);
    let compiled = compile(&executable, &cache);
    assert_eq!(compiled.origin(), CodeOrigin::Compiled);
    assert_eq!(cache.statistics().not_stored, 1);
    assert_runs(1, executable, compiled);
}
