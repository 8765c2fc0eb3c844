//! Host memory of a layout, and the mapping over it.

use {
    super::{
        context::{Event, EventLog},
        layout::{Handler, Layout, RegionSpec},
    },
    solana_sbpf::{
        error::EbpfError,
        memory_region::{
            AccessType, AccessViolationHandler, HostBuffer, MemoryMapping, MemoryRegion,
        },
        program::SBPFVersion,
        vm::Config,
    },
    std::ops::Range,
};

/// Bytes before and after each buffer, which nothing may touch.
const GUARD: usize = 64;
const GUARD_BYTE: u8 = 0xa5;

/// A host allocation with guard bytes on both sides.
struct Buffer {
    allocation: *mut [u8],
    usable: Range<usize>,
    initial: Box<[u8]>,
}

impl Buffer {
    fn new(contents: &[u8], reserve: usize, misalignment: usize) -> Self {
        let start = GUARD + misalignment;
        let usable = start..start + contents.len() + reserve;
        let mut initial = vec![GUARD_BYTE; usable.end + GUARD].into_boxed_slice();
        initial[start..start + contents.len()].copy_from_slice(contents);
        initial[start + contents.len()..usable.end].fill(0xee);
        Self {
            allocation: Box::into_raw(initial.clone()),
            usable,
            initial,
        }
    }

    fn reset(&mut self) {
        // SAFETY: `allocation` is a live box of the same length as `initial`, and no run is using
        // it: a run borrows the whole `Memory`.
        unsafe { (*self.allocation).copy_from_slice(&self.initial) }
    }

    fn bytes(&self) -> Vec<u8> {
        // SAFETY: as in `reset`.
        unsafe { (*self.allocation).to_vec() }
    }

    /// The part inside of the guards.
    fn host(&self) -> HostBuffer {
        let start = self.allocation.cast::<u8>().wrapping_add(self.usable.start);
        HostBuffer::Mutable(std::ptr::slice_from_raw_parts_mut(start, self.usable.len()))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: `allocation` came from `Box::into_raw` and is freed only here.
        drop(unsafe { Box::from_raw(self.allocation) });
    }
}

/// Where a region ended up after a run, told without host addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionState {
    /// VM address, length and gap size.
    pub address: u64,
    /// Length in bytes.
    pub len: usize,
    /// Size of the gaps.
    pub gap_size: u64,
    /// Whether stores are allowed.
    pub writable: bool,
    /// Buffer index and offset in it; `None` for memory that isn't the case's, as rodata.
    pub backing: Option<(usize, usize)>,
}

/// The allocated memory of a layout.
pub struct Memory {
    regions: Vec<RegionSpec>,
    buffers: Vec<Buffer>,
    handler: Handler,
    program: bool,
}

impl Memory {
    /// Allocates and fills the memory of `layout`.
    pub fn new(layout: &Layout) -> Self {
        let regions = layout.regions.iter();
        let buffers = regions
            .map(|region| Buffer::new(&region.contents, region.reserve, region.misalignment))
            .chain(layout.spares.iter().map(|spare| Buffer::new(spare, 0, 0)))
            .collect();
        Self {
            regions: layout.regions.clone(),
            buffers,
            handler: layout.handler,
            program: layout.program,
        }
    }

    /// Puts the initial contents back.
    pub fn reset(&mut self) {
        self.buffers.iter_mut().for_each(Buffer::reset);
    }

    /// All host buffers, the spare ones last.
    pub fn host_buffers(&self) -> Vec<HostBuffer> {
        self.buffers.iter().map(Buffer::host).collect()
    }

    /// Index of the first spare buffer.
    pub fn first_spare(&self) -> usize {
        self.regions.len()
    }

    /// Host address of the first byte of buffer `index`.
    pub fn host_address(&self, index: usize) -> u64 {
        self.buffers[index]
            .host()
            .ptr()
            .cast::<u8>()
            .expose_provenance() as u64
    }

    /// A copy of everything, guards included.
    pub fn snapshot(&self) -> Vec<Vec<u8>> {
        self.buffers.iter().map(Buffer::bytes).collect()
    }

