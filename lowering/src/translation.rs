//! The address-translation blocks.
//!
//! The ladder; accesses that are checked before a loop (`counted_turns`) need none of it:
//!
//! 1. `[r10 + constant]` inside of the frame:
//!    `-frame_size <= offset && offset + size <= 0`. The frame's host address is at hand and its
//!    whole extent was verified when the program was entered: no check.
//! 2. A group that an earlier check covers (`sharing`): the host address which that has left, if any.
//! 3. In a loop in which nothing is called, `address + bias < limit` with bias and limit in SSA
//!    values that the group keeps from turn to turn. Where they don't fit, the next rung fills them.
//! 4. A group of accesses off one base: `address - start < limit`, with the slot of the region cache
//!    that the address selects, or that the check has found last, and its limit for the span, rounded up;
//!    for a wide span `address - start < length && address - start + span <= length`. The accesses need no check of
//!    their own.
//! 5. A function out of line (`access`): frames of a stack with gaps, and the second level of the cache.
//! 6. The access callback: it finds the region in the mapping and fills the cache.
//! 7. The interpreter, which executes the stretch with the mapping's own load and store: handlers,
//!    accesses across regions and every access violation.

use {
    crate::{
        accesses::{Group, Stretch},
        cfg::BlockId,
        function::{FunctionCx, Position, TRUSTED},
        insn::{Insn, Width},
        loops::{LoopId, Loops},
        role::Role,
        sharing::GroupId,
    },
    cranelift_codegen::ir::{Block, BlockArg, InstBuilder, Value, condcodes::IntCC, types::I64},
    cranelift_frontend::{FunctionBuilder, Variable},
    sbpf_runtime::abi::{HINTED_SITES, LIMITS, SLOT_SHIFT, SLOT_SIZE_SHIFT, SLOTS, offset},
    std::collections::HashMap,
};

/// The first access of a group, where its check is made.
pub(crate) struct Checked<'b> {
    /// Which group it is.
    pub(crate) id: GroupId,
    /// The group.
    pub(crate) group: &'b Group,
    /// What the interpreter executes where there is no single range.
    pub(crate) stretch: &'b Stretch,
    /// The instructions from here to the end of the stretch.
    pub(crate) rest: &'b [(u32, &'b Insn)],
    /// Where this is.
    pub(crate) at: Position,
    /// Where the interpreter comes back to.
    pub(crate) behind: Block,
}

/// The translation that a group in a loop keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoopCache {
    /// The negated first address of the range.
    bias: Variable,
    /// The distances from the first address that are inside; 0 while there is no range.
    limit: Variable,
    /// How far host addresses are ahead of addresses, so that an address waits for one sum only.
    ahead: Variable,
}

impl LoopCache {
    /// Defines bias, limit and what is ahead.
    fn keep(self, cx: &mut FunctionCx<'_>, [bias, limit, ahead]: [Value; 3]) {
        cx.builder.def_var(self.bias, bias);
        cx.builder.def_var(self.limit, limit);
        cx.builder.def_var(self.ahead, ahead);
    }
}

/// The translations kept by all loops of a unit.
#[derive(Default)]
pub(crate) struct LoopCaches {
    loops: Loops,
    of_group: HashMap<(BlockId, usize), LoopCache>,
    of_loop: HashMap<LoopId, Vec<LoopCache>>,
}

impl LoopCaches {
    /// Declares the variables of a unit's loops.
    pub(crate) fn declare(
        loops: Loops,
        groups: &[(LoopId, BlockId, usize)],
        builder: &mut FunctionBuilder<'_>,
    ) -> Self {
        let mut caches = Self {
            loops,
            ..Self::default()
        };
        for &(id, block, group) in groups {
            let cache = LoopCache {
                bias: builder.declare_var(I64),
                limit: builder.declare_var(I64),
                ahead: builder.declare_var(I64),
            };
            caches.of_group.insert((block, group), cache);
            caches.of_loop.entry(id).or_default().push(cache);
        }
        caches
    }

