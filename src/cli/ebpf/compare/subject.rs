//! What is measured: the workloads, or programs of files.

use {
    super::{
        c::{self, Native},
        workloads::{self, Workload},
    },
    crate::cli::{
        ebpf::maps::{self, Map},
        failure::Failure,
        program::read_program,
    },
    sbpf_cranelift::ebpf::{Options, Program},
    std::path::Path,
};

/// A program with what it runs on.
pub(super) struct Subject {
    /// What it is called.
    pub(super) name: String,
    bytes: Vec<u8>,
    section: Option<String>,
    /// The memory that it starts with.
    pub(super) memory: Vec<u8>,
    /// The maps that it is given.
    pub(super) maps: Vec<Map>,
    /// The same in Rust.
    pub(super) native: Option<fn(&mut [u8]) -> u64>,
    /// The same source, compiled for this machine.
    pub(super) c: Option<Native>,
}

impl Subject {
    /// The program, under these options.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn program(&self, options: &Options) -> Result<Program, Failure> {
        super::super::load(&self.name, &self.bytes, self.section.as_deref(), options)
    }

    /// A program of a file: in C if it is called so, ELF, or plain instructions. `maps` are arguments.
    ///
    /// # Errors
    /// When it can't be loaded, or have these maps.
    pub(super) fn given(
        path: &Path,
        section: Option<&str>,
        memory: &[u8],
        maps: &[String],
    ) -> Result<Self, Failure> {
        let mut subject = Self::of_file(path, section, memory)?;
        if !maps.is_empty() {
            subject.maps = maps::maps(maps, &subject.program(&Options::default())?)?;
            // There is no helper in the native process.
            subject.c = None;
        }
        Ok(subject)
    }

    fn of_file(path: &Path, section: Option<&str>, memory: &[u8]) -> Result<Self, Failure> {
        let name = path.display().to_string();
        if path.extension().is_some_and(|extension| extension == "c") {
            let source = String::from_utf8(read_program(path)?);
            let source = source.map_err(|error| Failure::at(&name, error.to_string()))?;
            return Self::of_c(&name, &source, section, memory);
        }
        let subject = Self {
            bytes: read_program(path)?,
            name,
            section: section.map(str::to_string),
            memory: memory.to_vec(),
            maps: Vec::new(),
            native: None,
            c: None,
        };
        subject.program(&Options::default())?;
        Ok(subject)
    }

    /// A program in C, compiled for both machines.
    ///
    /// # Errors
    /// When no compiler here makes a program of it.
    fn of_c(
        name: &str,
        source: &str,
        section: Option<&str>,
        memory: &[u8],
    ) -> Result<Self, Failure> {
        let bytes = c::compile(source).map_err(|error| Failure::at(name, error))?;
        let mut subject = Self {
            name: name.to_string(),
            bytes,
            section: section.map(str::to_string),
            memory: memory.to_vec(),
            maps: Vec::new(),
            native: None,
            c: None,
        };
        let program = subject.program(&Options::default())?;
        if let Some(function) = program.names().get(&program.entry()) {
            subject.c = Native::compile(source, function);
        }
        Ok(subject)
    }
}

impl From<Workload> for Subject {
    fn from(workload: Workload) -> Self {
        Self {
            name: workload.name.to_string(),
            bytes: workload.text,
            section: None,
            memory: workload.memory,
            maps: Vec::new(),
            native: Some(workload.native),
            c: None,
        }
    }
}

/// All workloads with these words in their names, and why some are left out.
pub(super) fn workloads(filters: &[String]) -> (Vec<Subject>, Vec<String>) {
    let is_wanted = |name: &str| filters.iter().all(|filter| name.contains(filter));
    let workloads = workloads::all().into_iter();
    let workloads = workloads.filter(|workload| is_wanted(workload.name));
    let mut subjects: Vec<Subject> = workloads.map(Subject::from).collect();
    let mut left_out = Vec::new();
    for (name, source, memory) in in_c() {
        if !is_wanted(name) {
            continue;
        }
        match Subject::of_c(name, source, None, &memory) {
            Ok(subject) => subjects.push(subject),
            Err(failure) => left_out.push(failure.to_string()),
        }
    }
    (subjects, left_out)
}

/// Names, sources and memory of workloads in C.
fn in_c() -> [(&'static str, &'static str, Vec<u8>); 4] {
    let words = |words: &[u64]| -> Vec<u8> { words.iter().flat_map(|w| w.to_le_bytes()).collect() };
    let message: Vec<u64> = [7, 11, 128].into_iter().chain(1_000..1_128).collect();
    let packet: Vec<u64> = std::iter::once(750).chain(1..=188).collect();
    let sieve: Vec<u64> = std::iter::once(4_096).chain([0; 512]).collect();
    [
        (
            "arithmetic.c",
            include_str!("../../../../tests/ebpf/programs/arithmetic.c"),
            words(&[100, 7, 3, 5]),
        ),
        (
            "checksum.c",
            include_str!("../../../../tests/ebpf/programs/checksum.c"),
            words(&packet),
        ),
        (
            "sieve.c",
            include_str!("../../../../tests/ebpf/programs/sieve.c"),
            words(&sieve),
        ),
        (
            "siphash.c",
            include_str!("../../../../tests/ebpf/programs/siphash.c"),
            words(&message),
        ),
    ]
}
