//! ELF files of real programs with a few bytes changed: loaded, verified, compiled, run.

use {
    super::{
        differential::{compare, refused},
        head::Head,
    },
    crate::{
        Divergence, Observation, Target,
        common::{
            Case,
            deployed::{deployed_programs, host_config},
            engine,
            host_syscalls::imports,
            pattern, upstream,
        },
    },
    solana_sbpf::{program::SBPFVersion, verifier::RequisiteVerifier},
    std::sync::LazyLock,
};

/// Small files, as they come with `solana-sbpf`.
pub(super) const DAMAGED: Target = Target {
    name: "elf",
    about: "small ELF files with bytes changed",
    unit: CHANGE,
    seeds: || seeds(&SMALL),
    dictionary,
    longest: 20 * CHANGE,
    share: 15,
    run: |input| run(&SMALL, input),
};

/// Programs deployed on chain.
pub(super) const REAL: Target = Target {
    name: "deployed",
    about: "ELF files of deployed programs with bytes changed",
    unit: CHANGE,
    seeds: || seeds(&LARGE),
    dictionary,
    longest: 8 * CHANGE,
    share: 10,
    run: |input| run(&LARGE, input),
};

/// Bytes of an input that describe a change: where (4), how (1), what (3).
const CHANGE: usize = 8;

/// Deployed programs that compile in a few milliseconds.
const LARGEST: usize = 110_000;

/// A file with the names of the syscalls it imports.
struct File {
    bytes: Vec<u8>,
    imports: Vec<String>,
}

static SMALL: LazyLock<Vec<File>> = LazyLock::new(|| {
    let directory = upstream::package_directory("solana-sbpf", "0.26.0");
    files(upstream::shared_objects(&directory.join("tests/elfs")))
});

static LARGE: LazyLock<Vec<File>> = LazyLock::new(|| files(deployed_programs()));

fn files(files: Vec<(String, Vec<u8>)>) -> Vec<File> {
    let files = files.into_iter().map(|(_, bytes)| bytes);
    let file = |bytes: Vec<u8>| {
        let mut imports = imports(&bytes);
        for name in ["log", "log_64", "bpf_syscall_string", "bpf_syscall_u64"] {
            imports.push(name.to_string());
        }
        imports.sort();
        imports.dedup();
        File { bytes, imports }
    };
    files
        .filter(|bytes| bytes.len() <= LARGEST)
        .map(file)
        .collect()
}

/// Every file as it is.
fn seeds(files: &[File]) -> Vec<Vec<u8>> {
    let numbers = 0..files.len() as u8;
    let seeds =
        numbers.flat_map(|number| (0..4).map(move |flags| vec![0, 1, 0, number, flags, 0, 0, 0]));
    seeds.collect()
}

/// Fields of the header of an ELF file by their offsets.
const FIELDS: [u8; 13] = [16, 18, 20, 24, 32, 40, 48, 52, 54, 56, 58, 60, 62];

/// Changes of each field of the header.
fn dictionary() -> Vec<Vec<u8>> {
    // What `apply` does: set two bytes to 1, eight to 0, all their bits, add 1.
    let changes = [[1, 1, 0], [3, 0, 0], [4, 0, 0], [6, 1, 0]];
    let fields = FIELDS.iter();
    fields
        .flat_map(|place| {
            changes.map(|[how, what, rest]| vec![*place, 0, 0, 0, how, what, rest, 0])
        })
        .collect()
}

fn run(files: &[File], input: &[u8]) -> Result<Observation, Divergence> {
    let Some((head, changes)) = Head::split(input) else {
        return Ok(Observation::default());
    };
    let [number, flags, input, ..] = head.more;
    let number = usize::from(number) % files.len();
    let mut bytes = files[number].bytes.clone();
    for change in changes.as_chunks::<CHANGE>().0 {
        apply(&mut bytes, *change);
    }
    let mut case = Case::elf(SBPFVersion::V0, bytes)
        .configure(host_config)
        .configure(|config| {
            config.optimize_rodata = flags & 1 != 0;
            config.aligned_memory_mapping = flags & 2 != 0;
            config.max_call_depth = 8;
        })
        .input(pattern(input, 64 + usize::from(input)));
    case.extra_syscalls = files[number].imports.clone();
    let executable = match case.program.load(&case.config, &case.extra_syscalls) {
        Ok(executable) => executable,
        Err(message) => return Ok(refused(&message)),
    };
    case.version = executable.get_sbpf_version();
    if let Err(error) = executable.verify::<RequisiteVerifier>() {
        return match engine::compile(&executable, head.compilation) {
            Err(message) if message.contains("panicked") => Err(Divergence(message)),
            _ => Ok(refused(&error.to_string())),
        };
    }
    let mut observation = compare(case, &head)?;
    observation.see((number, flags & 3));
    Ok(observation)
}

/// Changes a file in one place.
fn apply(bytes: &mut Vec<u8>, change: [u8; CHANGE]) {
    let [p0, p1, p2, p3, how, what @ ..] = change;
    if bytes.is_empty() {
        return;
    }
    let place = u32::from_le_bytes([p0, p1, p2, p3]) as usize;
    // The headers are at the beginning and the end; they decide what the rest is.
    let place = match how >> 6 {
        0 => place % bytes.len().min(0x200),
        1 => bytes.len() - 1 - place % bytes.len().min(0x400),
        2 => (place % bytes.len()) & !7,
        _ => place % bytes.len(),
    };
    let mut set = |values: &[u8]| {
        for (byte, value) in bytes[place..].iter_mut().zip(values) {
            *byte = *value;
        }
    };
    match how & 7 {
        0 => set(&what[..1]),
        1 => set(&what[..2]),
        2 => set(&what),
        3 => set(&[0; 8]),
        4 => set(&[0xff; 8]),
        5 => bytes[place] ^= 1 << (what[0] & 7),
        6 => bytes[place] = bytes[place].wrapping_add(what[0]),
        // Rarely cut off, for little is left to be tested then.
        _ if what[0] < 32 => bytes.truncate(place + 1),
        _ => bytes[place] ^= what[1],
    }
}
