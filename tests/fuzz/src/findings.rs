//! Divergences as files, from which they can be reproduced.

use {
    crate::{Divergence, Target},
    std::{
        fs, io,
        path::{Path, PathBuf},
    },
};

/// What the names of files with inputs end with.
const EXTENSION: &str = "fuzz";

/// Where divergences are written.
#[derive(Debug, Clone)]
pub struct Findings {
    directory: PathBuf,
}

impl Findings {
    /// Divergences in `directory`, which is made when it is needed.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// Writes `input` as a file, and the report beside it, with the `seed` that led there. Gives the
    /// path of the input.
    ///
    /// # Errors
    /// When the files can't be written.
    pub fn write(
        &self,
        target: &str,
        seed: u64,
        input: &[u8],
        divergence: &Divergence,
    ) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.directory)?;
        let hash = blake3::hash(input).to_hex();
        let path = self
            .directory
            .join(format!("{target}-{}.{EXTENSION}", &hash[..16]));
        fs::write(&path, input)?;
        // The bytes too: of a run on a machine that is gone, only what it printed is left.
        let bytes: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        let report = format!(
            "target {target}, seed {seed}, {} bytes\n\
             cargo run --release -p sbpf-fuzz -- --reproduce {name}\n\n{}\n\n\
             echo {bytes} | xxd -r -p > {name}\n",
            input.len(),
            divergence.0,
            name = path.display(),
        );
        fs::write(path.with_extension("txt"), report)?;
        Ok(path)
    }

    /// The report that [`Self::write`] has written beside an input; empty if it is gone.
    pub fn report(path: &Path) -> String {
        fs::read_to_string(path.with_extension("txt")).unwrap_or_default()
    }

    /// Where a worker leaves the input that it is running, which is all that is left of a crash.
    pub fn current(&self, thread: usize) -> PathBuf {
        self.directory.join(format!("current-{thread}"))
    }
}

/// The target and the bytes of a file that [`Findings::write`] has written.
///
/// # Errors
/// When it can't be read, or its name begins with no target's.
pub fn read(path: &Path) -> Result<(&'static Target, Vec<u8>), String> {
    let input = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let name = path.file_name().and_then(|name| name.to_str());
    let target = name.and_then(|name| crate::named(name.rsplit_once('-')?.0));
    let target = target.ok_or_else(|| format!("{}: its name has no target", path.display()))?;
    Ok((target, input))
}
