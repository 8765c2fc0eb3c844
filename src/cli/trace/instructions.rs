//! The instructions of a program as text, looked up again and again.

use {
    crate::cli::context::Context,
    solana_sbpf::{
        disassembler::disassemble_instruction, ebpf, elf::Executable, static_analysis::CfgNode,
    },
    std::collections::{BTreeMap, HashMap},
};

/// Instructions that were asked for, disassembled.
pub(crate) struct Instructions<'p> {
    executable: &'p Executable<Context>,
    known: HashMap<usize, String>,
}

impl<'p> Instructions<'p> {
    /// The instructions of `executable`.
    pub(crate) fn new(executable: &'p Executable<Context>) -> Self {
        Self {
            executable,
            known: HashMap::new(),
        }
    }

    /// The instruction at `pc` as text; its first word is the mnemonic. `pc` is within the text.
    pub(crate) fn text(&mut self, pc: usize) -> &str {
        let executable = self.executable;
        let text = self.known.entry(pc);
        text.or_insert_with(|| disassemble(executable, pc))
    }

    /// The name of the syscall that the instruction at `pc` calls, if it is such a call.
    pub(crate) fn syscall(&self, pc: usize) -> Option<String> {
        let instruction = ebpf::get_insn_unchecked(self.executable.get_text_bytes().1, pc);
        let may_be_internal = self.executable.get_sbpf_version().static_syscalls();
        if instruction.opc != ebpf::CALL_IMM || (may_be_internal && instruction.src != 0) {
            return None;
        }
        let syscalls = self.executable.get_loader().get_function_registry();
        let (name, _) = syscalls.lookup_by_key(instruction.imm as u32)?;
        Some(String::from_utf8_lossy(name).into_owned())
    }
}

fn disassemble(executable: &Executable<Context>, pc: usize) -> String {
    let text = executable.get_text_bytes().1;
    let mut instruction = ebpf::get_insn_unchecked(text, pc);
    let version = executable.get_sbpf_version();
    if instruction.opc == ebpf::LD_DW_IMM && !version.disable_lddw() {
        ebpf::augment_lddw_unchecked(text, &mut instruction);
    }
    // Jumps name the node that they lead to: here, its pc.
    let target = (pc as i64 + 1).saturating_add(i64::from(instruction.off));
    let node = CfgNode {
        label: target.to_string(),
        ..CfgNode::default()
    };
    disassemble_instruction(
        &instruction,
        pc,
        &BTreeMap::from([(target as usize, node)]),
        executable.get_function_registry(),
        executable.get_loader(),
        version,
    )
}
