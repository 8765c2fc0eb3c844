//! Registers that stay in the context, where the host and the interpreter see them.
//!
//! Programs hand most registers on without ever reading them: what is in r3 when a function of two arguments is
//! called, or in r4 when it returns. They can't be left out, as some syscall, or the interpreter, may be given
//! them in the end. As values they would take registers of the machine all the way there. So r0 to r5 may be
//! **at home**: `Context::registers` has what they hold.
//!
//! - A function is passed those of r1 to r5 that it may read itself. All others are at home.
//! - Behind a call, r1 to r5 are at home, and so is r0 unless the caller does nothing but read it.
//! - Whatever writes a register takes it away from there. Where ways meet, a register is at home if it is on
//!   all of them; or on some, where it is not read and this is no loop in which nothing is called.
//! - What must be at home, where a call, an `exit` or an edge leads, is stored before if it is not.

use {
    crate::{
        cfg::{BlockId, Graph},
        checkpoints,
        insn::Operation,
        liveness::{CLOBBERED, Dependents, Liveness, Queue, behind},
    },
    sbpf_runtime::site::RegisterSet,
};

/// Registers that can be at home: a caller may find them changed.
pub const MOVABLE: RegisterSet = CLOBBERED;

/// Registers that a function can be passed as arguments of its own.
const ARGUMENTS: RegisterSet = RegisterSet::range(1, 5);

const RESULT: RegisterSet = RegisterSet::of(0);

/// Which registers are where.
#[derive(Debug)]
pub struct Homes {
    at_start: Vec<RegisterSet>,
    /// Registers that are read by instructions, and not only handed on.
    read: Vec<RegisterSet>,
    /// Registers that have to be at home further on, unless they are written before.
    wanted: Vec<RegisterSet>,
    /// What an `exit` hands back as a value.
    returned: Vec<RegisterSet>,
    /// What an `exit` leaves at home.
    left: Vec<RegisterSet>,
    /// Registers that a `callx` passes.
    pub indirect_parameters: RegisterSet,
    /// Registers that have to be at home for a `callx`.
    pub indirect_homes: RegisterSet,
}

impl Homes {
    /// Finds a place for all registers.
    pub fn find(graph: &Graph, liveness: &Liveness) -> Self {
        let none = vec![RegisterSet::EMPTY; graph.blocks.len()];
        let mut homes = Self {
            at_start: none.clone(),
            read: none.clone(),
            wanted: none.clone(),
            returned: none.clone(),
            left: none,
            indirect_parameters: RegisterSet::EMPTY,
            indirect_homes: RegisterSet::EMPTY,
        };
        let dependents = Dependents::collect(graph);
        let is_start = graph.are_starts();
        homes.find_reads(graph, liveness, &dependents, &is_start);
        homes.find_wants(graph, liveness, &dependents);
        homes.find_places(graph, liveness, &is_start);
        homes
    }

    /// Registers that are at home at the start of a block.
    pub fn at_start(&self, block: BlockId) -> RegisterSet {
        self.at_start[block.index()]
    }

    /// Registers that are passed as values to a unit which starts with a block.
    pub(crate) fn passed(&self, liveness: &Liveness, block: BlockId) -> RegisterSet {
        liveness.live_in(block).without(self.at_start(block))
    }

    /// Whether the `exit` at the end of a block hands back r0 as a value.
    pub fn returns_value(&self, block: BlockId) -> bool {
        !self.returned[block.index()].is_empty()
    }

    /// Registers that are at home behind the `exit` at the end of a block.
    pub fn left(&self, block: BlockId) -> RegisterSet {
        self.left[block.index()]
    }

    /// Registers that are at home behind the call at the end of a block.
    pub fn behind_call(&self, graph: &Graph, block: BlockId) -> RegisterSet {
        let taken = self.taken(graph, block);
        MOVABLE.without(taken.without(behind(graph, &self.wanted, block)))
    }

    /// r0 if the call at the end of a block gives it as a value. Not if what follows is the start of a function, at
    /// which r0 is at home: whoever has ended the program has left it there, and the caller must not store another.
    pub fn taken(&self, graph: &Graph, block: BlockId) -> RegisterSet {
        behind(graph, &self.read, block).intersection(RESULT)
    }

