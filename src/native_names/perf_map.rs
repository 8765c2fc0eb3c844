//! `/tmp/perf-PID.map`: a line with address, size and name for each function.

use {
    super::{complain, symbols::Symbols},
    rustix::fs::{Mode, OFlags},
    sbpf_runtime::code::CodeMemory,
    std::{
        fmt::Write as _,
        fs::File,
        io::{self, Write as _},
        path::PathBuf,
        process,
        sync::{LazyLock, Mutex, PoisonError},
    },
};

/// The file, open since the first program, or why there is none.
static FILE: LazyLock<Result<Mutex<File>, String>> = LazyLock::new(|| {
    let path = PathBuf::from(format!("/tmp/perf-{}.map", process::id()));
    let file = create(&path).map(Mutex::new);
    file.map_err(|error| format!("{}: {error}", path.display()))
});

/// Adds all functions to the file.
pub(super) fn write(symbols: &Symbols, code: &CodeMemory) {
    let start = code.as_ptr().addr();
    let mut lines = String::new();
    for function in &symbols.functions {
        let address = start + function.start as usize;
        // Writing to a string can't fail.
        let _ = writeln!(lines, "{address:x} {:x} {}", function.length, function.name);
    }
    let file = match &*FILE {
        Ok(file) => file,
        Err(problem) => return complain(problem),
    };
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = file.write_all(lines.as_bytes()) {
        complain(&format!("perf map: {error}"));
    }
}

/// A new or emptied file. In a folder that all users share, it must not be somebody's link.
pub(super) fn create(path: &PathBuf) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    Ok(rustix::fs::open(path, flags, mode)?.into())
}
