//! From eBPF bytes to Cranelift IR.
//!
//! Data flows one way, and each stage is a module:
//!
//! bytes → [`decode`] → [`cfg`](mod@cfg) (blocks, costs) → [`units`] (what becomes a function) →
//! `inlining`, `early_returns`, `counted_loops` → [`liveness`] → `homes` (which registers are passed) →
//! [`checkpoints`] (where the budget is checked), [`accesses`] and [`sharing`] (what is checked of memory) →
//! [`function`] (CLIF).
//!
//! Semantics are in small files by family: `alu`, `shifts`, `div`, `memory`, `atomic`, `jump`, `call`,
//! `syscall`; what the machine adds to them in `meter`, `translation` and `exception`. Nothing here depends
//! on `solana-sbpf`: its versions arrive as a [`dialect::Dialect`].
#![forbid(unsafe_code)]

mod access;
pub mod accesses;
mod addressed;
mod alu;
mod atomic;
mod blocks;
mod call;
pub mod cfg;
pub mod checkpoints;
pub mod comments;
mod counted_loops;
mod counted_turns;
pub mod decode;
pub mod dialect;
mod div;
pub mod dominators;
mod early_returns;
pub mod effort;
pub mod error;
mod exception;
pub mod function;
pub mod hidden;
pub mod homes;
mod inherited;
mod inlining;
pub mod insn;
mod jump;
mod likely;
pub mod linkage;
pub mod liveness;
pub mod loops;
mod memory;
mod meter;
mod no_return;
mod role;
mod rotating_pointers;
mod selection;
pub mod sharing;
mod shifts;
mod slow_access;
mod speculation;
mod syscall;
pub mod trampolines;
mod translation;
pub mod units;
mod values;

use {
    crate::{
        cfg::{BlockId, Graph, OnlyCalled},
        decode::{MAX_INSTRUCTIONS, Program},
        error::LoweringError,
        function::{Analysis, Facts, FunctionName, Sites},
        homes::Homes,
        linkage::{Linkage, Numbers, Table},
        liveness::Liveness,
        units::{UnitId, Units},
    },
    cranelift_codegen::{ir::Function, isa::TargetFrontendConfig},
    cranelift_frontend::FunctionBuilderContext,
    sbpf_runtime::site::RegisterSet,
    std::sync::Arc,
};

pub use comments::Comments;

/// The version of this crate, which is part of what code depends on.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Analyses a program: everything that lowering a unit needs to know about the others.
///
/// # Errors
/// See [`LoweringError`].
pub fn analyse<'p>(program: &'p Program<'p>) -> Result<Analysis<'p>, LoweringError> {
    check_length(program)?;
    let mut graph = Graph::build(program)?;
    effort::check(&graph, &program.dialect)?;
    graph = no_return::cut(graph, &program.dialect);
    graph.only_called = OnlyCalled::find(&graph);
    let units = Units::partition(&graph);
    graph.inlined = inlining::choose(&graph, &units);
    graph.early_returns = early_returns::choose(&graph);
    graph.counted_loops = counted_loops::choose(&graph, &program.dialect);
    let liveness = Liveness::compute(&graph, &program.dialect);
    let homes = Homes::find(&graph, &liveness);
    let is_outermost = outermost(&graph, &units);
    let is_called = called(&graph, &units);
    Ok(Analysis {
        program,
        facts: Arc::new(Facts {
            graph,
            units,
            liveness,
            homes,
            is_outermost,
            is_called,
        }),
        key: None,
        guards_speculation: false,
        linkage: Linkage::Direct,
    })
}

/// Refuses a text that is no whole number of instructions, or has too many of them.
///
/// # Errors
/// [`LoweringError::TextLength`], [`LoweringError::TooManyInstructions`]
pub fn check_length(program: &Program<'_>) -> Result<(), LoweringError> {
    if !program.text.len().is_multiple_of(8) {
        return Err(LoweringError::TextLength(program.text.len()));
    }
    let instructions = program.len();
    if instructions > MAX_INSTRUCTIONS {
        return Err(LoweringError::TooManyInstructions {
            instructions,
            limit: MAX_INSTRUCTIONS,
        });
    }
    Ok(())
}

/// The units that jumps lead to from the program's entry, without a call.
fn outermost(graph: &Graph, units: &Units) -> Vec<bool> {
    let mut is_outermost = vec![false; units.units.len()];
    let mut worklist = vec![units.owner(graph.starts[0])];
    while let Some(unit) = worklist.pop() {
        if std::mem::replace(&mut is_outermost[unit.0 as usize], true) {
            continue;
        }
        for &block in &units.unit(unit).blocks {
            worklist.extend(
                graph
                    .block(block)
                    .successors()
                    .map(|next| units.owner(next)),
            );
        }
    }
    is_outermost
}

