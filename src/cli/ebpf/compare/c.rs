//! Programs in C, compiled for eBPF by clang and for this machine by the system's compiler.

use {
    std::{
        fmt::Write as _,
        fs,
        io::{self, BufRead, BufReader, Write},
        path::{Path, PathBuf},
        process::{Child, ChildStdin, ChildStdout, Command, Stdio},
        time::Duration,
    },
    tempfile::TempDir,
};

/// Compilers for eBPF to look for, the newest first.
const CLANGS: [&str; 6] = [
    "clang-20", "clang-19", "clang-18", "clang-17", "clang-16", "clang",
];

/// The version of the processor to compile for: what clang takes by itself, and the last one that all
/// engines know.
const VERSION: &str = "-mcpu=v3";

/// Compilers for this machine.
const COMPILERS: [&str; 3] = ["clang", "cc", "gcc"];

/// What both are told: neither has a library for what the loops of a program do.
const OPTIONS: [&str; 3] = ["-O2", "-fno-builtin", "-w"];

/// What runs and times the function of a program.
const DRIVER: &str = include_str!("driver.c");

/// An ELF file of eBPF.
///
/// # Errors
/// When no clang here makes one, in words.
pub(super) fn compile(source: &str) -> Result<Vec<u8>, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (input, output) = (directory.path().join("p.c"), directory.path().join("p.o"));
    fs::write(&input, source).map_err(|error| error.to_string())?;
    for compiler in CLANGS {
        let mut command = Command::new(compiler);
        command
            .args(["-target", "bpf", VERSION, "-c"])
            .args(OPTIONS);
        if succeeds(command.arg(&input).arg("-o").arg(&output)) {
            return fs::read(&output).map_err(|error| error.to_string());
        }
    }
    Err("no clang here compiles it for eBPF".to_string())
}

fn succeeds(command: &mut Command) -> bool {
    let finished = command.stdin(Stdio::null()).output();
    finished.is_ok_and(|output| output.status.success())
}

/// The function of a program in native code, in a process of its own that runs and times it.
pub(super) struct Native {
    executable: PathBuf,
    _directory: TempDir,
}

impl Native {
    /// Compiles the source for this machine, if there is a compiler.
    pub(super) fn compile(source: &str, function: &str) -> Option<Self> {
        let directory = tempfile::tempdir().ok()?;
        let at = |name: &str| directory.path().join(name);
        fs::write(at("p.c"), source).ok()?;
        fs::write(at("driver.c"), DRIVER).ok()?;
        let executable = at("p.exe");
        let is_compiled = COMPILERS.iter().any(|compiler| {
            let mut command = Command::new(compiler);
            command.args(OPTIONS).arg(format!("-DPROGRAM={function}"));
            command.arg(at("driver.c")).arg(at("p.c"));
            succeeds(command.arg("-o").arg(&executable))
        });
        is_compiled.then_some(Self {
            executable,
            _directory: directory,
        })
    }

    /// Starts it on this memory.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn start(&self, memory: &[u8]) -> io::Result<Running> {
        Running::start(&self.executable, memory)
    }
}

/// A process that runs a function when it is told to.
pub(super) struct Running {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Running {
    fn start(executable: &Path, memory: &[u8]) -> io::Result<Self> {
        let mut child = Command::new(executable)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let Some((mut orders, answers)) = pipes else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut line = String::new();
        for byte in memory {
            let _ = write!(line, "{byte:02x}");
        }
        writeln!(orders, "{line} .")?;
        Ok(Self {
            child,
            orders,
            answers: BufReader::new(answers),
        })
    }

    /// Runs the function so often; returns the last result, and the time of all runs.
    ///
    /// # Errors
    /// When the process has ended.
    pub(super) fn run(&mut self, count: u32) -> io::Result<(u64, Duration)> {
        writeln!(self.orders, "{count}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let (time, result) = line.trim().split_once(' ').unwrap_or_default();
        match (time.parse(), result.parse()) {
            (Ok(time), Ok(result)) => Ok((result, Duration::from_nanos(time))),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ends by itself when there are no more orders, but nobody waits for that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
