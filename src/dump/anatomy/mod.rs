//! Every stage of a compilation as data, for tools that put them side by side.
//!
//! [`examine`] takes a program apart by its [units](sbpf_lowering::units): the blocks that become
//! one native function. Each unit is passed on as soon as it is complete, on several threads, so
//! that whatever is made of it need not hold the whole program.

mod checks;
mod unit;

pub use {
    checks::MemoryCheck,
    sbpf_lowering::comments::CodeLine,
    unit::{BlockPart, Edge, EdgeKind, InsnPart, MachinePart, UnitPart},
};

use {
    super::{DumpError, names},
    crate::{CompileError, CompileOptions, config, diversity::Diversity, isa},
    cranelift_codegen::isa::OwnedTargetIsa,
    rayon::prelude::*,
    sbpf_lowering::{comments::Names, decode::Program, function::Analysis, units::UnitId},
    solana_sbpf::{elf::Executable, vm::ContextObject},
    std::collections::{BTreeMap, HashMap, HashSet},
    target_lexicon::Triple,
};

/// What to find out about each unit.
#[derive(Debug, Clone, Default)]
pub struct AnatomyOptions {
    /// Names of functions by pc, beyond those that the program has kept (see
    /// [`DumpOptions::names`](super::DumpOptions::names)).
    pub names: BTreeMap<usize, String>,
    /// Machines to generate and disassemble code for; without any there is no CLIF either.
    pub targets: Vec<Triple>,
}

/// What is known of a program as a whole.
#[derive(Debug, Clone)]
pub struct ProgramPart {
    /// The instruction set and its version.
    pub title: String,
    /// Slots of eight bytes in the text.
    pub slots: usize,
    /// The pc at which it starts.
    pub entry: u32,
}

/// Takes a program apart, and collects what `each` makes of its units, in their order.
///
/// # Errors
/// See [`DumpError`].
pub fn examine<C: ContextObject, T: Send>(
    executable: &Executable<C>,
    options: &AnatomyOptions,
    each: impl Fn(UnitPart) -> T + Sync,
) -> Result<(ProgramPart, Vec<T>), DumpError> {
    let (program, _) = config::program(executable)?;
    let names = names(executable, &program, &options.names);
    let title = format!("sBPF {:?}", executable.get_sbpf_version());
    examine_program(title, &program, &names, &options.targets, each)
}

/// Takes a program of standard eBPF apart, as [`examine`] does.
///
/// # Errors
/// See [`DumpError`].
#[cfg(feature = "ebpf")]
pub fn examine_ebpf<T: Send>(
    program: &crate::ebpf::Program,
    options: &AnatomyOptions,
    each: impl Fn(UnitPart) -> T + Sync,
) -> Result<(ProgramPart, Vec<T>), DumpError> {
    let names = super::names_of_ebpf(program, &options.names);
    let lowering = program.lowering();
    examine_program(
        "eBPF".to_string(),
        &lowering,
        &names,
        &options.targets,
        each,
    )
}

fn examine_program<T: Send>(
    title: String,
    program: &Program<'_>,
    names: &Names,
    targets: &[Triple],
    each: impl Fn(UnitPart) -> T + Sync,
) -> Result<(ProgramPart, Vec<T>), DumpError> {
    let analysis = sbpf_lowering::analyse(program).map_err(CompileError::from)?;
    // As in a dump, the same each time.
    let options = CompileOptions {
        seed: Some(0),
        ..CompileOptions::default()
    };
    let machines = targets
        .iter()
        .map(|target| isa::target(target, &options))
        .collect::<Result<Vec<_>, _>>()?;
    let hides = |isa: &OwnedTargetIsa| isa::hides_constants(&**isa, &program.dialect);
    let hidden = if machines.iter().any(hides) {
        let mut hidden = sbpf_lowering::analyse(program).map_err(CompileError::from)?;
        let diversity = Diversity::new(&options, program.dialect.padding_rate)?;
        hidden.hide_constants(diversity.key());
        Some(hidden)
    } else {
        None
    };
    let examination = unit::Examination {
        analysis: &analysis,
        hidden: hidden.as_ref(),
        names,
        machines: &machines,
        functions: functions(&analysis),
    };
    let units = 0..analysis.units.units.len() as u32;
    let parts = units
        .into_par_iter()
        .map(|unit| Ok(each(examination.unit(UnitId(unit))?)))
        .collect::<Result<Vec<T>, DumpError>>()?;
    let part = ProgramPart {
        title,
        slots: program.len(),
        entry: program.entry as u32,
    };
    Ok((part, parts))
}

/// For each unit the pc of the function that it is, or that it is a piece of: one from which jumps
/// lead to it.
fn functions(analysis: &Analysis<'_>) -> HashMap<UnitId, u32> {
    let starts: HashSet<_> = analysis.graph.starts.iter().copied().collect();
    let mut functions = HashMap::new();
    for &start in &analysis.graph.starts {
        let pc = analysis.graph.block(start).start;
        let mut worklist = vec![analysis.units.owner(start)];
        while let Some(unit) = worklist.pop() {
            let is_own = analysis.units.entered_at(start) == Some(unit);
            if functions.contains_key(&unit) && !is_own {
                continue;
            }
            if functions.insert(unit, pc) == Some(pc) {
                continue;
            }
            for &block in &analysis.units.unit(unit).blocks {
                let successors = analysis.graph.block(block).successors();
                let pieces = successors.filter(|next| !starts.contains(next));
                worklist.extend(pieces.map(|next| analysis.units.owner(next)));
            }
        }
    }
    functions
}
