//! The few places where versions of `solana-sbpf` differ, as 0.23 and 0.24 have them.

use solana_sbpf::{
    memory_region::{MemoryMapping, MemoryRegion},
    vm::Config,
};

/// Whether exits and failing syscalls write their pc to `registers[11]`, as exceptions always do.
pub(crate) const WRITES_EVERY_PC: bool = false;

/// Whether `EbpfVm::register_trace` is to be filled.
pub(crate) fn is_traced(config: &Config) -> bool {
    config.enable_register_tracing
}

/// The address of a region's memory in the host.
pub(crate) fn host_address(region: &MemoryRegion) -> u64 {
    region.host_buffer().ptr().cast::<u8>().expose_provenance() as u64
}

/// Bytes of host memory.
pub(crate) fn length(region: &MemoryRegion) -> u64 {
    region.len() as u64
}

/// Whether stores need no access-violation handler.
pub(crate) fn is_writable(region: &MemoryRegion) -> bool {
    region.host_buffer().is_mutable()
}

/// The size of a stack's gaps; 0 means that there are none.
pub(crate) fn gap_size(region: &MemoryRegion) -> u64 {
    region.gap_size()
}

/// The regions that the mapping really uses.
pub(crate) fn regions(mapping: &MemoryMapping) -> &[MemoryRegion] {
    mapping.get_regions()
}
