//! Loops whose turns can be counted before the first one: copies, sums, fills.
//!
//! Such a loop is one block that branches to itself and only computes, and loads and stores. What its branch
//! compares, and the addresses that it accesses, are sums of registers that stay as they are and of registers
//! that grow by the same constant in every turn. So when the loop is entered it is known how often it will turn,
//! and all that it will access is known to be a few ranges, see [`crate::counted_turns`].

use {
    crate::{
        accesses::{Accesses, After, Group},
        cfg::{BlockId, Graph},
        dialect::Dialect,
        inlining::Growth,
        insn::{Arithmetic, Condition, Insn, Operand, Operation, Width},
    },
    sbpf_runtime::abi::REGISTERS,
    std::collections::HashMap,
};

/// The most instructions of such a loop.
const LONGEST: u32 = 40;

/// What it adds to a program besides its instructions.
const OVERHEAD: u32 = 30;

/// The most ranges that it accesses.
const MAX_RANGES: usize = 4;

/// Log2 of the greatest step of what the branch compares.
const MAX_STEP: u32 = 12;

/// The most by which a register grows, or becomes less, in a turn.
const MAX_STRIDE: u64 = i32::MAX as u64;

/// Registers as they are when a loop is entered, added up, and a constant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// The registers.
    pub(crate) terms: [Option<u8>; 2],
    /// The constant.
    pub(crate) offset: i64,
}

impl Sum {
    /// Nothing.
    pub(crate) const ZERO: Self = Self::constant(0);

    fn of(register: u8) -> Self {
        Self {
            terms: [Some(register), None],
            offset: 0,
        }
    }

    const fn constant(offset: i64) -> Self {
        Self {
            terms: [None; 2],
            offset,
        }
    }

    fn plus(self, other: Self) -> Option<Self> {
        let offset = self.offset.wrapping_add(other.offset);
        let terms = match (self.terms, other.terms) {
            (terms, [None, None]) | ([None, None], terms) => terms,
            ([one, None], [other, None]) => [one, other],
            _ => return None,
        };
        Some(Self { terms, offset })
    }
}

/// A loop whose turns can be counted.
#[derive(Debug)]
pub(crate) struct CountedLoop {
    /// The condition of one more turn, about [`Self::moving`] and [`Self::bound`] in this order.
    pub(crate) condition: Condition,
    /// What changes, as it is behind the first turn.
    pub(crate) moving: Sum,
    /// Log2 of the step by which it changes.
    pub(crate) step: u32,
    /// Whether it becomes less.
    pub(crate) falls: bool,
    /// What it is compared with.
    pub(crate) bound: Sum,
    /// How the block accesses memory.
    pub(crate) accesses: Accesses,
    /// For each group of accesses its base in the first turn, and by how much that grows in each turn: at most
    /// twice 31 bits.
    pub(crate) ranges: Vec<(Sum, i64)>,
}

/// The loops of a program whose turns are counted, by their blocks.
pub(crate) fn choose(graph: &Graph, dialect: &Dialect) -> HashMap<BlockId, CountedLoop> {
    let mut growth = Growth::of(graph);
    let mut chosen = HashMap::new();
    for block in graph.ids() {
        let Some(counted) = find(graph, dialect, block) else {
            continue;
        };
        if !growth.admits(graph.block(block).cost + OVERHEAD) {
            break;
        }
        chosen.insert(block, counted);
    }
    chosen
}

