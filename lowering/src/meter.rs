//! The meter blocks: every basic block pays for all its instructions before the first.
//!
//! The meter is an SSA value that is passed to callees and returned by them, so paying is a
//! comparison with a constant, a branch that is never taken, and a subtraction. A block that the
//! meter does not cover is executed by the interpreter instead, which runs out inside of it: no
//! later store becomes visible, and the final pc is exact.

use {
    crate::{cfg::BlockId, comments::Role, exception::Shared, function::FunctionCx},
    cranelift_codegen::ir::{BlockArg, InstBuilder, condcodes::IntCC},
    sbpf_runtime::site::{RegisterSet, SiteKind},
};

impl FunctionCx<'_> {
    /// Pays for a block at its start.
    pub(crate) fn charge(&mut self, id: BlockId) {
        if !self.analysis.program.dialect.meter {
            return;
        }
        let block = *self.analysis.graph.block(id);
        let meter = self.meter();
        let cost = self.constant(i64::from(block.cost));
        let is_short = self
            .builder
            .ins()
            .icmp(IntCC::UnsignedLessThan, meter, cost);
        let budget = self.cold_block(Role::Budget { pc: block.start });
        let paid = self.builder.create_block();
        self.builder.ins().brif(is_short, budget, &[], paid, &[]);
        self.builder.seal_block(budget);
        self.builder.seal_block(paid);

        self.builder.switch_to_block(budget);
        let needed = self.needed_when_short(id);
        self.spill(needed);
        let site = self.site(block.start, 0, SiteKind::OutOfBudget);
        let out_of_budget = self.shared_block(Shared::OutOfBudget);
        let arguments = [BlockArg::Value(meter), BlockArg::Value(site)];
        self.builder.ins().jump(out_of_budget, &arguments);

        self.builder.switch_to_block(paid);
        let rest = self.builder.ins().isub(meter, cost);
        self.set_meter(rest);
    }

    /// Registers that the interpreter reads before it runs out. None, if until then nothing has
    /// an effect or fails, whatever the operands.
    fn needed_when_short(&self, id: BlockId) -> RegisterSet {
        let mut reads = RegisterSet::EMPTY;
        let mut writes = RegisterSet::EMPTY;
        let mut is_pure = true;
        for (_, insn) in self
            .analysis
            .graph
            .insns(id)
            .filter(|(_, insn)| !insn.ends_block())
        {
            is_pure &= insn.is_pure();
            reads = reads.union(insn.reads().without(writes));
            writes = writes.union(insn.writes());
        }
        if is_pure { RegisterSet::EMPTY } else { reads }
    }
}
