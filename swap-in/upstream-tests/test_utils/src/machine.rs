//! The memory of a virtual machine.

use {
    crate::TestContextObject,
    solana_sbpf::{
        aligned_memory::AlignedMemory,
        ebpf::{self, HOST_ALIGN},
        elf::Executable,
        error::EbpfError,
        memory_region::{
            AccessViolationHandler, MemoryMapping, MemoryRegion, default_access_violation_handler,
        },
    },
};

/// The regions that every program has, and those of the test.
///
/// # Errors
/// When regions overlap.
pub fn create_memory_mapping(
    executable: &Executable<TestContextObject>,
    stack: &mut AlignedMemory<HOST_ALIGN>,
    heap: &mut AlignedMemory<HOST_ALIGN>,
    additional: Vec<MemoryRegion>,
    handler: Option<AccessViolationHandler>,
) -> Result<MemoryMapping, EbpfError> {
    let (config, version) = (executable.get_config(), executable.get_sbpf_version());
    let has_gaps = version.stack_frame_gaps() && config.enable_stack_frame_gaps;
    let stack = if has_gaps {
        let gap = config.stack_frame_size as u64;
        MemoryRegion::new_gapped(stack, ebpf::MM_STACK_START, gap)
    } else {
        MemoryRegion::new(stack, ebpf::MM_STACK_START)
    };
    let heap = MemoryRegion::new(heap, ebpf::MM_HEAP_START);
    let mut regions = vec![executable.get_ro_region(), stack, heap];
    regions.extend(additional);
    let handler = handler.unwrap_or_else(|| Box::new(default_access_violation_handler));
    // SAFETY: executable, stack, heap and the test's own memory live as long as the virtual
    // machine, which is the only one to use them meanwhile.
    unsafe { MemoryMapping::new_with_access_violation_handler(regions, config, version, handler) }
}