/// The loop that a block is, if its turns can be counted.
fn find(graph: &Graph, dialect: &Dialect, id: BlockId) -> Option<CountedLoop> {
    let block = graph.block(id);
    let [Some(next), Some(target)] = block.successors else {
        return None;
    };
    if target != id || next == id || block.cost > LONGEST || !dialect.translation {
        return None;
    }
    let (_, branch) = graph.terminator(id)?;
    let Operation::Branch {
        condition,
        width: Width::W64,
        source,
        ..
    } = branch.operation
    else {
        return None;
    };
    let accesses = Accesses::plan(graph, id, dialect, After::default());
    let has_checks = dialect.meter || !accesses.groups.is_empty();
    if !has_checks || accesses.groups.len() > MAX_RANGES {
        return None;
    }
    let body = graph.insns(id).filter(|(_, insn)| !insn.ends_block());
    let mut values: [Option<Sum>; REGISTERS] =
        std::array::from_fn(|register| Some(Sum::of(register as u8)));
    let mut bases = vec![None; accesses.groups.len()];
    for (index, (_, insn)) in body.enumerate() {
        let moves = matches!(
            insn.operation,
            Operation::Load { .. } | Operation::Store { .. }
        );
        if !moves && !insn.is_pure() {
            return None;
        }
        if let Some(number) = accesses.group_of[index]
            && let Group { base, first, .. } = accesses.groups[number]
            && first == index
        {
            bases[number] = values[usize::from(base)];
        }
        follow(insn, &mut values);
    }
    let step_of = |sum: Sum| {
        let steps = sum.terms.into_iter().flatten().map(|register| {
            let behind = values[usize::from(register)]?;
            let moves = behind.terms == Sum::of(register).terms;
            (moves && behind.offset.unsigned_abs() <= MAX_STRIDE).then_some(behind.offset)
        });
        steps.sum::<Option<i64>>()
    };
    let left = values[usize::from(branch.destination)]?;
    let right = match source {
        Operand::Register(register) => values[usize::from(register)]?,
        Operand::Immediate(value) => Sum::constant(value),
    };
    let (condition, moving, step, bound) = match (step_of(left)?, step_of(right)?) {
        (step, 0) => (condition, left, step, right),
        (0, step) => (mirrored(condition)?, right, step, left),
        _ => return None,
    };
    let falls = step < 0;
    let is_counted = match condition {
        Condition::NotEqual => true,
        Condition::Below | Condition::Less => !falls,
        Condition::Above | Condition::Greater => falls,
        _ => false,
    };
    let distance = step.unsigned_abs();
    if !is_counted || !distance.is_power_of_two() || distance > 1 << MAX_STEP {
        return None;
    }
    let ranges = bases.into_iter().map(|base| {
        let base = base?;
        Some((base, step_of(base)?))
    });
    Some(CountedLoop {
        condition,
        moving,
        step: distance.trailing_zeros(),
        falls,
        bound,
        ranges: ranges.collect::<Option<_>>()?,
        accesses,
    })
}

/// What an instruction does to the values of registers.
fn follow(insn: &Insn, values: &mut [Option<Sum>; REGISTERS]) {
    use Arithmetic::{Add, Move, Subtract};
    let destination = usize::from(insn.destination);
    let old = values[destination];
    let value = |operand| match operand {
        Operand::Register(register) => values[usize::from(register)],
        Operand::Immediate(value) => Some(Sum::constant(value)),
    };
    let new = match insn.operation {
        Operation::Arithmetic(Move, Width::W64, _, source) => value(source),
        Operation::Arithmetic(Add, Width::W64, _, source) => {
            old.zip(value(source)).and_then(|(old, new)| old.plus(new))
        }
        Operation::Arithmetic(Subtract, Width::W64, _, Operand::Immediate(value)) => {
            let negated = Sum::constant(value.wrapping_neg());
            old.and_then(|old| old.plus(negated))
        }
        _ => None,
    };
    if insn.writes().contains(insn.destination) {
        values[destination] = new;
    }
}

/// The condition with its operands in the other order.
fn mirrored(condition: Condition) -> Option<Condition> {
    Some(match condition {
        Condition::NotEqual => Condition::NotEqual,
        Condition::Below => Condition::Above,
        Condition::Above => Condition::Below,
        Condition::Less => Condition::Greater,
        Condition::Greater => Condition::Less,
        _ => return None,
    })
}
