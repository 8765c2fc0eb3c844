//! Memory mappings, as all Unix systems have them.

use {
    super::Parts,
    std::{
        io,
        ptr::{self, NonNull},
    },
};

/// Bytes in a page.
///
/// # Errors
/// When the system does not tell.
pub(crate) fn page_size() -> io::Result<usize> {
    // SAFETY: it reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).map_err(|_| io::Error::last_os_error())
}

/// Maps `length` bytes of new memory with a protection, and flags beyond those of all memory.
///
/// # Errors
/// When the system refuses the memory.
pub(super) fn map(length: usize, protection: i32, flags: i32) -> io::Result<NonNull<u8>> {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANON;
    // SAFETY: a new mapping at an address that the system chooses changes no memory in use.
    let start = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(start.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Gives the memory of all parts back.
///
/// # Safety
/// [`map`] must have given `start` for these parts, and nobody may use the memory any more.
pub(super) unsafe fn release(start: NonNull<u8>, parts: &Parts) {
    // SAFETY: passed on to the caller. It can't fail for a whole mapping; if it did, the memory
    // would only stay.
    unsafe { libc::munmap(start.as_ptr().cast(), parts.total) };
}
