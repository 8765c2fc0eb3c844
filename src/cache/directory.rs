//! Files of one directory: private to their owner, written as a whole, the least used ones removed.
//!
//! Files are read, not mapped: a mapped file that somebody truncates would end the process, and one
//! that somebody changes would change after it was checked.

use {
    super::{key::CodeKey, owner},
    std::{
        fs::{self, File, FileTimes},
        io::{self, Write},
        path::{Path, PathBuf},
        time::{Duration, SystemTime},
    },
};

/// What the names of our files end with, after the key.
const EXTENSION: &str = "sbpfcode";
/// What the names of files that are being written start with.
const UNFINISHED: &str = ".unfinished-";
/// After so long nobody is writing any more.
const ABANDONED: Duration = Duration::from_secs(3_600);
/// What was used so lately is not noted to be used once more, which takes a system call.
const LATELY: Duration = Duration::from_secs(10);
/// More bytes than the code of any program has.
const LARGEST_FILE: u64 = 1 << 30;

/// A directory of stored programs.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    limit: u64,
}

/// What is in a directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectoryContents {
    /// Stored programs.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A stored program.
struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl Directory {
    /// The directory `path`, whose files may have `limit` bytes together. It need not exist.
    pub(super) fn new(path: PathBuf, limit: u64) -> Self {
        Self { path, limit }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// The file of `key` and its length, if there is one. It counts as used now, or within [`LATELY`].
    ///
    /// # Errors
    /// When it can't be read, is too large, or somebody else could have written it.
    pub(super) fn open(&self, key: &CodeKey) -> io::Result<Option<(File, u64)>> {
        let file = match owner::open(&self.file(key)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        owner::check_file(&metadata)?;
        if metadata.len() > LARGEST_FILE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let was_lately = |used: SystemTime| used.elapsed().is_ok_and(|age| age < LATELY);
        if !metadata.modified().is_ok_and(was_lately) {
            // Where times can't be set, files are removed in the order in which they were written.
            let _ = file.set_times(FileTimes::new().set_modified(SystemTime::now()));
        }
        Ok(Some((file, metadata.len())))
    }

    /// Stores the file of `key` in place of the one that may be there, and removes those that were
    /// not used for the longest time if there are too many bytes.
    ///
    /// # Errors
    /// When the system refuses it, or others can write to the directory.
    pub(super) fn write(&self, key: &CodeKey, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() as u64 > self.limit.min(LARGEST_FILE) {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "it is larger than the cache may be",
            ));
        }
        owner::create_directory(&self.path)?;
        owner::check_directory(&fs::metadata(&self.path)?)?;
        let mut unfinished = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(&self.path)?;
        unfinished.write_all(bytes)?;
        unfinished.persist(self.file(key))?;
        self.shrink(Some(key))
    }

    /// What is stored; nothing if there is no directory.
    ///
    /// # Errors
    /// When the system refuses it.
    pub(super) fn contents(&self) -> io::Result<DirectoryContents> {
        let entries = self.entries()?;
        Ok(DirectoryContents {
            files: entries.len() as u64,
            bytes: entries.iter().map(|entry| entry.bytes).sum(),
        })
    }

    /// Removes all stored programs, and returns what there was.
    ///
    /// # Errors
    /// When the system refuses it.
    pub(super) fn clear(&self) -> io::Result<DirectoryContents> {
        let mut removed = DirectoryContents::default();
        for entry in self.entries()? {
            remove(&entry.path)?;
            removed.files += 1;
            removed.bytes += entry.bytes;
        }
        Ok(removed)
    }

    /// Removes files until there are no more bytes than allowed, but never that of `kept`.
    fn shrink(&self, kept: Option<&CodeKey>) -> io::Result<()> {
        let mut entries = self.entries()?;
        let mut bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
        if bytes <= self.limit {
            return Ok(());
        }
        let kept = kept.map(|key| self.file(key));
        entries.sort_by_key(|entry| entry.used);
        for entry in entries {
            if bytes <= self.limit {
                break;
            }
            if Some(&entry.path) != kept.as_ref() {
                remove(&entry.path)?;
                bytes = bytes.saturating_sub(entry.bytes);
            }
        }
        Ok(())
    }

    /// All stored programs. What a process left behind half written is removed by the way.
    fn entries(&self) -> io::Result<Vec<Entry>> {
        let directory = match fs::read_dir(&self.path) {
            Ok(directory) => directory,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut entries = Vec::new();
        for entry in directory {
            let entry = entry?;
            let path = entry.path();
            // Another process may have removed it.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if is_ours(&path) && metadata.is_file() {
                entries.push(Entry {
                    path,
                    bytes: metadata.len(),
                    used,
                });
            } else if is_abandoned(&path, used) {
                let _ = fs::remove_file(&path);
            }
        }
        Ok(entries)
    }

    /// Where the code of `key` is.
    pub(super) fn file(&self, key: &CodeKey) -> PathBuf {
        self.path.join(format!("{key}.{EXTENSION}"))
    }
}

/// Whether a path has a name as we give it.
fn is_ours(path: &Path) -> bool {
    let is_key = |name: &str| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    path.extension()
        .is_some_and(|extension| extension == EXTENSION)
        && path
            .file_stem()
            .and_then(|name| name.to_str())
            .is_some_and(is_key)
}

fn is_abandoned(path: &Path, written: SystemTime) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let is_old = || written.elapsed().is_ok_and(|age| age > ABANDONED);
    name.is_some_and(|name| name.starts_with(UNFINISHED)) && is_old()
}

/// Removes a file that another process may remove as well.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
