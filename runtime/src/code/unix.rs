//! Code memory of Unix systems: reserved without access, written, then made executable.

pub(super) use super::mapping::{page_size, release};
use {
    super::{Parts, instruction_cache, mapping},
    std::{
        io,
        ptr::{self, NonNull},
    },
};

/// Reserves memory for all parts, accessible to nobody.
///
/// # Errors
/// When the system refuses the memory.
pub(super) fn reserve(parts: &Parts) -> io::Result<NonNull<u8>> {
    mapping::map(parts.total, libc::PROT_NONE, 0)
}

/// Writes `code` between the guards, and makes it executable instead of writable.
///
/// # Errors
/// When the system refuses the memory or its protection.
///
/// # Safety
/// [`reserve`] must have given `start` for these parts, which have room for the code, and nobody
/// else may know it yet.
pub(super) unsafe fn fill(start: NonNull<u8>, parts: &Parts, code: &[u8]) -> io::Result<()> {
    let memory = start.as_ptr().wrapping_add(parts.page);
    protect(memory, parts.code, libc::PROT_READ | libc::PROT_WRITE)?;
    // SAFETY: the pages between the guards are writable, have room, and are ours alone.
    unsafe { ptr::copy_nonoverlapping(code.as_ptr(), memory, code.len()) };
    protect(memory, parts.code, libc::PROT_READ | libc::PROT_EXEC)?;
    instruction_cache::flush(memory, code.len());
    Ok(())
}

fn protect(start: *mut u8, length: usize, protection: i32) -> io::Result<()> {
    // SAFETY: only `fill` calls this, for pages that are its own.
    match unsafe { libc::mprotect(start.cast(), length, protection) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
