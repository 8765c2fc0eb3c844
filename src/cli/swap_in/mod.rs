//! `sbpf-cranelift swap-in`: makes an unmodified host run its programs on Cranelift.

mod cargo;
mod check;
mod directory;
mod embedded;
mod manifests;
mod source;
mod versions;

use {
    super::{failure::Failure, run::Printout},
    clap::Args,
    directory::Directory,
    serde_json::{Value, json},
    source::Source,
    std::path::{Path, PathBuf},
    versions::Known,
};

/// Examples, below the options.
pub(crate) const AFTER_HELP: &str = "\
Examples:
  sbpf-cranelift swap-in --sbpf 0.23.0 --out ../solana-sbpf
      Writes a crate in place of solana-sbpf 0.23.0, and prints three lines to paste into the
      Cargo.toml of the host's workspace.
  sbpf-cranelift swap-in --sbpf 0.23 --out ../solana-sbpf >> Cargo.toml
      The same, pasted.
  sbpf-cranelift swap-in --check
      In the host's folder: tells whether the host is really built with it. Cargo only warns when
      a patch has another version than the host asks for.

The version must be the one that the host uses; `cargo tree -i solana-sbpf` shows it. The real
crate's source is taken from cargo's registry, where cargo puts it if it is not there yet.

At run time SBPF_CRANELIFT_ENGINE=hand-written|interpreter|cranelift chooses the engine,
SBPF_CRANELIFT_COMPILE=lazy|lazy-functions|eager|tiered when it compiles, SBPF_CRANELIFT_CACHE=DIR
keeps code for other processes, and SBPF_CRANELIFT_STATISTICS=stderr prints at exit what was
compiled and where it ran.

Exit status:
  0  the crate was written, or --check found it in use
  1  --check found that it is not in use
  2  bad input, or cargo failed";

/// Makes an unmodified host of solana-sbpf run its programs on Cranelift.
#[derive(Debug, Args)]
pub(crate) struct SwapInArguments {
    /// Version of solana-sbpf that the host uses
    #[arg(long, value_name = "VERSION", required_unless_present = "check")]
    sbpf: Option<String>,
    /// Directory to write; what an earlier run wrote there is replaced
    #[arg(long, value_name = "DIR", required_unless_present = "check")]
    out: Option<PathBuf>,
    /// Tell whether the host in this folder is built with the swap-in
    #[arg(long, conflicts_with_all = ["sbpf", "out"])]
    check: bool,
    /// The host's manifest, for --check [default: that of this folder]
    #[arg(long, value_name = "FILE", requires = "check")]
    manifest_path: Option<PathBuf>,
    /// Print JSON
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Print nothing; the exit status tells
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// Unknown version, a directory that is not ours to write, or a failing cargo.
pub(crate) fn run(arguments: &SwapInArguments) -> Result<Printout, Failure> {
    let (mut printout, value) = match (&arguments.sbpf, &arguments.out) {
        (Some(version), Some(out)) => write(version, out)?,
        _ => check::check(arguments.manifest_path.as_deref())?,
    };
    if arguments.json {
        printout.text = format!("{value:#}\n");
    } else if arguments.quiet {
        printout.text.clear();
    }
    Ok(printout)
}

fn write(version: &str, out: &Path) -> Result<(Printout, Value), Failure> {
    let known = Known::find(version)?;
    let mut directory = Directory::open(out)?;
    let source = Source::of_registry(known.version, directory.path())?;
    let manifests = manifests::Manifests::new(known, &source)?;

    directory.write("Cargo.toml", manifests.facade.as_bytes())?;
    for (path, contents) in embedded::facade(known) {
        directory.write(format!("src/{path}"), contents)?;
    }
    directory.write("adapter/Cargo.toml", manifests.adapter.as_bytes())?;
    directory.write("adapter/build.rs", embedded::BUILD_SCRIPT.as_bytes())?;
    for (path, contents) in embedded::adapter(known) {
        directory.write(format!("adapter/src/{path}"), contents)?;
    }
    for (crate_name, manifest, files) in embedded::crates() {
        directory.write(format!("{crate_name}/Cargo.toml"), manifest.as_bytes())?;
        for (path, contents) in files {
            directory.write(format!("{crate_name}/src/{path}"), contents)?;
        }
    }
    directory.write("upstream/Cargo.toml", manifests.upstream.as_bytes())?;
    for (path, contents) in source.files() {
        directory.write(format!("upstream/{path}"), contents)?;
    }
    directory.finish()?;
    let text = lines_to_paste(known, &directory)?;
    let value = json!({
        "version": known.version,
        "directory": directory.path().to_string_lossy(),
        "lines_to_paste": text,
    });
    Ok((Printout { text, status: 0 }, value))
}

fn lines_to_paste(known: &Known, directory: &Directory) -> Result<String, Failure> {
    let path = directory.path();
    let text = path.to_str().ok_or_else(|| {
        let what = "a manifest can't name this path, because it is not UTF-8";
        Failure::at(path.display().to_string(), what)
    })?;
    let quoted = toml::Value::from(text);
    Ok(format!(
        "# solana-sbpf {} on Cranelift; to go back, delete these three lines\n\
         [patch.crates-io]\n\
         solana-sbpf = {{ path = {quoted} }}\n",
        known.version,
    ))
}
