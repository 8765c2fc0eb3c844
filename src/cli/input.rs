//! What a program is run on: the bytes of its input region, and what its syscalls know.

use {
    super::{
        accounts::{Instruction, SerializedInput},
        context::Environment,
        document::Scenario,
        failure::Failure,
        program::{Program, read_file},
        pubkey::Pubkey,
        sysvars::Sysvars,
    },
    std::path::Path,
};

/// Compute units when none are given: the most a transaction can ask for
/// (`MAX_COMPUTE_UNIT_LIMIT`).
pub(crate) const DEFAULT_BUDGET: u64 = 1_400_000;

/// Bytes of heap when none are given (`HEAP_LENGTH` of `solana-program-entrypoint`).
pub(crate) const DEFAULT_HEAP: u64 = 32 * 1_024;

/// Bytes that the heap and the input may have, each.
pub(crate) const REGION_BYTES_LIMIT: u64 = 256 << 20;

/// The input of a run and where it came from.
pub(crate) struct Input {
    /// Bytes of the input region.
    pub(crate) bytes: Vec<u8>,
    /// The call that they were made from.
    pub(crate) call: Option<(Instruction, SerializedInput)>,
    /// Whether r2 points to the instruction data.
    instruction_data_in_r2: bool,
    /// Cluster state.
    sysvars: Sysvars,
    /// What each account is for.
    pub(crate) labels: Vec<&'static str>,
    /// Compute units, if the document says.
    pub(crate) budget: Option<u64>,
    /// Bytes of heap, if the document says.
    pub(crate) heap: Option<u64>,
}

impl Input {
    /// The bytes of the file `raw`, what the document `accounts` asks for, or nothing.
    ///
    /// # Errors
    /// When a file can't be read or is no such document.
    pub(crate) fn read(raw: Option<&Path>, accounts: Option<&Path>) -> Result<Self, Failure> {
        Ok(match (raw, accounts) {
            (Some(path), _) => Self::raw(read_file(path, REGION_BYTES_LIMIT)?),
            (None, Some(path)) => Self::scenario(Scenario::read(path)?),
            (None, None) => Self::raw(Vec::new()),
        })
    }

    /// Offset of the instruction data, if r2 is to point to it.
    pub(crate) fn instruction_data(&self) -> Option<usize> {
        let call = self.call.as_ref();
        call.filter(|_| self.instruction_data_in_r2)
            .map(|(_, serialized)| serialized.instruction_data)
    }

    /// What the syscalls of `program` know.
    pub(crate) fn environment(&self, program: &Program) -> Environment {
        let call = self.call.as_ref();
        Environment {
            program_id: call
                .map_or_else(Pubkey::default, |(instruction, _)| instruction.program_id),
            sysvars: self.sysvars.clone(),
            missing_syscalls: program.missing_syscalls.clone(),
        }
    }

    /// Bytes without a structure.
    fn raw(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            call: None,
            instruction_data_in_r2: false,
            sysvars: Sysvars::default(),
            labels: Vec::new(),
            budget: None,
            heap: None,
        }
    }

    /// A call, laid out.
    pub(crate) fn call(instruction: Instruction, labels: Vec<&'static str>) -> Self {
        let serialized = instruction.serialize();
        Self {
            call: Some((instruction, serialized.clone())),
            instruction_data_in_r2: true,
            labels,
            ..Self::raw(serialized.bytes)
        }
    }

    /// What a JSON document asks for.
    fn scenario(scenario: Scenario) -> Self {
        Self {
            instruction_data_in_r2: scenario.instruction_data_in_r2,
            sysvars: scenario.sysvars,
            budget: scenario.budget,
            heap: scenario.heap,
            ..Self::call(scenario.instruction, Vec::new())
        }
    }
}
