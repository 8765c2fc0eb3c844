//! The program's own text: instructions as the disassembler of `solana-sbpf` writes them, or as we
//! do for eBPF, and their bytes.

use {
    crate::cli::{
        context::Context,
        guard,
        source::{Source, SourceProgram},
    },
    sbpf_cranelift::dump::anatomy::InsnPart,
    solana_sbpf::{
        disassembler::disassemble_instruction, ebpf, elf::Executable, static_analysis::CfgNode,
    },
    std::collections::BTreeMap,
};

/// What instructions are looked up in.
pub(super) struct Listing<'a> {
    text: &'a [u8],
    executable: Option<&'a Executable<Context>>,
}

impl<'a> Listing<'a> {
    /// That of a program.
    pub(super) fn of(source: &'a Source) -> Self {
        match &source.program {
            SourceProgram::Sbpf(program, _) => Self {
                text: program.executable.get_text_bytes().1,
                executable: Some(&program.executable),
            },
            SourceProgram::Ebpf(program) => Self {
                text: program.text(),
                executable: None,
            },
        }
    }

    /// The bytes of an instruction in hexadecimal; none behind the text.
    pub(super) fn bytes(&self, insn: &InsnPart) -> String {
        let start = insn.pc as usize * ebpf::INSN_SIZE;
        let end = start + usize::from(insn.slots) * ebpf::INSN_SIZE;
        hex::encode(self.text.get(start..end).unwrap_or_default())
    }

    /// An instruction in words.
    pub(super) fn text(&self, part: &InsnPart) -> String {
        self.disassemble(part).unwrap_or_else(|| part.text.clone())
    }

    /// An instruction as `solana-sbpf` writes it; none where it gives up, and none of calls, of which
    /// it shows the encoded target.
    fn disassemble(&self, part: &InsnPart) -> Option<String> {
        let executable = self.executable?;
        let pc = part.pc as usize;
        self.text
            .get(pc * ebpf::INSN_SIZE..(pc + 1) * ebpf::INSN_SIZE)?;
        let version = executable.get_sbpf_version();
        let text = guard::catch(|| {
            let mut insn = ebpf::get_insn(self.text, pc);
            if part.slots == 2 {
                ebpf::augment_lddw_unchecked(self.text, &mut insn);
            }
            let target = pc as i64 + i64::from(insn.off) + 1;
            let label = CfgNode {
                label: target.to_string(),
                ..CfgNode::default()
            };
            let labels = BTreeMap::from([(usize::try_from(target).unwrap_or_default(), label)]);
            let functions = executable.get_function_registry();
            let loader = executable.get_loader();
            disassemble_instruction(&insn, pc, &labels, functions, loader, version)
        });
        text.ok()
            .filter(|text| !text.contains("[invalid]") && text.split(' ').next() != Some("call"))
    }
}
