//! What CLIF was made from, for people who read it.

use {
    crate::{
        function::{Analysis, FunctionName},
        insn::{Insn, Operation},
        role::Role,
    },
    cranelift_codegen::{
        entity::SecondaryMap,
        ir::{
            Block, ExternalName, Function, Inst, InstructionData, Opcode, Value, ValueDef,
            entities::AnyEntity,
        },
        write::{FuncWriter, PlainWriter},
    },
    sbpf_runtime::{
        abi::{LIMITS, TRANSLATION_SHIFT, offset},
        site::RegisterSet,
    },
    std::{collections::HashMap, fmt, ops::Range},
};

/// What the symbols of a program are called.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Names of syscalls, by their number.
    pub syscalls: Vec<String>,
    /// Names of functions, by their first pc.
    pub functions: HashMap<u32, String>,
}

impl Names {
    /// An instruction, with the name of what it calls.
    pub fn describe(&self, insn: &Insn) -> String {
        match insn.operation {
            Operation::Syscall { index } => match self.syscalls.get(index as usize) {
                Some(name) => format!("syscall {name}"),
                None => insn.to_string(),
            },
            Operation::Call { target } => match self.functions.get(&target) {
                Some(name) => format!("{insn} {name}"),
                None => insn.to_string(),
            },
            _ => insn.to_string(),
        }
    }

    /// A generated function, in the terms of the program.
    pub fn title(&self, analysis: &Analysis<'_>, function: FunctionName) -> String {
        let unit = |unit: crate::units::UnitId| {
            let pc = analysis.graph.block(analysis.units.unit(unit).entry).start;
            let name = self
                .functions
                .get(&pc)
                .map(|name| format!(", {name}"))
                .unwrap_or_default();
            format!("unit {}, pc {pc}{name}", unit.0)
        };
        match function {
            FunctionName::Entry => "way in from the host".to_string(),
            FunctionName::Access => "second level of the region cache".to_string(),
            FunctionName::AccessSlow => "way out to the access callback".to_string(),
            FunctionName::Compile => "way out to the compiler".to_string(),
            FunctionName::Unit(id) => unit(id),
            FunctionName::Indirect(id) => format!("way of callx to {}", unit(id)),
        }
    }
}

/// The registers of a set, as `r0 r6 r7`, or `-`.
pub fn registers(set: RegisterSet) -> String {
    if set.is_empty() {
        return "-".to_string();
    }
    let registers: Vec<String> = set.iter().map(|register| format!("r{register}")).collect();
    registers.join(" ")
}

/// A line of code, and the pc that it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeLine {
    /// The pc, unless the line is for none in particular.
    pub pc: Option<u32>,
    /// The line, without its end.
    pub text: String,
}

/// Marks the pc at the start of a line on its way to a [`CodeLine`]; no name holds it.
const PC_MARK: char = '\u{1}';

/// The roles of a function's blocks.
#[derive(Debug, Default)]
pub struct Comments {
    roles: HashMap<Block, Role>,
    is_enabled: bool,
}

impl Comments {
    /// Comments that are kept if `is_enabled`.
    pub fn new(is_enabled: bool) -> Self {
        Self {
            roles: HashMap::new(),
            is_enabled,
        }
    }

    /// Notes what a block is for.
    pub fn block(&mut self, block: Block, role: Role) {
        if self.is_enabled {
            self.roles.insert(block, role);
        }
    }

    /// The function as text: its blocks with their roles, its instructions with the sBPF
    /// instructions they come from, its loads and stores with the fields of the context.
    pub fn annotate(&self, analysis: &Analysis<'_>, names: &Names, function: &Function) -> String {
        self.text(analysis, names, function, false)
    }

    /// The same line by line, each with the pc that it is for.
    pub fn annotate_lines(
        &self,
        analysis: &Analysis<'_>,
        names: &Names,
        function: &Function,
    ) -> Vec<CodeLine> {
        let text = self.text(analysis, names, function, true);
        let line = |line: &str| {
            let marked = line.strip_prefix(PC_MARK);
            let (pc, text) = marked
                .and_then(|marked| marked.split_once(PC_MARK))
                .unwrap_or(("", line));
            CodeLine {
                pc: pc.parse().ok(),
                text: text.to_string(),
            }
        };
        text.lines().map(line).collect()
    }

