//! `sbpf-cranelift cache`.

use {
    super::{
        compiling,
        failure::Failure,
        guard,
        program::{LoadOptions, Program, Version},
        run::Printout,
        shared::VersionArgument,
        text::grouped,
    },
    clap::{Args, Subcommand},
    sbpf_cranelift::{Cache, CodeOrigin, CompiledProgram, DirectoryContents},
    serde_json::{Value, json},
    std::{
        env,
        path::{Path, PathBuf},
        time::Instant,
    },
};

/// Names the directory where `--dir` does not.
const VARIABLE: &str = "SBPF_CRANELIFT_CACHE";

/// Examples and exit statuses, below the options.
pub(crate) const AFTER_HELP: &str = "\
Examples:
  sbpf-cranelift cache warm program.so --dir cache   compiles a program and stores its code
  sbpf-cranelift run program.so --cache cache        runs it without compiling it again
  sbpf-cranelift cache status --dir cache            how much is stored
  sbpf-cranelift cache clear --dir cache             removes it; other files stay

Code is found by what it was made from, syscalls and configuration included: what `warm` stores is
for `run`. A host with the swap-in stores its programs itself when it runs them first, if
SBPF_CRANELIFT_CACHE names a directory.

Exit status:
  0  done
  1  a program could not be compiled or stored
  2  bad input, or a directory that can't be read or written";

/// Stored code: how much there is, removing it, and storing more.
#[derive(Debug, Args)]
pub(crate) struct CacheArguments {
    /// What to do
    #[command(subcommand)]
    action: Action,
    /// The directory [default: what SBPF_CRANELIFT_CACHE names]
    #[arg(long, value_name = "DIR", global = true)]
    dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true, conflicts_with = "quiet")]
    json: bool,
    /// Print only what went wrong
    #[arg(long, short, global = true)]
    quiet: bool,
}

/// What to do with the directory.
#[derive(Debug, Subcommand)]
enum Action {
    /// Tell how much is stored
    Status,
    /// Remove all stored code
    Clear,
    /// Compile programs and store their code
    Warm {
        /// ELF files or assembly text
        #[arg(id = "program", value_name = "PROGRAMS", required = true)]
        programs: Vec<PathBuf>,
        #[command(flatten)]
        version: VersionArgument,
    },
}

/// Runs the command.
///
/// # Errors
/// No directory, one that can't be read or written, or a program that can't be loaded.
pub(crate) fn run(arguments: &CacheArguments) -> Result<Printout, Failure> {
    let directory = arguments
        .dir
        .clone()
        .or_else(|| env::var_os(VARIABLE).map(PathBuf::from))
        .filter(|directory| !directory.as_os_str().is_empty())
        .ok_or_else(|| Failure::at("--dir", format!("is missing, and {VARIABLE} is not set")))?;
    let cache = Cache::in_directory(&directory);
    let Outcome {
        text,
        problems,
        value,
        status,
    } = match &arguments.action {
        Action::Status => status(&cache, &directory)?,
        Action::Clear => clear(&cache, &directory)?,
        Action::Warm { programs, version } => warm(&cache, programs, version.sbpf_version)?,
    };
    let text = if arguments.json {
        format!("{value:#}\n")
    } else if arguments.quiet {
        problems
    } else {
        text
    };
    Ok(Printout { text, status })
}

/// What an action came to.
struct Outcome {
    /// For people.
    text: String,
    /// The part of it that tells what went wrong.
    problems: String,
    /// For scripts.
    value: Value,
    status: u8,
}

impl Outcome {
    fn done(text: String, value: Value) -> Self {
        Self {
            text,
            problems: String::new(),
            value,
            status: 0,
        }
    }
}

fn status(cache: &Cache, directory: &Path) -> Result<Outcome, Failure> {
    let contents = cache.directory_contents();
    let contents = contents.map_err(|error| Failure::io(directory, &error))?;
    let limit = cache.directory_limit();
    let text = format!(
        "{}: {}, of {} bytes at most\n",
        directory.display(),
        amount(contents),
        grouped(limit),
    );
    let value = json!({
        "directory": directory.to_string_lossy(),
        "programs": contents.files,
        "bytes": contents.bytes,
        "limit": limit,
    });
    Ok(Outcome::done(text, value))
}

fn clear(cache: &Cache, directory: &Path) -> Result<Outcome, Failure> {
    let removed = cache.clear_directory();
    let removed = removed.map_err(|error| Failure::io(directory, &error))?;
    let text = format!("{}: removed {}\n", directory.display(), amount(removed));
    let value = json!({
        "directory": directory.to_string_lossy(),
        "removed_programs": removed.files,
        "removed_bytes": removed.bytes,
    });
    Ok(Outcome::done(text, value))
}

fn warm(cache: &Cache, paths: &[PathBuf], version: Option<Version>) -> Result<Outcome, Failure> {
    let mut text = String::new();
    let mut problems = String::new();
    let mut values = Vec::new();
    let mut status = 0;
    for path in paths {
        let options = LoadOptions {
            version,
            ..LoadOptions::default()
        };
        let program = Program::read(path, options)?;
        let (start, before) = (Instant::now(), cache.statistics());
        let compile =
            || CompiledProgram::compile_with(&program.executable, &compiling::options(cache));
        let compiled = guard::catch(compile).map_err(|panic| {
            Failure::at(
                path.display().to_string(),
                format!("compiling it panicked: {panic}"),
            )
        })?;
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        let problem = new_problem(cache, &before.problems);
        let (result, origin) = match (&compiled, problem) {
            (Err(error), _) => (format!("can't be compiled: {error}"), "none"),
            (Ok(program), _) if program.origin() == CodeOrigin::Directory => (
                format!("stored before, loaded in {milliseconds:.1} ms"),
                "directory",
            ),
            (Ok(_), Some(problem)) if cache.statistics().stored == before.stored => {
                (format!("not stored: {problem}"), "compiled")
            }
            (Ok(_), _) => (
                format!("compiled in {milliseconds:.1} ms, and stored"),
                "compiled",
            ),
        };
        let is_stored = origin == "directory" || cache.statistics().stored > before.stored;
        let line = format!("{}: {result}\n", path.display());
        if !is_stored {
            status = 1;
            problems.push_str(&line);
        }
        text.push_str(&line);
        values.push(json!({
            "program": path.to_string_lossy(),
            "code_from": origin,
            "stored": is_stored,
            "milliseconds": milliseconds,
            "result": result,
        }));
    }
    Ok(Outcome {
        text,
        problems,
        value: Value::from(values),
        status,
    })
}

/// What went wrong since there were these problems only.
fn new_problem(cache: &Cache, before: &[String]) -> Option<String> {
    let mut problems = cache.statistics().problems;
    problems.retain(|problem| !before.contains(problem));
    problems.pop()
}

fn amount(contents: DirectoryContents) -> String {
    let programs = if contents.files == 1 {
        "program"
    } else {
        "programs"
    };
    format!(
        "{} {programs}, {} bytes",
        grouped(contents.files),
        grouped(contents.bytes)
    )
}
