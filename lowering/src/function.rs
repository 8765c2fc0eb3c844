//! One unit of blocks to one CLIF function.
//!
//! ```text
//! function unit(meter, frame, registers...) -> (r0, meter) tail           // ctx in the pinned register
//!
//! if frame == ctx.frame_limit: raise        // exception, where calls lead here
//! for each basic block:
//!   checkpoint:                               // meter
//!     if meter < needed: goto budget          // the longest way to the next checkpoint
//!   block:
//!   for each group of accesses, before its first one:
//!     range = ctx.slots[address >> 32].load   // address translation
//!     if address - range.start is outside: goto slow
//!     host = address - range.start + range.host
//!   instructions, on SSA values
//!     meter -= cost                           // or later, with what follows
//!     jump, branch, call, or `return r0, meter`
//!
//! budget (cold):                              // exception
//!   raise(meter, bailout at the checkpoint)   // the interpreter runs out by itself
//! slow (cold):
//!   ctx.access(site)                          // finds the host address or interprets
//!   goto the accesses, or behind them, or leave
//! after a call, meter < needed (cold):        // exception, or the budget as above
//!   ctx.unwind(site, meter, r0); return 0, -1
//! raise(meter, exception) (cold):             // exception
//!   ctx.meter = meter; ctx.exception = exception; return 0, -1
//! ```
//!
//! A negative meter is how a function tells its caller that the program has ended, so the test
//! for it is the only thing that a call pays for errors.

use {
    crate::{
        blocks::{LocalBlock, local_blocks},
        cfg::{BlockId, Graph},
        comments::Comments,
        decode::Program,
        exception::Shared,
        hidden::Key,
        homes::Homes,
        insn::{Insn, Operation},
        likely::LikelyTargets,
        linkage::Linkage,
        liveness::Liveness,
        role::Role,
        sharing::{GroupId, Sharing, memory_plan},
        translation::LoopCaches,
        units::{UnitId, Units},
        values::Places,
    },
    cranelift_codegen::ir::{
        AbiParam, Block, FuncRef, Function, MemFlagsData, Signature, SourceLoc, UserFuncName,
        Value, types::I64,
    },
    cranelift_codegen::isa::{CallConv, TargetFrontendConfig},
    cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable},
    sbpf_runtime::{
        abi::Exception,
        site::{AccessSite, CallSite, RegisterSet},
    },
    std::{
        collections::{BTreeMap, HashMap},
        ops::Deref,
        sync::Arc,
    },
};

/// Memory flags of the context: always there, always aligned.
pub(crate) const TRUSTED: MemFlagsData = MemFlagsData::trusted();

/// What all units of a program have in common.
#[derive(Debug)]
pub struct Analysis<'p> {
    /// The program. Once its facts are known, nobody looks at its functions and syscalls.
    pub program: &'p Program<'p>,
    /// What is known of it.
    pub facts: Arc<Facts>,
    /// What hides constants that the program chose, if they are hidden.
    pub key: Option<Key>,
    /// Whether host addresses depend on the checks of their ranges.
    pub guards_speculation: bool,
    /// How functions find each other.
    pub linkage: Linkage,
}

impl Deref for Analysis<'_> {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts
    }
}

/// What an analysis has found out, and what can be kept without the program.
#[derive(Debug)]
pub struct Facts {
    /// Blocks.
    pub graph: Graph,
    /// What becomes one function each.
    pub units: Units,
    /// Live registers.
    pub liveness: Liveness,
    /// Registers that are in the context.
    pub homes: Homes,
    /// Whether the outermost function can be executing in a unit.
    pub is_outermost: Vec<bool>,
    /// Whether calls that name their target enter a unit.
    pub is_called: Vec<bool>,
}

/// Numbers in the namespace of CLIF function names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FunctionName {
    /// The way in, from the host.
    Entry,
    /// Looks further for a range than a check does, see `access`, preserving all registers.
    Access,
    /// Calls [`sbpf_runtime::abi::Context::access`], preserving all registers.
    AccessSlow,
    /// Calls [`sbpf_runtime::abi::Context::compile`], preserving all registers.
    Compile,
    /// A unit.
    Unit(UnitId),
    /// A unit under the signature of calls through a register.
    Indirect(UnitId),
}

