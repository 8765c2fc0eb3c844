//! The address-translation blocks, and the loads and stores behind them.
//!
//! The ladder, cheapest first:
//!
//! 1. `[r10 + constant]` inside of the frame:
//!    `-frame_size <= offset && offset + size <= 0`. The frame's host address is at hand and its
//!    whole extent was verified when the program was entered: no check.
//! 2. A group of accesses off one base: `address - start < limit`, with the slot of the region cache
//!    that the address selects and its limit for the span, rounded up; for a wide span
//!    `address - start < length && address - start + span <= length`. The accesses need no check of
//!    their own.
//! 3. The access callback: it finds the region in the mapping and fills the cache.
//! 4. The interpreter, which executes the stretch with the mapping's own load and store: handlers,
//!    accesses across regions and every access violation.

use {
    crate::{
        accesses::{Accesses, Group, Stretch},
        exception::Shared,
        function::{FunctionCx, FunctionName, Position, TRUSTED},
        insn::{Insn, Operand},
        role::Role,
    },
    cranelift_codegen::ir::{
        Block, BlockArg, InstBuilder, MemFlagsData, Value,
        condcodes::IntCC,
        types::{I32, I64},
    },
    sbpf_runtime::{
        abi::{FRAME_POINTER, LIMITS, SLOT_SHIFT, SLOT_SIZE_SHIFT, SLOTS, offset},
        site::{AccessSite, RegisterSet},
    },
};

/// Memory flags of the program's memory: checked before, aligned by chance.
const MEMORY: MemFlagsData = MemFlagsData::new().with_notrap();

/// Host addresses found so far in a basic block.
pub(crate) struct Translated {
    /// For each group the host address of its lowest offset.
    hosts: Vec<Option<Value>>,
    /// Where the interpreter comes back to in the current stretch.
    behind: Option<Block>,
}

impl Translated {
    /// The host address for the access at `index`, and the offset that it belongs to.
    pub(crate) fn of(&self, accesses: &Accesses, index: usize) -> Option<(Value, i32)> {
        let group = accesses.group_of[index]?;
        Some((self.hosts[group]?, accesses.groups[group].low))
    }
}

