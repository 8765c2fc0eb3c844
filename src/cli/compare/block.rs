//! Host memory that a VM may reach through raw pointers while the harness owns it.

use std::{ptr, slice};

/// Zeroed memory, aligned to 16 bytes as hosts align theirs.
///
/// The regions of a VM hold raw pointers into it, so every reference is derived afresh from the
/// one raw pointer and none lives while a VM runs.
pub(crate) struct Block {
    units: *mut [u128],
    /// Bytes in use; the last unit may be used in part.
    length: usize,
}

impl Block {
    /// Zeroed memory of `length` bytes.
    pub(crate) fn zeroed(length: usize) -> Self {
        let units = vec![0u128; length.div_ceil(size_of::<u128>())].into_boxed_slice();
        Self {
            units: Box::into_raw(units),
            length,
        }
    }

    /// A copy of `bytes`.
    pub(crate) fn copy_of(bytes: &[u8]) -> Self {
        let mut block = Self::zeroed(bytes.len());
        block.bytes_mut().copy_from_slice(bytes);
        block
    }

    /// The memory for a region of a VM.
    pub(crate) fn host(&self) -> *mut [u8] {
        ptr::slice_from_raw_parts_mut(self.units.cast(), self.length)
    }

    /// The memory as bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the pointer comes from a box that this owns, and no VM runs during the borrow.
        unsafe { &*self.host() }
    }

    /// The memory as bytes.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and the borrow is exclusive.
        unsafe { &mut *self.host() }
    }

    /// The whole words of 8 bytes.
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        let length = self.length / size_of::<u64>();
        // SAFETY: as in `bytes_mut`; the alignment of a `u128` covers that of a `u64`.
        unsafe { slice::from_raw_parts_mut(self.units.cast(), length) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the pointer comes from `Box::into_raw` in `zeroed` and is released only here.
        drop(unsafe { Box::from_raw(self.units) });
    }
}
