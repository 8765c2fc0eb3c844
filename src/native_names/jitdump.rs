//! `jit-PID.dump`: functions with their code, in the format that `perf inject --jit` reads.

use {
    super::{complain, perf_map, symbols::Symbols},
    rustix::time::{ClockId, clock_gettime},
    sbpf_runtime::{code::CodeMemory, jitdump::Mark},
    std::{
        fs::File,
        io::{self, Write as _},
        path::PathBuf,
        process,
        sync::{LazyLock, Mutex, PoisonError},
    },
};

/// The first bytes of the file, as a number.
const MAGIC: u32 = 0x4a69_5444;
/// The kind of a record with new code.
const CODE_LOAD: u32 = 0;
/// What ELF calls this machine.
const MACHINE: u32 = if cfg!(target_arch = "aarch64") {
    183
} else {
    62
};

struct Dump {
    file: File,
    /// Functions so far.
    count: u64,
    _mark: Mark,
}

/// The file, open since the first program, or why there is none.
static DUMP: LazyLock<Result<Mutex<Dump>, String>> = LazyLock::new(|| {
    let path = PathBuf::from(format!("jit-{}.dump", process::id()));
    let dump = Dump::create(&path).map(Mutex::new);
    dump.map_err(|error| format!("{}: {error}", path.display()))
});

/// Adds all functions to the file.
pub(super) fn write(symbols: &Symbols, code: &CodeMemory) {
    let dump = match &*DUMP {
        Ok(dump) => dump,
        Err(problem) => return complain(problem),
    };
    let mut dump = dump.lock().unwrap_or_else(PoisonError::into_inner);
    let start = code.as_ptr().addr() as u64;
    let mut records = Vec::new();
    for function in &symbols.functions {
        let range = function.start as usize..(function.start + function.length) as usize;
        let bytes = code.bytes().get(range).unwrap_or_default();
        let address = start + u64::from(function.start);
        dump.record(&mut records, &function.name, address, bytes);
    }
    if let Err(error) = dump.file.write_all(&records) {
        complain(&format!("jitdump: {error}"));
    }
}

impl Dump {
    fn create(path: &PathBuf) -> io::Result<Self> {
        let mut file = perf_map::create(path)?;
        let mut header = Vec::new();
        for half in [MAGIC, 1, 40, MACHINE, 0, process::id()] {
            header.extend(half.to_ne_bytes());
        }
        for word in [now(), 0] {
            header.extend(word.to_ne_bytes());
        }
        file.write_all(&header)?;
        Ok(Self {
            _mark: Mark::new(&file)?,
            file,
            count: 0,
        })
    }

    /// Appends the record of a function to `records`.
    fn record(&mut self, records: &mut Vec<u8>, name: &str, address: u64, code: &[u8]) {
        const HEADER: usize = 56;
        let length = HEADER + name.len() + 1 + code.len();
        for half in [CODE_LOAD, length as u32] {
            records.extend(half.to_ne_bytes());
        }
        records.extend(now().to_ne_bytes());
        for half in [process::id(), process::id()] {
            records.extend(half.to_ne_bytes());
        }
        for word in [address, address, code.len() as u64, self.count] {
            records.extend(word.to_ne_bytes());
        }
        records.extend(name.bytes().chain([0]));
        records.extend(code);
        self.count += 1;
    }
}

/// Nanoseconds of the clock that `perf record -k mono` uses.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
