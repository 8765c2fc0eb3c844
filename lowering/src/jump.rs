//! Jumps: within a unit a jump, between units a tail call.

use {
    crate::{
        alu::type_of,
        cfg::BlockId,
        function::{FunctionCx, FunctionName, Position, signature},
        insn::{Condition, Operand, Width},
        linkage::Place,
        role::Role,
        values::Places,
    },
    cranelift_codegen::ir::{Block, InstBuilder, Value, condcodes::IntCC},
};

impl FunctionCx<'_> {
    /// An unconditional jump.
    pub(crate) fn jump(&mut self, block: BlockId) {
        if let Some(target) = self.analysis.graph.block(block).successors[1] {
            self.go_to(target);
        }
    }

    /// A conditional jump: to the second successor if the condition holds, else to the first.
    pub(crate) fn branch(
        &mut self,
        block: BlockId,
        condition: Condition,
        width: Width,
        destination: u8,
        source: Operand,
    ) {
        let holds = self.condition(condition, width, destination, source);
        let [Some(next), Some(target)] = self.analysis.graph.block(block).successors else {
            unreachable!("`Graph` gives a conditional jump two successors");
        };
        self.settle(next);
        self.settle(target);
        if self.blocks[&block].entry.is_some() {
            return self.turn_again(block, holds, next);
        }
        let (then_block, else_block) = (self.edge_block(target), self.edge_block(next));
        self.builder
            .ins()
            .brif(holds, then_block, &[], else_block, &[]);
        self.jump_done(target);
        self.jump_done(next);
    }

    /// The branch of a loop that is one block.
    fn turn_again(&mut self, block: BlockId, holds: Value, next: BlockId) {
        let (start, next_block) = (self.loop_start(block), self.edge_block(next));
        self.builder.ins().brif(holds, start, &[], next_block, &[]);
        self.loop_start_done(block);
        self.jump_done(next);
    }

    /// Goes on at the start of a basic block; ends the CLIF block.
    pub(crate) fn go_to(&mut self, target: BlockId) {
        self.settle(target);
        let block = self.edge_block(target);
        self.builder.ins().jump(block, &[]);
        self.jump_done(target);
    }

    /// A block to branch to on the way to a basic block: that one, or one that will tail-call.
    fn edge_block(&mut self, target: BlockId) -> Block {
        match self.jump_target(target) {
            Some(block) => block,
            None => self.tail_block(target),
        }
    }

    /// The block that all ways to a basic block of another unit share: a tail call takes some hundred
    /// bytes, in which the frame is taken down and all live registers go to where arguments are.
    fn tail_block(&mut self, target: BlockId) -> Block {
        if let Some(block) = self.tails.get(&target) {
            return *block;
        }
        let block = self.builder.create_block();
        let pc = self.analysis.graph.block(target).start;
        self.comments.block(block, Role::TailCall { pc });
        self.tails.insert(target, block);
        block
    }

    /// Emits the blocks that [`Self::tail_block`] has made, once all jumps to them are known.
    pub(crate) fn fill_tail_blocks(&mut self) {
        for (target, block) in std::mem::take(&mut self.tails) {
            self.builder.seal_block(block);
            self.builder.switch_to_block(block);
            self.locate(self.analysis.graph.block(target).start);
            self.places = Places::with_home(self.analysis.homes.at_start(target));
            self.tail_call(target);
        }
    }

    fn tail_call(&mut self, target: BlockId) {
        let unit = self.analysis.units.owner(target);
        debug_assert!(
            self.analysis.units.entered_at(target).is_some(),
            "`Units` keeps this"
        );
        let registers = self.analysis.passed(target);
        if let Some(number) = self.analysis.linkage.number(unit) {
            let pc = self.analysis.graph.block(target).start;
            let place = Place::Number(number);
            // The interpreter does what the unit would.
            let at = Position { pc, spent: 0 };
            let live = self.analysis.liveness.live_in(target);
            let callee = self.function_at(place, pc, |cx| cx.bail_out(at, live));
            let arguments = self.arguments(self.frame, registers);
            let signature = self.builder.import_signature(signature(registers));
            self.builder
                .ins()
                .return_call_indirect(signature, callee, &arguments);
            return;
        }
        let arguments = self.arguments(self.frame, registers);
        let callee = self.callee(FunctionName::Unit(unit), registers);
        self.builder.ins().return_call(callee, &arguments);
    }

    /// Whether a condition holds, as 0 or 1.
    pub(crate) fn condition(
        &mut self,
        condition: Condition,
        width: Width,
        destination: u8,
        source: Operand,
    ) -> Value {
        let left = self.operand(width, Operand::Register(destination));
        let right = self.operand(width, source);
        let code = match condition {
            Condition::Equal => IntCC::Equal,
            Condition::NotEqual => IntCC::NotEqual,
            Condition::AnyBit => {
                let common = self.builder.ins().band(left, right);
                let zero = self.builder.ins().iconst(type_of(width), 0);
                return self.builder.ins().icmp(IntCC::NotEqual, common, zero);
            }
            Condition::Above => IntCC::UnsignedGreaterThan,
            Condition::AboveOrEqual => IntCC::UnsignedGreaterThanOrEqual,
            Condition::Below => IntCC::UnsignedLessThan,
            Condition::BelowOrEqual => IntCC::UnsignedLessThanOrEqual,
            Condition::Greater => IntCC::SignedGreaterThan,
            Condition::GreaterOrEqual => IntCC::SignedGreaterThanOrEqual,
            Condition::Less => IntCC::SignedLessThan,
            Condition::LessOrEqual => IntCC::SignedLessThanOrEqual,
        };
        self.builder.ins().icmp(code, left, right)
    }
}
