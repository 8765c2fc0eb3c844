//! Native disassembly, with the pcs that the code belongs to.

use {
    super::DumpError,
    cranelift_codegen::{Context, FinalizedRelocTarget, isa::TargetIsa},
    sbpf_lowering::{
        comments::{CodeLine, Names},
        function::{Analysis, FunctionName},
    },
    std::io,
};

/// Writes the disassembly of the function that `context` holds compiled.
pub(super) fn write(
    analysis: &Analysis<'_>,
    names: &Names,
    isa: &dyn TargetIsa,
    context: &Context,
    output: &mut impl io::Write,
) -> Result<(), DumpError> {
    for line in lines(analysis, names, isa, context)? {
        writeln!(output, "{}", line.text)?;
    }
    Ok(())
}

/// Disassembles the function that `context` holds compiled.
pub(super) fn lines(
    analysis: &Analysis<'_>,
    names: &Names,
    isa: &dyn TargetIsa,
    context: &Context,
) -> Result<Vec<CodeLine>, DumpError> {
    let mut lines = Vec::new();
    let Some(compiled) = context.compiled_code() else {
        return Ok(lines);
    };
    let failed = |error: &dyn std::fmt::Display| DumpError::Disassembly(error.to_string());
    let capstone = isa.to_capstone().map_err(|error| failed(&error))?;
    let code = compiled.code_buffer();
    let instructions = capstone
        .disasm_all(code, 0)
        .map_err(|error| failed(&error))?;
    let mut locations = compiled.buffer.get_srclocs_sorted().iter().peekable();
    let mut relocations = compiled.buffer.relocs().iter().peekable();
    let mut pc = None;
    for instruction in instructions.iter() {
        let start = instruction.address();
        let end = start + instruction.bytes().len() as u64;
        while locations
            .next_if(|location| u64::from(location.end) <= start)
            .is_some()
        {}
        let location = locations
            .peek()
            .filter(|location| u64::from(location.start) <= start && !location.loc.is_default())
            .map(|location| location.loc.bits());
        if let Some(at) = location
            && pc.replace(at) != Some(at)
            && let Some(insn) = analysis.graph.insn(at)
        {
            let text = format!("; {at}: {}", names.describe(insn));
            lines.push(CodeLine { pc, text });
        }
        let mnemonic = instruction.mnemonic().unwrap_or("?");
        let operands = instruction.op_str().unwrap_or_default();
        let mut line = format!("{start:6x}:  {mnemonic:8}{operands}");
        while let Some(relocation) =
            relocations.next_if(|relocation| u64::from(relocation.offset) < end)
        {
            let callee = match &relocation.target {
                FinalizedRelocTarget::ExternalName(name) => {
                    FunctionName::of_callee(&context.func, name)
                }
                FinalizedRelocTarget::Func(_) => None,
            };
            line.truncate(line.trim_end().len());
            match callee {
                Some(callee) => line.push_str(&format!("  ; {}", names.title(analysis, callee))),
                None => line.push_str(&format!("  ; {:?}", relocation.kind)),
            }
        }
        lines.push(CodeLine {
            pc: location,
            text: line.trim_end().to_string(),
        });
    }
    let frame = compiled
        .buffer
        .frame_layout()
        .map_or(0, |layout| layout.frame_to_fp_offset);
    lines.push(CodeLine {
        pc: None,
        text: format!("; {} bytes of code, {frame} bytes of frame", code.len()),
    });
    Ok(lines)
}
