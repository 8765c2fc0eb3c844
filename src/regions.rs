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
    /// The stack with frames of `size` bytes, `stride` times as far apart in virtual memory, if there is one and
    /// the mapping finds all of its frames (see [`contiguous`]).
    #[inline(always)]
    pub(crate) fn find(
        mapping: &MemoryMapping,
        config: &Config,
        size: u64,
        stride: u64,
    ) -> Option<Self> {
        let needed = config.stack_frame_size.checked_mul(config.max_call_depth)? as u64;
        if needed.checked_mul(stride)? > ebpf::MM_REGION_SIZE {
            return None;
        }
        let regions = compat::regions(mapping);
        let index = regions.iter().position(is_at_stack)?;
        let region = &regions[index];
        let stack = Self {
            index,
            host: compat::host_address(region),
            length: compat::length(region),
        };
        let is_usable = stack.length >= needed && stack.difference(region, size, stride) == 0;
        is_usable.then_some(stack)
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
        region.is_some_and(|region| self.difference(region, size, stride) == 0)
            || self.is_elsewhere(mapping, config, size, stride)
    }

    /// [`Self::is_intact`] where the region has another place or length.
    #[cold]
    #[inline(never)]
    fn is_elsewhere(
        &self,
        mapping: &MemoryMapping,
        config: &Config,
        size: u64,
        stride: u64,
    ) -> bool {
        Self::find(mapping, config, size, stride).is_some_and(|stack| stack.host == self.host)
    }

    /// 0 if and only if this is the region as frames need it. As [`KnownRegion::difference`], it has no branches.
    #[inline]
    fn difference(&self, region: &MemoryRegion, size: u64, stride: u64) -> u64 {
        let known = KnownRegion {
            start: ebpf::MM_STACK_START,
            host: self.host,
            length: self.length,
            gap: if stride == 2 { size } else { 0 },
            is_writable: true,
        };
        known.difference(region)
    }
}

#[inline]
fn is_at_stack(region: &MemoryRegion) -> bool {
    region.vm_addr_range().start == ebpf::MM_STACK_START
}

/// The part of a region around `address` that is contiguous in host and virtual memory, as far as every kind of
/// mapping finds the region by any address in it.
///
/// An aligned mapping finds a region by the upper half of addresses (`AlignedMemoryMapping::find_region`), so by
/// none beyond the area of 4 GiB in which the region starts. At the last address of all an unaligned mapping may
/// find another region, since ends are saturated. Accesses there are left to the mapping.
#[inline]
pub(crate) fn contiguous(region: &MemoryRegion, address: u64) -> Option<Range> {
    let range = unbroken(region, address)?;
    let last_of_area = region.vm_addr_range().start | (ebpf::MM_REGION_SIZE - 1);
    (address <= last_of_area).then(|| Range {
        length: range.length.min(last_of_area - range.start),
        ..range
    })
}

/// All of a region, or one frame of a stack with gaps (`MemoryRegion::vm_to_host_buffer`).
#[inline]
fn unbroken(region: &MemoryRegion, address: u64) -> Option<Range> {
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

#[cfg(test)]
mod tests {
    use {super::*, solana_sbpf::program::SBPFVersion, std::ptr};

    /// A stack of `length` bytes that nobody accesses.
    fn has_stack(length: usize, config: &Config, gaps: bool) -> bool {
        let size = config.stack_frame_size as u64;
        let memory = ptr::slice_from_raw_parts_mut(ptr::dangling_mut::<u8>(), length);
        let region = match gaps {
            true => MemoryRegion::new_gapped(memory, ebpf::MM_STACK_START, size),
            false => MemoryRegion::new(memory, ebpf::MM_STACK_START),
        };
        // SAFETY: nothing is accessed.
        let mapping = unsafe { MemoryMapping::new(vec![region], config, SBPFVersion::V0) };
        let stride = if gaps { 2 } else { 1 };
        Stack::find(&mapping.expect("one region"), config, size, stride).is_some()
    }

    #[test]
    fn frames_are_in_one_area() {
        for (max_call_depth, gaps, is_found) in [
            (4, false, true),
            (5, false, false),
            (2, true, true),
            (3, true, false),
        ] {
            let config = Config {
                stack_frame_size: 1 << 30,
                max_call_depth,
                ..Config::default()
            };
            assert_eq!(
                has_stack(5 << 30, &config, gaps),
                is_found,
                "{max_call_depth} {gaps}"
            );
        }
    }
}
