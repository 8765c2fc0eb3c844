//! Code that is written piece by piece, where it will be executed, before it is sealed.
//!
//! What is read from a file has to be checked before it may be executed. Read to where it will be, it is
//! neither copied nor given pages twice.

use {
    super::{CodeMemory, platform},
    std::io,
};

/// Memory for code, which can be written and not be executed.
#[derive(Debug)]
pub struct UnsealedCode(Place);

#[derive(Debug)]
enum Place {
    /// Where it will be executed.
    Final(CodeMemory),
    /// Where code memory can be written only for a moment.
    Elsewhere(Vec<u8>),
}

impl UnsealedCode {
    /// Memory for `length` bytes of code, all of them 0.
    ///
    /// # Errors
    /// When the operating system refuses the memory.
    pub fn new(length: usize) -> io::Result<Self> {
        if !platform::APPENDS {
            return Ok(Self(Place::Elsewhere(vec![0; length])));
        }
        let mut memory = CodeMemory::reserve(length)?;
        // SAFETY: these are the pages between the guards, which were just reserved.
        unsafe { platform::make_writable(memory.as_ptr().cast_mut(), memory.parts.code)? };
        memory.length = length;
        Ok(Self(Place::Final(memory)))
    }

    /// The code.
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Place::Final(memory) => memory.bytes(),
            Place::Elsewhere(code) => code,
        }
    }

    /// The code, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            // SAFETY: `new` has made so many bytes writable, all of which hold numbers, and `self` owns
            // them.
            Place::Final(memory) => unsafe {
                std::slice::from_raw_parts_mut(memory.as_ptr().cast_mut(), memory.length)
            },
            Place::Elsewhere(code) => code,
        }
    }

    /// Makes the code executable instead of writable; it starts with an
    /// [`EntryPoint`](crate::run::EntryPoint).
    ///
    /// # Errors
    /// When the operating system refuses the memory or its protection.
    pub fn seal(self) -> io::Result<CodeMemory> {
        match self.0 {
            Place::Final(memory) => {
                // SAFETY: `new` has made these pages writable, and no reference to them is left.
                unsafe {
                    platform::make_executable(memory.as_ptr().cast_mut(), memory.parts.code)?;
                }
                Ok(memory)
            }
            Place::Elsewhere(code) => CodeMemory::seal(&code),
        }
    }
}
