//! Syscalls of the tests.

use {
    crate::{TestContextObject, host},
    solana_sbpf::{declare_builtin_function, error::EbpfError, memory_region::AccessType},
    std::error::Error,
};

/// A byte of the program's memory.
fn byte(context: &TestContextObject, address: u64) -> Result<u8, EbpfError> {
    let buffer = host::map(context, AccessType::Load, address, 1)?;
    // SAFETY: the mapping has checked that this byte may be read.
    Ok(unsafe { *buffer.cast::<u8>() })
}

declare_builtin_function!(
    /// Puts five bytes together, the first one highest.
    SyscallGatherBytes,
    fn rust(
        _context: &mut TestContextObject,
        a: u64,
        b: u64,
        c: u64,
        d: u64,
        e: u64,
    ) -> Result<u64, Box<dyn Error>> {
        Ok([a, b, c, d, e].iter().fold(0, |sum, byte| sum << 8 | byte))
    }
);

declare_builtin_function!(
    /// Like `memfrob` of the GNU C library: each of `length` bytes, exclusive or 42.
    SyscallMemFrob,
    fn rust(
        context: &mut TestContextObject,
        address: u64,
        length: u64,
        _c: u64,
        _d: u64,
        _e: u64,
    ) -> Result<u64, Box<dyn Error>> {
        let buffer = host::map(context, AccessType::Store, address, length)?;
        // SAFETY: the mapping has checked that these bytes may be written.
        for byte in unsafe { &mut *buffer.cast_mut() } {
            *byte ^= 42;
        }
        Ok(0)
    }
);

declare_builtin_function!(
    /// Like `strcmp`: 0 if two strings are equal.
    SyscallStrCmp,
    fn rust(
        context: &mut TestContextObject,
        left: u64,
        right: u64,
        _c: u64,
        _d: u64,
        _e: u64,
    ) -> Result<u64, Box<dyn Error>> {
        for index in 0.. {
            let a = byte(context, left.wrapping_add(index))?;
            let b = byte(context, right.wrapping_add(index))?;
            if a != b || a == 0 {
                return Ok(u64::from(a.abs_diff(b)));
            }
        }
        Ok(0)
    }
);

declare_builtin_function!(
    /// Prints a string, up to its first zero.
    SyscallString,
    fn rust(
        context: &mut TestContextObject,
        address: u64,
        length: u64,
        _c: u64,
        _d: u64,
        _e: u64,
    ) -> Result<u64, Box<dyn Error>> {
        if length > 0 {
            let buffer = host::map(context, AccessType::Load, address, length)?;
            // SAFETY: the mapping has checked that these bytes may be read.
            let bytes = unsafe { &*buffer };
            let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
            println!("log: {}", String::from_utf8_lossy(text));
        }
        Ok(0)
    }
);

declare_builtin_function!(
    /// Prints its arguments.
    SyscallU64,
    fn rust(
        _context: &mut TestContextObject,
        a: u64,
        b: u64,
        c: u64,
        d: u64,
        e: u64,
    ) -> Result<u64, Box<dyn Error>> {
        println!("log: {a:#x}, {b:#x}, {c:#x}, {d:#x}, {e:#x}");
        Ok(0)
    }
);
