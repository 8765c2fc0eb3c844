//! Code memory of Unix systems: reserved without access, written, then made executable.

pub(super) use super::mapping::{page_size, release};
use {
    super::{Parts, fill_pages, instruction_cache, mapping},
    std::{io, ptr::NonNull},
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
    // SAFETY: passed on to the caller; the pages between the guards are reserved.
    unsafe { fill_pages(memory, parts.code, code) }
}

/// Whether code can be added while other code on pages beside it runs.
pub(super) const APPENDS: bool = true;

/// Makes reserved pages of `length` bytes readable and writable. They hold zeros.
///
/// # Errors
/// When the system refuses the memory.
///
/// # Safety
/// The pages must be reserved, never filled before, and nobody else may know them yet.
pub(super) unsafe fn make_writable(memory: *mut u8, length: usize) -> io::Result<()> {
    protect(memory, length, libc::PROT_READ | libc::PROT_WRITE)?;
    populate(memory, length);
    Ok(())
}

/// Makes written pages of `length` bytes executable instead of writable.
///
/// Caches are made to agree before the pages are executable: until then no processor can have fetched
/// from them, whatever it foresees, so other threads have nothing stale to get rid of.
///
/// # Errors
/// When the system refuses it.
///
/// # Safety
/// [`make_writable`] must have returned for these pages, and nobody else may know them yet.
pub(super) unsafe fn make_executable(memory: *mut u8, length: usize) -> io::Result<()> {
    instruction_cache::flush(memory, length);
    protect(memory, length, libc::PROT_READ | libc::PROT_EXEC)
}

/// Bytes from which on pages are had in one call, rather than by a fault for each.
#[cfg(target_os = "linux")]
const MANY: usize = 1 << 13;

/// Gets the pages from the system that are about to be written anyway.
#[cfg(target_os = "linux")]
fn populate(start: *mut u8, length: usize) {
    if length >= MANY {
        // Kernels before 5.14 do not know it: then each page is had when it is written first.
        // SAFETY: only `make_writable` calls this, for pages that are its own; none changes.
        unsafe { libc::madvise(start.cast(), length, libc::MADV_POPULATE_WRITE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn populate(_: *mut u8, _: usize) {}

fn protect(start: *mut u8, length: usize, protection: i32) -> io::Result<()> {
    // SAFETY: only the functions above call this, for pages that are their own.
    match unsafe { libc::mprotect(start.cast(), length, protection) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
