//! The exception blocks: the only places where generated code leaves a program.

use {
    crate::{
        call::unwind_signature,
        cfg::BlockId,
        function::{FunctionCx, Position},
        insn::Width,
        role::Role,
    },
    cranelift_codegen::ir::{
        Block, BlockArg, InstBuilder, Type, Value,
        condcodes::IntCC,
        types::{I32, I64},
    },
    sbpf_runtime::{
        abi::{ENDED, Exception, offset},
        site::{Inherited, RegisterSet},
    },
};

impl FunctionCx<'_> {
    /// Raises `exception` at the instruction if `condition` holds.
    pub(crate) fn raise_if(&mut self, condition: Value, at: Position, exception: Exception) {
        self.leave_if(condition, at, exception, |cx| cx.raise_at(at, exception));
    }

    /// Leaves to the interpreter before the instruction that ends a block if `condition` holds.
    pub(crate) fn bail_out_if(&mut self, condition: Value, block: BlockId, at: Position) {
        self.leave_if(condition, at, Exception::Bailout, |cx| {
            cx.bail_out_before(block, at);
        });
    }

    fn leave_if(
        &mut self,
        condition: Value,
        at: Position,
        exception: Exception,
        leave: impl FnOnce(&mut Self),
    ) {
        let raises = self.cold_block(Role::Raise {
            pc: at.pc,
            exception,
        });
        let goes_on = self.block_behind();
        self.builder
            .ins()
            .brif(condition, raises, &[], goes_on, &[]);
        self.builder.seal_block(raises);
        self.builder.seal_block(goes_on);
        self.builder.switch_to_block(raises);
        leave(self);
        self.builder.switch_to_block(goes_on);
    }

    /// Raises `exception` at the instruction; ends the block.
    ///
    /// The instruction counts as executed.
    pub(crate) fn raise_at(&mut self, at: Position, exception: Exception) {
        self.leave_with(at.pc, exception, at.spent + 1, RegisterSet::EMPTY);
    }

    /// Leaves the rest of the program to the interpreter, which starts with the instruction; ends
    /// the block. Registers that are not `live` may be anything.
    pub(crate) fn bail_out(&mut self, at: Position, live: RegisterSet) {
        self.leave_with(at.pc, Exception::Bailout, at.spent, live);
    }

    /// Leaves to the interpreter before the instruction that ends a block.
    pub(crate) fn bail_out_before(&mut self, block: BlockId, at: Position) {
        let graph = &self.analysis.graph;
        let live = self.analysis.liveness.before_terminator(graph, block);
        self.bail_out(at, live);
    }

    /// Leaves with an exception when `spent` instructions are not yet paid for, showing registers.
    pub(crate) fn leave_with(
        &mut self,
        pc: u32,
        exception: Exception,
        spent: i32,
        shown: RegisterSet,
    ) {
        let meter = self.meter();
        let exact = if spent == 0 || !self.analysis.program.dialect.meter {
            meter
        } else {
            let spent = self.chosen(Width::W64, -i64::from(spent));
            self.builder.ins().iadd(meter, spent)
        };
        let packed = match exception {
            Exception::Bailout | Exception::BailoutAtEntry => {
                let inherited = self.inherited(shown);
                exception.inheriting(inherited, pc)
            }
            _ => exception.at(pc),
        };
        let packed = self.hidden_wide_number(packed as u32);
        self.jump_keeping(Shared::Raise, vec![exact, packed], shown);
    }

    /// What is not in transit where only these registers are.
    pub(crate) fn inherited(&self, shown: RegisterSet) -> Inherited {
        Inherited::of(self.analysis.liveness.variables.without(shown))
    }

    /// The block of a unit that its exceptions of one kind share.
    pub(crate) fn shared_block(&mut self, shared: Shared) -> Block {
        if let Some(block) = self.shared[shared as usize] {
            return block;
        }
        let block = self.block_for(shared, shared.role());
        self.shared[shared as usize] = Some(block);
        block
    }

    /// A new block with the parameters of a shared one.
    fn block_for(&mut self, shared: Shared, role: Role) -> Block {
        let block = self.cold_block(role);
        for ty in shared.parameters() {
            self.builder.append_block_param(block, *ty);
        }
        block
    }

    /// Ends the block by going to a shared one, after these registers have been stored.
    ///
    /// Where others store the same ones, that takes less code than doing it here: mostly the registers are
    /// in place already.
    pub(crate) fn jump_keeping(
        &mut self,
        shared: Shared,
        mut arguments: Vec<Value>,
        registers: RegisterSet,
    ) {
        // r10 is none of them where the frame value determines it.
        let registers = registers
            .intersection(self.analysis.liveness.variables)
            .without(self.places.at_home);
        arguments.extend(registers.iter().map(|register| self.register(register)));
        let arguments: Vec<_> = arguments.into_iter().map(BlockArg::Value).collect();
        let block = self.keeping_block(shared, registers);
        self.builder.ins().jump(block, &arguments);
    }

    fn keeping_block(&mut self, shared: Shared, registers: RegisterSet) -> Block {
        if registers == RegisterSet::EMPTY {
            return self.shared_block(shared);
        }
        let key = (shared, registers);
        if let Some((_, block)) = self.keeping.iter().find(|(of, _)| *of == key) {
            return *block;
        }
        let block = self.block_for(shared, Role::SharedStore { registers });
        for _ in registers.iter() {
            self.builder.append_block_param(block, I64);
        }
        self.keeping.push((key, block));
        block
    }

    fn fill_keeping_blocks(&mut self) {
        for ((shared, registers), block) in std::mem::take(&mut self.keeping) {
            self.builder.seal_block(block);
            self.builder.switch_to_block(block);
            let parameters = self.builder.block_params(block).to_vec();
            let (arguments, values) = parameters.split_at(shared.parameters().len());
            for (register, value) in registers.iter().zip(values) {
                let place = match shared {
                    Shared::Unwind => offset::saved(register),
                    _ => offset::register(register),
                };
                self.store_context(*value, place);
            }
            let arguments: Vec<_> = arguments.iter().copied().map(BlockArg::Value).collect();
            let next = self.shared_block(shared);
            self.builder.ins().jump(next, &arguments);
        }
    }

    /// Ends the block by going to a shared one without parameters.
    pub(crate) fn jump_shared(&mut self, shared: Shared) {
        let block = self.shared_block(shared);
        self.builder.ins().jump(block, &[]);
    }

    /// Emits the shared blocks, once all jumps to them are known. Each goes to a later one.
    pub(crate) fn fill_shared_blocks(&mut self) {
        self.fill_keeping_blocks();
        for shared in Shared::ALL {
            let Some(block) = self.shared[shared as usize] else {
                continue;
            };
            self.builder.seal_block(block);
            self.builder.switch_to_block(block);
            let parameters = self.builder.block_params(block).to_vec();
            match (shared, &parameters[..]) {
                (Shared::Raise, &[meter, exception]) => {
                    self.store_context(meter, offset::METER);
                    self.store_context(exception, offset::EXCEPTION);
                    self.jump_shared(Shared::Leave);
                }
                (Shared::Leave, _) => {
                    self.store_context(self.frame, offset::FRAME);
                    self.jump_shared(Shared::Return);
                }
                (Shared::Behind, &[meter, exception]) => {
                    let arguments = [BlockArg::Value(meter), BlockArg::Value(exception)];
                    let zero = self.constant(0);
                    let has_ended = self.builder.ins().icmp(IntCC::SignedLessThan, meter, zero);
                    let leave = self.shared_block(Shared::Leave);
                    let raise = self.shared_block(Shared::Raise);
                    self.builder
                        .ins()
                        .brif(has_ended, leave, &[], raise, &arguments);
                }
                (Shared::Unwind, &[site, meter, result]) => {
                    self.store_context(self.frame, offset::LEFT_FRAME);
                    self.call_unwind(site, meter, result);
                    self.jump_shared(Shared::Return);
                }
                _ => {
                    let (zero, negative) = (self.constant(0), self.constant(ENDED));
                    self.builder.ins().return_(&[zero, negative]);
                }
            }
        }
    }

    /// Calls [`sbpf_runtime::abi::Context::unwind`].
    fn call_unwind(&mut self, site: Value, meter: Value, result: Value) {
        let callback = self.load_context(I64, offset::UNWIND);
        let signature = unwind_signature(self.host_convention);
        let signature = self.builder.import_signature(signature);
        let arguments = [self.context(), site, meter, result];
        self.builder
            .ins()
            .call_indirect(signature, callback, &arguments);
    }
}

