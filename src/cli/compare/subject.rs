//! What is compared: a program with everything that its runs start from.

use {
    super::memory::Memory,
    crate::cli::{context::Environment, program::Program},
    std::sync::Arc,
};

/// What a subject stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Loops without memory or calls.
    Arithmetic,
    /// Calls, direct and indirect.
    Calls,
    /// Loads and stores through pointers.
    Memory,
    /// Loads and stores in the program's own stack frame.
    Stack,
    /// Syscalls.
    Syscalls,
    /// Pointers into several regions at once.
    Regions,
    /// Programs that people use, at what they are used for.
    RealPrograms,
    /// The same in the memory of hosts with SIMD-0460, where each account is a region of its own.
    AccountRegions,
    /// Programs named on the command line.
    Given,
}

impl Family {
    /// All families, in the order of reports.
    pub(crate) const ALL: [Self; 9] = [
        Self::Arithmetic,
        Self::Calls,
        Self::Memory,
        Self::Stack,
        Self::Syscalls,
        Self::Regions,
        Self::RealPrograms,
        Self::AccountRegions,
        Self::Given,
    ];

    /// The name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Arithmetic => "arithmetic",
            Self::Calls => "calls",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Syscalls => "syscalls",
            Self::Regions => "regions",
            Self::RealPrograms => "real programs",
            Self::AccountRegions => "account regions",
            Self::Given => "given",
        }
    }

    /// Whether the family is one of small programs made to stress one thing.
    pub(crate) const fn is_made_up(self) -> bool {
        !matches!(
            self,
            Self::RealPrograms | Self::AccountRegions | Self::Given
        )
    }
}

/// The same work in Rust: leaves in memory what the program does and returns its r0.
pub(crate) type Native = fn(&mut Memory) -> u64;

/// A program with everything that its runs start from.
pub(crate) struct Subject {
    /// The name in reports and filters.
    pub(crate) name: String,
    /// What it stands for.
    pub(crate) family: Family,
    /// The program.
    pub(crate) program: Program,
    /// The contents of the input regions, which follow each other from `MM_INPUT_START`.
    pub(crate) inputs: Vec<Vec<u8>>,
    /// Offset of the instruction data in the input, to put its address into r2.
    pub(crate) instruction_data: Option<usize>,
    /// Bytes of heap.
    pub(crate) heap: usize,
    /// Compute units.
    pub(crate) budget: u64,
    /// What the syscalls know.
    pub(crate) environment: Arc<Environment>,
    /// Its twin in Rust, if there is one.
    pub(crate) native: Option<Native>,
}

impl Subject {
    /// Fresh memory for one user of the subject.
    pub(crate) fn memory(&self) -> Memory {
        let config = self.program.executable.get_config();
        Memory::new(&self.inputs, self.heap, config.stack_size())
    }
}
