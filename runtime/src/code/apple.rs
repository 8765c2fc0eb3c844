//! Code memory of Apple silicon: mapped with `MAP_JIT`, writable for one thread while it writes.
//!
//! Follows Apple's "Porting just-in-time compilers to Apple silicon": such a mapping has all
//! permissions on paper, and the processor grants a thread either writing or executing, as the
//! thread last chose. Every thread starts with executing, and only [`fill`] chooses writing, for as
//! long as it copies. A program with the hardened runtime needs the entitlement
//! `com.apple.security.cs.allow-jit`; without it the mapping is refused, with an error.

pub(super) use super::mapping::{page_size, release};
use {
    super::{Parts, mapping},
    std::{
        ffi::c_void,
        io,
        ptr::{self, NonNull},
    },
};

// SAFETY: as `libkern/OSCacheControl.h` declares it, which the crate `libc` does not have.
unsafe extern "C" {
    fn sys_icache_invalidate(start: *mut c_void, len: usize);
}

/// Maps memory for all parts, executable and not writable for every thread.
///
/// # Errors
/// When the system refuses the memory, or can't protect it.
pub(super) fn reserve(parts: &Parts) -> io::Result<NonNull<u8>> {
    // SAFETY: it only asks.
    if unsafe { libc::pthread_jit_write_protect_supported_np() } == 0 {
        // Without it the memory would be writable and executable at once.
        return Err(io::ErrorKind::Unsupported.into());
    }
    let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    mapping::map(parts.total, protection, libc::MAP_JIT)
}

/// Sets the guards up, and writes `code` between them while they are writable and not executable
/// for this thread, and executable and not writable for all others.
///
/// # Errors
/// When the system refuses the guards.
///
/// # Safety
/// [`reserve`] must have given `start` for these parts, which have room for the code, and nobody
/// else may know it yet.
pub(super) unsafe fn fill(start: NonNull<u8>, parts: &Parts, code: &[u8]) -> io::Result<()> {
    let memory = start.as_ptr().wrapping_add(parts.page);
    // SAFETY: both pages are parts of the mapping, which is ours alone.
    unsafe {
        guard(start.as_ptr(), parts.page)?;
        guard(memory.wrapping_add(parts.code), parts.page)?;
    }
    // SAFETY: the pages between the guards have room and are ours alone. Nothing in between can
    // panic or return, so this thread can execute code afterwards.
    unsafe {
        libc::pthread_jit_write_protect_np(0);
        ptr::copy_nonoverlapping(code.as_ptr(), memory, code.len());
        libc::pthread_jit_write_protect_np(1);
    }
    // SAFETY: the range was just written.
    unsafe { sys_icache_invalidate(memory.cast(), code.len()) };
    Ok(())
}

/// Whether code can be added while other code on pages beside it runs: other threads may have fetched
/// from there what was there before, since for them the pages are executable all the time.
pub(super) const APPENDS: bool = false;

/// Makes reserved pages writable for longer than a copy takes.
///
/// # Errors
/// Always, see [`APPENDS`].
///
/// # Safety
/// Nothing is done with the pages.
pub(super) unsafe fn make_writable(_: *mut u8, _: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Undoes [`make_writable`].
///
/// # Errors
/// As there.
///
/// # Safety
/// As there.
pub(super) unsafe fn make_executable(_: *mut u8, _: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes a page inaccessible.
///
/// It is mapped anew: the system has rules of its own for the protection of `MAP_JIT` memory, and
/// allows no `MAP_FIXED` together with it, so a reservation could not be filled with it.
///
/// # Safety
/// The page must be the caller's, and not in use.
unsafe fn guard(page: *mut u8, length: usize) -> io::Result<()> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED;
    // SAFETY: passed on to the caller.
    let guard = unsafe { libc::mmap(page.cast(), length, libc::PROT_NONE, flags, -1, 0) };
    if guard == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
