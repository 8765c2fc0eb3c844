//! What is compiled in the background, without borrowing an executable.

use {
    crate::{CodeOrigin, CompileError, CompileOptions, code::Code, isa},
    sbpf_lowering::decode::Program,
    std::sync::Arc,
};

/// A program with a copy of its instructions.
#[derive(Debug)]
pub(super) struct OwnedProgram {
    text: Vec<u8>,
    /// All but the text.
    rest: Program<'static>,
}

impl OwnedProgram {
    pub(super) fn new(program: Program<'_>) -> Self {
        let Program {
            text,
            text_address,
            entry,
            function_starts,
            functions,
            syscalls,
            dialect,
        } = program;
        Self {
            text: text.to_vec(),
            rest: Program {
                text: &[],
                text_address,
                entry,
                function_starts,
                functions,
                syscalls,
                dialect,
            },
        }
    }

    /// The code of this program, compiled if need be.
    pub(super) fn compile(
        self,
        options: &CompileOptions,
    ) -> Result<(Arc<Code>, CodeOrigin), CompileError> {
        let machine = isa::here(options)?;
        let Self { text, rest } = self;
        options.cache.code(
            &Program {
                text: &text,
                ..rest
            },
            options,
            &machine,
        )
    }

    /// The code of this program, if the cache has it.
    pub(super) fn find(self, options: &CompileOptions) -> Option<(Arc<Code>, CodeOrigin)> {
        let machine = isa::here(options).ok()?;
        let Self { text, rest } = self;
        options.cache.find(
            &Program {
                text: &text,
                ..rest
            },
            options,
            &machine,
        )
    }
}
