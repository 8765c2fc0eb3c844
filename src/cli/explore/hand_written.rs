//! The code of the hand-written JIT, by the pc that it is for.

use {
    crate::cli::{failure::Failure, source::Source},
    sbpf_cranelift::dump::anatomy::{CodeLine, UnitPart},
    std::collections::HashMap,
};

/// Disassembled code.
#[derive(Debug, Default)]
pub(super) struct Code {
    lines: HashMap<u32, Vec<String>>,
}

impl Code {
    /// That of a program; none where there is no hand-written JIT, or where it refuses the program.
    ///
    /// # Errors
    /// When it can't be disassembled, which would be a defect.
    #[cfg(all(
        feature = "hand-written",
        target_arch = "x86_64",
        not(target_os = "windows")
    ))]
    pub(super) fn of(source: &Source) -> Result<Option<Self>, Failure> {
        use crate::cli::source::SourceProgram;
        let SourceProgram::Sbpf(program, _) = &source.program else {
            return Ok(None);
        };
        if program.executable.jit_compile().is_err() {
            return Ok(None);
        }
        let Some(compiled) = program.executable.get_compiled_program() else {
            return Ok(None);
        };
        disassemble(compiled.pc_section(), compiled.text_section())
            .map(Some)
            .map_err(|what| Failure::new(format!("can't show the hand-written JIT's code: {what}")))
    }

    /// There is none.
    #[cfg(not(all(
        feature = "hand-written",
        target_arch = "x86_64",
        not(target_os = "windows")
    )))]
    pub(super) fn of(_: &Source) -> Result<Option<Self>, Failure> {
        Ok(None)
    }

    /// The lines for a unit's instructions.
    pub(super) fn lines_of(&self, unit: &UnitPart) -> Vec<CodeLine> {
        let insns = unit.blocks.iter().flat_map(|block| &block.insns);
        let mut lines = Vec::new();
        for insn in insns {
            let comment = format!("; {}: {}", insn.pc, insn.text);
            let code = self.lines.get(&insn.pc).into_iter().flatten().cloned();
            lines.extend(std::iter::once(comment).chain(code).map(|text| CodeLine {
                pc: Some(insn.pc),
                text,
            }));
        }
        lines
    }
}

/// Disassembles `code`, of which that for each pc starts at `offsets[pc]`.
///
/// Code for the second slot of a wide instruction is elsewhere, so only rising offsets count.
#[cfg(all(
    feature = "hand-written",
    target_arch = "x86_64",
    not(target_os = "windows")
))]
fn disassemble(offsets: &[u32], code: &[u8]) -> Result<Code, String> {
    use cranelift_codegen::{isa, settings};
    /// Set in offsets of pcs that are not to be called.
    const NOT_CALLABLE: u32 = 1 << 31;
    let builder = isa::lookup_by_name("x86_64-unknown-linux-gnu").map_err(|e| e.to_string())?;
    let flags = settings::Flags::new(settings::builder());
    let isa = builder.finish(flags).map_err(|error| error.to_string())?;
    let capstone = isa.to_capstone().map_err(|error| error.to_string())?;
    let mut starts: Vec<(u32, usize)> = Vec::new();
    for (pc, offset) in offsets.iter().enumerate() {
        let offset = (offset & !NOT_CALLABLE) as usize;
        if starts.last().is_none_or(|(_, before)| offset > *before) {
            starts.push((pc as u32, offset));
        }
    }
    let mut lines = HashMap::new();
    for (index, (pc, start)) in starts.iter().enumerate() {
        let end = starts.get(index + 1).map_or(code.len(), |(_, end)| *end);
        let instructions = capstone
            .disasm_all(code.get(*start..end).unwrap_or_default(), *start as u64)
            .map_err(|error| error.to_string())?;
        let line = |address: u64, mnemonic: Option<&str>, operands: Option<&str>| {
            let (mnemonic, operands) = (mnemonic.unwrap_or("?"), operands.unwrap_or_default());
            let line = format!("{address:6x}:  {mnemonic:8}{operands}");
            line.trim_end().to_string()
        };
        let texts = instructions
            .iter()
            .map(|each| line(each.address(), each.mnemonic(), each.op_str()));
        lines.insert(*pc, texts.collect());
    }
    Ok(Code { lines })
}