impl FunctionCx<'_> {
    pub(crate) fn begin_translation(&mut self, accesses: &Accesses) -> Translated {
        Translated {
            hosts: vec![None; accesses.groups.len()],
            behind: None,
        }
    }

    /// Emits the check of a group before its first access.
    pub(crate) fn translate_group(
        &mut self,
        translated: &mut Translated,
        accesses: &Accesses,
        insns: &[(u32, &Insn)],
        index: usize,
        at: Position,
    ) {
        let Some(number) = accesses.group_of[index] else {
            return;
        };
        let group = &accesses.groups[number];
        let (true, Some(stretch)) = (group.first == index, accesses.stretch_at(index)) else {
            return;
        };
        let behind = *translated
            .behind
            .get_or_insert_with(|| self.builder.create_block());
        let rest = &insns[index..=stretch.last];
        translated.hosts[number] = Some(self.translate(group, stretch, rest, at, behind));
    }

    /// Ends a stretch behind its last instruction: here the interpreter comes back.
    pub(crate) fn end_stretch(
        &mut self,
        translated: &mut Translated,
        accesses: &Accesses,
        index: usize,
    ) {
        if accesses
            .stretch_at(index)
            .is_some_and(|stretch| stretch.last == index)
            && let Some(behind) = translated.behind.take()
        {
            self.builder.ins().jump(behind, &[]);
            self.builder.seal_block(behind);
            self.builder.switch_to_block(behind);
        }
    }

    /// The host address of a group's lowest offset.
    fn translate(
        &mut self,
        group: &Group,
        stretch: &Stretch,
        rest: &[(u32, &Insn)],
        at: Position,
        behind: Block,
    ) -> Value {
        let miss = self.cold_block(Role::Access { pc: at.pc });
        let hit = self.builder.create_block();
        let ready = self.builder.create_block();
        let host = self.builder.append_block_param(ready, I64);
        self.comments.block(hit, Role::Translation { pc: at.pc });

        let mut address = self.register(group.base);
        if group.low != 0 {
            let low = self.constant(i64::from(group.low));
            address = self.builder.ins().iadd(address, low);
        }
        let shift = self.constant(i64::from(SLOT_SHIFT - SLOT_SIZE_SHIFT));
        let slot = self.builder.ins().ushr(address, shift);
        let mask = self.constant(((SLOTS - 1) << SLOT_SIZE_SHIFT) as i64);
        let slot = self.builder.ins().band(slot, mask);
        let entry = self.builder.ins().iadd(self.context, slot);
        let access = if group.store {
            offset::STORE
        } else {
            offset::LOAD
        };
        let load = |this: &mut Self, field: i32| {
            this.builder.ins().load(I64, TRUSTED, entry, access + field)
        };
        let start = load(self, offset::START);
        let distance = self.builder.ins().isub(address, start);
        let log2_span = group.span.next_power_of_two().trailing_zeros();
        if log2_span < LIMITS as u32 {
            let limit = load(self, offset::limit(log2_span));
            let is_inside = self
                .builder
                .ins()
                .icmp(IntCC::UnsignedLessThan, distance, limit);
            self.builder.ins().brif(is_inside, hit, &[], miss, &[]);
        } else {
            let length = load(self, offset::limit(0));
            let starts_inside = self
                .builder
                .ins()
                .icmp(IntCC::UnsignedLessThan, distance, length);
            let check_end = self.builder.create_block();
            self.builder
                .ins()
                .brif(starts_inside, check_end, &[], miss, &[]);
            self.builder.seal_block(check_end);
            self.builder.switch_to_block(check_end);
            let span = self.constant(i64::from(group.span));
            let end = self.builder.ins().iadd(distance, span);
            let ends_inside = self
                .builder
                .ins()
                .icmp(IntCC::UnsignedLessThanOrEqual, end, length);
            self.builder.ins().brif(ends_inside, hit, &[], miss, &[]);
        }
        self.builder.seal_block(hit);
        self.builder.seal_block(miss);

        self.builder.switch_to_block(hit);
        let origin = load(self, offset::HOST);
        let found = self.builder.ins().iadd(origin, distance);
        self.builder.ins().jump(ready, &[BlockArg::Value(found)]);

        self.access_slowly(group, stretch, rest, at, (miss, ready, behind));
        self.builder.seal_block(ready);
        self.builder.switch_to_block(ready);
        host
    }

    /// Emits what happens when the cache does not have the range.
    fn access_slowly(
        &mut self,
        group: &Group,
        stretch: &Stretch,
        rest: &[(u32, &Insn)],
        at: Position,
        (miss, ready, behind): (Block, Block, Block),
    ) {
        let mut reads = RegisterSet::EMPTY;
        let mut writes = RegisterSet::EMPTY;
        for (_, insn) in rest {
            reads = reads.union(insn.reads().without(writes));
            writes = writes.union(insn.writes());
        }
        self.builder.switch_to_block(miss);
        // The rest of the live registers is for the interpreter, should it have to stay.
        self.spill(reads.union(stretch.live.without(writes)));
        let meter = self.meter();
        self.store_context(meter, offset::METER);
        if group.base == FRAME_POINTER {
            let base = self.register(FRAME_POINTER);
            self.store_context(base, offset::register(FRAME_POINTER));
        }
        let site = self
            .builder
            .ins()
            .iconst(I32, self.sites.accesses.len() as i64);
        self.sites.accesses.push(AccessSite {
            base: offset::register(group.base),
            low: group.low,
            span: group.span,
            store: u32::from(group.store),
            pc: at.pc,
            spent: at.spent,
            count: rest.len() as u32,
            resume: stretch.resume,
        });
        let callee = self.callee(FunctionName::Access, RegisterSet::EMPTY);
        self.builder.ins().call(callee, &[self.context, site]);
        let resolved = self.load_context(I64, offset::RESOLVED);
        let executed = self.cold_block(Role::Interpreted { pc: at.pc });
        self.builder
            .ins()
            .brif(resolved, ready, &[BlockArg::Value(resolved)], executed, &[]);
        self.builder.seal_block(executed);

        self.builder.switch_to_block(executed);
        let ends = self.load_context(I64, offset::LEAVE);
        let leave = self.shared_block(Shared::Leave);
        let goes_on = self.cold_block(Role::Interpreted { pc: at.pc });
        self.builder.ins().brif(ends, leave, &[], goes_on, &[]);
        self.builder.seal_block(goes_on);
        self.builder.switch_to_block(goes_on);
        self.reload(writes.intersection(stretch.live));
        self.builder.ins().jump(behind, &[]);
    }

    pub(crate) fn load(
        &mut self,
        destination: u8,
        size: u32,
        base: u8,
        offset: i32,
        translated: Option<(Value, i32)>,
    ) {
        let (address, offset) = self.host_address(size, base, offset, translated);
        let ins = self.builder.ins();
        let value = match size {
            1 => ins.uload8(I64, MEMORY, address, offset),
            2 => ins.uload16(I64, MEMORY, address, offset),
            4 => ins.uload32(MEMORY, address, offset),
            _ => ins.load(I64, MEMORY, address, offset),
        };
        self.set_register(destination, value);
    }

    pub(crate) fn store(
        &mut self,
        size: u32,
        base: u8,
        offset: i32,
        source: Operand,
        translated: Option<(Value, i32)>,
    ) {
        let value = match source {
            Operand::Register(register) => self.register(register),
            Operand::Immediate(value) => self.constant(value),
        };
        let (address, offset) = self.host_address(size, base, offset, translated);
        let ins = self.builder.ins();
        match size {
            1 => ins.istore8(MEMORY, value, address, offset),
            2 => ins.istore16(MEMORY, value, address, offset),
            4 => ins.istore32(MEMORY, value, address, offset),
            _ => ins.store(MEMORY, value, address, offset),
        };
    }

    fn host_address(
        &mut self,
        size: u32,
        base: u8,
        offset: i32,
        translated: Option<(Value, i32)>,
    ) -> (Value, i32) {
        if let Some((host, low)) = translated {
            return (host, offset - low);
        }
        let dialect = &self.analysis.program.dialect;
        if base == FRAME_POINTER && dialect.is_in_frame(offset, size) {
            return (self.frame, offset);
        }
        debug_assert!(!dialect.translation, "`Accesses` groups every other access");
        (self.register(base), offset)
    }
}