    fn text(
        &self,
        analysis: &Analysis<'_>,
        names: &Names,
        function: &Function,
        marks_pcs: bool,
    ) -> String {
        let mut text = String::new();
        let mut function = function.clone();
        function.dfg.resolve_all_aliases();
        let function = &function;
        let roles = self.with_inferred(function);
        let mut writer = Annotator {
            roles,
            analysis,
            names,
            rest: 0..0,
            role: None,
            marks_pcs,
        };
        // Writing to a string can't fail.
        let _ = cranelift_codegen::write::decorate_function(&mut writer, &mut text, function);
        // Instructions without operands are written with a space behind them.
        text.replace(" \n", "\n")
    }

    /// The roles that were noted, and those of the blocks that follow from them.
    fn with_inferred(&self, function: &Function) -> HashMap<Block, Role> {
        let mut roles = self.roles.clone();
        for block in function.layout.blocks() {
            let Some(last) = function.layout.last_inst(block) else {
                continue;
            };
            let dfg = &function.dfg;
            let destinations: Vec<Block> = dfg.insts[last]
                .branch_destination(&dfg.jump_tables, &dfg.exception_tables)
                .iter()
                .map(|call| call.block(&dfg.value_lists))
                .collect();
            for (index, destination) in destinations.iter().enumerate() {
                let other = destinations
                    .get(1 - index.min(1))
                    .and_then(|other| roles.get(other));
                let role = match (roles.get(&block), other) {
                    (_, Some(Role::Access { pc })) => Role::TranslationEnd { pc: *pc },
                    (Some(Role::Translation { pc }), _) => Role::Translated { pc: *pc },
                    (Some(Role::Interpreted { pc }), _) => Role::StretchEnd { pc: *pc },
                    (_, Some(Role::Unwind { .. } | Role::SyscallEnds { .. })) => Role::Returned,
                    _ => continue,
                };
                roles.entry(*destination).or_insert(role);
            }
        }
        roles
    }
}

struct Annotator<'a> {
    roles: HashMap<Block, Role>,
    analysis: &'a Analysis<'a>,
    names: &'a Names,
    /// The pcs of the current basic block that have not been shown.
    rest: Range<u32>,
    /// What the current CLIF block is for.
    role: Option<Role>,
    /// Whether lines start with the pc that they are for.
    marks_pcs: bool,
}

/// How far instructions are indented.
const INDENT: usize = 4;

