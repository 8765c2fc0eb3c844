//! Syscalls: through the runtime, or directly where they are plain functions.

use {
    crate::{
        cfg::BlockId,
        exception::Shared,
        function::{FunctionCx, Position, TRUSTED},
        insn::Width,
        role::Role,
    },
    cranelift_codegen::ir::{
        AbiParam, Block, BlockArg, InstBuilder, Signature, Value,
        types::{I32, I64},
    },
    cranelift_codegen::isa::CallConv,
    sbpf_runtime::{
        abi::{Exception, offset},
        site::RegisterSet,
    },
};

impl FunctionCx<'_> {
    /// A syscall.
    pub(crate) fn syscall(&mut self, block: BlockId, at: Position, index: u32) {
        let is_direct = self.analysis.program.dialect.direct_functions;
        let called = is_direct.then(|| self.call_function(at, index));
        let after = self.analysis.liveness.after(&self.analysis.graph, block);
        let return_pc = self.analysis.graph.block(block).end;
        let behind = Exception::Bailout.inheriting(self.inherited(after), return_pc) as u32;
        let mut result = self.call_back(behind, index);
        if let Some(called) = called {
            let results = [result, self.meter()].map(BlockArg::Value);
            self.builder.ins().jump(called, &results);
            self.builder.seal_block(called);
            self.builder.switch_to_block(called);
            let results = self.builder.block_params(called);
            let meter = results[1];
            result = results[0];
            self.set_meter(meter);
        }
        self.set_register(0, result);
        let ends = self.cold_block(Role::SyscallEnds { pc: at.pc });
        let may_be_short = self.go_on_or(block, ends);

        // The interpreter may have to go on after the syscall, with the result that is in r0.
        self.builder.switch_to_block(ends);
        let shown = match is_direct {
            true => after,
            false => after.without(RegisterSet::of(0)),
        };
        if may_be_short {
            let packed = self.hidden_wide_number(behind);
            let meter = self.meter();
            self.jump_keeping(Shared::Behind, vec![meter, packed], shown);
        } else {
            self.jump_keeping(Shared::Leave, Vec::new(), shown);
        }
    }

    /// Calls the plain function that a syscall may be, and goes on in the block that is returned, with
    /// its result and the meter. Where there is none, goes on here.
    fn call_function(&mut self, at: Position, index: u32) -> Block {
        // Both ways have them then.
        let arguments = [1, 2, 3, 4, 5].map(|register| self.register(register));
        let functions = self.load_context(I64, offset::PLAIN_FUNCTIONS);
        let place = i32::try_from(8 * i64::from(index)).unwrap_or_default();
        let (place, within) = self.chosen_address(functions, place);
        let function = self.builder.ins().load(I64, TRUSTED, place, within);
        let calls_back = self.cold_block(Role::CallBack { pc: at.pc });
        let direct = self.builder.create_block();
        let called = self.builder.create_block();
        for _ in 0..2 {
            self.builder.append_block_param(called, I64);
        }
        self.comments.block(called, Role::Called { pc: at.pc });
        self.builder
            .ins()
            .brif(function, direct, &[], calls_back, &[]);
        self.builder.seal_block(direct);
        self.builder.seal_block(calls_back);
        self.builder.switch_to_block(direct);
        let signature = function_signature(self.host_convention);
        let signature = self.builder.import_signature(signature);
        let call = self
            .builder
            .ins()
            .call_indirect(signature, function, &arguments);
        let results = [self.builder.inst_results(call)[0], self.meter()];
        self.builder
            .ins()
            .jump(called, &results.map(BlockArg::Value));
        self.builder.switch_to_block(calls_back);
        called
    }

    /// Calls a syscall through the runtime; its arguments go through memory that the embedder sees. `behind` is
    /// the exception with which the interpreter goes on behind it.
    /// Returns the result, and sets the meter.
    fn call_back(&mut self, behind: u32, index: u32) -> Value {
        // Word by word, and straight to where the embedder reads them: a copy of words just stored
        // would wait for them to leave the store buffer.
        let passed = self.load_context(I64, offset::ARGUMENTS);
        for register in 0..6 {
            let value = self.register(register);
            self.builder
                .ins()
                .store(TRUSTED, value, passed, 8 * i32::from(register));
        }
        self.store_context(self.frame, offset::FRAME);
        let behind = self.hidden_number(behind);
        let index = self.chosen(Width::W32, i64::from(index));
        let meter = self.meter();
        let callback = self.load_context(I64, offset::SYSCALL);
        let signature = syscall_signature(self.host_convention);
        let signature = self.builder.import_signature(signature);
        let arguments = [self.context(), behind, index, meter];
        let call = self
            .builder
            .ins()
            .call_indirect(signature, callback, &arguments);
        self.forget_context();
        let meter = self.builder.inst_results(call)[0];
        self.set_meter(meter);
        self.load_context(I64, offset::register(0))
    }
}

/// The signature of a [`sbpf_runtime::abi::SyscallCallback`].
fn syscall_signature(convention: CallConv) -> Signature {
    let mut signature = Signature::new(convention);
    signature
        .params
        .extend([I64, I32, I32, I64].map(AbiParam::new));
    signature.returns.push(AbiParam::new(I64));
    signature
}

/// The signature of a [`sbpf_runtime::abi::Function`].
fn function_signature(convention: CallConv) -> Signature {
    let mut signature = Signature::new(convention);
    signature.params.extend([AbiParam::new(I64); 5]);
    signature.returns.push(AbiParam::new(I64));
    signature
}
