//! Code memory of Apple silicon: mapped with `MAP_JIT`, writable for one thread while it writes.
//!
//! Follows Apple's "Porting just-in-time compilers to Apple silicon": such a mapping has all
//! permissions on paper, and the processor grants a thread either writing or executing, as the
//! thread last chose. Every thread starts with executing, and only [`Pages::seal`] chooses writing,
//! for as long as it copies. A program with the hardened runtime needs the entitlement
//! `com.apple.security.cs.allow-jit`; without it the mapping is refused, with an error.

use {
    super::Parts,
    std::{
        ffi::c_void,
        io,
        ptr::{self, NonNull},
    },
};

// Of `libkern/OSCacheControl.h`, which the crate `libc` does not have.
unsafe extern "C" {
    fn sys_icache_invalidate(start: *mut c_void, len: usize);
}

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
    /// Maps pages and writes `code` to them, while they are writable and not executable for this
    /// thread, and executable and not writable for all others.
    ///
    /// # Errors
    /// When the system refuses the memory, or can't protect it.
    pub(super) fn seal(code: &[u8]) -> io::Result<Self> {
        // SAFETY: it only asks.
        if unsafe { libc::pthread_jit_write_protect_supported_np() } == 0 {
            // Without it the memory would be writable and executable at once.
            return Err(io::ErrorKind::Unsupported.into());
        }
        let parts = Parts::new(code.len(), page_size()?)?;
        let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_JIT;
        // SAFETY: a new mapping at an address that the system chooses changes no memory in use.
        let start = unsafe { libc::mmap(ptr::null_mut(), parts.total, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        // From here on the mapping is undone when an error returns.
        let pages = Self { start, parts };
        pages.guard(0)?;
        pages.guard(parts.page + parts.code)?;
        let memory = pages.code().cast_mut();
        // SAFETY: `parts` has room for the code between the guards, not yet known to anyone else.
        // Nothing in between can panic or return, so this thread can execute code afterwards.
        unsafe {
            libc::pthread_jit_write_protect_np(0);
            ptr::copy_nonoverlapping(code.as_ptr(), memory, code.len());
            libc::pthread_jit_write_protect_np(1);
        }
        // SAFETY: the range was just written.
        unsafe { sys_icache_invalidate(memory.cast(), code.len()) };
        Ok(pages)
    }

    /// First byte of the code.
    pub(super) fn code(&self) -> *const u8 {
        self.start.as_ptr().wrapping_add(self.parts.page)
    }

    /// Makes the page at `offset` inaccessible.
    ///
    /// It is mapped anew: the system has rules of its own for the protection of `MAP_JIT` memory,
    /// and allows no `MAP_FIXED` together with it, so a reservation could not be filled with it.
    fn guard(&self, offset: usize) -> io::Result<()> {
        let page = self.start.as_ptr().wrapping_add(offset).cast::<c_void>();
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED;
        // SAFETY: it replaces a page of the mapping that is ours and not yet known to anyone else.
        let guard = unsafe { libc::mmap(page, self.parts.page, libc::PROT_NONE, flags, -1, 0) };
        if guard == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: `seal` mapped exactly this, and no reference to it outlives `self`. It can't fail
        // for whole mappings; if it did, the memory would only stay.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.parts.total) };
    }
}

/// Bytes in a page.
fn page_size() -> io::Result<usize> {
    // SAFETY: it reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).map_err(|_| io::Error::last_os_error())
}
