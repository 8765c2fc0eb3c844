//! Checks of memory accesses that hold in later blocks as well.
//!
//! Programs read a structure field by field, and decide in between: the accesses are in different
//! blocks, off one base register. So a group of accesses is **covered** by an earlier one of the same
//! base if all ways to it lead through that check: none of them closes a loop, nothing is called on them,
//! and the register is not written. The check of the earlier group, its **leader**, is widened
//! to the offsets of all that it covers. It leaves behind a host address, which is all that a covered
//! group looks at; it is 0 when the interpreter has run in the meantime, because a handler may have
//! changed the regions.

use {
    crate::{
        accesses::{Accesses, After, Group, Limits},
        cfg::{BlockId, Graph},
        checkpoints::{Charge, calls, reverse_postorder},
        dialect::Dialect,
        function::Analysis,
        inlining,
        loops::Loops,
        units::{Unit, UnitId},
    },
    sbpf_runtime::abi::LIMITS,
    std::collections::{HashMap, HashSet},
};

/// The most leaders whose host addresses are kept at once: each takes a register of the machine.
const MAX_LEADERS: usize = 4;

/// The widest range in a loop: a wider one can't be kept from turn to turn.
const MAX_SPAN_IN_LOOP: i32 = 1 << (LIMITS - 1);

/// A group of accesses of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId {
    /// The block.
    pub block: BlockId,
    /// The number of the group in it.
    pub number: usize,
}

/// How the blocks of a unit access memory.
#[derive(Debug, Default)]
pub struct Sharing {
    plans: HashMap<BlockId, Accesses>,
    leader_of: HashMap<GroupId, GroupId>,
    leaders: HashSet<GroupId>,
    held: HashMap<GroupId, Vec<GroupId>>,
}

/// A check that holds at some place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holding {
    base: u8,
    leader: GroupId,
}

/// The loops of a unit, and the checks of its accesses; `charge` is what its blocks have to do about
/// the meter.
pub fn memory_plan(
    analysis: &Analysis<'_>,
    unit: UnitId,
    charge: impl Fn(BlockId) -> Option<Charge>,
) -> (Loops, Sharing) {
    let unit = analysis.units.unit(unit);
    let loops = Loops::find(&analysis.graph, unit);
    let after = |block| {
        let charge = charge(block);
        After {
            live: analysis.liveness.before_terminator(&analysis.graph, block),
            frame_follows: charge.is_none_or(|charge| charge.frame_follows),
            frame_changes: charge.is_none_or(|charge| charge.frame_changes),
        }
    };
    let dialect = &analysis.program.dialect;
    let sharing = Sharing::plan(&analysis.graph, unit, dialect, &loops, after);
    (loops, sharing)
}

impl Sharing {
    /// Plans the checks of a unit; `after` tells what is needed before a block's terminator.
    pub fn plan(
        graph: &Graph,
        unit: &Unit,
        dialect: &Dialect,
        loops: &Loops,
        after: impl Fn(BlockId) -> After,
    ) -> Self {
        let plans = unit.blocks.iter().map(|block| {
            (
                *block,
                Accesses::plan(graph, *block, dialect, after(*block)),
            )
        });
        let mut sharing = Self {
            plans: plans.collect(),
            ..Self::default()
        };
        let predecessors = predecessors(graph, unit);
        let limits = Limits::of(dialect);
        let mut at_end: HashMap<BlockId, Vec<Holding>> = HashMap::new();
        for block in reverse_postorder(graph, unit) {
            let ways = predecessors.get(&block).map_or(&[][..], Vec::as_slice);
            let holding = holding_on_all(ways, &at_end);
            // What a leader in a loop covers is in that loop, or behind it.
            let limits = |leader: GroupId| match loops.around(leader.block) {
                Some(_) => Limits {
                    max_span: MAX_SPAN_IN_LOOP,
                    ..limits
                },
                None => limits,
            };
            let mut holding = sharing.share(graph, block, holding, limits);
            if calls(graph, block) {
                holding.clear();
            }
            at_end.insert(block, holding);
        }
        sharing
    }

    /// The accesses of a block of the unit.
    pub fn of(&self, block: BlockId) -> Option<&Accesses> {
        self.plans.get(&block)
    }

    /// A group of the unit.
    pub fn group(&self, id: GroupId) -> Option<&Group> {
        self.of(id.block)?.groups.get(id.number)
    }

