//! Code that is mapped from a file, for tools that know the names of functions only so.

use {
    super::{CodeMemory, Parts, instruction_cache, platform},
    std::{fs::File, io, os::fd::AsRawFd},
};

/// Where a file has the code, and a page of data behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLayout {
    /// Offset of the code's first page, which is the length of a page.
    pub code: usize,
    /// Offset of the page of data.
    pub data: usize,
    /// Offset behind it.
    pub end: usize,
}

impl FileLayout {
    /// The layout for `length` bytes of code.
    ///
    /// # Errors
    /// When no address space holds so much.
    pub fn of(length: usize) -> io::Result<Self> {
        let Parts { page, code, .. } = Parts::new(length, platform::page_size()?)?;
        let data = page + code;
        let end = data.checked_add(page).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            code: page,
            data,
            end,
        })
    }
}

impl CodeMemory {
    /// [`Self::seal`] from a file that holds `code` where `layout` says, with a name that a tool finds,
    /// which it needs no longer when this returns.
    ///
    /// # Errors
    /// When the operating system refuses the mapping, or the file does not hold the code.
    ///
    /// # Safety
    /// Nobody may change the file as long as the code is there.
    pub unsafe fn seal_in_file(file: &File, layout: &FileLayout, code: &[u8]) -> io::Result<Self> {
        let parts = Parts::new(code.len(), platform::page_size()?)?;
        if FileLayout::of(code.len())? != *layout || file.metadata()?.len() < layout.end as u64 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let memory = Self {
            start: platform::reserve(&parts)?,
            parts,
            length: code.len(),
        };
        let map = |at: usize, length: usize, protection: i32, offset: usize| {
            let flags = libc::MAP_PRIVATE | libc::MAP_FIXED;
            let start = memory.start.as_ptr().wrapping_add(at).cast();
            let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
            // SAFETY: pages of the parts that were just reserved, and that nobody else knows yet.
            let mapped =
                unsafe { libc::mmap(start, length, protection, flags, file.as_raw_fd(), offset) };
            match mapped == libc::MAP_FAILED {
                true => Err(io::Error::last_os_error()),
                false => Ok(start),
            }
        };
        let (page, length) = (memory.parts.page, memory.parts.code);
        map(page, length, libc::PROT_READ | libc::PROT_EXEC, layout.code)?;
        let guard = map(
            page + length,
            page,
            libc::PROT_READ | libc::PROT_WRITE,
            layout.data,
        )?;
        // SAFETY: the page is the guard behind the code, which nobody uses.
        if unsafe { libc::mprotect(guard, page, libc::PROT_NONE) } != 0 {
            return Err(io::Error::last_os_error());
        }
        instruction_cache::flush(memory.as_ptr().cast_mut(), code.len());
        match memory.bytes() == code {
            true => Ok(memory),
            false => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
