//! Basic blocks of the whole program and the jumps between them.
//!
//! Only what is reachable from a function start is decoded. A block has one entry, at its first
//! instruction, and ends before the next leader, at a jump, or at a call, since a callee spends
//! from the same meter. Costs are counted here: one for each instruction.

use {
    crate::{
        addressed::Constants,
        counted_loops::CountedLoop,
        decode::{Program, decode},
        early_returns::EarlyReturn,
        error::LoweringError,
        insn::{Insn, Operation},
    },
    sbpf_runtime::site::RegisterSet,
    std::collections::{HashMap, HashSet},
};

/// The most instructions in a block; longer runs are split, so that no stage sees a block whose
/// size a program chooses.
pub const MAX_BLOCK: u32 = 256;

/// Index of a block in its [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockId(pub u32);

impl BlockId {
    /// The block's index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A basic block.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    /// The pc of the first instruction.
    pub start: u32,
    /// The pc after the last instruction.
    pub end: u32,
    /// The pc of the last instruction.
    pub last: u32,
    /// Instructions in the block, which is what it costs.
    pub cost: u32,
    /// Where control may go next within the function: fall through first, then the jump's target. Nowhere
    /// behind a call that does not return.
    pub successors: [Option<BlockId>; 2],
}

impl Block {
    /// The blocks that control may go to.
    pub fn successors(&self) -> impl Iterator<Item = BlockId> {
        self.successors.into_iter().flatten()
    }
}

/// The reachable part of a program as basic blocks.
#[derive(Debug)]
pub struct Graph {
    /// Blocks in the order of their start.
    pub blocks: Vec<Block>,
    /// Blocks at which functions start: the program's entry first.
    pub starts: Vec<BlockId>,
    /// Those that a `callx` may call, in the order of their start, see `addressed`.
    pub indirect_starts: Vec<BlockId>,
    /// Calls that don't return to compiled code, and syscalls that are left to the interpreter, by the block
    /// that they end, with what the interpreter may read behind them, see `no_return`.
    pub(crate) no_return: HashMap<BlockId, RegisterSet>,
    /// Functions at whose start control comes by calls only.
    pub(crate) only_called: OnlyCalled,
    /// Functions in place of their calls, by the block that a call ends, see `inlining`.
    pub(crate) inlined: HashMap<BlockId, BlockId>,
    /// How calls may return early, by the block that a call ends.
    pub(crate) early_returns: HashMap<BlockId, EarlyReturn>,
    /// Loops whose turns are counted, by their block.
    pub(crate) counted_loops: HashMap<BlockId, CountedLoop>,
    insns: Vec<Option<Insn>>,
    block_at: Vec<u32>,
}

/// Functions at whose start control comes by calls only.
#[derive(Debug, Default)]
pub(crate) struct OnlyCalled {
    /// Whether each block is the start of one.
    is_one: Vec<bool>,
    /// Whether all are that a `callx` may call.
    pub(crate) indirectly: bool,
}

impl OnlyCalled {
    pub(crate) fn find(graph: &Graph) -> Self {
        let mut is_one = graph.are_starts();
        for next in graph.blocks.iter().flat_map(Block::successors) {
            is_one[next.index()] = false;
        }
        let mut indirect = graph.indirect_starts.iter();
        Self {
            indirectly: indirect.all(|start| is_one[start.index()]),
            is_one,
        }
    }
}

/// Marks a pc at which no block starts.
const NO_BLOCK: u32 = u32::MAX;

impl Graph {
    /// Decodes what is reachable and finds its blocks.
    ///
    /// # Errors
    /// When an instruction can't be decoded, or the entry is not in the text.
    pub fn build(program: &Program<'_>) -> Result<Self, LoweringError> {
        let mut discovery = Discovery::new(program);
        if program.entry > program.len() {
            return Err(LoweringError::EntryOutsideText(program.entry));
        }
        let mut starts = vec![program.entry as u32];
        for &start in program
            .function_starts
            .iter()
            .chain(program.functions.values())
        {
            if start < program.len() {
                starts.push(start as u32);
            }
        }
        for &start in &starts {
            discovery.mark(start);
        }
        discovery.run()?;
        starts.append(&mut discovery.called);
        starts.extend_from_slice(&discovery.addressed);
        starts[1..].sort_unstable();
        starts.dedup();
        let indirect_starts = discovery.indirect_starts();
        Ok(discovery.into_graph(&starts, &indirect_starts))
    }

    /// The ids of all blocks.
    pub fn ids(&self) -> impl Iterator<Item = BlockId> + use<> {
        (0..self.blocks.len() as u32).map(BlockId)
    }

    /// The start of the function that the call at the end of a block names.
    pub fn callee(&self, id: BlockId) -> Option<BlockId> {
        match self.ending(id)? {
            Operation::Call { target } => self.block_at(target),
            _ => None,
        }
    }

