//! What the runtime knows about a place in generated code that calls back.
//!
//! Generated code passes only the number of its site; everything that is constant about the place
//! is here, so that a slow path costs few bytes of code.

/// A set of registers, bit `n` for `rn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct RegisterSet(u16);

impl RegisterSet {
    /// No register.
    pub const EMPTY: Self = Self(0);

    /// The registers from `first` to `last`, both included.
    pub const fn range(first: u8, last: u8) -> Self {
        Self((((1u32 << (last + 1)) - 1) & !((1u32 << first) - 1)) as u16)
    }

    /// The set of one register.
    pub const fn of(register: u8) -> Self {
        Self(1 << register)
    }

    /// The set whose members are these bits.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Bit `n` for `rn`.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// This set without the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Adds one register.
    pub const fn insert(&mut self, register: u8) {
        self.0 |= 1 << register;
    }

    /// Whether `register` is in the set.
    pub const fn contains(self, register: u8) -> bool {
        self.0 >> register & 1 == 1
    }

    /// Whether the set has no register.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Number of registers in the set.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The registers in ascending order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..16).filter(move |&register| self.contains(register))
    }
}

/// Registers out of r6 to r9 that compiled code does not have: no function has written them since they were given
/// to it, and so the nearest caller has them that has saved them, or the entry of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Inherited(u8);

impl Inherited {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// All of them.
    pub const ALL: RegisterSet = RegisterSet::range(6, 9);

    /// Those that are in a set.
    pub const fn of(registers: RegisterSet) -> Self {
        Self((registers.intersection(Self::ALL).bits() >> 6) as u8)
    }

    /// The set of them.
    pub const fn registers(self) -> RegisterSet {
        RegisterSet::from_bits((self.0 as u16) << 6)
    }

    /// Those whose bits are set: bit 0 for r6 to bit 3 for r9.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0xf)
    }

    /// Undoes [`Self::from_bits`].
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// A call in a frame that may have to be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallSite {
    /// The pc that the call returns to.
    pub return_pc: u32,
    /// Registers that the rest of the frame needs, out of r6 to r10, and r0 if the callee returns it as a value: else
    /// the context has it.
    pub saved: RegisterSet,
}

/// Compiled code goes on behind the instructions of an [`AccessSite`] even if the program has ended there. It
/// accesses nothing any more then, as no address is translated, and leaves at the next checkpoint, with the
/// same frame.
pub const STAYS: u8 = 0;

/// It leaves when the program has ended.
pub const LEAVES_AT_END: u8 = 1;

/// It leaves also when the stack is not in place. All registers needed are in transit then or
/// [inherited](AccessSite::inherited), else only those that the instructions read.
pub const NEEDS_FRAME: u8 = 2;

/// A place in generated code that needs the host address of the byte at `base + low`, or else the
/// execution of the `count` instructions from `pc` on.
///
/// The address has to be good for the bytes that the instructions access themselves, `own_span` of them
/// from `low + own_offset` on. Later instructions access others of the `span` bytes, and are told whether
/// it is good for all.
///
/// Generated code reads it, see `lower_access` in the lowering.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct AccessSite {
    /// Offset from the anchor of the base register in transit, see [`crate::abi::offset::register`].
    pub base: i16,
    /// When compiled code does not go on behind the instructions: one of [`STAYS`], [`LEAVES_AT_END`] and
    /// [`NEEDS_FRAME`].
    pub leaves: u8,
    /// What is not in transit when it leaves because the stack is not in place.
    pub inherited: Inherited,
    /// Lowest offset from the base, in bytes.
    pub low: i32,
    /// Bytes from the lowest offset to the end of the highest access.
    pub span: u16,
    /// Bytes from the lowest offset to the first access of the instructions.
    pub own_offset: u16,
    /// Bytes from there to the end of their highest access.
    pub own_span: u16,
    /// 1 if one of the accesses writes, else 0.
    pub store: u16,
    /// The first of the instructions.
    pub pc: u32,
    /// Instructions before `pc` that the meter in the context has not yet paid for.
    pub spent: i32,
    /// Number of the instructions.
    pub count: u32,
    /// The pc after them.
    pub resume: u32,
}

impl AccessSite {
    /// The site as words of memory, in their order.
    pub fn to_words(self) -> [u32; 8] {
        let Self {
            base,
            leaves,
            inherited,
            low,
            span,
            own_offset,
            own_span,
            store,
            pc,
            spent,
            count,
            resume,
        } = self;
        let leaves = u16::from(leaves) | u16::from(inherited.bits()) << 8;
        let halves = |low: u16, high: u16| u32::from(low) | u32::from(high) << 16;
        [
            halves(base as u16, leaves),
            low as u32,
            halves(span, own_offset),
            halves(own_span, store),
            pc,
            spent as u32,
            count,
            resume,
        ]
    }

    /// The memory of sites, to be read from where it was stored: the words of each in their order.
    pub fn bytes_mut(sites: &mut [Self]) -> &mut [u8] {
        let length = size_of_val(sites);
        // SAFETY: these are the bytes of `sites`; the structure has no padding, and any bits are integers.
        unsafe { std::slice::from_raw_parts_mut(sites.as_mut_ptr().cast(), length) }
    }

    /// Undoes [`Self::to_words`].
    pub fn from_words(words: [u32; 8]) -> Self {
        let [place, low, range, own, pc, spent, count, resume] = words;
        Self {
            base: place as u16 as i16,
            leaves: (place >> 16) as u8,
            inherited: Inherited((place >> 24) as u8),
            low: low as i32,
            span: range as u16,
            own_offset: (range >> 16) as u16,
            own_span: own as u16,
            store: (own >> 16) as u16,
            pc,
            spent: spent as i32,
            count,
            resume,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AccessSite, Inherited, RegisterSet};

    #[test]
    fn words_of_a_site_are_where_its_fields_are() {
        let site = AccessSite {
            base: -2,
            leaves: 3,
            inherited: Inherited::of(RegisterSet::range(7, 8)),
            low: -4,
            span: 5,
            own_offset: 6,
            own_span: 7,
            store: 8,
            pc: 9,
            spent: -10,
            count: 11,
            resume: 12,
        };
        let words = site.to_words();
        assert_eq!(AccessSite::from_words(words), site);
        // SAFETY: the structure has no padding, and any bits are integers.
        let memory = unsafe { std::mem::transmute::<AccessSite, [u32; 8]>(site) };
        assert_eq!(words, memory);
    }

    #[test]
    fn only_saved_registers_are_inherited() {
        let set = RegisterSet::from_bits(u16::MAX);
        assert_eq!(Inherited::of(set).registers(), RegisterSet::range(6, 9));
        let some = Inherited::of(RegisterSet::range(8, 10));
        assert_eq!(some.bits(), 0b1100);
        assert_eq!(Inherited::from_bits(0b1111_1100), some);
    }

    #[test]
    fn ranges_include_both_ends() {
        let set = RegisterSet::range(6, 9);
        assert_eq!(set.iter().collect::<Vec<_>>(), [6, 7, 8, 9]);
        assert_eq!(set.len(), 4);
        assert!(!set.contains(5) && !set.contains(10));
    }
}
