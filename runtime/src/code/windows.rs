//! Code memory of Windows: reserved without access, committed and written, then made executable.

use {
    super::Parts,
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
    /// Reserves pages, writes `code` to them and makes them executable instead of writable.
    ///
    /// # Errors
    /// When the system refuses the memory or its protection.
    pub(super) fn seal(code: &[u8]) -> io::Result<Self> {
        let parts = Parts::new(code.len(), page_size())?;
        // SAFETY: a new reservation at an address that the system chooses changes no memory in use.
        let start = unsafe { VirtualAlloc(ptr::null(), parts.total, MEM_RESERVE, PAGE_NOACCESS) };
        let start = NonNull::new(start.cast::<u8>()).ok_or_else(io::Error::last_os_error)?;
        // From here on the reservation is undone when an error returns.
        let pages = Self { start, parts };
        let memory = pages.code().cast_mut().cast::<c_void>();
        // SAFETY: commits pages of the reservation above; the guards stay uncommitted.
        let committed = unsafe { VirtualAlloc(memory, parts.code, MEM_COMMIT, PAGE_READWRITE) };
        if committed.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `parts` has room for the code between the guards, which is writable and not yet
        // known to anyone else.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), memory.cast::<u8>(), code.len()) };
        let mut previous = 0;
        // SAFETY: the committed pages are ours, and nobody else has them yet.
        let is_sealed =
            unsafe { VirtualProtect(memory, parts.code, PAGE_EXECUTE_READ, &raw mut previous) };
        if is_sealed == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the range was just written; the handle is this process itself.
        if unsafe { FlushInstructionCache(GetCurrentProcess(), memory, code.len()) } == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(pages)
    }

    /// First byte of the code.
    pub(super) fn code(&self) -> *const u8 {
        self.start.as_ptr().wrapping_add(self.parts.page)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: `seal` reserved exactly this, and no reference to it outlives `self`. It can't
        // fail for a whole reservation; if it did, the memory would only stay.
        unsafe { VirtualFree(self.start.as_ptr().cast(), 0, MEM_RELEASE) };
    }
}

/// Bytes in a page.
fn page_size() -> usize {
    let mut information = MaybeUninit::uninit();
    // SAFETY: the function fills the whole structure and can't fail.
    let information = unsafe {
        GetSystemInfo(information.as_mut_ptr());
        information.assume_init()
    };
    information.dwPageSize as usize
}
