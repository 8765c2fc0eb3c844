//! Calls of functions, and the way back.
//!
//! r6 to r9 (and r10 where the program moves it) are SSA values of the caller, so a call saves
//! nothing for the virtual machine: the register allocator keeps what is still needed.

use {
    crate::{
        blocks::LocalBlock,
        cfg::BlockId,
        dialect::FrameLayout,
        exception::Shared,
        function::{Analysis, FunctionCx, FunctionName, Position, TRUSTED, signature},
        insn::Width,
        likely::{Likely, LikelyTargets},
        linkage::{Linkage, Place},
        role::Role,
        values::Places,
    },
    cranelift_codegen::ir::{
        AbiParam, Block, BlockArg, ExtFuncData, ExternalName, FuncRef, Inst, InstBuilder,
        Signature, UserExternalName, Value,
        condcodes::IntCC,
        types::{I32, I64},
    },
    cranelift_codegen::isa::CallConv,
    sbpf_runtime::{
        abi::{Exception, offset},
        site::{CallSite, RegisterSet},
    },
};

impl FunctionCx<'_> {
    /// `call` of the function at `target`.
    pub(crate) fn call(&mut self, block: BlockId, at: Position, target: u32) {
        let Some(start) = self.analysis.graph.block_at(target) else {
            unreachable!("`Graph` makes a block of every call's target");
        };
        let homes = &self.analysis.homes;
        self.bring_home(homes.at_start(start));
        let frame = self.next_frame();
        let results = self.call_start(block, at, frame, start);
        self.after_call(block, results);
    }

    /// Calls the function that starts with a block, from the end of another one. Returns its result
    /// and the meter.
    fn call_start(
        &mut self,
        block: BlockId,
        at: Position,
        frame: Value,
        start: BlockId,
    ) -> [Value; 2] {
        let registers = self.analysis.passed(start);
        let unit = self.analysis.units.owner(start);
        let call = match self.analysis.linkage.number(unit) {
            None => {
                let arguments = self.arguments(frame, registers);
                let callee = self.callee(FunctionName::Unit(unit), registers);
                self.builder.ins().call(callee, &arguments)
            }
            Some(number) => {
                let place = Place::Number(number);
                let callee = self.function_at(place, at.pc, |cx| cx.bail_out_before(block, at));
                let arguments = self.arguments(frame, registers);
                let signature = self.builder.import_signature(signature(registers));
                self.builder
                    .ins()
                    .call_indirect(signature, callee, &arguments)
            }
        };
        self.results(call)
    }

    fn results(&mut self, call: Inst) -> [Value; 2] {
        self.forget_context();
        let results = self.builder.inst_results(call);
        [results[0], results[1]]
    }

    /// `callx`: the frame is pushed first, so its error comes first.
    pub(crate) fn call_register(&mut self, block: BlockId, at: Position, register: u8) {
        let homes = &self.analysis.homes;
        self.bring_home(homes.indirect_homes);
        let likely = self.likely_target(register);
        let mut passed = homes.indirect_parameters;
        if let Some(likely) = likely {
            self.bring_home(homes.at_start(likely.start));
            passed = passed.union(self.analysis.passed(likely.start));
        }
        // Both ways have them then.
        for register in passed.iter() {
            self.register(register);
        }
        let frame = self.push_frame(at);
        let address = self.register(register);
        let Some(likely) = likely else {
            let results = self.call_address(block, at, frame, address);
            return self.after_call(block, results);
        };
        let direct = self.builder.create_block();
        let indirect = self.cold_block(Role::Unlikely { pc: at.pc });
        let called = self.builder.create_block();
        let results = [I64, I64].map(|ty| self.builder.append_block_param(called, ty));
        self.comments.block(called, Role::Called { pc: at.pc });
        let expected = self.chosen(Width::W64, likely.address as i64);
        let is_likely = self.builder.ins().icmp(IntCC::Equal, address, expected);
        self.builder
            .ins()
            .brif(is_likely, direct, &[], indirect, &[]);
        self.builder.seal_block(direct);
        self.builder.switch_to_block(direct);
        let places = self.places;
        let direct = match self.call_short(block, at, frame, likely.start, indirect) {
            Some(inlined) => inlined,
            None => self.call_start(block, at, frame, likely.start),
        };
        self.builder
            .ins()
            .jump(called, &direct.map(BlockArg::Value));
        self.builder.seal_block(indirect);
        self.builder.switch_to_block(indirect);
        self.places = places;
        let indirect = self.call_address(block, at, frame, address);
        self.builder
            .ins()
            .jump(called, &indirect.map(BlockArg::Value));
        self.builder.seal_block(called);
        self.builder.switch_to_block(called);
        self.after_call(block, results);
    }

    fn likely_target(&mut self, register: u8) -> Option<Likely> {
        let Analysis { program, facts, .. } = self.analysis;
        let targets = self.likely_targets.get_or_insert_with(|| {
            LikelyTargets::find(program, &facts.graph, &facts.units, self.unit)
        });
        targets.of(register)
    }

    /// Calls the function at an address. What was not known to be the start of one is left to the
    /// interpreter. Returns its result and the meter.
    fn call_address(
        &mut self,
        block: BlockId,
        at: Position,
        frame: Value,
        address: Value,
    ) -> [Value; 2] {
        let text = self.chosen(Width::W64, self.analysis.program.text_address as i64);
        let offset = self.builder.ins().isub(address, text);
        let three = self.constant(3);
        let pc = self.builder.ins().ushr(offset, three);
        let length = self.chosen(Width::W64, self.analysis.program.len() as i64);
        let is_outside = self
            .builder
            .ins()
            .icmp(IntCC::UnsignedGreaterThanOrEqual, pc, length);
        self.raise_if(is_outside, at, Exception::CallOutsideTextSegment);

        let callee = match &self.analysis.linkage {
            Linkage::Direct => {
                let entries = self.load_context(I64, offset::ENTRIES);
                let two = self.constant(2);
                let scaled = self.builder.ins().ishl(pc, two);
                let entry = self.builder.ins().iadd(entries, scaled);
                let entry = self.builder.ins().uload32(TRUSTED, entry, 0);
                let zero = self.constant(0);
                let is_unknown = self.builder.ins().icmp(IntCC::Equal, entry, zero);
                self.bail_out_if(is_unknown, block, at);

                let code = self.load_context(I64, offset::CODE);
                self.builder.ins().iadd(code, entry)
            }
            Linkage::Table(_) => self.function_at(Place::Entry(pc), at.pc, |cx| {
                cx.bail_out_before(block, at);
            }),
        };
        let registers = self.analysis.homes.indirect_parameters;
        let arguments = self.arguments(frame, registers);
        let signature = self.builder.import_signature(signature(registers));
        let call = self
            .builder
            .ins()
            .call_indirect(signature, callee, &arguments);
        self.results(call)
    }

    /// A call that fails when its frame has been pushed.
    pub(crate) fn call_and_raise(&mut self, at: Position, exception: Exception) {
        self.push_frame(at);
        self.raise_at(at, exception);
    }

    /// `exit`: hands back what callers read.
    pub(crate) fn exit(&mut self, block: BlockId, at: Position) {
        let homes = &self.analysis.homes;
        self.bring_home(homes.left(block));
        if self.analysis.is_outermost[self.unit.0 as usize] {
            let pc = self.hidden_wide_number(at.pc);
            self.store_context(pc, offset::EXIT_PC);
        }
        let result = match homes.returns_value(block) {
            true => self.register(0),
            false => self.constant(0),
        };
        let meter = self.meter();
        self.builder.ins().return_(&[result, meter]);
    }

    /// r10 with fixed frames, which the frame value determines.
    pub(crate) fn frame_pointer(&mut self) -> Value {
        let bias = self.load_context(I64, offset::FRAME_BIAS);
        let once = self.builder.ins().iadd(self.frame, bias);
        match self.analysis.program.dialect.frames {
            // Added one by one: the first sum takes the bias from memory.
            FrameLayout::Fixed { stride: 2, .. } => self.builder.ins().iadd(once, self.frame),
            _ => once,
        }
    }

    /// The frame value of a callee, which checks the call depth by itself.
    pub(crate) fn next_frame(&mut self) -> Value {
        let step = match self.analysis.program.dialect.frames {
            FrameLayout::Fixed { size, .. } => i64::from(size),
            FrameLayout::Manual => 1,
        };
        let step = self.constant(step);
        self.builder.ins().iadd(self.frame, step)
    }

    /// The frame value of a callee, after the check of the call depth.
    pub(crate) fn push_frame(&mut self, at: Position) -> Value {
        let frame = self.next_frame();
        let is_exceeded = self.is_too_deep(frame);
        self.raise_if(is_exceeded, at, Exception::CallDepthExceeded);
        frame
    }

    /// The check of the call depth in a function that calls of a known target lead to. Where these are
    /// many, it takes less code than they would.
    pub(crate) fn check_depth(&mut self) {
        let entry = self.analysis.units.unit(self.unit).entry;
        let is_exceeded = self.is_too_deep(self.frame);
        let at = Position {
            pc: self.analysis.graph.block(entry).start,
            spent: -1,
        };
        self.raise_if(is_exceeded, at, Exception::EnteredTooDeep);
    }

    pub(crate) fn is_too_deep(&mut self, frame: Value) -> Value {
        let limit = self.load_context(I64, offset::FRAME_LIMIT);
        self.builder.ins().icmp(IntCC::Equal, frame, limit)
    }

    /// Meter, frame and registers, in the order of [`signature`].
    pub(crate) fn arguments(&mut self, frame: Value, registers: RegisterSet) -> Vec<Value> {
        let mut arguments = vec![self.meter(), frame];
        for register in registers.iter() {
            arguments.push(self.register(register));
        }
        arguments
    }

    /// Takes the results of a call, or passes a negative meter on.
    fn after_call(&mut self, block: BlockId, [result, meter]: [Value; 2]) {
        self.set_meter(meter);
        let graph = &self.analysis.graph;
        let homes = &self.analysis.homes;
        self.places = Places::with_home(homes.behind_call(graph, block));
        let taken = homes.taken(graph, block);
        if taken.contains(0) {
            self.builder.def_var(self.registers[0], result);
            self.places.values.insert(0);
        }
        let saved = self.analysis.liveness.saved(graph, block);
        let return_pc = graph.block(block).end;
        if !graph.never_returns(block) {
            let unwinds = self.cold_block(Role::Unwind { pc: return_pc });
            self.go_on_or(block, unwinds);
            self.builder.switch_to_block(unwinds);
        }
        let site = self.call_site(CallSite {
            return_pc,
            saved: saved.union(taken),
        });
        self.jump_keeping(Shared::Unwind, vec![site, meter, result], saved);
    }

    /// Goes on behind the call at the end of `block`, or to `ends` if the program has ended, or if
    /// the budget may not last; returns whether it is made for the latter as well.
    ///
    /// What follows is a checkpoint, so one comparison with what it needs finds both. Leaves `ends`
    /// to be filled.
    pub(crate) fn go_on_or(&mut self, block: BlockId, ends: Block) -> bool {
        let Some(next) = self.analysis.graph.block(block).successors[0] else {
            unreachable!("`Graph` makes a block behind every call")
        };
        let needed = |local: &LocalBlock| match local.entry {
            Some(_) => None,
            None => Some((local.body, local.charge.needed?)),
        };
        let checkpoint = self.blocks.get(&next).and_then(needed);
        self.settle(next);
        let meter = self.meter();
        match checkpoint {
            Some((body, needed)) => {
                self.branch_if_less(meter, needed, ends, body);
                self.body_edge_done(next);
            }
            None => {
                let goes_on = self.builder.create_block();
                self.branch_if_less(meter, 0, ends, goes_on);
                self.builder.seal_block(goes_on);
                self.builder.switch_to_block(goes_on);
                self.returned_to(next);
            }
        }
        self.builder.seal_block(ends);
        checkpoint.is_some()
    }

    /// Goes to the block behind a call where there is no check to make.
    fn returned_to(&mut self, next: BlockId) {
        match self.blocks.get(&next) {
            Some(&LocalBlock {
                body, entry: None, ..
            }) => {
                self.builder.ins().jump(body, &[]);
                self.body_edge_done(next);
            }
            _ => self.go_to(next),
        }
    }

    /// Goes to `less` if the meter, which may be negative, is less than `limit`.
    pub(crate) fn branch_if_less(
        &mut self,
        meter: Value,
        limit: u32,
        less: Block,
        otherwise: Block,
    ) {
        let limit = self.chosen(Width::W64, i64::from(limit));
        let is_less = self.builder.ins().icmp(IntCC::SignedLessThan, meter, limit);
        self.builder.ins().brif(is_less, less, &[], otherwise, &[]);
    }

    /// A function of the program, declared once in each unit that calls it.
    pub(crate) fn callee(&mut self, name: FunctionName, registers: RegisterSet) -> FuncRef {
        if let Some(callee) = self.callees.get(&name) {
            return *callee;
        }
        let signature = match name {
            FunctionName::Access => access_signature(),
            _ => signature(registers),
        };
        let callee = declare(&mut self.builder, name, signature);
        self.callees.insert(name, callee);
        callee
    }
}

