//! How much work a program makes, known before any of it is done.
//!
//! A hostile program asks for as much code as possible. What would take too long is refused here,
//! within milliseconds, and left to the interpreter.

use crate::{
    cfg::{BlockId, Graph},
    dialect::Dialect,
    error::LoweringError,
    insn::Operation,
};

/// CLIF instructions beyond which a program is refused: the largest programs on Solana make a
/// tenth of it, and it takes some ten seconds.
pub const MAX_EFFORT: u64 = 4_000_000;

/// CLIF instructions for the meter of a block and for going to the next.
const BLOCK: u64 = 10;

/// Refuses a program that would take too long.
///
/// # Errors
/// [`LoweringError::TooMuchCode`]
pub fn check(graph: &Graph, dialect: &Dialect) -> Result<(), LoweringError> {
    let effort = graph
        .ids()
        .map(|block| BLOCK + block_effort(graph, block, dialect))
        .sum();
    if effort > MAX_EFFORT {
        return Err(LoweringError::TooMuchCode {
            effort,
            limit: MAX_EFFORT,
        });
    }
    Ok(())
}

/// CLIF instructions for the instructions of a block, rounded up from what was counted.
fn block_effort(graph: &Graph, block: BlockId, dialect: &Dialect) -> u64 {
    let effort = |operation: Operation| match operation {
        Operation::Arithmetic(..) | Operation::MoveSigned { .. } | Operation::ByteOrder { .. } => 3,
        Operation::Load {
            size,
            base: 10,
            offset,
            ..
        }
        | Operation::Store {
            size,
            base: 10,
            offset,
            ..
        } if dialect.is_in_frame(offset, size) => 2,
        Operation::Load { .. } | Operation::Store { .. } => 29,
        Operation::Atomic { .. } => 45,
        Operation::Divide(..) | Operation::DivideTotally(..) => 10,
        Operation::Jump { .. } | Operation::Branch { .. } => 5,
        Operation::Syscall { .. } if dialect.direct_functions => 50,
        Operation::Call { .. } | Operation::CallAndRaise(_) | Operation::Syscall { .. } => 30,
        Operation::CallRegister { .. } => 150,
        Operation::Exit | Operation::Raise(_) => 10,
    };
    graph
        .insns(block)
        .map(|(_, insn)| effort(insn.operation))
        .sum()
}