    /// A block by its id.
    pub fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.index()]
    }

    /// The function that takes the place of the call at the end of a block.
    pub fn inlined(&self, id: BlockId) -> Option<BlockId> {
        self.inlined.get(&id).copied()
    }

    /// Whether a block ends with a call that does not return to compiled code, or is left to the interpreter.
    pub fn never_returns(&self, id: BlockId) -> bool {
        self.no_return.contains_key(&id)
    }

    /// Whether a block ends with a syscall or a `callx` that is left to the interpreter.
    pub fn is_interpreted(&self, id: BlockId) -> bool {
        self.never_returns(id) && self.callee(id).is_none()
    }

    /// The blocks that end with a `callx`.
    pub(crate) fn indirect_calls(&self) -> impl Iterator<Item = BlockId> {
        let is_one =
            |id: &BlockId| matches!(self.ending(*id), Some(Operation::CallRegister { .. }));
        self.ids().filter(is_one)
    }

    /// Whether a function starts with each block.
    pub(crate) fn are_starts(&self) -> Vec<bool> {
        let mut are_starts = vec![false; self.blocks.len()];
        for start in &self.starts {
            are_starts[start.index()] = true;
        }
        are_starts
    }

    /// Whether a function starts with a block to which no jump leads.
    pub fn is_only_called(&self, id: BlockId) -> bool {
        self.only_called
            .is_one
            .get(id.index())
            .copied()
            .unwrap_or_default()
    }

    /// How the call at the end of a block may return early.
    pub(crate) fn early_return(&self, id: BlockId) -> Option<EarlyReturn> {
        self.early_returns.get(&id).copied()
    }

    /// Instructions from the start of a block to its end, those of a function in place of its call, or of
    /// one that returns early, included.
    pub fn cost(&self, id: BlockId) -> u32 {
        let inlined = self.inlined(id).map_or(0, |callee| self.block(callee).cost);
        let early = self.early_return(id).map_or(0, |early| early.cost(self));
        self.block(id).cost + inlined + early
    }

    /// The block that starts at `pc`.
    pub fn block_at(&self, pc: u32) -> Option<BlockId> {
        let id = *self.block_at.get(pc as usize)?;
        (id != NO_BLOCK).then_some(BlockId(id))
    }

    /// The instructions of a block with their pcs.
    pub fn insns(&self, id: BlockId) -> impl Iterator<Item = (u32, &Insn)> {
        let block = self.block(id);
        let mut pc = block.start;
        std::iter::from_fn(move || {
            let insn = (pc < block.end)
                .then(|| self.insns[pc as usize].as_ref())
                .flatten()?;
            let at = pc;
            pc += u32::from(insn.slots);
            Some((at, insn))
        })
    }

    /// The last instruction of a block, if it transfers control.
    pub fn terminator(&self, id: BlockId) -> Option<(u32, &Insn)> {
        let pc = self.block(id).last;
        Some((pc, self.insn(pc)?)).filter(|(_, insn)| insn.ends_block())
    }

    /// What the instruction does that ends a block by transferring control, if one does.
    pub fn ending(&self, id: BlockId) -> Option<Operation> {
        self.terminator(id).map(|(_, insn)| insn.operation)
    }

    /// The instruction at `pc`, if it is reachable.
    pub fn insn(&self, pc: u32) -> Option<&Insn> {
        self.insns.get(pc as usize)?.as_ref()
    }
}

impl Graph {
    /// The same with nothing behind these blocks, and without what nothing leads to then.
    pub(crate) fn without_what_follows(mut self, ends: HashMap<BlockId, RegisterSet>) -> Self {
        for end in ends.keys() {
            self.blocks[end.index()].successors = [None; 2];
        }
        let mut is_reached = vec![false; self.blocks.len()];
        let mut worklist = self.starts.clone();
        while let Some(block) = worklist.pop() {
            if !std::mem::replace(&mut is_reached[block.index()], true) {
                worklist.extend(self.block(block).successors());
                worklist.extend(self.callee(block));
            }
        }
        let mut count = 0;
        let new: Vec<u32> = is_reached
            .iter()
            .map(|is_reached| {
                count += u32::from(*is_reached);
                if *is_reached { count - 1 } else { NO_BLOCK }
            })
            .collect();
        let renamed = |block: BlockId| BlockId(new[block.index()]);
        let blocks = std::mem::take(&mut self.blocks).into_iter().zip(is_reached);
        self.blocks = blocks
            .filter(|(_, is_reached)| *is_reached)
            .map(|(block, _)| Block {
                successors: block.successors.map(|next| next.map(renamed)),
                ..block
            })
            .collect();
        for start in self.starts.iter_mut().chain(&mut self.indirect_starts) {
            *start = BlockId(new[start.index()]);
        }
        for block in self.block_at.iter_mut().filter(|block| **block != NO_BLOCK) {
            *block = new[*block as usize];
        }
        self.no_return = ends
            .into_iter()
            .map(|(end, read)| (renamed(end), read))
            .filter(|(end, _)| end.0 != NO_BLOCK)
            .collect();
        self
    }
}

