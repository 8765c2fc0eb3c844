//! Turns of a loop without checks, because what they will do was checked before the first one.
//!
//! ```text
//! entry:                                    // in place of the loop
//!   more = (bound - moving) / step          // turns after the first one
//!   if more is few: goto loop
//!   if meter < more * cost + needed: goto loop  // the budget may end in the loop
//!   for each group of accesses:
//!     range = ctx.slots[address >> 32].load
//!     if not all that it will access is inside: goto loop
//!     delta = range.host - range.start
//!   meter -= more * cost + cost
//! turn:
//!   instructions, on memory at base + delta
//!   if condition: goto turn
//!   goto next
//! loop:                                     // with all checks
//!   ...
//! ```
//!
//! Nothing in such turns can fail, and nothing can look at the meter before they are over. Where host addresses
//! are to depend on the checks of their ranges ([`crate::speculation`]), no turns are counted.

use {
    crate::{
        cfg::BlockId,
        counted_loops::{CountedLoop, Sum},
        function::{FunctionCx, Position},
        insn::{Condition, Insn, Operation, Width},
        role::Role,
        sharing::GroupId,
    },
    cranelift_codegen::ir::{
        Block, InstBuilder, Value,
        condcodes::{CondCode, IntCC},
    },
    sbpf_runtime::abi::offset,
};

/// Turns after the first one for which it is worth while to look.
const FEW: i64 = 7;

/// More turns than this are not counted on. With it no product overflows 64 bits: steps have 32 of them.
const MANY: i64 = i32::MAX as i64;

/// How often a loop will turn.
struct Count {
    /// Turns after the first one.
    more: Value,
    /// How far what moves is from what it is compared with.
    distance: Value,
    /// Whether the order of these two matters, and whether they have signs.
    order: Option<IntCC>,
    /// The one that is less, if the loop turns more than once.
    less: Value,
    /// The one that is greater.
    greater: Value,
}

