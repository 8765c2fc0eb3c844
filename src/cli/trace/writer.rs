//! A trace as lines of JSON, one for each instruction.

use {
    super::{Moment, filter::Filter, instructions::Instructions},
    crate::cli::functions::Functions,
    serde::Serialize,
    std::io::{self, Write},
};

/// One line: the machine before an instruction is executed.
#[derive(Serialize)]
struct Line<'a> {
    /// Instructions executed before.
    index: u64,
    pc: usize,
    function: &'a str,
    /// Calls that have not returned.
    depth: usize,
    /// Compute units used before, those of syscalls included.
    units: u64,
    opcode: &'a str,
    instruction: &'a str,
    /// r0 to r10. In hexadecimal, since many readers of JSON have no integers of 64 bits.
    registers: [String; 11],
}

/// Writes a trace.
pub(crate) struct TraceWriter<'a> {
    output: Box<dyn Write + 'a>,
    filter: &'a Filter,
    index: u64,
    error: Option<io::Error>,
}

impl<'a> TraceWriter<'a> {
    /// A trace of what `filter` admits, to `output`.
    pub(crate) fn new(output: Box<dyn Write + 'a>, filter: &'a Filter) -> Self {
        Self {
            output,
            filter,
            index: 0,
            error: None,
        }
    }

    /// Writes the line of an instruction.
    pub(crate) fn write(
        &mut self,
        moment: &Moment<'_>,
        functions: &Functions,
        instructions: &mut Instructions<'_>,
    ) {
        let index = self.index;
        self.index += 1;
        if self.error.is_some() {
            return;
        }
        let function = functions.at(moment.pc).name;
        let instruction = instructions.text(moment.pc);
        let opcode = instruction.split(' ').next().unwrap_or_default();
        if !self.filter.admits(moment.pc, function, opcode) {
            return;
        }
        let line = Line {
            index,
            pc: moment.pc,
            function,
            depth: moment.depth,
            units: moment.units,
            opcode,
            instruction,
            registers: std::array::from_fn(|register| format!("{:#x}", moment.registers[register])),
        };
        let written = serde_json::to_writer(&mut self.output, &line)
            .map_err(io::Error::from)
            .and_then(|()| self.output.write_all(b"\n"));
        self.error = written.err();
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// Those of the output. A reader that stopped listening is none.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let result = match self.error.take() {
            Some(error) => Err(error),
            None => self.output.flush(),
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}
