//! Access of syscalls to the program's memory, through `MemoryMapping::map`.
//!
//! Rules from agave's `program-runtime/src/memory.rs`: an empty slice is never looked up; a length
//! above `isize::MAX` is `InvalidLength`; the mapping decides about the range; then the *host*
//! address must be aligned for the element type. Results are copied, so no reference into the
//! program's memory outlives a call.

use {
    super::{
        Error,
        error::{MemoryTranslationError, SyscallError},
    },
    crate::cli::{
        context::Context,
        pubkey::{PUBKEY_BYTES, Pubkey},
    },
    solana_sbpf::{
        error::EbpfError,
        memory_region::{AccessType, HostBuffer},
    },
};

/// A slice in the program's memory, as `&[u8]` lies there: an address and a length.
#[derive(Clone, Copy)]
pub(super) struct VmSlice {
    /// Address of the first byte.
    pub(super) address: u64,
    /// Number of bytes.
    pub(super) length: u64,
}

/// Bytes of a [`VmSlice`] in the program's memory.
const VM_SLICE_BYTES: u64 = 16;
/// Alignment of a [`VmSlice`] in the program's memory.
const VM_SLICE_ALIGN: usize = 8;

/// Looks up `length` bytes at `address`, which must be aligned to `align` on the host.
///
/// # Errors
/// `InvalidLength`, the mapping's access violation, or `UnalignedPointer`.
fn map(
    context: &Context,
    access: AccessType,
    address: u64,
    length: u64,
    align: usize,
) -> Result<HostBuffer, Error> {
    if isize::try_from(length).is_err() {
        return Err(MemoryTranslationError::InvalidLength.into());
    }
    let buffer: Result<HostBuffer, EbpfError> =
        context.mapping().map(access, address, length).into();
    let buffer = buffer?;
    if buffer.ptr().addr().checked_rem(align) == Some(0) {
        Ok(buffer)
    } else {
        Err(MemoryTranslationError::UnalignedPointer.into())
    }
}

/// Copies `length` bytes out of the program's memory.
///
/// # Errors
/// See the module's rules.
pub(super) fn read_aligned(
    context: &Context,
    address: u64,
    length: u64,
    align: usize,
) -> Result<Vec<u8>, Error> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let buffer = map(context, AccessType::Load, address, length, align)?;
    // SAFETY: the mapping returned a part of one of its regions; the engine keeps their host
    // memory alive for the whole run, and nothing writes to it while this copies.
    Ok(unsafe { &*buffer.ptr() }.to_vec())
}

/// Copies `length` bytes out of the program's memory, whatever their alignment.
///
/// # Errors
/// See the module's rules.
pub(super) fn read(context: &Context, address: u64, length: u64) -> Result<Vec<u8>, Error> {
    read_aligned(context, address, length, 1)
}

/// Copies an address out of the program's memory.
///
/// # Errors
/// See the module's rules.
pub(super) fn read_pubkey(context: &Context, address: u64) -> Result<Pubkey, Error> {
    read_array::<PUBKEY_BYTES>(context, address).map(Pubkey)
}

/// Copies `N` bytes out of the program's memory.
///
/// # Errors
/// See the module's rules.
pub(super) fn read_array<const N: usize>(
    context: &Context,
    address: u64,
) -> Result<[u8; N], Error> {
    let bytes = read(context, address, N as u64)?;
    <[u8; N]>::try_from(bytes).map_err(|_| MemoryTranslationError::InvalidLength.into())
}

/// Reads an array of `count` slices' addresses and lengths; their bytes are not looked at.
///
/// # Errors
/// See the module's rules.
pub(super) fn read_slices(
    context: &Context,
    address: u64,
    count: u64,
) -> Result<Vec<VmSlice>, Error> {
    let length = count.saturating_mul(VM_SLICE_BYTES);
    let bytes = read_aligned(context, address, length, VM_SLICE_ALIGN)?;
    let (words, _) = bytes.as_chunks::<8>();
    let (pairs, _) = words.as_chunks::<2>();
    Ok(pairs
        .iter()
        .map(|[address, length]| VmSlice {
            address: u64::from_le_bytes(*address),
            length: u64::from_le_bytes(*length),
        })
        .collect())
}

/// Reads a UTF-8 string.
///
/// # Errors
/// See the module's rules; `InvalidString` when it is not UTF-8.
pub(super) fn read_string(context: &Context, address: u64, length: u64) -> Result<String, Error> {
    let bytes = read(context, address, length)?;
    String::from_utf8(bytes)
        .map_err(|error| SyscallError::InvalidString(error.utf8_error(), error.into_bytes()).into())
}

/// Looks `length` bytes up for writing, without touching them.
///
/// # Errors
/// See the module's rules.
pub(super) fn check_writable(
    context: &Context,
    address: u64,
    length: u64,
    align: usize,
) -> Result<(), Error> {
    if length == 0 {
        return Ok(());
    }
    map(context, AccessType::Store, address, length, align).map(drop)
}

/// Writes `bytes` into the program's memory.
///
/// # Errors
/// See the module's rules.
pub(super) fn write(
    context: &Context,
    address: u64,
    bytes: &[u8],
    align: usize,
) -> Result<(), Error> {
    if bytes.is_empty() {
        return Ok(());
    }
    let buffer = map(
        context,
        AccessType::Store,
        address,
        bytes.len() as u64,
        align,
    )?;
    // SAFETY: the mapping returned a writable part of one of its regions with exactly the length
    // asked for; the engine keeps its host memory alive for the whole run, and `bytes` is not in
    // it, because everything read from there was copied.
    unsafe { (*buffer.ptr_mut()).copy_from_slice(bytes) };
    Ok(())
}

/// Copies `length` bytes within the program's memory, the destination checked first, as if through a buffer.
///
/// # Errors
/// See the module's rules.
pub(super) fn copy(
    context: &Context,
    destination: u64,
    source: u64,
    length: u64,
) -> Result<(), Error> {
    if length == 0 {
        return Ok(());
    }
    let to = map(context, AccessType::Store, destination, length, 1)?;
    let from = map(context, AccessType::Load, source, length, 1)?;
    let (to, from) = (to.ptr_mut().cast::<u8>(), from.ptr().cast::<u8>());
    // SAFETY: the mapping returned parts of its regions with exactly the length asked for, the first of them
    // writable; the engine keeps their host memory alive for the whole run. They may overlap.
    unsafe { std::ptr::copy(from, to, length as usize) };
    Ok(())
}

/// Sets `length` bytes of the program's memory to `value`.
///
/// # Errors
/// See the module's rules.
pub(super) fn fill(context: &Context, address: u64, length: u64, value: u8) -> Result<(), Error> {
    if length == 0 {
        return Ok(());
    }
    let buffer = map(context, AccessType::Store, address, length, 1)?;
    // SAFETY: as in `write`.
    unsafe { (*buffer.ptr_mut()).fill(value) };
    Ok(())
}
