//! Measures and reports for the bench `ratios`.

mod clock;
pub(crate) mod compilation;
pub(crate) mod execution;
mod statistics;
pub(crate) mod table;

use {
    compilation::CompilationRow,
    execution::ExecutionRow,
    serde::Serialize,
    std::{
        fs::File,
        io::{self, Write},
        path::Path,
        time::Duration,
    },
    table::Style,
};

/// How much effort to spend.
pub(crate) struct Settings {
    /// Rounds, each of which has one sample of every engine.
    pub(crate) rounds: usize,
    /// The least duration of a sample; short workloads are repeated within it.
    shortest_sample: Duration,
    /// How long to go on compiling one program with one compiler, unless the rounds end before.
    longest_compilation: Duration,
}

impl Settings {
    /// Good enough to steer by.
    pub(crate) const QUICK: Self = Self {
        rounds: 5,
        shortest_sample: Duration::from_micros(500),
        longest_compilation: Duration::from_secs(1),
    };

    /// Good enough to publish.
    pub(crate) const THOROUGH: Self = Self {
        rounds: 15,
        shortest_sample: Duration::from_millis(2),
        longest_compilation: Duration::from_secs(10),
    };
}

/// All that was measured.
#[derive(Default, Serialize)]
pub(crate) struct Report {
    /// Workloads on every engine.
    pub(crate) execution: Vec<ExecutionRow>,
    /// Programs through every compiler.
    pub(crate) compilation: Vec<CompilationRow>,
}

impl Report {
    /// Prints the tables to `output` and writes the figures to the file `json`, if there is one.
    pub(crate) fn publish(
        &self,
        style: Style,
        json: Option<&Path>,
        output: &mut impl Write,
    ) -> io::Result<()> {
        if !self.execution.is_empty() {
            writeln!(output, "\n{}", execution::table(&self.execution, style))?;
        }
        if !self.compilation.is_empty() {
            writeln!(output, "\n{}", compilation::table(&self.compilation, style))?;
        }
        if let Some(path) = json {
            let describe = |error: io::Error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            };
            let file = File::create(path).map_err(describe)?;
            serde_json::to_writer_pretty(file, self).map_err(|error| describe(error.into()))?;
        }
        Ok(())
    }
}
