//! Functions that are compiled one by one while other functions of the program run.
//!
//! Code is added on pages that were never accessible before, and sealed there; pages that hold code
//! stay as they are. What leads to functions are tables of data: the address of each function by its
//! number, and the places in them that call back. Nothing moves, since there is room for all from the
//! start.
//!
//! A function is published by storing its address last, with release; generated code loads it with
//! acquire. So whoever has the address sees the places of the function, and can fetch its code:
//! caches were made to agree before its pages became executable.

use {
    super::{
        CodeMemory,
        sync::{
            Mutex,
            atomic::{
                AtomicPtr, AtomicU32, AtomicU64,
                Ordering::{Acquire, Relaxed, Release},
            },
        },
    },
    crate::site::{AccessSite, CallSite, RegisterSet},
    std::{io, sync::PoisonError},
};

/// Bytes of address space that are reserved at a time.
const CHUNK: usize = 1 << 20;

/// Words of an access site, as generated code reads them.
type AccessWords = [AtomicU32; size_of::<AccessSite>() / size_of::<u32>()];

/// Code that grows function by function.
#[derive(Debug)]
pub struct GrowingCode {
    functions: Box<[AtomicPtr<u8>]>,
    first_entry: usize,
    accesses: Box<[AccessWords]>,
    calls: Box<[AtomicU64]>,
    chunks: Mutex<Vec<CodeMemory>>,
}

impl GrowingCode {
    /// No code, with room for so many functions, access sites and call sites.
    ///
    /// The functions that `callx` finds are those from the number `first_entry` on, by their pc.
    pub fn new(functions: usize, first_entry: usize, accesses: usize, calls: usize) -> Self {
        Self {
            functions: (0..functions).map(|_| AtomicPtr::default()).collect(),
            first_entry: first_entry.min(functions),
            accesses: (0..accesses).map(|_| AccessWords::default()).collect(),
            calls: (0..calls).map(|_| AtomicU64::default()).collect(),
            chunks: Mutex::default(),
        }
    }

    /// Whether this system can execute code while more is added.
    pub const fn is_possible() -> bool {
        super::platform::APPENDS
    }

    /// Whether the function with a number is there.
    pub fn has(&self, number: u32) -> bool {
        self.address(number).is_some()
    }

    /// Where the function with a number is.
    pub fn address(&self, number: u32) -> Option<*const u8> {
        let function = self.functions.get(number as usize)?;
        let address = function.load(Acquire);
        (!address.is_null()).then_some(address.cast_const())
    }

    /// Seals `code` on pages of its own. Returns its first byte.
    ///
    /// # Errors
    /// When the operating system refuses the memory or its protection.
    pub fn seal(&self, code: &[u8]) -> io::Result<*const u8> {
        // A panic leaves no chunk half changed.
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(chunk) = chunks.last_mut()
            && let Some(start) = chunk.append(code)?
        {
            return Ok(start);
        }
        let mut chunk = CodeMemory::reserve(code.len().max(CHUNK))?;
        let start = chunk.append(code)?;
        chunks.push(chunk);
        start.ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Gives an access site its number. Returns whether there is room for it.
    pub fn set_access_site(&self, number: usize, site: &AccessSite) -> bool {
        let Some(words) = self.accesses.get(number) else {
            return false;
        };
        for (word, value) in words.iter().zip(site.to_words()) {
            word.store(value, Relaxed);
        }
        true
    }

    /// Gives a call site its number. Returns whether there is room for it.
    pub fn set_call_site(&self, number: usize, site: &CallSite) -> bool {
        let packed = u64::from(site.return_pc) << 16 | u64::from(site.saved.bits());
        let place = self.calls.get(number);
        place.map(|place| place.store(packed, Relaxed)).is_some()
    }

    /// Lets calls of a function lead to an address. Its sites have to be set before.
    pub fn publish(&self, number: u32, address: *const u8) {
        if let Some(function) = self.functions.get(number as usize) {
            function.store(address.cast_mut(), Release);
        }
    }

    /// Bytes of memory that this takes, sealed pages included.
    pub fn size(&self) -> usize {
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        size_of_val(&*self.functions)
            + size_of_val(&*self.accesses)
            + size_of_val(&*self.calls)
            + chunks.iter().map(|chunk| chunk.length).sum::<usize>()
    }

    pub(crate) fn access_site(&self, number: usize) -> AccessSite {
        AccessSite::from_words(std::array::from_fn(|word| {
            self.accesses[number][word].load(Relaxed)
        }))
    }

    pub(crate) fn call_site(&self, number: usize) -> CallSite {
        let packed = self.calls[number].load(Relaxed);
        CallSite {
            return_pc: (packed >> 16) as u32,
            saved: RegisterSet::from_bits(packed as u16),
        }
    }

    /// For [`crate::abi::Context::functions`].
    pub(crate) fn functions(&self) -> *const AtomicPtr<u8> {
        self.functions.as_ptr()
    }

    /// For [`crate::abi::Context::entries`].
    pub(crate) fn entries(&self) -> *const u32 {
        self.functions[self.first_entry..].as_ptr().cast()
    }

    /// For [`crate::abi::Context::access_sites`].
    pub(crate) fn access_sites(&self) -> *const AccessSite {
        self.accesses.as_ptr().cast()
    }
}