/// The signature of the functions that look further for the range of a site: the meter and the site. The lowest
/// address is in [`sbpf_runtime::abi::Context::resolved`]: as an argument it would be in a certain register of
/// the machine, which the allocator would free for it on the usual path.
pub(crate) fn access_signature() -> Signature {
    let mut signature = Signature::new(CallConv::PreserveAll);
    signature.params.extend([I64, I32].map(AbiParam::new));
    signature
}

/// The signature of a [`sbpf_runtime::abi::AccessCallback`].
pub(crate) fn access_callback_signature(convention: CallConv) -> Signature {
    let mut signature = Signature::new(convention);
    signature.params.extend([I64, I64, I32].map(AbiParam::new));
    signature
}

/// The signature of a [`sbpf_runtime::abi::UnwindCallback`].
pub(crate) fn unwind_signature(convention: CallConv) -> Signature {
    let mut signature = Signature::new(convention);
    signature
        .params
        .extend([I64, I32, I64, I64].map(AbiParam::new));
    signature
}

/// Declares a function of the same program, within reach of a direct call.
pub(crate) fn declare(
    builder: &mut cranelift_frontend::FunctionBuilder<'_>,
    name: FunctionName,
    signature: Signature,
) -> FuncRef {
    let (namespace, index) = name.to_user_name();
    let name = builder
        .func
        .declare_imported_user_function(UserExternalName { namespace, index });
    let signature = builder.import_signature(signature);
    builder.import_function(ExtFuncData {
        name: ExternalName::User(name),
        signature,
        colocated: true,
        patchable: false,
    })
}