/// Cold blocks that a unit has once at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shared {
    /// `behind(meter, exception)`: after a syscall that has ended the program, or else left too low
    /// a meter.
    Behind,
    /// `raise(meter, exception)`
    Raise,
    /// Leaves from the innermost frame after a callback has noted why.
    Leave,
    /// `unwind(site, meter, result)`: after a call whose callee has ended the program, which then
    /// has one more frame to note, or else left too low a meter.
    Unwind,
    /// Tells the caller by a negative meter.
    Return,
}

impl Shared {
    /// All kinds, each before those it goes to.
    const ALL: [Self; Self::COUNT] = [
        Self::Behind,
        Self::Raise,
        Self::Leave,
        Self::Unwind,
        Self::Return,
    ];

    /// How many kinds there are.
    pub(crate) const COUNT: usize = 5;

    fn parameters(self) -> &'static [Type] {
        match self {
            Self::Behind | Self::Raise => &[I64, I64],
            Self::Unwind => &[I32, I64, I64],
            Self::Leave | Self::Return => &[],
        }
    }

    fn role(self) -> Role {
        match self {
            Self::Behind => Role::SharedBehind,
            Self::Raise => Role::SharedRaise,
            Self::Leave => Role::SharedLeave,
            Self::Unwind => Role::SharedUnwind,
            Self::Return => Role::SharedUnwound,
        }
    }
}
