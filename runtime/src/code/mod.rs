//! Code memory: written while it is data, then sealed, and never both.
//!
//! | file | its one idea |
//! |---|---|
//! | `unix` | Linux and the like: mapped, written, then protected |
//! | `windows` | the same with Windows' functions |
//! | `apple` | Apple silicon: writable for one thread at a time |
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

mod instruction_cache;

use {crate::run::EntryPoint, platform::Pages, std::io};

/// Machine code that can be executed and no longer be written.
///
/// An inaccessible page lies before it and another one behind, so that nothing runs or reads on
/// into code from memory next to it, nor the other way round.
#[derive(Debug)]
pub struct CodeMemory {
    pages: Pages,
    length: usize,
}

impl CodeMemory {
    /// Copies `code`, which starts with an [`EntryPoint`], to memory of its own and seals it.
    ///
    /// # Errors
    /// When the operating system refuses the memory or its protection.
    pub fn seal(code: &[u8]) -> io::Result<Self> {
        Ok(Self {
            pages: Pages::seal(code)?,
            length: code.len(),
        })
    }

    /// First byte of the code.
    pub fn as_ptr(&self) -> *const u8 {
        self.pages.code()
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
        // SAFETY: `seal` takes only code that starts with such a function; the pages live as
        // long as `self`, and the caller holds the code while it runs.
        unsafe { std::mem::transmute::<*const u8, EntryPoint>(self.as_ptr()) }
    }
}

/// Where the parts of a piece of code memory lie: a guard page, whole pages of code, a guard page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        let parts = |length| Parts::new(length, 4096).map(|parts| (parts.code, parts.total));
        assert_eq!(parts(0).expect("it fits"), (4096, 3 * 4096));
        assert_eq!(parts(4096).expect("it fits"), (4096, 3 * 4096));
        assert_eq!(parts(4097).expect("it fits"), (8192, 4 * 4096));
    }

    #[test]
    fn what_no_address_space_holds_is_refused() {
        for length in [usize::MAX, usize::MAX - 4095, usize::MAX - 2 * 4096] {
            assert!(Parts::new(length, 4096).is_err(), "{length}");
        }
    }
}
