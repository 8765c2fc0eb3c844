//! The few places where versions of `solana-sbpf` differ, as 0.21 has them.

use solana_sbpf::{
    memory_region::{MemoryMapping, MemoryRegion},
    vm::Config,
};

/// `MemoryRegion::vm_gap_shift` of a region without gaps.
const NO_GAPS: u8 = 63;

/// Whether exits and failing syscalls write their pc to `registers[11]`, as exceptions always do.
pub(crate) const WRITES_EVERY_PC: bool = false;

/// Whether `EbpfVm::register_trace` is to be filled.
pub(crate) fn is_traced(config: &Config) -> bool {
    config.enable_register_tracing
}

/// The address of a region's memory in the host.
pub(crate) fn host_address(region: &MemoryRegion) -> u64 {
    region.host_addr
}

/// Bytes of host memory.
pub(crate) fn length(region: &MemoryRegion) -> u64 {
    region.len
}

/// Whether stores need no access-violation handler.
pub(crate) fn is_writable(region: &MemoryRegion) -> bool {
    region.writable
}

/// The size of a stack's gaps; 0 means that there are none.
pub(crate) fn gap_size(region: &MemoryRegion) -> u64 {
    if region.vm_gap_shift == NO_GAPS {
        0
    } else {
        1 << region.vm_gap_shift
    }
}

/// The regions that the mapping really uses: `Config::allow_memory_region_zero` may disable the
/// first one, whatever is in it.
pub(crate) fn regions(mapping: &MemoryMapping) -> &[MemoryRegion] {
    let regions = mapping.get_regions();
    let is_disabled = regions
        .first()
        .is_some_and(|first| mapping.find_region(first.vm_addr).is_none());
    &regions[usize::from(is_disabled)..]
}
