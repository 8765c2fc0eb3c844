//! `SBPF_CRANELIFT_DUMP`: dumps of every compilation, see the [module](super).

use {
    super::{DumpOptions, Stage},
    solana_sbpf::{elf::Executable, vm::ContextObject},
    std::{
        env, fs,
        hash::{DefaultHasher, Hash, Hasher},
        io::{self, BufWriter, Write},
        path::PathBuf,
        process,
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering},
        },
    },
};

/// The name of the variable.
const VARIABLE: &str = "SBPF_CRANELIFT_DUMP";

/// What the variable asks for.
#[derive(Debug)]
struct Request {
    options: DumpOptions,
    /// Where files go; standard error if left out.
    directory: Option<PathBuf>,
}

/// Writes the dump that `SBPF_CRANELIFT_DUMP` asks for.
pub(crate) fn from_environment<C: ContextObject>(executable: &Executable<C>) {
    static REQUEST: OnceLock<Option<Request>> = OnceLock::new();
    let Some(request) = REQUEST.get_or_init(read) else {
        return;
    };
    let result = match &request.directory {
        None => {
            let mut output = BufWriter::new(io::stderr().lock());
            super::write(executable, &request.options, &mut output).map_err(|e| e.to_string())
        }
        Some(directory) => to_file(executable, &request.options, directory),
    };
    if let Err(error) = result {
        report(&error);
    }
}

/// Reads the variable; a value that makes no sense is reported once.
fn read() -> Option<Request> {
    let value = env::var_os(VARIABLE)?.to_string_lossy().into_owned();
    parse(&value).map_err(|error| report(&error)).ok().flatten()
}

/// Reads `STAGES[:FUNCTION][>DIRECTORY]`; nothing asks for nothing.
fn parse(value: &str) -> Result<Option<Request>, String> {
    if value.trim().is_empty() {
        return Ok(None);
    }
    let (what, directory) = match value.rsplit_once('>') {
        Some((_, "")) => return Err("no directory follows the >".to_string()),
        Some((what, directory)) => (what, Some(PathBuf::from(directory))),
        None => (value, None),
    };
    let (stages, function) = match what.split_once(':') {
        Some((stages, function)) => (
            stages,
            Some(
                function
                    .parse()
                    .map_err(|error| format!("{function:?}: {error}"))?,
            ),
        ),
        None => (what, None),
    };
    let stages = match stages {
        "all" => Stage::ALL.to_vec(),
        stages => stages
            .split(',')
            .map(|stage| {
                stage
                    .trim()
                    .parse::<Stage>()
                    .map_err(|error| error.to_string())
            })
            .collect::<Result<_, _>>()?,
    };
    let options = DumpOptions {
        stages,
        function,
        ..DumpOptions::default()
    };
    Ok(Some(Request { options, directory }))
}

/// Writes a file named after the program. It appears under its name only when it is complete.
fn to_file<C: ContextObject>(
    executable: &Executable<C>,
    options: &DumpOptions,
    directory: &PathBuf,
) -> Result<(), String> {
    static FILES: AtomicU64 = AtomicU64::new(0);
    let mut hasher = DefaultHasher::new();
    executable.get_text_bytes().1.hash(&mut hasher);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let path = directory.join(format!("{:016x}.txt", hasher.finish()));
    let draft = path.with_extension(format!("{}-{number}", process::id()));
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(directory).map_err(failed)?;
    let mut output = BufWriter::new(fs::File::create(&draft).map_err(failed)?);
    let written = super::write(executable, options, &mut output).map_err(|e| e.to_string());
    if written.is_err() {
        // It is the first error that matters.
        let _ = fs::remove_file(&draft);
        return written;
    }
    drop(output);
    fs::rename(&draft, &path).map_err(failed)
}

/// Tells the person who set the variable; nobody else is affected.
fn report(error: &str) {
    // There is nowhere to report that this failed.
    let _ = writeln!(io::stderr(), "{VARIABLE}: {error}");
}

#[cfg(test)]
mod tests {
    use super::{super::FunctionSelector, Stage, parse};

    #[test]
    fn stages_function_and_directory_are_read() {
        let request = parse("clif,asm:0x10>/tmp/a").unwrap().unwrap();
        assert_eq!(request.options.stages, [Stage::Clif, Stage::Assembly]);
        assert_eq!(request.options.function, Some(FunctionSelector::Pc(16)));
        assert_eq!(request.directory.unwrap().to_str(), Some("/tmp/a"));
        let request = parse("all").unwrap().unwrap();
        assert_eq!(request.options.stages, Stage::ALL);
        assert!(request.options.function.is_none() && request.directory.is_none());
        assert!(parse(" ").unwrap().is_none());
    }

    #[test]
    fn nonsense_is_an_error() {
        for value in ["steam", "clif,", ":main", "clif:", "clif>", "clif:7up"] {
            assert!(parse(value).is_err(), "{value}");
        }
    }
}
