//! Functions that are compiled when they are called first.
//!
//! The analyses of a program are made once and kept; what they take is a small part of what Cranelift
//! does. Compiled code finds other functions through a table ([`sbpf_lowering::linkage`]), and what it
//! does not find there it asks for, in the middle of a run.
//!
//! | file | its one idea |
//! |---|---|
//! | `batch` | which functions are compiled together, and how |
//! | `sites` | numbers of the places that call back, known before there is any code |
//! | `turns` | one thread at a time makes functions, each of them once |
//! | `turns_model` | the same file once more, in many orders of what threads do |

mod batch;
mod sites;
mod turns;
#[cfg(all(test, target_os = "linux"))]
mod turns_model;

use {
    crate::{
        CompileError, CompileOptions, CompileStatistics, code::Code, diversity::Diversity,
        generated::analysed,
    },
    batch::{Batch, Tools},
    cranelift_codegen::isa::OwnedTargetIsa,
    sbpf_lowering::{
        decode::Program,
        function::{Analysis, Facts, FunctionName, Sites},
        hidden::Key,
        linkage::{Linkage, Numbered, Numbers, Table},
        units::UnitId,
    },
    sbpf_runtime::{
        code::{CodeMemory, GrowingCode},
        run::{Compiler, Growing},
    },
    sites::SiteNumbers,
    std::{
        collections::HashMap,
        fmt,
        panic::{AssertUnwindSafe, catch_unwind},
        // `turns` takes its types from here, so that its model can run on others.
        sync::{
            self, Arc,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
    },
    turns::{Refusal, Turns},
};

/// Bytes of native stack that a function may take: runs have to set as much aside for each frame
/// before they know what they will call. Those that need more are left to the interpreter.
const LARGEST_FRAME: usize = 8 << 10;

/// Native stack that compiling takes, beyond which a new piece is made for it.
const COMPILER_STACK: usize = 512 << 10;

/// A program whose functions are compiled when they are called.
pub(crate) struct Lazy {
    text: Box<[u8]>,
    /// All but the text, and but what only the analyses look at.
    rest: Program<'static>,
    facts: Arc<Facts>,
    key: Option<Key>,
    isa: OwnedTargetIsa,
    options: CompileOptions,
    numbers: Arc<Numbers>,
    sites: SiteNumbers,
    /// What `callx` finds, by pc.
    entries: HashMap<u32, FunctionName>,
    growing: GrowingCode,
    compiling: Turns<Compiling>,
    counters: Counters,
}

/// What only the one thread uses that compiles.
struct Compiling {
    tools: Tools,
    diversity: Diversity,
}

#[derive(Debug, Default)]
struct Counters {
    functions: AtomicUsize,
    code_bytes: AtomicUsize,
    clif_instructions: AtomicUsize,
    clif_blocks: AtomicUsize,
}

/// Analyses `program` and makes what its functions need from the start.
///
/// # Errors
/// When it can't be compiled, or the operating system refuses the memory.
pub(crate) fn begin(
    program: &Program<'_>,
    options: &CompileOptions,
    isa: OwnedTargetIsa,
) -> Result<Code, CompileError> {
    let (mut analysis, mut diversity) = analysed(program, options, Some(&*isa))?;
    let entries: HashMap<_, _> = analysis.indirect_entries().into_iter().collect();
    let is_hidden = analysis.key.is_some();
    analysis.link_by_table(|units| {
        if is_hidden {
            diversity.permute(units);
        }
    });
    let numbers = match &analysis.linkage {
        Linkage::Table(table) => Arc::clone(&table.numbers),
        Linkage::Direct => unreachable!("`link_by_table` has just set it"),
    };
    let sites = SiteNumbers::of(&analysis);
    let mut tools = Tools::default();
    let first = Batch::compile(
        &analysis,
        &*isa,
        &Analysis::FIRST_FUNCTIONS,
        &mut tools,
        |_| Sites::default(),
    )?;
    let (code, offsets) = first.link(&*isa, |_, _| 0)?;
    let memory = CodeMemory::seal(&code)?;
    let growing = GrowingCode::new(
        numbers.count(),
        numbers.first_entry() as usize,
        sites.accesses(),
        sites.calls(),
    );
    for (number, name) in [
        (Numbers::ACCESS, FunctionName::Access),
        (Numbers::COMPILE, FunctionName::Compile),
    ] {
        if let Some(offset) = offsets.get(&name) {
            growing.publish(number, memory.as_ptr().wrapping_add(*offset as usize));
        }
    }
    let statistics = CompileStatistics {
        instructions: program.len(),
        functions: offsets.len(),
        code_bytes: code.len(),
        clif_instructions: first.clif_instructions(),
        clif_blocks: first.clif_blocks(),
        largest_frame: LARGEST_FRAME,
    };
    let lazy = Lazy {
        text: program.text.into(),
        rest: Program {
            text: &[],
            text_address: program.text_address,
            entry: program.entry,
            function_starts: Vec::new(),
            functions: HashMap::new(),
            syscalls: HashMap::new(),
            dialect: program.dialect.clone(),
        },
        facts: Arc::clone(&analysis.facts),
        key: analysis.key,
        isa,
        options: options.clone(),
        numbers,
        sites,
        entries,
        growing,
        compiling: Turns::new(Compiling { tools, diversity }),
        counters: Counters::default(),
    };
    Ok(Code::of_lazy(memory, &program.dialect, statistics, lazy))
}

impl Lazy {
    /// What hides constants in the code; 0 if nothing does.
    pub(crate) fn key(&self) -> u64 {
        self.key.map_or(0, Key::bits)
    }

    /// What the runtime is given.
    pub(crate) fn growing(&self) -> Growing<'_> {
        Growing {
            code: &self.growing,
            compiler: self,
        }
    }

    /// Bytes of memory that this takes.
    pub(crate) fn size(&self) -> usize {
        let instructions = self.text.len() / 8;
        // Decoded instructions, and at most a block for each.
        size_of::<Self>() + self.text.len() + self.growing.size() + 64 * instructions
    }

    /// `base`, together with what has been compiled since.
    pub(crate) fn statistics(&self, base: CompileStatistics) -> CompileStatistics {
        let Counters {
            functions,
            code_bytes,
            clif_instructions,
            clif_blocks,
        } = &self.counters;
        CompileStatistics {
            functions: base.functions + functions.load(Relaxed),
            code_bytes: base.code_bytes + code_bytes.load(Relaxed),
            clif_instructions: base.clif_instructions + clif_instructions.load(Relaxed),
            clif_blocks: base.clif_blocks + clif_blocks.load(Relaxed),
            ..base
        }
    }

    /// Makes the function with a number available.
    fn add(&self, number: u32, compiling: &mut Compiling) -> Result<(), CompileError> {
        match self.numbers.meaning(number) {
            Some(Numbered::Unit(unit)) => self.add_unit(unit, compiling),
            Some(Numbered::EntryAt(pc)) => match self.entries.get(&pc) {
                Some(FunctionName::Unit(unit)) => {
                    self.add_unit(*unit, compiling)?;
                    if let Some(address) = self.growing.address(self.numbers.of(*unit)) {
                        self.growing.publish(number, address);
                    }
                    Ok(())
                }
                Some(name @ FunctionName::Indirect(unit)) => {
                    self.add_unit(*unit, compiling)?;
                    self.compile(&[*name], compiling)
                }
                _ => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Compiles a unit, and others with it that it is likely to call.
    fn add_unit(&self, unit: UnitId, compiling: &mut Compiling) -> Result<(), CompileError> {
        if self.growing.has(self.numbers.of(unit)) {
            return Ok(());
        }
        let units = batch::around(&self.facts, unit, |other| {
            self.growing.has(self.numbers.of(other))
        });
        let names: Vec<_> = units.into_iter().map(FunctionName::Unit).collect();
        self.compile(&names, compiling)
    }

    fn compile(
        &self,
        names: &[FunctionName],
        compiling: &mut Compiling,
    ) -> Result<(), CompileError> {
        let total = self.facts.units.units.len();
        let done = self.counters.functions.load(Relaxed);
        self.options.tell(done, total)?;
        let program = Program {
            text: &self.text,
            function_starts: Vec::new(),
            functions: HashMap::new(),
            syscalls: HashMap::new(),
            dialect: self.rest.dialect.clone(),
            ..self.rest
        };
        let mut together: Vec<_> = names.iter().filter_map(|name| name.unit()).collect();
        together.sort_unstable();
        let analysis = Analysis {
            program: &program,
            facts: Arc::clone(&self.facts),
            key: self.key,
            guards_speculation: self.options.guard_speculation,
            linkage: Linkage::Table(Table {
                numbers: Arc::clone(&self.numbers),
                together,
            }),
        };
        let Compiling { tools, diversity } = compiling;
        let mut batch = Batch::compile(&analysis, &*self.isa, names, tools, |name| match name {
            FunctionName::Unit(unit) => self.sites.first(unit),
            _ => Sites::default(),
        })?;
        if batch.largest_frame() > LARGEST_FRAME {
            return Err(CompileError::CodeGeneration {
                pc: names
                    .first()
                    .map_or(0, |name| crate::functions::first_pc(&analysis, *name)),
                reason: format!("a frame of {} bytes", batch.largest_frame()),
            });
        }
        let architecture = self.isa.triple().architecture;
        batch.shuffle(diversity);
        let (code, offsets) = batch.link(&*self.isa, |index, length| {
            diversity.padding(index + 1, length, architecture)
        })?;
        let start = self.growing.seal(&code)?;
        for (name, sites) in batch.sites() {
            if let FunctionName::Unit(unit) = name {
                self.sites.set(*unit, sites, &self.growing)?;
            }
        }
        for (name, offset) in offsets {
            let address = start.wrapping_add(offset as usize);
            if let Some(number) = self.number_of(name) {
                self.growing.publish(number, address);
            }
        }
        let counters = &self.counters;
        counters.functions.fetch_add(names.len(), Relaxed);
        counters.code_bytes.fetch_add(code.len(), Relaxed);
        counters
            .clif_instructions
            .fetch_add(batch.clif_instructions(), Relaxed);
        counters.clif_blocks.fetch_add(batch.clif_blocks(), Relaxed);
        Ok(())
    }

    fn number_of(&self, name: FunctionName) -> Option<u32> {
        match name {
            FunctionName::Unit(unit) => Some(self.numbers.of(unit)),
            FunctionName::Indirect(unit) => {
                let entry = self.facts.units.unit(unit).entry;
                Some(self.numbers.first_entry() + self.facts.graph.block(entry).start)
            }
            _ => None,
        }
    }
}

impl Compiler for Lazy {
    fn compile(&self, number: u32) {
        let is_there = || self.growing.has(number);
        self.compiling.make(number, is_there, |compiling| {
            let add = || {
                stacker::maybe_grow(COMPILER_STACK, 2 * COMPILER_STACK, || {
                    self.add(number, compiling)
                })
            };
            match catch_unwind(AssertUnwindSafe(add)) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(CompileError::Cancelled | CompileError::CodeMemory(_))) => {
                    Err(Refusal::ForNow)
                }
                Ok(Err(_)) => Err(Refusal::ForGood),
                Err(_) => {
                    // It may have been left in the middle of something.
                    compiling.tools = Tools::default();
                    Err(Refusal::ForGood)
                }
            }
        });
    }
}

impl fmt::Debug for Lazy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Lazy")
            .field("growing", &self.growing)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}
