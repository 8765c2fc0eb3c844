//! Branches over one move, as a choice between two values.
//!
//! sBPF has no instruction that chooses between values, so compilers branch over a move instead: for every
//! carry of a wide sum, every minimum, every default. Which way such a branch goes is often as random as
//! data. Here nothing branches: the move's result is selected, and the meter pays for the move
//! where it was not skipped. Where the values are 1 and 0, what holds is the value.
//!
//! ```text
//!     r8 = r1                    holds = r9 < r6
//!     if r9 < r6 goto t          r8 = select(holds, r1, r2)
//!     r8 = r2                    meter += holds
//! t:  ...                        goto t
//! ```
//!
//! The move is paid for as if it was never skipped, and given back before that, because paying is put off
//! ([`crate::checkpoints`]): often to the block behind several such branches.

use {
    crate::{
        cfg::{BlockId, Graph},
        function::{FunctionCx, Position},
        insn::{Arithmetic, Insn, Operation},
        shifts::constant,
        units::Unit,
    },
    cranelift_codegen::ir::{InstBuilder, types::I64},
    sbpf_runtime::abi::FRAME_POINTER,
};

/// The block that the branch at the end of another one skips, if it is one move; `edges` tells how many
/// ways lead to a block of the unit.
pub(crate) fn skipped_move(
    graph: &Graph,
    unit: &Unit,
    branching: BlockId,
    edges: impl Fn(BlockId) -> Option<u32>,
) -> Option<BlockId> {
    let (_, terminator) = graph.terminator(branching)?;
    let [Some(skipped), Some(target)] = graph.block(branching).successors else {
        return None;
    };
    let block = graph.block(skipped);
    // Behind turns that are counted there are more ways than those of the program.
    let is_skipped = matches!(terminator.operation, Operation::Branch { .. })
        && !graph.counted_loops.contains_key(&branching)
        && skipped != unit.entry
        && skipped != target
        // Lowered right behind the branch, unless another block begins in the middle of one of its instructions.
        && skipped.index() == branching.index() + 1
        && block.cost == 1
        && block.successors == [Some(target), None]
        && edges(skipped) == Some(1)
        && edges(target).is_some();
    (is_skipped && graph.insn(block.start).is_some_and(moves)).then_some(skipped)
}

/// Whether an instruction only gives a register a value that is at hand.
fn moves(insn: &Insn) -> bool {
    let is_move = matches!(insn.operation, Operation::Arithmetic(Arithmetic::Move, ..));
    is_move && insn.destination != FRAME_POINTER
}

impl FunctionCx<'_> {
    /// A branch over the move that is `skipped`.
    pub(crate) fn select(
        &mut self,
        branching: BlockId,
        at: Position,
        branch: &Insn,
        skipped: BlockId,
    ) {
        let graph = &self.analysis.graph;
        let block = graph.block(skipped);
        let (
            Operation::Branch {
                condition,
                width,
                source,
                ..
            },
            Some(insn),
            Some(target),
        ) = (
            branch.operation,
            graph.insn(block.start),
            block.successors[0],
        )
        else {
            unreachable!("`skipped_move` has seen them");
        };
        let holds = self.condition(condition, width, branch.destination, source);
        let kept = self.register(insn.destination);
        self.locate(block.start);
        let position = Position {
            pc: block.start,
            spent: at.spent + 1,
        };
        self.lower_insn(position, insn, None);
        let moved = self.register(insn.destination);
        let number = |value| constant(&self.builder.func.dfg, value);
        let numbers = (number(kept), number(moved));
        let is_skipped = matches!(numbers, (Some(1), Some(0)) | (Some(0), Some(1)))
            .then(|| self.builder.ins().uextend(I64, holds));
        let selected = match (is_skipped, numbers) {
            (None, _) => self.builder.ins().select(holds, kept, moved),
            (Some(number), (Some(1), _)) => number,
            (Some(number), _) => {
                let one = self.constant(1);
                self.builder.ins().bxor(number, one)
            }
        };
        self.set_register(insn.destination, selected);
        if self.analysis.program.dialect.meter {
            let meter = self.meter();
            let meter = match is_skipped {
                Some(number) => self.builder.ins().iadd(meter, number),
                // Less code than to make a number of the condition.
                None => {
                    let one = self.constant(1);
                    let more = self.builder.ins().iadd(meter, one);
                    self.builder.ins().select(holds, more, meter)
                }
            };
            self.set_meter(meter);
        }
        if self.blocks[&branching].charge.settles {
            self.pay(at.spent as u32 + 2);
        }
        self.go_to(target);
        // The edge of the move's own block ends where this one does.
        self.jump_done(target);
    }
}
