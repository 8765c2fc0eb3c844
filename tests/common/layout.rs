//! Which memory a program sees, described without allocating it.

use solana_sbpf::{ebpf, program::SBPFVersion, vm::Config};

/// A region of VM memory.
#[derive(Debug, Clone)]
pub struct RegionSpec {
    /// Where it begins in VM memory.
    pub address: u64,
    /// Its initial contents; their length is the region's.
    pub contents: Vec<u8>,
    /// Host bytes after the contents, which come into reach when the region is grown.
    pub reserve: usize,
    /// Whether stores are allowed.
    pub writable: bool,
    /// Size of the gaps between frames, 0 for none.
    pub gap_size: u64,
    /// Payload for the access violation handler.
    pub payload: Option<u16>,
    /// How far the host buffer is off its natural alignment.
    pub misalignment: usize,
}

impl RegionSpec {
    /// A writable region.
    pub fn writable(address: u64, contents: impl Into<Vec<u8>>) -> Self {
        Self {
            address,
            contents: contents.into(),
            reserve: 0,
            writable: true,
            gap_size: 0,
            payload: None,
            misalignment: 0,
        }
    }

    /// A region that can only be read.
    pub fn read_only(address: u64, contents: impl Into<Vec<u8>>) -> Self {
        Self {
            writable: false,
            ..Self::writable(address, contents)
        }
    }

    /// With `reserve` host bytes to grow into.
    pub fn with_reserve(self, reserve: usize) -> Self {
        Self { reserve, ..self }
    }

    /// With a payload for the access violation handler.
    pub fn with_payload(self, payload: u16) -> Self {
        Self {
            payload: Some(payload),
            ..self
        }
    }

    /// With a host buffer `misalignment` bytes off.
    pub fn misaligned(self, misalignment: usize) -> Self {
        Self {
            misalignment,
            ..self
        }
    }
}

/// What the access violation handler does. It looks at the region's payload as well: regions
/// without one are left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handler {
    /// Nothing (the default).
    None,
    /// Grows the region so far that the access fits, if the host buffer is long enough.
    Grow,
    /// Makes the region writable.
    Unlock,
    /// Redirects the region to the spare buffer that its payload names, copying the contents.
    Redirect,
    /// Changes the region in a way that doesn't help the access: makes it empty.
    Empty,
}

/// All memory of a case.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The regions, in ascending order of address, without the program's own.
    pub regions: Vec<RegionSpec>,
    /// Host buffers that belong to no region at first.
    pub spares: Vec<Vec<u8>>,
    /// Whether the executable's read-only region is mapped.
    pub program: bool,
    /// What happens on an access violation.
    pub handler: Handler,
}

/// Bytes that differ at every address and for every `seed`.
pub fn pattern(seed: u8, len: usize) -> Vec<u8> {
    (0..len)
        .map(|index| {
            let mixed = (index as u32)
                .wrapping_mul(0x9e37_79b1)
                .wrapping_add(u32::from(seed).wrapping_mul(0x85eb_ca6b));
            (mixed ^ (mixed >> 15)) as u8
        })
        .collect()
}

impl Layout {
    /// No regions at all but the program's.
    pub fn bare() -> Self {
        Self {
            regions: Vec::new(),
            spares: Vec::new(),
            program: true,
            handler: Handler::None,
        }
    }

    /// Stack, 4 KiB of heap and `input`, as hosts lay them out.
    pub fn standard(config: &Config, version: SBPFVersion, input: &[u8]) -> Self {
        Self {
            regions: vec![
                Self::stack(config, version),
                RegionSpec::writable(ebpf::MM_HEAP_START, pattern(2, 4096)),
                RegionSpec::writable(ebpf::MM_INPUT_START, input),
            ],
            ..Self::bare()
        }
    }

    /// The stack region for `config`, gapped where the version wants it.
    pub fn stack(config: &Config, version: SBPFVersion) -> RegionSpec {
        let gapped = version.stack_frame_gaps() && config.enable_stack_frame_gaps;
        RegionSpec {
            gap_size: if gapped {
                config.stack_frame_size as u64
            } else {
                0
            },
            ..RegionSpec::writable(ebpf::MM_STACK_START, pattern(1, config.stack_size()))
        }
    }

    /// Adds a region, in its place.
    pub fn with(mut self, region: RegionSpec) -> Self {
        self.regions.push(region);
        self.regions.sort_by_key(|region| region.address);
        self
    }

    /// Replaces the region that begins at `region.address`, or adds it.
    pub fn replacing(mut self, region: RegionSpec) -> Self {
        self.regions.retain(|old| old.address != region.address);
        self.with(region)
    }

    /// Removes the region that begins at `address`.
    pub fn without(mut self, address: u64) -> Self {
        self.regions.retain(|region| region.address != address);
        self
    }

    /// Adds a host buffer that belongs to no region at first.
    pub fn with_spare(mut self, contents: impl Into<Vec<u8>>) -> Self {
        self.spares.push(contents.into());
        self
    }

    /// Sets the access violation handler, and has all regions as it can save accesses to them: with so many bytes of
    /// room to grow, or from a spare buffer.
    pub fn handled(mut self, handler: Handler, reserve: usize) -> Self {
        for region in &mut self.regions {
            region.reserve = reserve;
            region.payload = Some(0);
        }
        self.with_spare(pattern(9, 64 * 1024)).with_handler(handler)
    }

    /// Sets the access violation handler.
    pub fn with_handler(self, handler: Handler) -> Self {
        Self { handler, ..self }
    }
}