    /// What the `group`-th group of a block keeps, if it does.
    pub(crate) fn of(&self, block: BlockId, group: usize) -> Option<LoopCache> {
        self.of_group.get(&(block, group)).copied()
    }
}

impl FunctionCx<'_> {
    /// Forgets the translations of a loop on an edge that enters it.
    pub(crate) fn enter_loop(&mut self, from: Option<BlockId>, to: BlockId) {
        let loops = &self.loop_caches.loops;
        let entered = loops.around(to);
        if entered == from.and_then(|from| loops.around(from)) {
            return;
        }
        self.forget(entered);
    }

    /// Forgets the translations of the loop around a block.
    pub(crate) fn forget_translations(&mut self, id: BlockId) {
        self.forget(self.loop_caches.loops.around(id));
    }

    /// Has the translations of the loop around a block filled anew before they serve again.
    pub(crate) fn expire_translations(&mut self, id: BlockId) {
        for cache in self.caches_of(self.loop_caches.loops.around(id)) {
            let zero = self.constant(0);
            self.builder.def_var(cache.limit, zero);
        }
    }

    fn forget(&mut self, id: Option<LoopId>) {
        for cache in self.caches_of(id) {
            let zero = self.constant(0);
            cache.keep(self, [zero; 3]);
        }
    }

    fn caches_of(&self, id: Option<LoopId>) -> Vec<LoopCache> {
        let caches = id.and_then(|id| self.loop_caches.of_loop.get(&id));
        caches.cloned().unwrap_or_default()
    }

    /// The host address of a group's lowest offset.
    pub(crate) fn translate(&mut self, access: &Checked<'_>) -> Value {
        let at = access.at;
        let miss = self.cold_block(Role::Access { pc: at.pc });
        let hit = self.builder.create_block();
        let ready = self.builder.create_block();
        let host = self.builder.append_block_param(ready, I64);
        self.comments.block(hit, Role::Translation { pc: at.pc });

        let address = self.lowest_address(access.group);
        let range = self.cached_range(address, access.group, self.next_access_site());
        let start = range.load(self, offset::START);
        let distance = self.builder.ins().isub(address, start);
        let log2_span = access.group.log2_span();
        let conditions = if log2_span < LIMITS as u32 {
            let limit = range.load(self, offset::limit(log2_span));
            let is_inside = self.is_less(distance, limit);
            self.builder.ins().brif(is_inside, hit, &[], miss, &[]);
            vec![is_inside]
        } else {
            let length = range.load(self, offset::limit(0));
            let starts_inside = self.is_less(distance, length);
            let check_end = self.builder.create_block();
            self.builder
                .ins()
                .brif(starts_inside, check_end, &[], miss, &[]);
            self.builder.seal_block(check_end);
            self.builder.switch_to_block(check_end);
            let span = self.constant(i64::from(access.group.span));
            let end = self.builder.ins().iadd(distance, span);
            let ends_inside = self
                .builder
                .ins()
                .icmp(IntCC::UnsignedLessThanOrEqual, end, length);
            self.builder.ins().brif(ends_inside, hit, &[], miss, &[]);
            vec![starts_inside, ends_inside]
        };
        self.builder.seal_block(hit);
        self.builder.seal_block(miss);

        let left = self.left_hosts.get(&access.id).copied();
        self.builder.switch_to_block(hit);
        let origin = range.load(self, offset::HOST);
        let found = self.builder.ins().iadd(origin, distance);
        let found = self.unless_mispredicted(&conditions, found);
        if let Some(left) = left {
            self.builder.def_var(left, found);
        }
        self.builder.ins().jump(ready, &[BlockArg::Value(found)]);

        self.builder.switch_to_block(miss);
        let group = access.group;
        let found = self.access_slowly(access, address, (group.own_low, group.own_span));
        if let Some(left) = left {
            let whole = self.load_context(I64, offset::LEFT_HOST);
            self.builder.def_var(left, whole);
        }
        self.builder.ins().jump(ready, &[BlockArg::Value(found)]);
        self.builder.seal_block(ready);
        self.builder.switch_to_block(ready);
        host
    }

    /// [`Self::translate`] for a group that keeps its translation.
    ///
    /// What only the access callback finds is kept as a range of one address.
    pub(crate) fn translate_in_loop(&mut self, access: &Checked<'_>, cache: LoopCache) -> Value {
        let at = access.at;
        let refill = self.cold_block(Role::Refill { pc: at.pc });
        let ready = self.builder.create_block();
        self.comments.block(ready, Role::Translated { pc: at.pc });

        let address = self.lowest_address(access.group);
        let bias = self.builder.use_var(cache.bias);
        let kept = self.builder.ins().iadd(address, bias);
        let limit = self.builder.use_var(cache.limit);
        let is_inside = self.is_less(kept, limit);
        self.builder.ins().brif(is_inside, ready, &[], refill, &[]);
        self.builder.seal_block(refill);

        self.builder.switch_to_block(refill);
        let fits = self.cold_block(Role::Refill { pc: at.pc });
        let miss = self.cold_block(Role::Access { pc: at.pc });
        let (slots, slot) = self.slot(address, self.next_access_site());
        // x86_64 would make a sum anew in the address of each load, from two registers. This is for
        // loops that need them all.
        let behind = self.builder.ins().ineg(slot);
        // Not before: a copy of the context's address takes a register.
        let slots = slots.unwrap_or_else(|| self.context());
        let slot = self.builder.ins().isub(slots, behind);
        let range = CachedRange::new(slot, access.group);
        let start = range.load(self, offset::START);
        let now = self.builder.ins().isub(address, start);
        let limit = range.load(self, offset::limit(access.group.log2_span()));
        let is_inside = self.is_less(now, limit);
        self.builder.ins().brif(is_inside, fits, &[], miss, &[]);
        self.builder.seal_block(fits);
        self.builder.seal_block(miss);

        self.builder.switch_to_block(fits);
        // Loaded once more, which takes fewer registers of a loop that needs them.
        let start = range.load(self, offset::START);
        let limit = range.load(self, offset::limit(access.group.log2_span()));
        let origin = range.load(self, offset::HOST);
        let bias = self.builder.ins().ineg(start);
        let ahead = self.builder.ins().isub(origin, start);
        cache.keep(self, [bias, limit, ahead]);
        self.builder.ins().jump(ready, &[]);

        self.builder.switch_to_block(miss);
        let group = access.group;
        let host = self.access_slowly(access, address, (group.low, group.span));
        let one = self.constant(1);
        let bias = self.builder.ins().ineg(address);
        let ahead = self.builder.ins().isub(host, address);
        cache.keep(self, [bias, one, ahead]);
        self.builder.ins().jump(ready, &[]);

        self.builder.seal_block(ready);
        self.builder.switch_to_block(ready);
        let ahead = self.builder.use_var(cache.ahead);
        let host = self.builder.ins().iadd(address, ahead);
        if !self.analysis.guards_speculation {
            return host;
        }
        // It holds on every way here, by what is kept now.
        let bias = self.builder.use_var(cache.bias);
        let kept = self.builder.ins().iadd(address, bias);
        let limit = self.builder.use_var(cache.limit);
        let is_inside = self.is_less(kept, limit);
        self.unless_mispredicted(&[is_inside], host)
    }

    /// The host address of the lowest offset of the group whose check covers this one.
    ///
    /// There is none when the interpreter has run since that check.
    pub(crate) fn translate_covered(&mut self, access: &Checked<'_>, leader: GroupId) -> Value {
        let at = access.at;
        let miss = self.cold_block(Role::Access { pc: at.pc });
        let ready = self.builder.create_block();
        let host = self.builder.append_block_param(ready, I64);
        self.comments.block(ready, Role::Covered { pc: at.pc });

        let left = match self.left_hosts.get(&leader).copied() {
            Some(left) => self.builder.use_var(left),
            None => self.constant(0),
        };
        self.builder
            .ins()
            .brif(left, ready, &[BlockArg::Value(left)], miss, &[]);
        self.builder.seal_block(miss);

        self.builder.switch_to_block(miss);
        let address = self.lowest_address(access.group);
        let group = access.group;
        let found = self.access_slowly(access, address, (group.low, group.span));
        let low = self.sharing.group(leader).map_or(0, |group| group.low);
        let behind = self.constant(i64::from(low - access.group.low));
        let found = self.builder.ins().iadd(found, behind);
        self.builder.ins().jump(ready, &[BlockArg::Value(found)]);
        self.builder.seal_block(ready);
        self.builder.switch_to_block(ready);
        host
    }

    /// The lowest address that a group accesses.
    fn lowest_address(&mut self, group: &Group) -> Value {
        let base = self.register(group.base);
        if group.low == 0 {
            return base;
        }
        let low = self.chosen(Width::W64, i64::from(group.low));
        self.builder.ins().iadd(base, low)
    }

    /// The entry of the region cache that the check of a site looks at.
    pub(crate) fn cached_range(&mut self, address: Value, group: &Group, site: u32) -> CachedRange {
        let (slots, slot) = self.slot(address, site);
        let slots = slots.unwrap_or_else(|| self.context());
        let slot = self.builder.ins().iadd(slots, slot);
        CachedRange::new(slot, group)
    }

    /// The first slot, if it is not in the context, and how far behind it the one is that a check looks at:
    /// the one that its address selects, or the one that it has found last.
    fn slot(&mut self, address: Value, site: u32) -> (Option<Value>, Value) {
        let slot = selected_slot(&mut self.builder, address);
        if !self.analysis.program.dialect.has_hints() {
            return (None, slot);
        }
        let found = self.load_context(I64, offset::FOUND);
        // As the number is hidden where the program must not choose it, so is the hint's place.
        let number = self.analysis.combined(site);
        let place = offset::FOUND_HINTS + (number % HINTED_SITES as u32) as i32;
        let hint = self.builder.ins().iadd(found, slot);
        let hint = self.builder.ins().uload8(I64, TRUSTED, hint, place);
        let shift = self.constant(i64::from(SLOT_SIZE_SHIFT));
        (Some(found), self.builder.ins().ishl(hint, shift))
    }

    /// The number of the site that accesses memory next.
    pub(crate) fn next_access_site(&self) -> u32 {
        self.sites.first_access + self.sites.accesses.len() as u32
    }

    fn is_less(&mut self, left: Value, right: Value) -> Value {
        self.builder
            .ins()
            .icmp(IntCC::UnsignedLessThan, left, right)
    }
}

/// How far behind the first slot of the region cache the one is that an address selects.
pub(crate) fn selected_slot(builder: &mut FunctionBuilder<'_>, address: Value) -> Value {
    let shift = builder
        .ins()
        .iconst(I64, i64::from(SLOT_SHIFT - SLOT_SIZE_SHIFT));
    let slot = builder.ins().ushr(address, shift);
    let mask = ((SLOTS - 1) << SLOT_SIZE_SHIFT) as i64;
    let mask = builder.ins().iconst(I64, mask);
    builder.ins().band(slot, mask)
}

/// An entry of the region cache.
pub(crate) struct CachedRange {
    slot: Value,
    half: i32,
}

impl CachedRange {
    /// The half of a slot that a group looks at.
    fn new(slot: Value, group: &Group) -> Self {
        Self {
            slot,
            half: if group.store {
                offset::STORE
            } else {
                offset::LOAD
            },
        }
    }

    /// A field of the entry.
    pub(crate) fn load(&self, cx: &mut FunctionCx<'_>, field: i32) -> Value {
        let ins = cx.builder.ins();
        ins.load(I64, TRUSTED, self.slot, self.half + field)
    }
}
