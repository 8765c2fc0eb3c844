//! The mark by which `perf record` finds a file of code made at run time: an executable mapping of
//! its first page, which nobody ever jumps to.

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    ptr::{self, NonNull},
};

/// Such a mapping, until it is dropped.
#[derive(Debug)]
pub struct Mark {
    start: NonNull<libc::c_void>,
    length: usize,
}

// SAFETY: it owns the mapping, which nothing reads or writes.
unsafe impl Send for Mark {}
// SAFETY: as above.
unsafe impl Sync for Mark {}

impl Mark {
    /// Marks `file`.
    ///
    /// # Errors
    /// When the system refuses, for instance on a file system without executable files.
    pub fn new(file: &File) -> io::Result<Self> {
        let length = crate::code::mapping::page_size()?;
        // SAFETY: a new mapping at an address that the system chooses changes no memory in use,
        // and nothing is done with this one.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_EXEC,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // SAFETY: `new` mapped it, and nothing points into it.
        unsafe { libc::munmap(self.start.as_ptr(), self.length) };
    }
}
