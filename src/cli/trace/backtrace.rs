//! Which calls led to the instruction that a run ended at.

use {
    super::source_lines::{self, SourceLine},
    crate::cli::{functions::Functions, program::Program},
    serde_json::{Value, json},
    std::fmt,
};

/// An active frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The instruction it is at: the last one, or a call.
    pub(crate) pc: usize,
    /// The function that this is in.
    function: String,
    /// Instruction slots from the start of the function.
    offset: usize,
    /// The line it was made from, if the file has debug information.
    line: Option<SourceLine>,
}

/// The frames at `pcs`, with what `program` knows about them.
pub(super) fn symbolise(pcs: &[usize], program: &Program, functions: &Functions) -> Vec<Frame> {
    let lines = source_lines::find(&program.bytes, pcs);
    let frames = pcs.iter().zip(lines).map(|(pc, line)| {
        let function = functions.at(*pc);
        Frame {
            pc: *pc,
            function: function.name.to_string(),
            offset: pc.saturating_sub(function.start),
            line,
        }
    });
    frames.collect()
}

impl Frame {
    /// The frame as JSON.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "pc": self.pc,
            "function": self.function,
            "offset": self.offset,
            "file": self.line.as_ref().map(|line| &line.file),
            "line": self.line.as_ref().map(|line| line.line),
        })
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "pc {:<6} {}+{}",
            self.pc, self.function, self.offset
        )?;
        match &self.line {
            Some(SourceLine { file, line }) => write!(formatter, " at {file}:{line}"),
            None => Ok(()),
        }
    }
}
