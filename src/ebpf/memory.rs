//! The memory that a program sees: regions at virtual addresses, 4 GiB apart.

use {super::error::Fault, sbpf_runtime::translation::Range, std::cell::Cell};

/// Where the program's own instructions would be; nothing can be accessed there.
pub(super) const TEXT: u64 = 1 << 32;
/// The first address of the stack.
pub(super) const STACK: u64 = 2 << 32;
/// The first address of the context.
const CONTEXT: u64 = 3 << 32;
/// The first address of map 0.
const MAPS: u64 = 4 << 32;
/// The first address of a map's values.
pub(super) const fn map_address(map: u32) -> u64 {
    MAPS + ((map as u64) << 32)
}

/// Bytes of a region.
#[derive(Debug)]
enum Bytes<'m> {
    Borrowed(&'m [Cell<u8>]),
    ReadOnly(&'m [u8]),
    Owned {
        bytes: Box<[Cell<u8>]>,
        writable: bool,
    },
}

impl Bytes<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Borrowed(bytes) => bytes.len(),
            Self::ReadOnly(bytes) => bytes.len(),
            Self::Owned { bytes, .. } => bytes.len(),
        }
    }

    /// The bytes, if they may be written.
    fn writable(&self) -> Option<&[Cell<u8>]> {
        match self {
            Self::Borrowed(bytes) => Some(bytes),
            Self::Owned {
                bytes,
                writable: true,
            } => Some(bytes),
            _ => None,
        }
    }

    fn host(&self) -> u64 {
        let host = match self {
            Self::Borrowed(bytes) => bytes.as_ptr().cast::<u8>(),
            Self::ReadOnly(bytes) => bytes.as_ptr(),
            Self::Owned { bytes, .. } => bytes.as_ptr().cast::<u8>(),
        };
        host.expose_provenance() as u64
    }

    fn read<const SIZE: usize>(&self, offset: usize) -> Option<[u8; SIZE]> {
        let range = offset..offset.checked_add(SIZE)?;
        let cells: &[Cell<u8>] = match self {
            Self::ReadOnly(bytes) => return bytes.get(range)?.first_chunk().copied(),
            Self::Borrowed(bytes) => bytes,
            Self::Owned { bytes, .. } => bytes,
        };
        let cells: &[Cell<u8>; SIZE] = cells.get(range)?.first_chunk()?;
        Some(std::array::from_fn(|index| cells[index].get()))
    }
}

/// The memory of a program: a stack of its own, and what the caller lends it.
///
/// It keeps what a run has left in it, but for the stack, which each run starts with zeros.
#[derive(Debug, Default)]
pub struct Memory<'m> {
    /// From [`STACK`] on, by the upper half of the address.
    regions: Vec<Option<Bytes<'m>>>,
}

impl<'m> Memory<'m> {
    /// The greatest number of a map.
    pub const GREATEST_MAP: u32 = 1 << 16;

    /// Memory without context and maps.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lends the program its context, to which r1 points when it starts, r2 being its length.
    ///
    /// Without one, and with an empty one, both are 0.
    pub fn set_context(&mut self, bytes: &'m mut [u8]) {
        self.set(CONTEXT, Bytes::Borrowed(cells(bytes)));
    }

    /// Gives the program a context that is a copy of `bytes`.
    pub fn own_context(&mut self, bytes: &[u8]) {
        let bytes = bytes.iter().copied().map(Cell::new).collect();
        let writable = true;
        self.set(CONTEXT, Bytes::Owned { bytes, writable });
    }

    /// Lends the program the values of map `map`, which it may read and write.
    ///
    /// # Panics
    /// If `map` is more than [`Self::GREATEST_MAP`].
    pub fn set_map(&mut self, map: u32, values: &'m mut [u8]) {
        assert!(
            map <= Self::GREATEST_MAP,
            "map {map} is beyond what is possible"
        );
        self.set(map_address(map), Bytes::Borrowed(cells(values)));
    }

    /// Lends the program the values of map `map`, which it may only read.
    ///
    /// # Panics
    /// If `map` is more than [`Self::GREATEST_MAP`].
    pub fn set_read_only_map(&mut self, map: u32, values: &'m [u8]) {
        assert!(
            map <= Self::GREATEST_MAP,
            "map {map} is beyond what is possible"
        );
        self.set(map_address(map), Bytes::ReadOnly(values));
    }

    /// Gives the program a map `map` whose values are a copy of `bytes`, which it may read and write.
    ///
    /// # Panics
    /// If `map` is more than [`Self::GREATEST_MAP`].
    pub fn own_map(&mut self, map: u32, bytes: &[u8]) {
        assert!(
            map <= Self::GREATEST_MAP,
            "map {map} is beyond what is possible"
        );
        self.own_data(map, bytes, true);
    }

    /// A copy of the values of a map, or `None` where there is no such map.
    pub fn map(&self, map: u32) -> Option<Vec<u8>> {
        self.copy(map_address(map))
    }

    /// A copy of the context.
    pub fn context(&self) -> Vec<u8> {
        self.copy(CONTEXT).unwrap_or_default()
    }

    /// A copy of the stack as the last run has left it.
    pub fn stack(&self) -> Vec<u8> {
        self.copy(STACK).unwrap_or_default()
    }

    /// The address at which the context is for a program.
    pub const fn address_of_context() -> u64 {
        CONTEXT
    }

    /// The address at which map `map` is for a program.
    pub fn address_of_map(map: u32) -> u64 {
        map_address(map)
    }