impl FunctionName {
    /// The pair of numbers that names the function in CLIF.
    pub fn to_user_name(self) -> (u32, u32) {
        match self {
            Self::Entry => (0, 0),
            Self::Access => (0, 1),
            Self::AccessSlow => (0, 2),
            Self::Compile => (0, 3),
            Self::Unit(unit) => (1, unit.0),
            Self::Indirect(unit) => (2, unit.0),
        }
    }

    /// Undoes [`Self::to_user_name`].
    pub fn from_user_name(namespace: u32, index: u32) -> Option<Self> {
        match (namespace, index) {
            (0, 0) => Some(Self::Entry),
            (0, 1) => Some(Self::Access),
            (0, 2) => Some(Self::AccessSlow),
            (0, 3) => Some(Self::Compile),
            (1, unit) => Some(Self::Unit(UnitId(unit))),
            (2, unit) => Some(Self::Indirect(UnitId(unit))),
            _ => None,
        }
    }
}

/// The signature of a function that is passed `registers`.
pub(crate) fn signature(registers: RegisterSet) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    for _ in 0..2 + registers.len() {
        signature.params.push(AbiParam::new(I64));
    }
    signature
        .returns
        .extend([AbiParam::new(I64), AbiParam::new(I64)]);
    signature
}

/// The places of a program that call back.
#[derive(Debug, Default)]
pub struct Sites {
    /// Those that access memory.
    pub accesses: Vec<AccessSite>,
    /// Those that call functions.
    pub calls: Vec<CallSite>,
    /// The number of the first one that accesses memory, where others have numbers of their own.
    pub first_access: u32,
    /// The same of those that call functions.
    pub first_call: u32,
}

/// A function being lowered.
pub(crate) struct FunctionCx<'a> {
    pub(crate) builder: FunctionBuilder<'a>,
    pub(crate) analysis: &'a Analysis<'a>,
    pub(crate) sites: &'a mut Sites,
    pub(crate) comments: &'a mut Comments,
    pub(crate) unit: UnitId,
    /// The context's address, in the CLIF block for which it was asked for last.
    pub(crate) context: Option<(Block, Value)>,
    /// The frame value, see [`sbpf_runtime::abi::Context::frame`].
    pub(crate) frame: Value,
    /// See [`Self::prepare_hidden_frame`].
    pub(crate) hidden_frame: Option<Value>,
    /// Host signature of callbacks.
    pub(crate) host_convention: CallConv,
    /// What the unit's basic blocks become.
    pub(crate) blocks: HashMap<BlockId, LocalBlock>,
    /// Where the budget may end, see [`Self::short_block`].
    pub(crate) shorts: Vec<(BlockId, Block)>,
    /// Where other units go on, see [`Self::tail_block`].
    pub(crate) tails: BTreeMap<BlockId, Block>,
    /// r0 to r9, r10 where the program moves it.
    pub(crate) registers: [Variable; 11],
    /// Where these are now.
    pub(crate) places: Places,
    pub(crate) meter: Variable,
    /// Blocks that exceptions share, once something needs them.
    pub(crate) shared: [Option<Block>; Shared::COUNT],
    /// Blocks that store registers, and go on in a shared one.
    pub(crate) keeping: Vec<((Shared, RegisterSet), Block)>,
    pub(crate) callees: HashMap<FunctionName, FuncRef>,
    /// Which checks cover which accesses.
    pub(crate) sharing: &'a Sharing,
    /// The host address that a check leaves to the groups it covers, or 0.
    pub(crate) left_hosts: HashMap<GroupId, Variable>,
    /// What groups of accesses in loops keep.
    pub(crate) loop_caches: LoopCaches,
    /// What `callx` is likely to call, once there is one.
    pub(crate) likely_targets: Option<LikelyTargets>,
}

/// Where lowering is within a basic block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// The pc of the instruction.
    pub(crate) pc: u32,
    /// Instructions before it that are not yet paid for; -1 if it is paid for itself.
    pub(crate) spent: i32,
}