    /// What instructions read themselves, and whether `exit`s return r0 for that.
    fn find_reads(
        &mut self,
        graph: &Graph,
        liveness: &Liveness,
        dependents: &Dependents,
        is_start: &[bool],
    ) {
        let mut queue = Queue::of_all(graph);
        let indirect_calls: Vec<_> = graph.indirect_calls().collect();
        if let Some(entry) = graph.starts.first() {
            self.returned[entry.index()] = RESULT;
        }
        let mut is_taken = false;
        while let Some(id) = queue.pop() {
            let returned = self.returned[id.index()];
            for next in graph.block(id).successors() {
                queue.add(&mut self.returned, next, returned);
            }
            let taken = self.taken(graph, id);
            let behind = behind(graph, &self.read, id);
            let behind = match graph.terminator(id).map(|(_, insn)| (insn.operation, insn)) {
                Some((Operation::Call { .. }, _)) => {
                    let callee = graph.callee(id);
                    if let Some(start) = callee {
                        queue.add(&mut self.returned, start, taken);
                    }
                    let arguments = callee.map(|start| self.arguments(start));
                    behind.without(MOVABLE).union(arguments.unwrap_or_default())
                }
                Some((Operation::CallRegister { register }, _)) => {
                    // Once for all of them: there may be as many starts as calls.
                    if !is_taken && !taken.is_empty() {
                        is_taken = true;
                        for &start in &graph.indirect_starts {
                            queue.add(&mut self.returned, start, taken);
                        }
                    }
                    let read = RegisterSet::of(register).union(self.indirect_parameters);
                    behind.without(MOVABLE).union(read)
                }
                Some((Operation::Syscall { .. }, _)) => behind.without(RESULT),
                Some((Operation::Exit, _)) => returned,
                Some((_, insn)) => behind.union(insn.reads()),
                None => behind,
            };
            let effect = liveness.effects[id.index()];
            let read = behind.without(effect.writes).union(effect.reads);
            let mut read = read.intersection(liveness.variables);
            if is_start[id.index()] {
                // No function is passed r0.
                read = read.without(RESULT);
            }
            if read == self.read[id.index()] {
                continue;
            }
            self.read[id.index()] = read;
            for &dependent in dependents.of(id) {
                queue.push(dependent);
            }
            if graph.indirect_starts.binary_search(&id).is_ok() {
                let parameters = self.indirect_parameters.union(self.arguments(id));
                if parameters != self.indirect_parameters {
                    self.indirect_parameters = parameters;
                    indirect_calls.iter().for_each(|call| queue.push(*call));
                }
            }
        }
    }

    /// What a function that starts with a block is passed of r1 to r5.
    fn arguments(&self, start: BlockId) -> RegisterSet {
        self.read[start.index()].intersection(ARGUMENTS)
    }

    /// What has to be at home where a function starts with a block: it is not passed these.
    fn handed_on(&self, liveness: &Liveness, start: BlockId) -> RegisterSet {
        let live = liveness.live_in(start).intersection(MOVABLE);
        live.without(self.arguments(start))
    }

    /// What `exit`s leave at home: what is read behind calls and not taken as a value, or has to be at home
    /// there.
    fn find_wants(&mut self, graph: &Graph, liveness: &Liveness, dependents: &Dependents) {
        let starts = graph.indirect_starts.iter();
        let indirect = starts
            .map(|start| self.handed_on(liveness, *start))
            .fold(RegisterSet::EMPTY, RegisterSet::union)
            .without(self.indirect_parameters);
        let mut queue = Queue::of_all(graph);
        let mut indirect_left = RegisterSet::EMPTY;
        while let Some(id) = queue.pop() {
            let left = self.left[id.index()];
            for next in graph.block(id).successors() {
                queue.add(&mut self.left, next, left);
            }
            let behind = behind(graph, &self.wanted, id);
            let needed = match graph.never_returns(id) {
                true => RegisterSet::EMPTY,
                false => liveness
                    .after(graph, id)
                    .intersection(self.behind_call(graph, id)),
            };
            let wanted = match graph.ending(id) {
                Some(Operation::Call { .. }) => match graph.callee(id) {
                    Some(start) => {
                        queue.add(&mut self.left, start, needed);
                        self.handed_on(liveness, start)
                    }
                    None => RegisterSet::EMPTY,
                },
                Some(Operation::CallRegister { .. }) => {
                    let all = indirect_left.union(needed);
                    if std::mem::replace(&mut indirect_left, all) != all {
                        for &start in &graph.indirect_starts {
                            queue.add(&mut self.left, start, needed);
                        }
                    }
                    indirect
                }
                Some(Operation::Exit) => left,
                Some(Operation::Syscall { .. }) => behind.without(RESULT),
                _ => behind,
            };
            let wanted = wanted.without(liveness.effects[id.index()].writes);
            if wanted != self.wanted[id.index()] {
                self.wanted[id.index()] = wanted;
                for &dependent in dependents.of(id) {
                    queue.push(dependent);
                }
            }
        }
    }

