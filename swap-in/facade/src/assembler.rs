//! The assembler: upstream's, returning our [`Executable`].

use {
    crate::elf::Executable,
    std::sync::Arc,
    upstream::{program::BuiltinProgram, vm::ContextObject},
};

/// Assembles `source` into an executable.
///
/// # Errors
/// What upstream's assembler says.
pub fn assemble<C: ContextObject>(
    source: &str,
    loader: Arc<BuiltinProgram<C>>,
) -> Result<Executable<C>, String> {
    upstream::assembler::assemble(source, loader).map(Executable::from)
}
