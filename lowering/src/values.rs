//! What a function works on, as SSA values: registers, the meter, the context.

use {
    crate::{
        cfg::BlockId,
        function::{FunctionCx, TRUSTED},
        role::Role,
    },
    cranelift_codegen::ir::{Block, InstBuilder, Type, Value, types::I64},
    sbpf_runtime::{
        abi::{FRAME_POINTER, offset},
        site::{CallSite, RegisterSet},
    },
};

/// Where registers are at a point of a function, see [`crate::homes`]. Some are both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    /// The context has what they hold.
    pub(crate) at_home: RegisterSet,
    /// Their variables do.
    pub(crate) values: RegisterSet,
}

impl Places {
    /// These are at home, and all others are values.
    pub(crate) fn with_home(at_home: RegisterSet) -> Self {
        Self {
            at_home,
            values: RegisterSet::range(0, FRAME_POINTER).without(at_home),
        }
    }
}

impl FunctionCx<'_> {
    /// The value of a register.
    pub(crate) fn register(&mut self, register: u8) -> Value {
        if register == FRAME_POINTER && !self.analysis.program.dialect.frame_pointer_is_variable() {
            return self.frame_pointer();
        }
        if !self.analysis.liveness.variables.contains(register) {
            return self.load_context(I64, offset::register(register));
        }
        if self.places.at_home.contains(register) && !self.places.values.contains(register) {
            return self.fetch(register);
        }
        let variable = self.registers[register as usize];
        match self.builder.try_use_var(variable) {
            Ok(value) => value,
            // Liveness passes every register that is read, so this value reaches nothing.
            Err(_) => self.constant(0),
        }
    }

    /// Gives a register its value.
    pub(crate) fn set_register(&mut self, register: u8, value: Value) {
        let one = RegisterSet::of(register);
        self.places.at_home = self.places.at_home.without(one);
        self.places.values = self.places.values.union(one);
        self.builder
            .def_var(self.registers[register as usize], value);
    }

    /// The meter: instructions left, before what is not yet paid for.
    pub(crate) fn meter(&mut self) -> Value {
        self.builder.use_var(self.meter)
    }

    pub(crate) fn set_meter(&mut self, meter: Value) {
        self.builder.def_var(self.meter, meter);
    }

    pub(crate) fn constant(&mut self, value: i64) -> Value {
        self.builder.ins().iconst(I64, value)
    }

    /// The context's address: the pinned register.
    ///
    /// Each CLIF block copies it anew. A copy takes no time, and a value that lives on in another
    /// block would take a register there, over calls one that its function has to save.
    pub(crate) fn context(&mut self) -> Value {
        let current = self.builder.current_block();
        match self.context {
            Some((block, context)) if current == Some(block) => context,
            _ => {
                let context = self.builder.ins().get_pinned_reg(I64);
                self.context = current.map(|block| (block, context));
                context
            }
        }
    }

    /// Copies the context's address anew from here on, behind a call over which a copy would have to be
    /// kept.
    pub(crate) fn forget_context(&mut self) {
        self.context = None;
    }

    /// Goes on in a block off the usual path that only the current one leads to: what it has copied of
    /// the context's address serves there too.
    pub(crate) fn go_on_in_cold(&mut self, block: Block) {
        let context = self.context();
        self.builder.switch_to_block(block);
        self.copied_context(context);
    }

    /// Uses a copy of the context's address in the current block: one that is there as well.
    pub(crate) fn copied_context(&mut self, context: Value) {
        let current = self.builder.current_block();
        self.context = current.map(|block| (block, context));
    }

    pub(crate) fn load_context(&mut self, ty: Type, offset: i32) -> Value {
        let context = self.context();
        self.builder.ins().load(ty, TRUSTED, context, offset)
    }

    pub(crate) fn store_context(&mut self, value: Value, offset: i32) {
        let context = self.context();
        self.builder.ins().store(TRUSTED, value, context, offset);
    }

    /// The value of a register that is at home, which is one from here on where this is on the usual path.
    fn fetch(&mut self, register: u8) -> Value {
        let value = self.load_context(I64, offset::register(register));
        if !self.is_cold() {
            self.builder
                .def_var(self.registers[register as usize], value);
            self.places.values.insert(register);
        }
        value
    }

    /// Makes values of those of these registers that are at home.
    pub(crate) fn fetch_all(&mut self, registers: RegisterSet) {
        for register in registers.intersection(self.places.at_home).iter() {
            self.register(register);
        }
    }

    /// Stores what must be at home and is not.
    pub(crate) fn bring_home(&mut self, registers: RegisterSet) {
        let registers = registers.without(self.places.at_home);
        self.spill(registers);
        self.places.at_home = self.places.at_home.union(registers);
    }

    /// Has registers where the start of a basic block expects them.
    pub(crate) fn settle(&mut self, target: BlockId) {
        let analysis = self.analysis;
        self.bring_home(analysis.homes.at_start(target));
        self.fetch_all(analysis.passed(target));
    }

    /// Stores registers where callbacks find them, unless they are there. With fixed frames the frame value goes there
    /// in place of r10.
    pub(crate) fn spill(&mut self, registers: RegisterSet) {
        let fixed = !self.analysis.program.dialect.frame_pointer_is_variable();
        for register in registers.without(self.places.at_home).iter() {
            if register == FRAME_POINTER && fixed {
                self.store_context(self.frame, offset::FRAME);
            } else if self.analysis.liveness.variables.contains(register) {
                let value = self.register(register);
                self.store_context(value, offset::register(register));
            }
        }
    }

    /// Takes back registers from where callbacks put them.
    pub(crate) fn reload(&mut self, registers: RegisterSet) {
        for register in registers.iter() {
            let value = self.load_context(I64, offset::register(register));
            self.set_register(register, value);
        }
    }

    /// A new call site; its number is what generated code passes to the callback.
    pub(crate) fn call_site(&mut self, site: CallSite) -> Value {
        let number = self.sites.first_call + self.sites.calls.len() as u32;
        self.sites.calls.push(site);
        self.hidden_number(number)
    }

    /// A new block to go on in: off the usual path if the current one is.
    pub(crate) fn block_behind(&mut self) -> Block {
        let block = self.builder.create_block();
        if self.is_cold() {
            self.builder.set_cold_block(block);
        }
        block
    }

    /// Whether this is off the usual path.
    fn is_cold(&self) -> bool {
        let current = self.builder.current_block();
        current.is_some_and(|current| self.builder.func.layout.is_cold(current))
    }

    /// A new block off the usual path.
    pub(crate) fn cold_block(&mut self, role: Role) -> Block {
        let block = self.builder.create_block();
        self.builder.set_cold_block(block);
        self.comments.block(block, role);
        block
    }
}
