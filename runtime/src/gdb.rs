//! The interface through which gdb learns of code made at run time.
//!
//! gdb reads a list of object files that starts at `__jit_debug_descriptor`, and stops whenever
//! `__jit_debug_register_code` is called, to look what has changed. Both are symbols that a process
//! has once, so this is behind a feature.

use std::{
    cell::UnsafeCell,
    hint,
    ptr::{self, null, null_mut},
    sync::{Mutex, PoisonError},
};

/// An object file in the list; gdb's layout.
#[repr(C)]
struct Entry {
    next: *mut Entry,
    previous: *mut Entry,
    file: *const u8,
    length: u64,
}

/// The head of the list; gdb's layout.
#[repr(C)]
struct Descriptor {
    version: u32,
    action: u32,
    relevant: *mut Entry,
    first: *mut Entry,
}

const NO_ACTION: u32 = 0;
const REGISTER: u32 = 1;
const UNREGISTER: u32 = 2;

#[repr(transparent)]
struct Shared(UnsafeCell<Descriptor>);

// SAFETY: only `change` touches it, under `LOCK`; gdb looks at it while the process stands still.
unsafe impl Sync for Shared {}

#[unsafe(no_mangle)]
static __jit_debug_descriptor: Shared = Shared(UnsafeCell::new(Descriptor {
    version: 1,
    action: NO_ACTION,
    relevant: null_mut(),
    first: null_mut(),
}));

/// Held while the list changes.
static LOCK: Mutex<()> = Mutex::new(());

/// Where gdb stops. It must stay a function, and its calls must stay calls.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn __jit_debug_register_code() {
    hint::black_box(());
}

/// An object file that gdb knows until this is dropped.
#[derive(Debug)]
pub struct Registration {
    /// Made by `Box::into_raw`.
    entry: *mut Entry,
    /// What the entry points to.
    _file: Vec<u8>,
}

// SAFETY: the entry is reached only under `LOCK`, and the file is constant.
unsafe impl Send for Registration {}
// SAFETY: as above; there is nothing to be done with a shared reference.
unsafe impl Sync for Registration {}

impl Registration {
    /// Makes the ELF file `file` known. gdb, if it is there, reads it now; if it comes later, then.
    pub fn new(file: Vec<u8>) -> Self {
        let entry = Box::into_raw(Box::new(Entry {
            next: null_mut(),
            previous: null_mut(),
            file: file.as_ptr(),
            length: file.len() as u64,
        }));
        change(|descriptor| {
            // SAFETY: the entry is new and ours; the first one of the list is alive, because
            // dropping its registration removes it.
            unsafe {
                (*entry).next = descriptor.first;
                if !descriptor.first.is_null() {
                    (*descriptor.first).previous = entry;
                }
            }
            descriptor.first = entry;
            (REGISTER, entry)
        });
        Self { entry, _file: file }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let entry = self.entry;
        change(|descriptor| {
            // SAFETY: entries of the list are alive until they are removed here, under the lock.
            unsafe {
                let Entry { next, previous, .. } = ptr::read(entry);
                if previous.is_null() {
                    descriptor.first = next;
                } else {
                    (*previous).next = next;
                }
                if !next.is_null() {
                    (*next).previous = previous;
                }
                (*entry).file = null();
            }
            (UNREGISTER, entry)
        });
        // SAFETY: `new` made it with `Box::into_raw`, and nothing points to it any more.
        drop(unsafe { Box::from_raw(entry) });
    }
}

/// Changes the list, and lets gdb look at what is told to be relevant.
fn change(work: impl FnOnce(&mut Descriptor) -> (u32, *mut Entry)) {
    let _guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the lock is held, and nobody else has a reference.
    let descriptor = unsafe { &mut *__jit_debug_descriptor.0.get() };
    (descriptor.action, descriptor.relevant) = work(descriptor);
    let descriptor = hint::black_box(descriptor);
    __jit_debug_register_code();
    (descriptor.action, descriptor.relevant) = (NO_ACTION, null_mut());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<u64> {
        let _guard = LOCK.lock().expect("no test panics");
        // SAFETY: the lock is held.
        let mut entry = unsafe { (*__jit_debug_descriptor.0.get()).first };
        let mut lengths = Vec::new();
        while !entry.is_null() {
            // SAFETY: entries of the list are alive.
            unsafe {
                lengths.push((*entry).length);
                entry = (*entry).next;
            }
        }
        lengths
    }

    #[test]
    fn files_are_listed_until_they_are_dropped() {
        let [first, second, third] = [1, 2, 3].map(|length| Registration::new(vec![0; length]));
        assert_eq!(files(), [3, 2, 1]);
        drop(second);
        assert_eq!(files(), [3, 1]);
        drop(third);
        assert_eq!(files(), [1]);
        drop(first);
        assert!(files().is_empty());
    }
}
