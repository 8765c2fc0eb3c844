//! Whose files are trusted: on Unix those that belong to this user and that nobody else can write.
//!
//! On Windows the permissions of the directory are those that its user chose.

pub(super) use platform::{check_directory, check_file, create_directory, open};

#[cfg(unix)]
mod platform {
    use {
        rustix::{fs::OFlags, process::geteuid},
        std::{
            fs::{DirBuilder, File, Metadata, OpenOptions},
            io,
            os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
            path::Path,
        },
    };

    /// Bits of a mode that let others than the owner write.
    const OTHERS_WRITE: u32 = 0o022;

    /// Opens a file for reading; a link is not followed, a pipe not waited for.
    pub(in super::super) fn open(path: &Path) -> io::Result<File> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
    }

    /// Makes a directory with those above it, for this user alone, unless it is there.
    pub(in super::super) fn create_directory(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    /// # Errors
    /// When it is no file, or somebody else could have written it.
    pub(in super::super) fn check_file(metadata: &Metadata) -> io::Result<()> {
        if !metadata.is_file() {
            return Err(refusal("it is no file"));
        }
        check(metadata)
    }

    /// # Errors
    /// When it is no directory, or somebody else could put files there.
    pub(in super::super) fn check_directory(metadata: &Metadata) -> io::Result<()> {
        if !metadata.is_dir() {
            return Err(refusal("it is no directory"));
        }
        check(metadata)
    }

    fn check(metadata: &Metadata) -> io::Result<()> {
        if metadata.uid() != geteuid().as_raw() {
            return Err(refusal("it belongs to another user"));
        }
        if metadata.mode() & OTHERS_WRITE != 0 {
            return Err(refusal("other users can write to it"));
        }
        Ok(())
    }

    fn refusal(why: &'static str) -> io::Error {
        io::Error::new(io::ErrorKind::PermissionDenied, why)
    }
}

#[cfg(not(unix))]
mod platform {
    use std::{
        fs::{self, File, Metadata, OpenOptions},
        io,
        path::Path,
    };

    /// Opens a file for reading, and for setting its time.
    pub(in super::super) fn open(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(path)
    }

    /// Makes a directory with those above it, unless it is there.
    pub(in super::super) fn create_directory(path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    /// # Errors
    /// When it is no file.
    pub(in super::super) fn check_file(metadata: &Metadata) -> io::Result<()> {
        if metadata.is_file() {
            Ok(())
        } else {
            Err(io::Error::other("it is no file"))
        }
    }

    /// # Errors
    /// When it is no directory.
    pub(in super::super) fn check_directory(metadata: &Metadata) -> io::Result<()> {
        if metadata.is_dir() {
            Ok(())
        } else {
            Err(io::Error::other("it is no directory"))
        }
    }
}