impl FunctionCx<'_> {
    /// The turns without checks of the loop that a block is, and what decides about them.
    pub(crate) fn lower_counted(&mut self, id: BlockId, counted: &CountedLoop) {
        let Some(entry) = self.blocks[&id].entry else {
            return;
        };
        let cost = self.analysis.graph.block(id).cost;
        let pc = self.analysis.graph.block(id).start;
        let role = Role::Counts { pc };
        let [many, begins, otherwise, turn] = [(); 4].map(|()| self.builder.create_block());
        self.builder.switch_to_block(entry);
        self.comments.block(entry, role);
        self.locate(pc);
        self.fetch_all(self.analysis.homes.at_start(id));
        let count = self.count(counted);
        let few = self.constant(FEW);
        let beyond = self.builder.ins().isub(count.more, few);
        let most = self.constant(MANY);
        let below = IntCC::UnsignedLessThan;
        let is_enough = self.builder.ins().icmp(below, beyond, most);
        self.builder
            .ins()
            .brif(is_enough, many, &[], otherwise, &[]);
        self.builder.seal_block(many);

        self.builder.switch_to_block(many);
        self.comments.block(many, role);
        let mut conditions: Vec<Value> = Vec::new();
        conditions.extend(self.goes_on_as_counted(counted, &count));
        let paid = self.times(count.more, i64::from(cost));
        if let Some(needed) = self.blocks[&id].charge.needed {
            // A sum, since a difference of a meter that is negative might wrap around: the stack may have
            // been displaced.
            let needed = self.chosen(Width::W64, i64::from(needed));
            let all = self.builder.ins().iadd(paid, needed);
            let lasts = IntCC::SignedGreaterThanOrEqual;
            let meter = self.meter();
            conditions.push(self.builder.ins().icmp(lasts, meter, all));
        }
        let mut deltas = Vec::with_capacity(counted.ranges.len());
        for number in 0..counted.ranges.len() {
            let (is_inside, delta) = self.check_range(counted, number, count.more);
            conditions.push(is_inside);
            deltas.push(delta);
        }
        let both = |one, other| self.builder.ins().band(one, other);
        let Some(holds) = conditions.into_iter().reduce(both) else {
            unreachable!("`CountedLoop` has something to check");
        };
        self.builder.ins().brif(holds, begins, &[], otherwise, &[]);
        self.builder.seal_block(begins);
        self.builder.seal_block(otherwise);

        self.builder.switch_to_block(begins);
        self.comments.block(begins, role);
        if self.analysis.program.dialect.meter {
            let meter = self.meter();
            let rest = self.builder.ins().isub(meter, paid);
            self.set_meter(rest);
            self.pay(cost);
        }
        self.builder.ins().jump(turn, &[]);
        self.builder.switch_to_block(turn);
        self.comments.block(turn, Role::Turn { pc });
        self.turn(id, counted, turn, &deltas);

        self.builder.switch_to_block(otherwise);
        self.comments.block(otherwise, role);
        self.forget_translations(id);
        let start = self.loop_start(id);
        self.builder.ins().jump(start, &[]);
        self.loop_start_done(id);
    }

    /// Turns after the first one, if the branch compares as it is expected to, and what tells whether it does.
    fn count(&mut self, counted: &CountedLoop) -> Count {
        let moving = self.sum(counted.moving);
        let bound = self.sum(counted.bound);
        let (less, greater) = match counted.falls {
            true => (bound, moving),
            false => (moving, bound),
        };
        let distance = match counted.bound {
            Sum::ZERO if counted.falls => moving,
            _ => self.builder.ins().isub(greater, less),
        };
        let order = match counted.condition {
            Condition::NotEqual => None,
            Condition::Below | Condition::Above => Some(IntCC::UnsignedLessThan),
            _ => Some(IntCC::SignedLessThan),
        };
        let mut more = distance;
        if counted.step > 0 {
            if order.is_some() {
                let most = self.constant((1 << counted.step) - 1);
                more = self.builder.ins().iadd(more, most);
            }
            let log2 = self.constant(i64::from(counted.step));
            more = self.builder.ins().ushr(more, log2);
        }
        Count {
            more,
            distance,
            order,
            less,
            greater,
        }
    }

    /// Whether the loop turns as often as was counted, unless that is certain.
    fn goes_on_as_counted(&mut self, counted: &CountedLoop, count: &Count) -> Option<Value> {
        let Some(order) = count.order else {
            if counted.step == 0 {
                return None;
            }
            // It may step over what it is compared with.
            let mask = self.constant((1 << counted.step) - 1);
            let odd = self.builder.ins().band(count.distance, mask);
            let zero = self.constant(0);
            return Some(self.builder.ins().icmp(IntCC::Equal, odd, zero));
        };
        let goes_on = self.builder.ins().icmp(order, count.less, count.greater);
        if counted.step == 0 {
            return Some(goes_on);
        }
        // The last step might wrap around.
        let moved = self.times(count.more, 1 << counted.step);
        let (less, greater) = match counted.falls {
            true => (count.less, self.builder.ins().isub(count.greater, moved)),
            false => (self.builder.ins().iadd(count.less, moved), count.greater),
        };
        let ends = self.builder.ins().icmp(order.complement(), less, greater);
        Some(self.builder.ins().band(goes_on, ends))
    }

    /// Whether all that a group will access is in one range, and what its host addresses are ahead of its
    /// addresses.
    fn check_range(&mut self, counted: &CountedLoop, number: usize, more: Value) -> (Value, Value) {
        let group = &counted.accesses.groups[number];
        let (base, step) = counted.ranges[number];
        let low = base.offset.wrapping_add(i64::from(group.low));
        let first = self.sum(Sum {
            offset: low,
            ..base
        });
        let mut start = first;
        let mut length = self.constant(i64::from(group.span));
        if step != 0 {
            let extent = self.times(more, step.wrapping_abs());
            length = self.builder.ins().iadd(length, extent);
            if step < 0 {
                start = self.builder.ins().isub(first, extent);
            }
        }
        let site = self.next_access_site() + number as u32;
        let range = self.cached_range(start, group, site);
        let range_start = range.load(self, offset::START);
        let host = range.load(self, offset::HOST);
        let delta = self.builder.ins().isub(host, range_start);
        let distance = self.builder.ins().isub(start, range_start);
        let size = range.load(self, offset::limit(0));
        let rest = self.builder.ins().isub(size, distance);
        let begins = IntCC::UnsignedLessThan;
        let begins = self.builder.ins().icmp(begins, distance, size);
        let ends = IntCC::UnsignedLessThanOrEqual;
        let ends = self.builder.ins().icmp(ends, length, rest);
        (self.builder.ins().band(begins, ends), delta)
    }

    /// What so many turns come to, each of `size`.
    fn times(&mut self, more: Value, size: i64) -> Value {
        let log2 = size.trailing_zeros();
        if size != 1 << log2 {
            let size = self.chosen(Width::W64, size);
            return self.builder.ins().imul(more, size);
        }
        match log2 {
            0 => more,
            _ => {
                let log2 = self.constant(i64::from(log2));
                self.builder.ins().ishl(more, log2)
            }
        }
    }

    /// The value of a sum when the loop is entered.
    fn sum(&mut self, sum: Sum) -> Value {
        let terms = sum.terms.into_iter().flatten();
        let terms: Vec<Value> = terms.map(|register| self.register(register)).collect();
        let total = terms
            .into_iter()
            .reduce(|one, other| self.builder.ins().iadd(one, other));
        match (total, sum.offset) {
            (Some(total), 0) => total,
            (Some(total), offset) => {
                let offset = self.chosen(Width::W64, offset);
                self.builder.ins().iadd(total, offset)
            }
            (None, offset) => self.chosen(Width::W64, offset),
        }
    }

    /// One turn, in the block `turn`.
    fn turn(&mut self, id: BlockId, counted: &CountedLoop, turn: Block, deltas: &[Value]) {
        let graph = &self.analysis.graph;
        let insns: Vec<(u32, &Insn)> = graph.insns(id).collect();
        let mut hosts = vec![None; deltas.len()];
        for (index, &(pc, insn)) in insns.iter().enumerate() {
            self.locate(pc);
            if let Operation::Branch {
                condition,
                width,
                source,
                ..
            } = insn.operation
            {
                let holds = self.condition(condition, width, insn.destination, source);
                let over = self.builder.create_block();
                self.builder.ins().brif(holds, turn, &[], over, &[]);
                self.builder.seal_block(turn);
                self.builder.seal_block(over);
                self.builder.switch_to_block(over);
                self.turns_over(id, counted);
                return;
            }
            let number = counted.accesses.group_of[index];
            let host = number.map(|number| match hosts[number] {
                Some(host) => host,
                None => {
                    let base = self.register(counted.accesses.groups[number].base);
                    let host = self.builder.ins().iadd(base, deltas[number]);
                    *hosts[number].insert(host)
                }
            });
            let at = Position { pc, spent: -1 };
            self.lower_insn(at, insn, host.map(|host| (host, 0)));
        }
    }

    /// Goes on behind the loop.
    fn turns_over(&mut self, id: BlockId, counted: &CountedLoop) {
        for number in 0..counted.ranges.len() {
            // Blocks behind the loop check again what a check in the loop would cover.
            let group = GroupId { block: id, number };
            if let Some(left) = self.left_hosts.get(&group).copied() {
                let zero = self.constant(0);
                self.builder.def_var(left, zero);
            }
        }
        self.enter_loops(id);
        if let Some(next) = self.analysis.graph.block(id).successors[0] {
            self.go_to(next);
        }
    }
}