    /// What is at home where blocks start.
    fn find_places(&mut self, graph: &Graph, liveness: &Liveness, is_start: &[bool]) {
        for id in graph.ids() {
            self.at_start[id.index()] = match is_start[id.index()] {
                true => self.handed_on(liveness, id),
                // Turns that are counted look at nothing in the context.
                false if graph.counted_loops.contains_key(&id) => RegisterSet::EMPTY,
                false => liveness.live_in(id).intersection(MOVABLE),
            };
        }
        let turns = turning(graph);
        let mut ends: Vec<_> = graph
            .ids()
            .map(|id| self.at_end(graph, liveness, id))
            .collect();
        // For each block and register the ways here on which it is at home, and whether there are others.
        let mut ways = vec![[0u32; MOVABLE.len() as usize]; graph.blocks.len()];
        let mut others = vec![RegisterSet::EMPTY; graph.blocks.len()];
        for id in graph.ids() {
            let end = ends[id.index()];
            for next in graph.block(id).successors() {
                end.iter()
                    .for_each(|register| ways[next.index()][usize::from(register)] += 1);
                others[next.index()] = others[next.index()].union(MOVABLE.without(end));
            }
        }
        let mut queue = Queue::of_all(graph);
        while let Some(id) = queue.pop() {
            if is_start[id.index()] {
                continue;
            }
            let on_some = MOVABLE
                .iter()
                .filter(|register| ways[id.index()][usize::from(*register)] > 0);
            let mut worth = on_some.fold(RegisterSet::EMPTY, |all, register| {
                all.union(RegisterSet::of(register))
            });
            let on_others = others[id.index()];
            worth = match turns[id.index()] {
                true => worth.without(on_others),
                false => worth.without(on_others.intersection(self.read[id.index()])),
            };
            self.at_start[id.index()] = self.at_start[id.index()].intersection(worth);
            let end = self.at_end(graph, liveness, id);
            let lost = ends[id.index()].without(end);
            if lost.is_empty() {
                continue;
            }
            ends[id.index()] = end;
            for next in graph.block(id).successors() {
                lost.iter()
                    .for_each(|register| ways[next.index()][usize::from(register)] -= 1);
                others[next.index()] = others[next.index()].union(lost);
                queue.push(next);
            }
        }
        let all = |of: &dyn Fn(BlockId) -> RegisterSet| {
            let of_starts = graph.indirect_starts.iter().map(|start| of(*start));
            of_starts.fold(RegisterSet::EMPTY, RegisterSet::union)
        };
        self.indirect_parameters = all(&|start| self.passed(liveness, start));
        self.indirect_homes = all(&|start| self.at_start(start)).without(self.indirect_parameters);
    }

    /// What is at home where a block ends.
    fn at_end(&self, graph: &Graph, liveness: &Liveness, id: BlockId) -> RegisterSet {
        let written = liveness.effects[id.index()].writes;
        let before = self.at_start(id).without(written);
        match graph.ending(id) {
            Some(Operation::Call { .. }) => match (graph.inlined(id), graph.early_return(id)) {
                (Some(callee), _) => before.without(liveness.effects[callee.index()].writes),
                (None, Some(early)) => {
                    let early = early
                        .blocks()
                        .map(|block| liveness.effects[block.index()].writes);
                    let kept = early.into_iter().fold(before, RegisterSet::without);
                    kept.intersection(self.behind_call(graph, id))
                }
                (None, None) => self.behind_call(graph, id),
            },
            Some(Operation::CallRegister { .. }) => self.behind_call(graph, id),
            Some(Operation::Syscall { .. }) => before.without(RESULT),
            _ => before,
        }
    }
}

/// Whether each block may be in a loop in which nothing is called: between a jump backward and where it leads.
fn turning(graph: &Graph) -> Vec<bool> {
    let mut calls = 0u32;
    let calls: Vec<u32> = graph
        .ids()
        .map(|id| {
            calls += u32::from(checkpoints::calls(graph, id));
            calls
        })
        .collect();
    let mut begins = vec![0u32; graph.blocks.len() + 1];
    let mut ends = vec![0u32; graph.blocks.len() + 1];
    for id in graph.ids() {
        for next in graph.block(id).successors().filter(|next| *next <= id) {
            if calls[next.index()] == calls[id.index()] {
                begins[next.index()] += 1;
                ends[id.index() + 1] += 1;
            }
        }
    }
    let mut around = 0;
    graph
        .ids()
        .map(|id| {
            around = around + begins[id.index()] - ends[id.index()];
            around > 0
        })
        .collect()
}