    /// `length` bytes at a virtual address.
    ///
    /// # Errors
    /// When they are not inside of one region.
    pub fn read(&self, address: u64, length: usize) -> Result<Vec<u8>, Fault> {
        let fault = violation(address, length as u64, false);
        let (region, offset) = self.find(address).ok_or_else(|| fault.clone())?;
        match offset.checked_add(length) {
            Some(end) if end <= region.len() => {}
            _ => return Err(fault),
        }
        let byte = |offset| region.read::<1>(offset).map_or(0, |[byte]| byte);
        Ok((offset..offset + length).map(byte).collect())
    }

    /// Writes bytes to a virtual address.
    ///
    /// # Errors
    /// When not all are inside of one region that may be written; then nothing is.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Fault> {
        let fault = || violation(address, bytes.len() as u64, true);
        let (region, offset) = self.find(address).ok_or_else(fault)?;
        let cells = region.writable().ok_or_else(fault)?;
        let end = offset.checked_add(bytes.len()).ok_or_else(fault)?;
        let cells = cells.get(offset..end).ok_or_else(fault)?;
        for (cell, byte) in cells.iter().zip(bytes) {
            cell.set(*byte);
        }
        Ok(())
    }

    /// Gives the program memory of its own as map `map`.
    pub(super) fn own_data(&mut self, map: u32, bytes: &[u8], writable: bool) {
        let bytes = bytes.iter().copied().map(Cell::new).collect();
        self.set(map_address(map), Bytes::Owned { bytes, writable });
    }

    /// Makes a stack unless there is one of this length; returns the host address of its first byte.
    pub(super) fn make_stack(&mut self, length: usize) -> u64 {
        if let Some(Some(stack)) = self.regions.first()
            && stack.len() == length
        {
            return stack.host();
        }
        let stack = Bytes::Owned {
            bytes: vec![Cell::new(0); length].into_boxed_slice(),
            writable: true,
        };
        let host = stack.host();
        self.set(STACK, stack);
        host
    }

    /// The stack, as far as there is one.
    pub(super) fn stack_cells(&self) -> &[Cell<u8>] {
        let stack = self.regions.first().and_then(Option::as_ref);
        stack.and_then(Bytes::writable).unwrap_or_default()
    }

    /// r1 and r2 when a program starts.
    pub(super) fn entry_registers(&self) -> (u64, u64) {
        match self.find(CONTEXT) {
            Some((context, _)) if context.len() > 0 => (CONTEXT, context.len() as u64),
            _ => (0, 0),
        }
    }

    /// The region around an address as contiguous host memory.
    pub(super) fn range(&self, address: u64, store: bool) -> Option<Range> {
        let (region, offset) = self.find(address)?;
        let range = range(region, address - offset as u64);
        (offset < region.len() && (range.writable || !store)).then_some(range)
    }

    /// All regions, the stack first.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range> {
        let regions = self.regions.iter().enumerate();
        regions.filter_map(|(index, region)| {
            Some(range(region.as_ref()?, STACK + ((index as u64) << 32)))
        })
    }

    /// A number of 1, 2, 4 or 8 bytes at an address.
    pub(super) fn load(&self, address: u64, size: u32) -> Result<u64, Fault> {
        let found = self.find(address).and_then(|(region, offset)| {
            Some(match size {
                1 => u64::from(u8::from_le_bytes(region.read(offset)?)),
                2 => u64::from(u16::from_le_bytes(region.read(offset)?)),
                4 => u64::from(u32::from_le_bytes(region.read(offset)?)),
                _ => u64::from_le_bytes(region.read(offset)?),
            })
        });
        found.ok_or_else(|| violation(address, u64::from(size), false))
    }

    /// Stores the low `size` bytes of a number.
    pub(super) fn store(&self, address: u64, size: u32, value: u64) -> Result<(), Fault> {
        self.write(address, &value.to_le_bytes()[..size as usize])
    }

    /// Whether all of `size` bytes at an address may be written.
    pub(super) fn is_writable(&self, address: u64, size: u32) -> bool {
        self.range(address, true)
            .is_some_and(|range| range.resolve(address, u64::from(size)).is_some())
    }

    fn find(&self, address: u64) -> Option<(&Bytes<'m>, usize)> {
        let index = (address >> 32).checked_sub(STACK >> 32)?;
        let region = self.regions.get(usize::try_from(index).ok()?)?.as_ref()?;
        Some((region, address as u32 as usize))
    }

    fn set(&mut self, start: u64, bytes: Bytes<'m>) {
        let index = ((start - STACK) >> 32) as usize;
        if self.regions.len() <= index {
            self.regions.resize_with(index + 1, || None);
        }
        self.regions[index] = Some(bytes);
    }

    fn copy(&self, start: u64) -> Option<Vec<u8>> {
        let (region, _) = self.find(start)?;
        self.read(start, region.len()).ok()
    }
}

fn cells(bytes: &mut [u8]) -> &[Cell<u8>] {
    Cell::from_mut(bytes).as_slice_of_cells()
}

fn range(region: &Bytes<'_>, start: u64) -> Range {
    Range {
        start,
        // Addresses beyond belong to the next region.
        length: (region.len() as u64).min(1 << 32),
        host: region.host(),
        writable: region.writable().is_some(),
    }
}

fn violation(address: u64, size: u64, store: bool) -> Fault {
    Fault::AccessViolation {
        address,
        size: u32::try_from(size).unwrap_or(u32::MAX),
        store,
    }
}
