//! The directory that is written.
//!
//! Files that already have the right contents are left alone, so that cargo doesn't build a host
//! again after the command was repeated.

use {
    super::manifests,
    crate::cli::failure::Failure,
    std::{
        collections::BTreeSet,
        fs, io,
        path::{Path, PathBuf},
    },
};

/// What we write there, and nothing else may be removed.
const OURS: &[&str] = &["src", "adapter", "lowering", "runtime", "upstream"];

/// A directory that is ours to write.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    written: BTreeSet<PathBuf>,
}

impl Directory {
    /// Makes the directory if need be.
    ///
    /// # Errors
    /// When there are other things than an earlier command's in it.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let path = std::path::absolute(path).map_err(|error| Failure::io(path, &error))?;
        fs::create_dir_all(&path).map_err(|error| Failure::io(&path, &error))?;
        let directory = Self {
            path,
            written: BTreeSet::new(),
        };
        directory.check_is_ours()?;
        Ok(directory)
    }

    /// The absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, with the folders it needs.
    pub(super) fn write(&mut self, name: impl AsRef<Path>, contents: &[u8]) -> Result<(), Failure> {
        let path = self.path.join(name);
        let is_there = fs::read(&path).is_ok_and(|there| there == contents);
        if !is_there {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(|error| Failure::io(parent, &error))?;
            }
            fs::write(&path, contents).map_err(|error| Failure::io(&path, &error))?;
        }
        self.written.insert(path);
        Ok(())
    }

    /// Removes files of an earlier command that were not written this time.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        for folder in OURS {
            self.remove_stale(&self.path.join(folder))?;
        }
        Ok(())
    }

    fn remove_stale(&self, folder: &Path) -> Result<(), Failure> {
        let entries = fs::read_dir(folder).map_err(|error| Failure::io(folder, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| Failure::io(folder, &error))?.path();
            if path.is_dir() {
                self.remove_stale(&path)?;
            } else if !self.written.contains(&path) {
                fs::remove_file(&path).map_err(|error| Failure::io(&path, &error))?;
            }
        }
        Ok(())
    }

    fn check_is_ours(&self) -> Result<(), Failure> {
        let mut entries =
            fs::read_dir(&self.path).map_err(|error| Failure::io(&self.path, &error))?;
        if entries.next().is_none() {
            return Ok(());
        }
        let manifest = self.path.join("Cargo.toml");
        let is_ours = match fs::read_to_string(&manifest) {
            Ok(text) => manifests::is_swap_in(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(Failure::io(&manifest, &error)),
        };
        if is_ours {
            return Ok(());
        }
        let what = "is not empty, and no swap-in was written there before";
        Err(Failure::at(self.path.display().to_string(), what))
    }
}
