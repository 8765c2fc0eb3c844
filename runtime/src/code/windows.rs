//! Code memory of Windows: reserved without access, committed and written, then made executable.

use {
    super::{Parts, fill_pages},
    std::{
        ffi::c_void,
        io,
        mem::MaybeUninit,
        ptr::{self, NonNull},
    },
    windows_sys::Win32::System::{
        Diagnostics::Debug::FlushInstructionCache,
        Memory::{
            MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_EXECUTE_READ, PAGE_NOACCESS, PAGE_READWRITE,
            VirtualAlloc, VirtualFree, VirtualProtect,
        },
        SystemInformation::GetSystemInfo,
        Threading::GetCurrentProcess,
    },
};

/// Bytes in a page.
///
/// # Errors
/// None on this system.
pub(super) fn page_size() -> io::Result<usize> {
    let mut information = MaybeUninit::uninit();
    // SAFETY: the function fills the whole structure and can't fail.
    let information = unsafe {
        GetSystemInfo(information.as_mut_ptr());
        information.assume_init()
    };
    Ok(information.dwPageSize as usize)
}

/// Reserves memory for all parts, accessible to nobody.
///
/// # Errors
/// When the system refuses the memory.
pub(super) fn reserve(parts: &Parts) -> io::Result<NonNull<u8>> {
    // SAFETY: a new reservation at an address that the system chooses changes no memory in use.
    let start = unsafe { VirtualAlloc(ptr::null(), parts.total, MEM_RESERVE, PAGE_NOACCESS) };
    NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)
}

/// Writes `code` between the guards, which stay uncommitted, and makes it executable instead of
/// writable.
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

/// Commits reserved pages of `length` bytes, which can be read and written then. They hold zeros.
///
/// # Errors
/// When the system refuses the memory.
///
/// # Safety
/// The pages must be reserved, never filled before, and nobody else may know them yet.
pub(super) unsafe fn make_writable(memory: *mut u8, length: usize) -> io::Result<()> {
    let memory = memory.cast::<c_void>();
    // SAFETY: commits pages of the reservation, which is ours alone.
    let committed = unsafe { VirtualAlloc(memory, length, MEM_COMMIT, PAGE_READWRITE) };
    match committed.is_null() {
        true => Err(io::Error::last_os_error()),
        false => Ok(()),
    }
}

/// Makes written pages of `length` bytes executable instead of writable. Flushing makes all processors
/// forget what they may have fetched.
///
/// # Errors
/// When the system refuses it.
///
/// # Safety
/// [`make_writable`] must have returned for these pages, and nobody else may know them yet.
pub(super) unsafe fn make_executable(memory: *mut u8, length: usize) -> io::Result<()> {
    let memory = memory.cast::<c_void>();
    let mut previous = 0;
    // SAFETY: passed on to the caller.
    let is_sealed = unsafe { VirtualProtect(memory, length, PAGE_EXECUTE_READ, &raw mut previous) };
    if is_sealed == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the range was just written; the handle is this process itself.
    match unsafe { FlushInstructionCache(GetCurrentProcess(), memory, length) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Gives the memory of all parts back.
///
/// # Safety
/// [`reserve`] must have given `start`, and nobody may use the memory any more.
pub(super) unsafe fn release(start: NonNull<u8>, _parts: &Parts) {
    // SAFETY: passed on to the caller. It can't fail for a whole reservation; if it did, the memory
    // would only stay.
    unsafe { VirtualFree(start.as_ptr().cast(), 0, MEM_RELEASE) };
}
