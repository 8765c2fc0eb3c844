//! Host addresses that are harmless where the processor has mispredicted the check of a range.
//!
//! A processor may go on behind a branch before it knows the condition, with an address that the
//! branch is there to refuse, and what it loads from there shows in its caches. A guard makes the
//! address depend on the condition as data does: where it does not hold, the address is 0, which a
//! process has nothing at.

use {
    crate::function::{Analysis, FunctionCx},
    cranelift_codegen::ir::{InstBuilder, Value, types::I64},
    cranelift_frontend::FunctionBuilder,
};

/// `host`, or 0 where one of `conditions` does not hold; just `host` in code without guards.
pub(crate) fn unless_mispredicted(
    analysis: &Analysis<'_>,
    builder: &mut FunctionBuilder<'_>,
    conditions: &[Value],
    host: Value,
) -> Value {
    if !analysis.guards_speculation {
        return host;
    }
    let nowhere = builder.ins().iconst(I64, 0);
    conditions.iter().fold(host, |host, condition| {
        builder
            .ins()
            .select_spectre_guard(*condition, host, nowhere)
    })
}

impl FunctionCx<'_> {
    /// [`unless_mispredicted`]
    pub(crate) fn unless_mispredicted(&mut self, conditions: &[Value], host: Value) -> Value {
        unless_mispredicted(self.analysis, &mut self.builder, conditions, host)
    }
}