/// The units that calls of a known target enter.
fn called(graph: &Graph, units: &Units) -> Vec<bool> {
    let mut is_called = vec![false; units.units.len()];
    for block in graph.ids().filter(|id| graph.inlined(*id).is_none()) {
        if let Some(callee) = graph.callee(block) {
            is_called[units.owner(callee).0 as usize] = true;
        }
    }
    is_called
}

impl Analysis<'_> {
    /// Registers that are values where a block starts: if it is that of a unit, the unit is passed them.
    pub fn passed(&self, block: BlockId) -> RegisterSet {
        self.homes.passed(&self.liveness, block)
    }

    /// Keeps constants that the program chose out of the code, see [`hidden`].
    ///
    /// The code has to be run with the same key in [`sbpf_runtime::run::Image`].
    pub fn hide_constants(&mut self, key: hidden::Key) {
        self.key = Some(key);
    }

    /// The functions that are there from the start where others are compiled one by one,
    /// [`FunctionName::Entry`] first.
    pub const FIRST_FUNCTIONS: [FunctionName; 4] = [
        FunctionName::Entry,
        FunctionName::Access,
        FunctionName::AccessSlow,
        FunctionName::Compile,
    ];

    /// Has functions find each other through a table. `shuffle` may bring units into another order,
    /// so that a program has no say in their numbers.
    pub fn link_by_table(&mut self, shuffle: impl FnOnce(&mut [UnitId])) {
        let slots = match self.has_indirect_calls() {
            true => self.program.len(),
            false => 0,
        };
        let units = self.units.units.len();
        self.linkage = Linkage::Table(Table {
            numbers: Arc::new(Numbers::new(units, slots, shuffle)),
            together: Vec::new(),
        });
    }

    /// The same, for these units to be compiled together, in ascending order, if functions find each
    /// other through a table.
    pub fn with_together(&self, together: Vec<UnitId>) -> Self {
        Self {
            program: self.program,
            facts: Arc::clone(&self.facts),
            key: self.key,
            guards_speculation: self.guards_speculation,
            linkage: match &self.linkage {
                Linkage::Direct => Linkage::Direct,
                Linkage::Table(table) => Linkage::Table(Table {
                    numbers: Arc::clone(&table.numbers),
                    together,
                }),
            },
        }
    }

    /// Makes host addresses depend on the checks of their ranges, so that a processor which
    /// mispredicts one loads nothing from behind it.
    pub fn guard_speculation(&mut self) {
        self.guards_speculation = true;
    }

    /// The functions to generate, [`FunctionName::Entry`] first.
    pub fn functions(&self) -> Vec<FunctionName> {
        let mut names = match self.linkage {
            Linkage::Direct => vec![
                FunctionName::Entry,
                FunctionName::Access,
                FunctionName::AccessSlow,
            ],
            Linkage::Table(_) => Self::FIRST_FUNCTIONS.to_vec(),
        };
        names.extend(
            (0..self.units.units.len() as u32).map(|unit| FunctionName::Unit(UnitId(unit))),
        );
        for (_, name) in self.indirect_entries() {
            if matches!(name, FunctionName::Indirect(_)) {
                names.push(name);
            }
        }
        names
    }

    /// For each pc at which `callx` finds a function, that function under the signature of
    /// `callx`. Empty if the program has no `callx`.
    pub fn indirect_entries(&self) -> Vec<(u32, FunctionName)> {
        if !self.has_indirect_calls() {
            return Vec::new();
        }
        let entry = |&start: &BlockId| {
            let unit = self.units.owner(start);
            let pc = self.graph.block(start).start;
            let parameters = self.homes.indirect_parameters;
            let is_alike = self.passed(start) == parameters;
            if is_alike
                && self
                    .homes
                    .at_start(start)
                    .intersection(parameters)
                    .is_empty()
            {
                (pc, FunctionName::Unit(unit))
            } else {
                (pc, FunctionName::Indirect(unit))
            }
        };
        self.graph.indirect_starts.iter().map(entry).collect()
    }

    /// Whether the program has a `callx`, and so needs an entry for every pc.
    pub fn has_indirect_calls(&self) -> bool {
        self.graph.indirect_calls().next().is_some()
    }

    /// Lowers one function into `function`, which must be empty. Its sites are added to `sites`.
    pub fn lower(
        &self,
        name: FunctionName,
        target: TargetFrontendConfig,
        frontend: &mut FunctionBuilderContext,
        function: &mut Function,
        sites: &mut Sites,
        comments: &mut Comments,
    ) {
        match name {
            FunctionName::Entry => {
                trampolines::lower_entry(self, target, frontend, function);
            }
            FunctionName::Access => {
                access::lower_access(self, target, frontend, function);
            }
            FunctionName::AccessSlow => {
                access::lower_access_slow(target, frontend, function);
            }
            FunctionName::Compile => {
                trampolines::lower_compile(target, frontend, function);
            }
            FunctionName::Unit(unit) => {
                function::lower_unit(self, unit, target, frontend, function, sites, comments)
            }
            FunctionName::Indirect(unit) => {
                trampolines::lower_indirect(self, unit, target, frontend, function);
            }
        }
    }
}
