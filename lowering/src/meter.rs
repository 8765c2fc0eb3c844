//! The meter blocks: checks at checkpoints, and payment.
//!
//! The meter is an SSA value that is passed to callees and returned by them, so a check is a
//! comparison with a constant and a branch that is never taken, and paying is a subtraction. Where a
//! budget may end before the next checkpoint, the interpreter executes from this one: no later store
//! becomes visible, and the final pc is exact.

use {
    crate::{cfg::BlockId, function::FunctionCx, insn::Width, role::Role, values::Places},
    cranelift_codegen::ir::{Block, InstBuilder, condcodes::IntCC},
    sbpf_runtime::abi::Exception,
};

impl FunctionCx<'_> {
    /// Emits the check before a block, if there is one that jumps go through.
    pub(crate) fn check_meter(&mut self, id: BlockId) {
        let local = self.blocks[&id];
        let (Some(check), Some(needed)) = (local.check, local.charge.needed) else {
            return;
        };
        let pc = self.analysis.graph.block(id).start;
        self.comments.block(check, Role::Check { pc, needed });
        self.builder.switch_to_block(check);
        self.locate(pc);
        let meter = self.meter();
        let needed = self.chosen(Width::W64, i64::from(needed));
        let is_short = self
            .builder
            .ins()
            .icmp(IntCC::SignedLessThan, meter, needed);
        let short = self.short_block(id);
        self.builder
            .ins()
            .brif(is_short, short, &[], local.body, &[]);
        self.body_edge_done(id);
    }

    /// Pays for `count` instructions.
    pub(crate) fn pay(&mut self, count: u32) {
        if count == 0 || !self.analysis.program.dialect.meter {
            return;
        }
        let meter = self.meter();
        let count = self.chosen(Width::W64, i64::from(count));
        let rest = self.builder.ins().isub(meter, count);
        self.set_meter(rest);
    }

    /// [`Self::pay`] where the meter is handed over next: to the caller, or else to what is called.
    ///
    /// It is passed in one register of the machine and returned in another. x86_64 can add from one into the
    /// other, but subtracts in place: what a loop pays and what is paid behind it would be in one register,
    /// and the meter would have to move there and back in every turn. Where it is in the right one already,
    /// a subtraction takes less code.
    pub(crate) fn pay_and_hand_over(&mut self, count: u32, to_caller: bool) {
        let meter = self.meter();
        let dfg = &self.builder.func.dfg;
        let origin = dfg.value_def(dfg.resolve_aliases(meter)).inst();
        let is_returned = origin.is_some_and(|inst| dfg.insts[inst].opcode().is_call());
        if count == 0 || !self.analysis.program.dialect.meter || is_returned == to_caller {
            return self.pay(count);
        }
        let count = self.chosen(Width::W64, -i64::from(count));
        let rest = self.builder.ins().iadd(meter, count);
        self.set_meter(rest);
    }

    /// The block to go to when the meter does not cover the way from `id` to the next checkpoints.
    pub(crate) fn short_block(&mut self, id: BlockId) -> Block {
        if let Some(short) = self.blocks.get(&id).and_then(|local| local.short) {
            return short;
        }
        let pc = self.analysis.graph.block(id).start;
        let short = self.cold_block(Role::Budget { pc });
        if let Some(local) = self.blocks.get_mut(&id) {
            local.short = Some(short);
        }
        self.shorts.push((id, short));
        short
    }

    /// Emits the blocks that [`Self::short_block`] has made, once all jumps to them are known.
    pub(crate) fn fill_short_blocks(&mut self) {
        for (id, short) in std::mem::take(&mut self.shorts) {
            let pc = self.analysis.graph.block(id).start;
            self.builder.seal_block(short);
            self.builder.switch_to_block(short);
            self.locate(pc);
            self.places = Places::with_home(self.analysis.homes.at_start(id));
            let live = self.analysis.liveness.live_in(id);
            let exception = match self.analysis.graph.is_only_called(id) {
                true => Exception::BailoutAtEntry,
                false => Exception::Bailout,
            };
            self.leave_with(pc, exception, 0, live);
        }
    }
}