/// Lowers a unit. `sites` grows by those of the unit.
pub(crate) fn lower_unit(
    analysis: &Analysis<'_>,
    unit: UnitId,
    target: TargetFrontendConfig,
    frontend: &mut FunctionBuilderContext,
    function: &mut Function,
    sites: &mut Sites,
    comments: &mut Comments,
) {
    let start = analysis.units.unit(unit).entry;
    let parameters = analysis.passed(start);
    let (namespace, index) = FunctionName::Unit(unit).to_user_name();
    function.name = UserFuncName::user(namespace, index);
    function.signature = signature(parameters);
    let mut builder = FunctionBuilder::new(function, frontend);
    let registers = std::array::from_fn(|_| builder.declare_var(I64));
    let meter = builder.declare_var(I64);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    builder.seal_block(entry);
    let arguments = builder.block_params(entry).to_vec();
    let blocks = local_blocks(analysis, unit, &mut builder);
    let charges = |block| blocks.get(&block).map(|local| local.charge);
    let (loops, sharing) = memory_plan(analysis, unit, charges);
    let live = |block| analysis.passed(block).len();
    let cached = loops.cached_groups(&analysis.graph, analysis.units.unit(unit), live, &sharing);
    let loop_caches = LoopCaches::declare(loops, &cached, &mut builder);
    let leaders = sharing.leaders().into_iter();
    let left_hosts = leaders.map(|leader| (leader, builder.declare_var(I64)));
    let left_hosts = left_hosts.collect();
    let mut cx = FunctionCx {
        builder,
        analysis,
        sites,
        comments,
        unit,
        context: None,
        frame: arguments[1],
        hidden_frame: None,
        host_convention: target.default_call_conv,
        blocks,
        shorts: Vec::new(),
        tails: BTreeMap::new(),
        registers,
        places: Places::with_home(analysis.homes.at_start(start)),
        meter,
        shared: [None; Shared::COUNT],
        keeping: Vec::new(),
        callees: HashMap::new(),
        sharing: &sharing,
        left_hosts,
        loop_caches,
        likely_targets: None,
    };
    cx.builder.def_var(meter, arguments[0]);
    for (register, value) in parameters.iter().zip(&arguments[2..]) {
        cx.builder.def_var(registers[register as usize], *value);
    }
    cx.comments.block(entry, Role::Entry);
    cx.prepare_hidden_frame();
    if analysis.is_called[unit.0 as usize] {
        cx.check_depth();
    }
    cx.lower_blocks();
    cx.builder.seal_all_blocks();
    cx.builder.finalize(target);
}