    /// The group whose check covers this one.
    pub fn leader(&self, id: GroupId) -> Option<GroupId> {
        self.leader_of.get(&id).copied()
    }

    /// Whether the group covers another one.
    pub fn is_leader(&self, id: GroupId) -> bool {
        self.leaders.contains(&id)
    }

    /// All groups that cover another one, in order.
    pub fn leaders(&self) -> Vec<GroupId> {
        let mut leaders: Vec<GroupId> = self.leaders.iter().copied().collect();
        leaders.sort_unstable();
        leaders
    }

    /// The leaders whose host addresses are kept at the check of a group.
    pub fn held(&self, id: GroupId) -> impl Iterator<Item = GroupId> {
        let held = self.held.get(&id).into_iter().flatten();
        held.copied().filter(|leader| self.is_leader(*leader))
    }

    /// Goes through a block with the checks that hold at its start. Returns those at its end.
    fn share(
        &mut self,
        graph: &Graph,
        block: BlockId,
        mut holding: Vec<Holding>,
        limits: impl Fn(GroupId) -> Limits,
    ) -> Vec<Holding> {
        let firsts: Vec<(usize, u8)> = self
            .of(block)
            .map(|plan| plan.groups.iter())
            .into_iter()
            .flatten()
            .map(|group| (group.first, group.base))
            .collect();
        let mut next = 0;
        for (index, (_, insn)) in graph.insns(block).enumerate() {
            while let Some((_, base)) = firsts.get(next).filter(|(first, _)| *first == index) {
                let id = GroupId {
                    block,
                    number: next,
                };
                // Several, where a program has what it compares at constant offsets from one register.
                let is_covered = holding
                    .iter()
                    .rev()
                    .filter(|held| held.base == *base)
                    .any(|held| self.cover(held.leader, id, limits(held.leader)));
                if !is_covered {
                    if holding.len() == MAX_LEADERS {
                        holding.remove(0);
                    }
                    holding.push(Holding {
                        base: *base,
                        leader: id,
                    });
                }
                let held = holding.iter().map(|held| held.leader).collect();
                self.held.insert(id, held);
                next += 1;
            }
            let written = insn.writes();
            holding.retain(|held| !written.contains(held.base));
        }
        if let Some(callee) = graph.inlined(block) {
            let changed = inlining::changes(graph, callee);
            holding.retain(|held| !changed.contains(held.base));
        }
        holding
    }

    /// Lets `leader` cover a group, if the range does not become too wide.
    ///
    /// One that reads does not come to write: where the group is not executed, a range that may only
    /// be read would fail the check for nothing.
    fn cover(&mut self, leader: GroupId, id: GroupId, limits: Limits) -> bool {
        let Some(group) = self.group(id).cloned() else {
            return false;
        };
        let plan = self.plans.get_mut(&leader.block);
        let Some(wider) = plan.and_then(|plan| plan.groups.get_mut(leader.number)) else {
            return false;
        };
        if group.store && !wider.store {
            return false;
        }
        let low = wider.low.min(group.low);
        let end = wider.end().max(group.end());
        if !limits.admit(low, end) {
            return false;
        }
        wider.low = low;
        wider.span = (end - low) as u32;
        self.leader_of.insert(id, leader);
        self.leaders.insert(leader);
        true
    }
}

/// Where each block of a unit is entered from within; nothing holds at the unit's entry.
fn predecessors(graph: &Graph, unit: &Unit) -> HashMap<BlockId, Vec<BlockId>> {
    let mut predecessors: HashMap<BlockId, Vec<BlockId>> = HashMap::new();
    for &block in &unit.blocks {
        for next in graph.block(block).successors() {
            predecessors.entry(next).or_default().push(block);
        }
    }
    predecessors.remove(&unit.entry);
    predecessors
}

/// What holds at the ends of all these blocks; nothing if one has not been gone through.
fn holding_on_all(blocks: &[BlockId], at_end: &HashMap<BlockId, Vec<Holding>>) -> Vec<Holding> {
    let mut ends = blocks.iter().map(|block| at_end.get(block));
    let mut holding = ends.next().flatten().cloned().unwrap_or_default();
    for end in ends {
        holding.retain(|held| end.is_some_and(|end| end.contains(held)));
    }
    holding
}