/// What is known while following the control flow.
struct Discovery<'p> {
    program: &'p Program<'p>,
    /// One more than the text has slots: falling off the end is an instruction that fails.
    insns: Vec<Option<Insn>>,
    is_leader: Vec<bool>,
    worklist: Vec<u32>,
    /// Where calls lead.
    called: Vec<u32>,
    /// Where constants point that are addresses of instructions.
    addressed: Vec<u32>,
}

impl<'p> Discovery<'p> {
    fn new(program: &'p Program<'p>) -> Self {
        let slots = program.len() + 1;
        Self {
            program,
            insns: vec![None; slots],
            is_leader: vec![false; slots],
            worklist: Vec::new(),
            called: Vec::new(),
            addressed: Vec::new(),
        }
    }

    fn mark(&mut self, pc: u32) {
        if !std::mem::replace(&mut self.is_leader[pc as usize], true) {
            self.worklist.push(pc);
        }
    }

    fn run(&mut self) -> Result<(), LoweringError> {
        while let Some(leader) = self.worklist.pop() {
            let mut pc = leader;
            let mut length = 0;
            let mut constants = Constants::default();
            while self.insns[pc as usize].is_none() {
                if length == MAX_BLOCK {
                    self.mark(pc);
                    break;
                }
                let insn = decode(self.program, pc as usize)?;
                self.insns[pc as usize] = Some(insn);
                if let Some(addressed) = constants.follow(&insn, self.program) {
                    self.addressed.push(addressed);
                    self.mark(addressed);
                }
                pc += u32::from(insn.slots);
                length += 1;
                if insn.ends_block() {
                    self.follow(&insn, pc);
                    break;
                }
            }
        }
        Ok(())
    }

    fn follow(&mut self, insn: &Insn, next: u32) {
        match insn.operation {
            Operation::Jump { target } => self.mark(target),
            Operation::Branch { target, .. } => {
                self.mark(target);
                self.mark(next);
            }
            Operation::Call { target } => {
                self.called.push(target);
                self.mark(target);
                self.mark(next);
            }
            Operation::Syscall { .. } | Operation::CallRegister { .. } => self.mark(next),
            _ => {}
        }
    }

    /// The pcs at which a `callx` finds functions, the program's entry not among them: it is not called, and
    /// what it needs would be passed to all.
    fn indirect_starts(&self) -> Vec<u32> {
        let called: HashSet<u32> = self.called.iter().copied().collect();
        let functions = self.program.functions.values().map(|start| *start as u32);
        let pointers = self.program.function_starts.iter();
        let mut starts: Vec<u32> = functions
            .filter(|start| !called.contains(start))
            .chain(pointers.map(|start| *start as u32))
            .filter(|start| (*start as usize) < self.program.len())
            .chain(self.addressed.iter().copied())
            .filter(|start| *start as usize != self.program.entry)
            .collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    fn into_graph(self, starts: &[u32], indirect_starts: &[u32]) -> Graph {
        let leaders = (0..self.is_leader.len()).filter(|&pc| self.is_leader[pc]);
        let mut block_at = vec![NO_BLOCK; self.is_leader.len()];
        for (id, pc) in leaders.clone().enumerate() {
            block_at[pc] = id as u32;
        }
        let id_at = |pc: u32| Some(BlockId(block_at[pc as usize]));
        let blocks = leaders
            .map(|start| {
                let (mut pc, mut last, mut cost) = (start, start, 0);
                let successors = loop {
                    let Some(insn) = self.insns[pc] else {
                        break [None, None];
                    };
                    last = pc;
                    pc += usize::from(insn.slots);
                    cost += 1;
                    match insn.operation {
                        Operation::Jump { target } => break [None, id_at(target)],
                        Operation::Branch { target, .. } => {
                            break [id_at(pc as u32), id_at(target)];
                        }
                        Operation::Call { .. }
                        | Operation::Syscall { .. }
                        | Operation::CallRegister { .. } => break [id_at(pc as u32), None],
                        _ if insn.ends_block() => break [None, None],
                        _ if self.is_leader[pc] => break [id_at(pc as u32), None],
                        _ => {}
                    }
                };
                let (start, end, last) = (start as u32, pc as u32, last as u32);
                Block {
                    start,
                    end,
                    last,
                    cost,
                    successors,
                }
            })
            .collect();
        let blocks_at = |pcs: &[u32]| {
            let ids = pcs.iter().map(|&pc| BlockId(block_at[pc as usize]));
            ids.collect::<Vec<_>>()
        };
        Graph {
            starts: blocks_at(starts),
            indirect_starts: blocks_at(indirect_starts),
            blocks,
            no_return: HashMap::new(),
            only_called: OnlyCalled::default(),
            inlined: HashMap::new(),
            early_returns: HashMap::new(),
            counted_loops: HashMap::new(),
            insns: self.insns,
            block_at,
        }
    }
}
