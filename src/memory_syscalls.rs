//! Syscalls of which it is known that they do nothing but an operation on memory.

use {
    crate::config,
    sbpf_runtime::memory_operation::MemoryOperation,
    solana_sbpf::{elf::Executable, vm::ContextObject},
};

/// A syscall that does nothing but an operation on the program's memory, such as `sol_memcpy_`.
///
/// Compiled code does the operation by itself where everything is as usual: where the ranges may be accessed
/// without an access-violation handler, and where the meter lasts. The context's meter is then as if the
/// syscall had been called. Else the syscall is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemorySyscall {
    /// The name that it is registered under.
    pub name: String,
    /// What it does.
    pub operation: MemoryOperation,
}

/// What each syscall of an executable does, as far as that is `known`, by the number that it has in
/// [`config::program`]; none behind the last one that is.
pub(crate) fn operations<C: ContextObject>(
    executable: &Executable<C>,
    known: &[MemorySyscall],
) -> Vec<Option<MemoryOperation>> {
    // Without translation, syscalls have rules of their own.
    if known.is_empty() || !executable.get_config().enable_address_translation {
        return Vec::new();
    }
    let syscalls = config::registered_syscalls(executable).into_iter();
    let operation = |(_, name, _): (u32, &[u8], _)| {
        let syscall = known.iter().find(|known| known.name.as_bytes() == name);
        syscall.map(|syscall| syscall.operation)
    };
    let mut operations: Vec<_> = syscalls.map(operation).collect();
    while operations.pop_if(|last| last.is_none()).is_some() {}
    operations
}