impl Annotator<'_> {
    /// Begins a line for `pc`.
    fn mark(&self, out: &mut dyn fmt::Write, pc: Option<u32>) -> fmt::Result {
        match pc {
            Some(pc) if self.marks_pcs => write!(out, "{PC_MARK}{pc}{PC_MARK}"),
            _ => Ok(()),
        }
    }

    fn write_role(&self, out: &mut dyn fmt::Write, function: &Function, role: Role) -> fmt::Result {
        let graph = &self.analysis.graph;
        self.mark(out, role.pc())?;
        match role {
            Role::Entry => {
                let id = name_of(function).and_then(FunctionName::unit);
                let passed = id.map_or(RegisterSet::EMPTY, |id| {
                    let start = self.analysis.units.unit(id).entry;
                    self.analysis.passed(start)
                });
                write!(out, "; entry: meter, frame, {}", registers(passed))?;
            }
            Role::Basic { pc, .. } => {
                write!(out, "; {role}")?;
                if let Some(block) = graph.block_at(pc) {
                    let live = self.analysis.liveness.live_in(block);
                    write!(out, ", live {}", registers(live))?;
                }
            }
            Role::TailCall { pc } => {
                write!(out, "; {role}")?;
                if let Some(block) = graph.block_at(pc) {
                    write!(out, ", unit {}", self.analysis.units.owner(block).0)?;
                }
            }
            _ => write!(out, "; {role}")?,
        }
        writeln!(out)
    }

    /// The instructions of the program up to the one at `pc`, if they are still to be shown. Some
    /// have no CLIF of their own.
    fn write_insns(&mut self, out: &mut dyn fmt::Write, pc: u32) -> fmt::Result {
        while self.rest.contains(&pc) {
            let at = self.rest.start;
            let Some(insn) = self.analysis.graph.insn(at) else {
                break;
            };
            self.mark(out, Some(at))?;
            writeln!(out, "{:INDENT$}; {at}: {}", "", self.names.describe(insn))?;
            self.rest.start += u32::from(insn.slots);
        }
        Ok(())
    }

    /// The field of the context that an instruction loads or stores.
    fn field(&self, function: &Function, instruction: Inst) -> Option<String> {
        let dfg = &function.dfg;
        let (address, at) = match dfg.insts[instruction] {
            InstructionData::Load { arg, offset, .. } => (arg, i32::from(offset)),
            InstructionData::Store { args, offset, .. } => (args[1], i32::from(offset)),
            _ => return None,
        };
        let address = dfg.resolve_aliases(address);
        if is_context(function, address) {
            return context_field(at);
        }
        match binary(function, address)? {
            (Opcode::Iadd, [base, slot]) if is_context(function, base) => {
                // A slot's place is masked out of an address; other sums lead to other fields.
                let (Opcode::Band | Opcode::Bor, _) = binary(function, slot)? else {
                    return None;
                };
                translation_field(at)
            }
            _ => None,
        }
    }
}

/// Whether a value is the context's address.
fn is_context(function: &Function, value: Value) -> bool {
    let dfg = &function.dfg;
    match dfg.value_def(dfg.resolve_aliases(value)) {
        ValueDef::Result(origin, _) => dfg.insts[origin].opcode() == Opcode::GetPinnedReg,
        _ => false,
    }
}

/// The operation of two operands that a value is the result of.
fn binary(function: &Function, value: Value) -> Option<(Opcode, [Value; 2])> {
    let ValueDef::Result(origin, _) = function.dfg.value_def(value) else {
        return None;
    };
    match function.dfg.insts[origin] {
        InstructionData::Binary { opcode, args } => Some((opcode, args)),
        _ => None,
    }
}

/// The field at an offset into the context.
fn context_field(at: i32) -> Option<String> {
    const FIELDS: [(i32, &str); 25] = [
        (offset::KEY, "key"),
        (offset::METER, "meter"),
        (offset::FRAME, "frame"),
        (offset::FRAME_LIMIT, "frame_limit"),
        (offset::FRAME_BIAS, "frame_bias"),
        (offset::RESOLVED, "resolved"),
        (offset::EXCEPTION, "exception"),
        (offset::EXIT_PC, "exit_pc"),
        (offset::CODE, "code"),
        (offset::ENTRIES, "entries"),
        (offset::ACCESS, "access"),
        (offset::ACCESS_SITES, "access_sites"),
        (offset::FOUND, "found"),
        (offset::LEFT_HOST, "left_host"),
        (offset::UNWIND, "unwind"),
        (offset::LEFT_FRAME, "left_frame"),
        (offset::STACK_START, "stack_start"),
        (offset::STACK_SPAN, "stack_span"),
        (offset::STACK_HOST, "stack_host"),
        (offset::SYSCALL, "syscall"),
        (offset::FUNCTIONS, "functions"),
        (offset::COMPILE, "compile"),
        (offset::ARGUMENTS, "arguments"),
        (offset::PLAIN_FUNCTIONS, "plain_functions"),
        (offset::saved(10), "saved.r10"),
    ];
    if let Some((_, name)) = FIELDS.iter().find(|(field, _)| *field == at) {
        return Some(format!("context.{name}"));
    }
    let register = (0..=10).find(|register| offset::register(*register) == at);
    let saved = (6..=9).find(|register| offset::saved(*register) == at);
    let register = register.map(|register| format!("context.r{register}"));
    register.or_else(|| saved.map(|register| format!("context.saved.r{register}")))
}