    /// Maps the regions, and `program` if the layout asks for it.
    pub fn map(
        &self,
        program: MemoryRegion,
        config: &Config,
        version: SBPFVersion,
        log: &EventLog,
    ) -> Result<MemoryMapping, EbpfError> {
        let mut regions: Vec<MemoryRegion> = self.program.then_some(program).into_iter().collect();
        for (spec, buffer) in self.regions.iter().zip(&self.buffers) {
            let host = buffer.host().get(0..spec.contents.len());
            let host = host.expect("the buffer holds the contents");
            let host = if spec.writable {
                host
            } else {
                host.immutable()
            };
            let mut region = MemoryRegion::new_gapped(host, spec.address, spec.gap_size);
            region.access_violation_handler_payload = spec.payload;
            regions.push(region);
        }
        // SAFETY: the buffers live as long as `self`, which outlives every run, and hold plain
        // bytes; the handler only installs pieces of the same buffers.
        unsafe {
            MemoryMapping::new_with_access_violation_handler(
                regions,
                config,
                version,
                self.violation_handler(log),
            )
        }
    }

    fn violation_handler(&self, log: &EventLog) -> AccessViolationHandler {
        let log = log.clone();
        let handler = self.handler;
        let buffers = self.host_buffers();
        let spares = self.first_spare();
        Box::new(move |region, max_len, access, address, len| {
            log.borrow_mut().push(Event::Violation {
                region: region.vm_addr_range().start,
                region_len: region.len(),
                max_len,
                access,
                address,
                len,
            });
            let Some(payload) = region.access_violation_handler_payload else {
                return;
            };
            let needed = address
                .wrapping_sub(region.vm_addr_range().start)
                .saturating_add(len);
            match handler {
                Handler::None => {}
                Handler::Grow => grow(region, needed.min(max_len), &buffers),
                Handler::Unlock => unlock(region, &buffers),
                Handler::Redirect => {
                    redirect(region, buffers[spares + usize::from(payload)], access);
                }
                // SAFETY: an empty buffer is valid anywhere.
                Handler::Empty => unsafe {
                    let empty: &[u8] = &[];
                    region.redirect(&raw const *empty);
                },
            }
        })
    }

    /// Describes the regions of `mapping` in terms of this memory's buffers.
    pub fn describe(&self, mapping: &MemoryMapping) -> Vec<RegionState> {
        let describe = |region: &MemoryRegion| {
            let pointer = region.host_buffer().ptr().cast::<u8>().addr();
            let backing = self.buffers.iter().position(|buffer| {
                let start = buffer.host().ptr().cast::<u8>().addr();
                !region.is_empty() && (start..start + buffer.usable.len()).contains(&pointer)
            });
            RegionState {
                address: region.vm_addr_range().start,
                len: region.len(),
                gap_size: region.gap_size(),
                writable: region.host_buffer().is_mutable(),
                backing: backing.map(|index| {
                    let start = self.buffers[index].host().ptr().cast::<u8>().addr();
                    (index, pointer - start)
                }),
            }
        };
        mapping.get_regions().iter().map(describe).collect()
    }
}

/// Grows `region` to `needed` bytes if its host buffer is that long.
fn grow(region: &mut MemoryRegion, needed: u64, buffers: &[HostBuffer]) {
    let host = region.host_buffer();
    let pointer = host.ptr().cast::<u8>().addr();
    for buffer in buffers {
        let offset = pointer.wrapping_sub(buffer.ptr().cast::<u8>().addr());
        if offset <= buffer.len()
            && let Some(end) = offset.checked_add(needed as usize)
            && let Some(grown) = buffer.get(offset..end)
            && grown.len() >= host.len()
        {
            let grown = if host.is_mutable() {
                grown
            } else {
                grown.immutable()
            };
            // SAFETY: a longer piece of the buffer that the region had already.
            unsafe { region.redirect(grown) };
            return;
        }
    }
}

/// Makes `region` writable, unless it shows the program's own bytes.
fn unlock(region: &mut MemoryRegion, buffers: &[HostBuffer]) {
    let pointer = region.host_buffer().ptr().cast::<u8>().addr();
    let ours = buffers.iter().any(|buffer| {
        let start = buffer.ptr().cast::<u8>().addr();
        (start..start + buffer.len()).contains(&pointer)
    });
    if ours {
        // SAFETY: all buffers are made from mutable pointers.
        unsafe { region.redirect(region.host_buffer().mutable()) };
    }
}

/// Moves `region` to `spare`, writable if a store asks for it.
fn redirect(region: &mut MemoryRegion, spare: HostBuffer, access: AccessType) {
    let old = region.host_buffer().ptr();
    let len = old.len().min(spare.len());
    // SAFETY: both are live buffers of at least `len` bytes, and they are distinct or the same.
    unsafe { std::ptr::copy(old.cast::<u8>(), spare.ptr_mut().cast::<u8>(), len) };
    let target = match access {
        AccessType::Load => spare.immutable(),
        AccessType::Store => spare,
    };
    // SAFETY: `spare` lives as long as the mapping.
    unsafe { region.redirect(target) };
}
