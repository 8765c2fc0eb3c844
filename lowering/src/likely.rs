//! Which function a `callx` is likely to call.
//!
//! A register that a unit sets in one place only, to the address of a function, most probably still
//! holds it at a `callx`. The address is compared before the direct call is made, so a guess may be
//! wrong: a caller may have passed the register.

use {
    crate::{
        cfg::{BlockId, Graph},
        decode::Program,
        function::Analysis,
        insn::{Arithmetic, Operand, Operation},
        units::{UnitId, Units},
    },
    sbpf_runtime::abi::REGISTERS,
};

impl Analysis<'_> {
    /// For each register of a `callx` in a unit the pc of the function that it is likely to call.
    pub fn likely_callees(&self, unit: UnitId) -> [Option<u32>; REGISTERS] {
        let targets = LikelyTargets::find(self.program, &self.graph, &self.units, unit);
        let start = |likely: Likely| self.graph.block(likely.start).start;
        targets.of_register.map(|likely| likely.map(start))
    }
}

/// A function and the address by which a register names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Likely {
    /// The value of the register.
    pub(crate) address: u64,
    /// Where the function starts.
    pub(crate) start: BlockId,
}

/// The guesses in a unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LikelyTargets {
    of_register: [Option<Likely>; REGISTERS],
}

impl LikelyTargets {
    /// Looks at all instructions of a unit.
    pub(crate) fn find(program: &Program<'_>, graph: &Graph, units: &Units, unit: UnitId) -> Self {
        let mut writes = [0u32; REGISTERS];
        let mut of_register = [None; REGISTERS];
        for &block in &units.unit(unit).blocks {
            for (_, insn) in graph.insns(block) {
                for register in insn.writes().iter() {
                    writes[usize::from(register)] += 1;
                }
                if let Operation::Arithmetic(Arithmetic::Move, _, _, Operand::Immediate(value)) =
                    insn.operation
                {
                    let likely = function_at(program, graph, units, value as u64);
                    of_register[usize::from(insn.destination)] = likely;
                }
            }
        }
        for (likely, writes) in of_register.iter_mut().zip(writes) {
            *likely = likely.filter(|_| writes == 1);
        }
        Self { of_register }
    }

    /// What a register is likely to name.
    pub(crate) fn of(&self, register: u8) -> Option<Likely> {
        self.of_register.get(usize::from(register)).copied()?
    }
}

/// The function at an address, if it is a unit that `callx` may enter.
fn function_at(
    program: &Program<'_>,
    graph: &Graph,
    units: &Units,
    address: u64,
) -> Option<Likely> {
    let offset = address.wrapping_sub(program.text_address);
    let pc = u32::try_from(offset / 8).ok()?;
    let start = graph.block_at(pc).filter(|_| offset.is_multiple_of(8))?;
    let is_expected = graph.indirect_starts.binary_search(&start).is_ok();
    let is_entered = is_expected && units.entered_at(start).is_some();
    is_entered.then_some(Likely { address, start })
}
