//! Code memory: written while it is data, then sealed, and never both.
//!
//! | file | its one idea |
//! |---|---|
//! | `unix` | Linux and the like: mapped, written, then protected |
//! | `windows` | the same with Windows' functions |
//! | `apple` | Apple silicon: writable for one thread at a time |
//! | `from_file` | Linux: mapped from a file, for tools that read its symbols |
//! | `unsealed` | code that is written piece by piece before it is sealed |
//! | `mapping` | what Unix systems have in common |
//! | `growing` | functions added one by one, on fresh pages, and the tables that lead to them |
//! | `growing_model` | the same file once more, in every order that threads and memory allow |
//! | `instruction_cache` | what arm64 takes to execute what was just written |

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
#[path = "apple.rs"]
mod platform;
#[cfg(all(unix, not(all(target_os = "macos", target_arch = "aarch64"))))]
#[path = "unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows.rs"]
mod platform;

#[cfg(target_os = "linux")]
mod from_file;
mod growing;
#[cfg(all(test, target_os = "linux", not(miri)))]
mod growing_model;
mod instruction_cache;
#[cfg(unix)]
pub(crate) mod mapping;
mod unsealed;

#[cfg(target_os = "linux")]
pub use from_file::FileLayout;
pub use growing::GrowingCode;
pub(crate) use instruction_cache::synchronize;
pub use unsealed::UnsealedCode;

use {
    crate::run::EntryPoint,
    // `growing` takes these from here, so that its model can run on others.
    std::sync,
    std::{
        io,
        ptr::{self, NonNull},
    },
};

/// Machine code that can be executed and no longer be written.
///
/// An inaccessible page lies before it and another one behind, so that nothing runs or reads on
/// into code from memory next to it, nor the other way round.
#[derive(Debug)]
pub struct CodeMemory {
    /// The guard page before the code.
    start: NonNull<u8>,
    parts: Parts,
    /// Bytes of code.
    length: usize,
}

// SAFETY: the memory is owned, and nothing writes to pages that are sealed.
unsafe impl Send for CodeMemory {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for CodeMemory {}

impl CodeMemory {
    /// Copies `code`, which starts with an [`EntryPoint`], to memory of its own and seals it.
    ///
    /// # Errors
    /// When the operating system refuses the memory or its protection.
    pub fn seal(code: &[u8]) -> io::Result<Self> {
        let parts = Parts::new(code.len(), platform::page_size()?)?;
        // From here on the memory is given back when an error returns.
        let memory = Self {
            start: platform::reserve(&parts)?,
            parts,
            length: code.len(),
        };
        // SAFETY: it was just reserved for these parts, which were made for this code.
        unsafe { platform::fill(memory.start, &memory.parts, code)? };
        Ok(memory)
    }

    /// Reserves room for `length` bytes of code, to be filled by [`Self::append`].
    ///
    /// # Errors
    /// When the operating system refuses the memory, or can't fill it little by little.
    fn reserve(length: usize) -> io::Result<Self> {
        if !platform::APPENDS {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let parts = Parts::new(length, platform::page_size()?)?;
        Ok(Self {
            start: platform::reserve(&parts)?,
            parts,
            length: 0,
        })
    }

    /// Seals `code` on pages behind those that are sealed already, which stay as they are. Returns its
    /// first byte, or `None` if there is no room.
    ///
    /// # Errors
    /// When the operating system refuses the memory or its protection. The pages are lost then.
    fn append(&mut self, code: &[u8]) -> io::Result<Option<*const u8>> {
        let Some(pages) = code.len().max(1).checked_next_multiple_of(self.parts.page) else {
            return Ok(None);
        };
        if pages > self.parts.code - self.length {
            return Ok(None);
        }
        let first = self.as_ptr().wrapping_add(self.length).cast_mut();
        self.length += pages;
        // SAFETY: these pages lie between the guards, and nobody knows them: what is in use lies below
        // `length` as it was.
        unsafe { fill_pages(first, pages, code)? };
        Ok(Some(first))
    }

    /// First byte of the code.
    pub fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr().wrapping_add(self.parts.page)
    }

    /// The sealed code.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `seal` has written `length` bytes there, readable and constant from then on
        // until `self` is dropped.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.length) }
    }

    /// The function at the start of the code, for the current thread.
    pub(crate) fn entry_point(&self) -> EntryPoint {
        instruction_cache::synchronize();
        // SAFETY: `seal` takes only code that starts with such a function; the memory lives as
        // long as `self`, and the caller holds the code while it runs.
        unsafe { std::mem::transmute::<*const u8, EntryPoint>(self.as_ptr()) }
    }
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        // SAFETY: `seal` reserved it for these parts, and no reference to it outlives `self`.
        unsafe { platform::release(self.start, &self.parts) };
    }
}

/// Writes `code` to reserved pages of `length` bytes, and makes them executable instead of writable.
///
/// # Errors
/// When the operating system refuses the memory or its protection, or can't fill it little by little.
///
/// # Safety
/// The pages must be reserved, never filled before, have room for the code, and nobody else may know
/// them yet.
unsafe fn fill_pages(memory: *mut u8, length: usize, code: &[u8]) -> io::Result<()> {
    // SAFETY: passed on to the caller.
    unsafe { platform::make_writable(memory, length)? };
    // SAFETY: the pages are writable, have room, and are ours alone.
    unsafe { ptr::copy_nonoverlapping(code.as_ptr(), memory, code.len()) };
    // SAFETY: passed on to the caller.
    unsafe { platform::make_executable(memory, length) }
}

/// Where the parts of a piece of code memory lie: a guard page, whole pages of code, a guard page.
#[derive(Debug)]
struct Parts {
    /// Bytes in a page, and in each guard.
    page: usize,
    /// Bytes of the pages that hold code.
    code: usize,
    /// Bytes of all.
    total: usize,
}

impl Parts {
    /// The parts of a piece that holds `length` bytes of code.
    fn new(length: usize, page: usize) -> io::Result<Self> {
        let parts = || {
            let code = length.max(1).checked_next_multiple_of(page)?;
            let total = code.checked_add(page.checked_mul(2)?)?;
            Some(Self { page, code, total })
        };
        parts().ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }
}

#[cfg(test)]
mod tests {
    use super::Parts;

    #[test]
    fn guards_surround_whole_pages() {
        let parts = |length, page| {
            let parts = Parts::new(length, page).expect("it fits");
            (parts.code, parts.total)
        };
        assert_eq!(parts(0, 4096), (4096, 3 * 4096));
        assert_eq!(parts(4096, 4096), (4096, 3 * 4096));
        assert_eq!(parts(4097, 4096), (8192, 4 * 4096));
        // As large as pages are on Apple silicon.
        assert_eq!(parts(4097, 16384), (16384, 3 * 16384));
    }

    #[test]
    fn what_no_address_space_holds_is_refused() {
        for length in [usize::MAX, usize::MAX - 4095, usize::MAX - 2 * 4096] {
            assert!(Parts::new(length, 4096).is_err(), "{length}");
        }
    }
}
