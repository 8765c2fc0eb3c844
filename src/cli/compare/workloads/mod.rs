//! Small programs that each stress one thing, as sBPF assembly and as native Rust.
//!
//! Every workload computes the same on every run, whatever the run before left in memory: what it
//! changes it writes before it reads. So it needs no reset between timed runs.
//!
//! The native twin does the same work on the same data. Where a compiler would turn a loop over
//! memory into vector code or a call of `memcpy`, the twin's accesses go through [`load`] and
//! [`store`], which keep them one for one with the program's.

mod arithmetic;
mod blake2;
mod bytes;
mod calls;
mod heap;
mod regions;
mod stack;
mod syscalls;

use {
    super::{
        memory::Memory,
        subject::{Family, Native, Subject},
    },
    crate::cli::{
        context::Environment,
        failure::Failure,
        program::{LoadOptions, Program},
    },
    solana_sbpf::{
        assembler::assemble,
        ebpf,
        program::{BuiltinFunctionDefinition as _, BuiltinProgram, SBPFVersion},
        verifier::RequisiteVerifier,
        vm::Config,
    },
    std::{fmt, ptr, sync::Arc},
    syscalls::Increment,
};

/// More instructions than any workload executes.
const BUDGET: u64 = 1 << 40;

/// One program and its twin.
pub(crate) struct Workload {
    /// The name in reports and filters.
    pub(crate) name: &'static str,
    /// What it stresses.
    pub(crate) family: Family,
    /// The version of sBPF it is assembled for.
    pub(crate) version: SBPFVersion,
    /// The program, for the assembler of `solana-sbpf`.
    pub(crate) assembly: String,
    /// The contents of the input regions, which follow each other from `MM_INPUT_START`.
    pub(crate) inputs: Vec<Vec<u8>>,
    /// The size of the heap.
    pub(crate) heap_length: usize,
    /// The native twin; returns what the program leaves in r0.
    pub(crate) native: Native,
}

impl Workload {
    /// A workload for V0 without input and heap.
    fn new(name: &'static str, family: Family, assembly: String, native: Native) -> Self {
        Self {
            name,
            family,
            version: SBPFVersion::V0,
            assembly,
            inputs: Vec::new(),
            heap_length: 0,
            native,
        }
    }

    /// The same with one more input region.
    fn with_input(mut self, input: Vec<u8>) -> Self {
        self.inputs.push(input);
        self
    }

    /// The same with a heap.
    fn with_heap(mut self, length: usize) -> Self {
        self.heap_length = length;
        self
    }

    /// The same program for V0 and for V3, whose stack frames have no gaps and whose syscalls are
    /// static.
    fn for_both_versions(make: impl Fn() -> Self) -> [Self; 2] {
        let mut newer = make();
        newer.version = SBPFVersion::V3;
        [make(), newer]
    }

    /// The workload assembled and verified.
    ///
    /// # Errors
    /// When that fails, which would be a defect of the workload.
    pub(crate) fn subject(&self) -> Result<Subject, Failure> {
        Ok(Subject {
            name: self.to_string(),
            family: self.family,
            program: assembled(&self.to_string(), &self.assembly, self.version)?,
            inputs: self.inputs.clone(),
            instruction_data: None,
            heap: self.heap_length,
            budget: BUDGET,
            environment: Arc::new(Environment::default()),
            native: Some(self.native),
        })
    }
}

/// Assembles and verifies a program under the default configuration of `solana-sbpf`, with no
/// syscall but the trivial one.
///
/// # Errors
/// When that fails, which would be a defect of the program.
pub(crate) fn assembled(
    name: &str,
    assembly: &str,
    version: SBPFVersion,
) -> Result<Program, Failure> {
    let mut loader = BuiltinProgram::new_loader(Config {
        enabled_sbpf_versions: version..=version,
        ..Config::default()
    });
    Increment::register(&mut loader, Increment::NAME)
        .map_err(|error| Failure::at(name, error.to_string()))?;
    let executable =
        assemble(assembly, Arc::new(loader)).map_err(|error| Failure::at(name, error))?;
    executable
        .verify::<RequisiteVerifier>()
        .map_err(|error| Failure::at(name, error.to_string()))?;
    Ok(Program {
        name: name.to_string(),
        is_assembly: true,
        executable,
        missing_syscalls: Vec::new(),
        bytes: Vec::new(),
        options: LoadOptions::default(),
    })
}

impl fmt::Display for Workload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)?;
        match self.version {
            SBPFVersion::V0 => Ok(()),
            version => write!(formatter, ", {version:?}"),
        }
    }
}

/// Every workload, family by family.
pub(crate) fn all() -> Vec<Workload> {
    let mut workloads = Vec::new();
    workloads.extend(arithmetic::workloads());
    workloads.extend(calls::workloads());
    workloads.extend(bytes::workloads());
    workloads.extend(heap::workloads());
    workloads.extend(blake2::workloads());
    workloads.extend(stack::workloads());
    workloads.extend(syscalls::workloads());
    workloads.extend(regions::workloads());
    workloads.sort_by_key(|workload| {
        Family::ALL
            .iter()
            .position(|&family| family == workload.family)
    });
    workloads
}

/// Reads `place` once, as the program does.
#[inline(always)]
fn load<T: Copy>(place: &T) -> T {
    // SAFETY: a reference is valid for reads.
    unsafe { ptr::read_volatile(place) }
}

/// Writes `place` once, as the program does.
#[inline(always)]
fn store<T: Copy>(place: &mut T, value: T) {
    // SAFETY: an exclusive reference is valid for writes.
    unsafe { ptr::write_volatile(place, value) }
}

/// `length` bytes without a pattern, the same ones for the same `seed`.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// The address that a program uses to call `label` indirectly.
///
/// Wants one statement a line.
fn address_of(label: &str, assembly: &str) -> u64 {
    let mut pc = 0;
    for line in assembly.lines().map(str::trim) {
        match line.strip_suffix(':') {
            Some(name) if name == label => return ebpf::MM_BYTECODE_START + 8 * pc,
            Some(_) => {}
            None if line.is_empty() => {}
            None => pc += if line.starts_with("lddw") { 2 } else { 1 },
        }
    }
    panic!("the assembly has no label {label}");
}