/// The field at an offset into a slot of the region cache.
fn translation_field(at: i32) -> Option<String> {
    let (half, at) = match at - offset::STORE {
        at @ 0.. => ("store", at),
        _ => ("load", at - offset::LOAD),
    };
    let name = match at {
        offset::START => "start".to_string(),
        offset::HOST => "host".to_string(),
        0.. if at < 1 << TRANSLATION_SHIFT => {
            let log2 = (0..LIMITS as u32).find(|log2| offset::limit(*log2) == at)?;
            if log2 == 0 {
                "length".to_string()
            } else {
                format!("limit{}", 1 << log2)
            }
        }
        _ => return None,
    };
    Some(format!("slot.{half}.{name}"))
}

fn name_of(function: &Function) -> Option<FunctionName> {
    let name = function.name.get_user()?;
    FunctionName::from_user_name(name.namespace, name.index)
}

impl FunctionName {
    /// The unit that a function is made of.
    pub fn unit(self) -> Option<crate::units::UnitId> {
        match self {
            Self::Unit(unit) | Self::Indirect(unit) => Some(unit),
            Self::Entry | Self::Access | Self::AccessSlow | Self::Compile => None,
        }
    }

    /// The function that a function of the same program calls by this name.
    pub fn of_callee(function: &Function, name: &ExternalName) -> Option<Self> {
        let ExternalName::User(reference) = name else {
            return None;
        };
        let name = function.params.user_named_funcs().get(*reference)?;
        Self::from_user_name(name.namespace, name.index)
    }
}

impl FuncWriter for Annotator<'_> {
    fn write_entity_definition(
        &mut self,
        out: &mut dyn fmt::Write,
        function: &Function,
        entity: AnyEntity,
        value: &dyn fmt::Display,
    ) -> fmt::Result {
        write!(out, "{:INDENT$}{entity} = {value}", "")?;
        if let AnyEntity::FuncRef(reference) = entity
            && let name = &function.dfg.ext_funcs[reference].name
            && let Some(name) = FunctionName::of_callee(function, name)
        {
            write!(out, "  ; {}", self.names.title(self.analysis, name))?;
        }
        writeln!(out)
    }

    fn write_block_header(
        &mut self,
        out: &mut dyn fmt::Write,
        function: &Function,
        block: Block,
        _indent: usize,
    ) -> fmt::Result {
        self.role = self.roles.get(&block).copied();
        if let Some(role) = self.role {
            self.write_role(out, function, role)?;
        }
        if let Some(Role::Basic { pc, .. }) = self.role
            && let Some(id) = self.analysis.graph.block_at(pc)
        {
            self.rest = pc..self.analysis.graph.block(id).end;
        }
        self.mark(out, self.role.and_then(Role::pc))?;
        PlainWriter.write_block_header(out, function, block, INDENT)
    }

    fn write_instruction(
        &mut self,
        out: &mut dyn fmt::Write,
        function: &Function,
        aliases: &SecondaryMap<Value, Vec<Value>>,
        instruction: Inst,
        _indent: usize,
    ) -> fmt::Result {
        let location = function.srcloc(instruction);
        let pc = (!location.is_default()).then(|| location.bits());
        if let Some(pc) = pc
            && self.role.is_some_and(Role::has_instructions)
        {
            self.write_insns(out, pc)?;
        }
        self.mark(out, pc.or(self.role.and_then(Role::pc)))?;
        let mut text = String::new();
        PlainWriter.write_instruction(&mut text, function, aliases, instruction, INDENT)?;
        // The pc is in the comments already.
        let mut rest = text.as_str();
        if let Some((_, without_location)) = pc.and_then(|_| rest.split_once(' ')) {
            write!(out, "{:INDENT$}", "")?;
            rest = without_location;
        }
        let (first, aliases) = rest.split_once('\n').unwrap_or((rest, ""));
        out.write_str(first)?;
        if let Some(field) = self.field(function, instruction) {
            write!(out, "  ; {field}")?;
        }
        writeln!(out)?;
        out.write_str(aliases)
    }
}
