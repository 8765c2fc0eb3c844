//! Where a program's memory is in the host, which versions before 0.23 tell in another way.

use {
    crate::TestContextObject,
    solana_sbpf::{
        error::{EbpfError, StableResult},
        memory_region::{AccessType, MemoryRegion},
    },
};

/// The bytes of a region.
pub(crate) fn buffer(region: &MemoryRegion) -> *const [u8] {
    #[cfg(not(feature = "host-addresses"))]
    return region.host_buffer().ptr();
    #[cfg(feature = "host-addresses")]
    return bytes(region.host_addr, region.len);
}

/// Whether a program may write to a region.
pub(crate) fn is_mutable(region: &MemoryRegion) -> bool {
    #[cfg(not(feature = "host-addresses"))]
    return region.host_buffer().is_mutable();
    #[cfg(feature = "host-addresses")]
    return region.writable;
}

/// Bytes of the program's memory, checked.
pub(crate) fn map(
    context: &TestContextObject,
    access: AccessType,
    address: u64,
    length: u64,
) -> Result<*const [u8], EbpfError> {
    match context.memory_mapping.map(access, address, length) {
        #[cfg(not(feature = "host-addresses"))]
        StableResult::Ok(buffer) => Ok(buffer.ptr()),
        #[cfg(feature = "host-addresses")]
        StableResult::Ok(address) => Ok(bytes(address, length)),
        StableResult::Err(error) => Err(error),
    }
}

#[cfg(feature = "host-addresses")]
fn bytes(address: u64, length: u64) -> *const [u8] {
    let start = std::ptr::with_exposed_provenance(address as usize);
    std::ptr::slice_from_raw_parts(start, length as usize)
}
