//! Regions of `solana-sbpf`, as far as compiled code relies on what they are.

use {
    crate::compat,
    sbpf_runtime::translation::Range,
    solana_sbpf::{
        ebpf,
        memory_region::{MemoryMapping, MemoryRegion},
        vm::Config,
    },
};

/// What translations depend on of a region.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownRegion {
    start: u64,
    host: u64,
    length: u64,
    gap: u64,
    is_writable: bool,
}

impl KnownRegion {
    #[inline]
    pub(crate) fn of(region: &MemoryRegion) -> Self {
        Self {
            start: region.vm_addr_range().start,
            host: compat::host_address(region),
            length: compat::length(region),
            gap: compat::gap_size(region),
            is_writable: compat::is_writable(region),
        }
    }

    /// 0 if and only if the region is still as it was.
    #[inline]
    pub(crate) fn difference(&self, region: &MemoryRegion) -> u64 {
        let now = Self::of(region);
        (self.start ^ now.start)
            | (self.host ^ now.host)
            | (self.length ^ now.length)
            | (self.gap ^ now.gap)
            | u64::from(self.is_writable != now.is_writable)
    }
}

/// The region of the stack: it holds all frames that the program may use, writable, laid out as the program's
/// version has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stack {
    /// Its place among the regions.
    index: usize,
    /// The host address of the first frame.
    pub(crate) host: u64,
    length: u64,
}

impl Stack {
    /// The stack with frames of `size` bytes, `stride` times as far apart in virtual memory, if there is one.
    #[inline]
    pub(crate) fn find(
        mapping: &MemoryMapping,
        config: &Config,
        size: u64,
        stride: u64,
    ) -> Option<Self> {
        let needed = config.stack_frame_size.checked_mul(config.max_call_depth)?;
        let regions = compat::regions(mapping);
        let index = regions.iter().position(is_at_stack)?;
        let region = &regions[index];
        let stack = Self {
            index,
            host: compat::host_address(region),
            length: compat::length(region),
        };
        (stack.length >= needed as u64 && stack.is(region, size, stride)).then_some(stack)
    }

    /// Whether frames still are where they were.
    #[inline]
    pub(crate) fn is_intact(
        &self,
        mapping: &MemoryMapping,
        config: &Config,
        size: u64,
        stride: u64,
    ) -> bool {
        let region = compat::regions(mapping).get(self.index);
        region.is_some_and(|region| is_at_stack(region) && self.is(region, size, stride))
            || self.is_elsewhere(mapping, config, size, stride)
    }

    /// [`Self::is_intact`] where the region has another place or length.
    #[cold]
    fn is_elsewhere(
        &self,
        mapping: &MemoryMapping,
        config: &Config,
        size: u64,
        stride: u64,
    ) -> bool {
        Self::find(mapping, config, size, stride).is_some_and(|stack| stack.host == self.host)
    }

    #[inline]
    fn is(&self, region: &MemoryRegion, size: u64, stride: u64) -> bool {
        let gap = if stride == 2 { size } else { 0 };
        compat::host_address(region) == self.host
            && compat::length(region) == self.length
            && compat::gap_size(region) == gap
            && compat::is_writable(region)
    }
}

#[inline]
fn is_at_stack(region: &MemoryRegion) -> bool {
    region.vm_addr_range().start == ebpf::MM_STACK_START
}

/// The part of a region around `address` that is contiguous in host and virtual memory: all of
/// it, or one frame of a stack with gaps (`MemoryRegion::vm_to_host_buffer`).
#[inline]
pub(crate) fn contiguous(region: &MemoryRegion, address: u64) -> Option<Range> {
    let start = region.vm_addr_range().start;
    let (length, host) = (compat::length(region), compat::host_address(region));
    let writable = compat::is_writable(region);
    let offset = address.checked_sub(start)?;
    let gap = compat::gap_size(region);
    if gap == 0 {
        return (offset < length).then_some(Range {
            start,
            length,
            host,
            writable,
        });
    }
    // Divisions are slow, and sizes of frames hardly ever need one.
    let frame = if gap.is_power_of_two() {
        offset >> gap.trailing_zeros()
    } else {
        offset / gap
    };
    let behind = (frame / 2).checked_mul(gap)?;
    let is_mapped = frame.is_multiple_of(2) && behind < length;
    is_mapped.then(|| Range {
        start: start.wrapping_add(frame * gap),
        length: gap.min(length - behind),
        host: host.wrapping_add(behind),
        writable,
    })
}