impl FunctionCx<'_> {
    fn lower_blocks(&mut self) {
        let analysis = self.analysis;
        let unit = analysis.units.unit(self.unit);
        self.enter_loop(None, unit.entry);
        self.go_to(unit.entry);
        // What a branch skips comes right behind it.
        let mut skipped = None;
        for &block in &unit.blocks {
            if skipped != Some(block) {
                self.lower_block(block);
                skipped = self.blocks[&block].skips;
            }
        }
        self.fill_tail_blocks();
        self.fill_short_blocks();
        self.fill_shared_blocks();
    }

    /// One basic block. The order around an instruction is fixed: source location, the check of
    /// its group, the instruction itself, the end of its stretch.
    fn lower_block(&mut self, id: BlockId) {
        let analysis = self.analysis;
        self.places = Places::with_home(analysis.homes.at_start(id));
        if let Some(counted) = analysis.graph.counted_loops.get(&id) {
            self.lower_counted(id, counted);
        }
        self.check_meter(id);
        let LocalBlock { body, charge, .. } = self.blocks[&id];
        self.builder.switch_to_block(body);
        self.places = Places::with_home(analysis.homes.at_start(id));
        let block = analysis.graph.block(id);
        self.comments.block(
            body,
            Role::Basic {
                pc: block.start,
                cost: block.cost,
            },
        );
        self.locate(block.start);
        let sharing = self.sharing;
        let Some(accesses) = sharing.of(id) else {
            unreachable!("`Sharing` plans all blocks of the unit")
        };
        let insns: Vec<(u32, &Insn)> = analysis.graph.insns(id).collect();
        let mut translated = self.begin_translation(accesses);
        for (index, (pc, insn)) in insns.iter().enumerate() {
            self.locate(*pc);
            let position = Position {
                pc: *pc,
                spent: charge.carried as i32 + index as i32,
            };
            if insn.ends_block() {
                self.enter_loops(id);
                self.lower_terminator(id, position, insn);
                return;
            }
            self.translate_group(id, &mut translated, accesses, &insns, index, position);
            self.lower_insn(position, insn, translated.of(accesses, index));
            self.end_stretch(&mut translated, accesses, index);
        }
        self.enter_loops(id);
        if charge.settles {
            self.pay(charge.carried + block.cost);
        }
        if let Some(next) = block.successors().next() {
            self.go_to(next);
        }
    }

    /// The one match over what an instruction does; each arm is a line.
    pub(crate) fn lower_insn(
        &mut self,
        at: Position,
        insn: &Insn,
        translated: Option<(Value, i32)>,
    ) {
        let destination = insn.destination;
        match insn.operation {
            Operation::Arithmetic(operation, width, extension, source) => {
                self.arithmetic(operation, width, extension, destination, source);
            }
            Operation::Divide(division, width, source) => {
                self.divide(at, division, width, destination, source);
            }
            Operation::DivideTotally(division, width, source) => {
                self.divide_totally(division, width, destination, source);
            }
            Operation::MoveSigned {
                bits,
                width,
                source,
            } => self.move_signed(destination, bits, width, source),
            Operation::ByteOrder { bits, swap } => self.byte_order(destination, bits, swap),
            Operation::Load {
                size,
                base,
                offset,
                extension,
            } => {
                let address = self.host_address(size, base, offset, translated);
                self.load(destination, size, extension, address);
            }
            Operation::Store {
                size,
                base,
                offset,
                source,
            } => {
                let address = self.host_address(size, base, offset, translated);
                self.store(size, source, address);
            }
            Operation::Atomic {
                operation,
                fetch,
                size,
                base,
                offset,
                source,
            } => {
                let address = self.host_address(size, base, offset, translated);
                self.atomic(operation, fetch, size, source, address);
            }
            _ => unreachable!("`Insn::ends_block` sends it to `lower_terminator`"),
        }
    }

    fn lower_terminator(&mut self, block: BlockId, mut at: Position, insn: &Insn) {
        let is_failure = matches!(
            insn.operation,
            Operation::Raise(_) | Operation::CallAndRaise(_)
        );
        let graph = &self.analysis.graph;
        if graph.is_interpreted(block) {
            return self.bail_out_before(block, at);
        }
        if let Some(callee) = graph.inlined(block) {
            return self.call_inlined(block, at, callee);
        }
        if let Some(early) = graph.early_return(block) {
            self.return_early(block, at, early);
        }
        if let Some(skipped) = self.blocks[&block].skips {
            return self.select(block, at, insn, skipped);
        }
        if (self.blocks[&block].charge.settles || insn.operation == Operation::Exit) && !is_failure
        {
            let count = at.spent as u32 + 1;
            match insn.operation {
                Operation::Jump { .. } | Operation::Branch { .. } => self.pay(count),
                operation => self.pay_and_hand_over(count, operation == Operation::Exit),
            }
            at.spent = -1;
        }
        match insn.operation {
            Operation::Jump { .. } => self.jump(block),
            Operation::Branch {
                condition,
                width,
                source,
                ..
            } => {
                self.branch(block, condition, width, insn.destination, source);
            }
            Operation::Call { target } => self.call(block, at, target),
            Operation::CallRegister { register } => self.call_register(block, at, register),
            Operation::Syscall { index } => self.syscall(block, at, index),
            Operation::Exit => self.exit(block, at),
            Operation::Raise(Exception::Bailout) => self.bail_out_before(block, at),
            Operation::Raise(exception) => self.raise_at(at, exception),
            Operation::CallAndRaise(exception) => self.call_and_raise(at, exception),
            _ => unreachable!("`Insn::ends_block` sends it to `lower_insn`"),
        }
    }

    /// Prepares the loops that control may enter behind a basic block.
    pub(crate) fn enter_loops(&mut self, from: BlockId) {
        for next in self.analysis.graph.block(from).successors() {
            self.enter_loop(Some(from), next);
        }
    }

    /// Names the instruction that the following CLIF belongs to.
    pub(crate) fn locate(&mut self, pc: u32) {
        self.builder.set_srcloc(SourceLoc::new(pc));
    }
}
