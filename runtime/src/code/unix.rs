//! Code memory of Unix systems: reserved without access, written, then made executable.

use {
    super::{Parts, instruction_cache},
    std::{
        ffi::c_void,
        io,
        ptr::{self, NonNull},
    },
};

/// Pages of sealed code between two guard pages.
#[derive(Debug)]
pub(super) struct Pages {
    /// The guard page before the code.
    start: NonNull<u8>,
    parts: Parts,
}

// SAFETY: the pages are owned, and nothing writes to them once `seal` has returned them.
unsafe impl Send for Pages {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for Pages {}

impl Pages {
    /// Maps pages, writes `code` to them and makes them executable instead of writable.
    ///
    /// # Errors
    /// When the system refuses the memory or its protection.
    pub(super) fn seal(code: &[u8]) -> io::Result<Self> {
        let parts = Parts::new(code.len(), page_size()?)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at an address that the system chooses changes no memory in use.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), parts.total, libc::PROT_NONE, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        // From here on the mapping is undone when an error returns.
        let pages = Self { start, parts };
        pages.protect(libc::PROT_READ | libc::PROT_WRITE)?;
        // SAFETY: `parts` has room for the code between the guards, which is writable and not yet
        // known to anyone else.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), pages.code().cast_mut(), code.len()) };
        pages.protect(libc::PROT_READ | libc::PROT_EXEC)?;
        instruction_cache::flush(pages.code(), code.len());
        Ok(pages)
    }

    /// First byte of the code.
    pub(super) fn code(&self) -> *const u8 {
        self.start.as_ptr().wrapping_add(self.parts.page)
    }

    /// Sets the protection of the pages between the guards.
    fn protect(&self, protection: i32) -> io::Result<()> {
        let code = self.code().cast_mut().cast::<c_void>();
        // SAFETY: these pages are ours, and only `seal` calls this, before anyone else has them.
        match unsafe { libc::mprotect(code, self.parts.code, protection) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: `seal` mapped exactly this, and no reference to it outlives `self`. It can't fail
        // for a whole mapping; if it did, the memory would only stay.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.parts.total) };
    }
}

/// Bytes in a page.
fn page_size() -> io::Result<usize> {
    // SAFETY: it reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).map_err(|_| io::Error::last_os_error())
}
