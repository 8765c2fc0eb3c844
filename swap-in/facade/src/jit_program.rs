//! Compiled programs as hosts see them.

use {
    sbpf_cranelift::{CompiledProgram, MachineCode},
    std::fmt,
    upstream::{elf::Executable, vm::ContextObject},
};

/// A compiled program, in place of upstream's type of this name.
///
/// It keeps the machine code in memory. Two of them are equal only if they are the same one.
pub struct JitProgram(Code);

enum Code {
    /// Interpreted, so there is none.
    None,
    Cranelift {
        code: MachineCode,
        mem_size: usize,
    },
    #[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
    HandWritten(std::sync::Arc<crate::modules::HandWritten>),
}

impl JitProgram {
    /// What is there by now: `program`, or else upstream's own code.
    pub(crate) fn new<C: ContextObject>(
        program: Option<&CompiledProgram<C>>,
        executable: &Executable<C>,
    ) -> Self {
        if let Some(program) = program {
            return Self(Code::Cranelift {
                code: program.shared_machine_code(),
                mem_size: program.mem_size(),
            });
        }
        #[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
        if let Some(program) = executable.get_compiled_program() {
            return Self::hand_written(program);
        }
        let _ = executable;
        Self(Code::None)
    }

    #[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
    pub(crate) fn hand_written(program: std::sync::Arc<crate::modules::HandWritten>) -> Self {
        Self(Code::HandWritten(program))
    }

    #[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
    pub(crate) fn is_hand_written(
        &self,
        program: &std::sync::Arc<crate::modules::HandWritten>,
    ) -> bool {
        matches!(&self.0, Code::HandWritten(mine) if std::sync::Arc::ptr_eq(mine, program))
    }

    /// The machine code; empty for one of the hand-written JIT, which keeps its own to itself in
    /// most versions.
    pub fn text_section(&self) -> &[u8] {
        match &self.0 {
            Code::Cranelift { code, .. } => code,
            _ => &[],
        }
    }

    /// Offsets of instructions in the machine code: there are none, because an instruction may be
    /// anywhere, in several places or nowhere.
    pub fn pc_section(&self) -> &[u32] {
        &[]
    }

    /// Bytes of machine code.
    pub fn machine_code_length(&self) -> usize {
        match &self.0 {
            Code::None => 0,
            Code::Cranelift { code, .. } => code.len(),
            #[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
            Code::HandWritten(program) => program.machine_code_length(),
        }
    }

    /// Bytes of memory that the program takes.
    pub fn mem_size(&self) -> usize {
        match &self.0 {
            Code::None => 0,
            Code::Cranelift { mem_size, .. } => *mem_size,
            #[cfg(all(feature = "jit", not(target_os = "windows"), target_arch = "x86_64"))]
            Code::HandWritten(program) => program.mem_size(),
        }
    }
}

impl fmt::Debug for JitProgram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "JitProgram {:?}", std::ptr::from_ref(self))
    }
}

impl PartialEq for JitProgram {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}
