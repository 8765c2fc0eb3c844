//! Versions of sBPF, and standard eBPF, as data: every difference is resolved here, before anything
//! is decoded.

/// Which field of `callx` names the register that holds the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallxRegister {
    /// The immediate (V0, V1).
    Immediate,
    /// The source register (V2).
    Source,
    /// The destination register (from V3).
    Destination,
}

/// How a program's frames are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameLayout {
    /// A call moves r10 by `stride` frames of `size` bytes; frames follow each other in host
    /// memory.
    Fixed {
        /// Bytes in a frame.
        size: u32,
        /// 2 when a gap follows each frame in virtual memory, else 1.
        stride: u32,
    },
    /// The program moves r10 by `add64 r10, imm` (SIMD-0166).
    Manual,
}

/// Conformance groups of RFC 9669, section 2.4, which a runtime may support or not.
///
/// A group brings the groups that it includes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConformanceGroups(u8);

impl ConformanceGroups {
    /// What is in no other group; every runtime has it.
    pub const BASE32: Self = Self(1);
    /// Arithmetic, comparisons and accesses of 64 bits.
    pub const BASE64: Self = Self(1 << 1 | 1);
    /// Atomic operations on 32 bits.
    pub const ATOMIC32: Self = Self(1 << 2);
    /// Atomic operations on 64 bits.
    pub const ATOMIC64: Self = Self(1 << 3 | 1 << 2);
    /// Multiplication, division and remainder of 32 bits.
    pub const DIVMUL32: Self = Self(1 << 4);
    /// Multiplication, division and remainder of 64 bits.
    pub const DIVMUL64: Self = Self(1 << 5 | 1 << 4);
    /// All groups but `packet`, which is deprecated.
    pub const ALL: Self = Self((1 << 6) - 1);

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// A number that is another one for each selection; 0 for none.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `other` is included.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The instruction set and the limits that a program is compiled for.
///
/// Each field but `standard` and `direct_functions` is a predicate of `SBPFVersion` or a field of `Config` in
/// `solana-sbpf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// The instruction set is that of RFC 9669, restricted to these groups; what differs between
    /// versions of sBPF has no meaning then.
    pub standard: Option<ConformanceGroups>,
    /// 32-bit results are zero-extended and `mov32 reg` sign-extends (SIMD-0174).
    pub explicit_sign_extension: bool,
    /// `sub reg, imm` is `imm - reg` (SIMD-0174).
    pub swapped_subtraction: bool,
    /// Product, quotient and remainder have their own class (SIMD-0174).
    pub product_quotient_remainder: bool,
    /// `neg` exists.
    pub negation: bool,
    /// `lddw` exists; where it does not, `hor64` does (SIMD-0173).
    pub load_double_word: bool,
    /// `le` exists.
    pub little_endian: bool,
    /// Loads and stores use the opcodes of the ALU classes (SIMD-0173).
    pub moved_memory_classes: bool,
    /// Conditional jumps on 32 bits exist (SIMD-0377).
    pub jump32: bool,
    /// The register of `callx`.
    pub callx_register: CallxRegister,
    /// The source field of `call` tells syscalls from functions (SIMD-0178).
    pub static_syscalls: bool,
    /// How frames are laid out.
    pub frames: FrameLayout,
    /// Whether instructions are counted and limited.
    pub meter: bool,
    /// Whether addresses are virtual; otherwise they are host addresses and go unchecked.
    pub translation: bool,
    /// Whether regions lie side by side, as where each account is a region of its own (SIMD-0460): then
    /// checks had better not reach from one into the next.
    pub regions_adjoin: bool,
    /// Whether a syscall may be a plain function of the embedder, which generated code calls without
    /// the runtime, see [`sbpf_runtime::host::Host::plain_functions`].
    pub direct_functions: bool,
    /// Whether constants that the program chose are not to be found in the code, see
    /// [`hidden`](crate::hidden).
    pub hides_constants: bool,
    /// How often machine code is padded at random: once for so many machine instructions; 0 for
    /// never. Nothing here depends on it, only how functions are laid out.
    pub padding_rate: u32,
}

impl Dialect {
    /// Standard eBPF with frames of `frame_size` bytes, which calls follow upwards.
    pub fn standard(groups: ConformanceGroups, frame_size: u32, meter: bool) -> Self {
        Self {
            standard: Some(groups),
            explicit_sign_extension: false,
            swapped_subtraction: false,
            product_quotient_remainder: false,
            negation: true,
            load_double_word: true,
            little_endian: true,
            moved_memory_classes: false,
            jump32: true,
            callx_register: CallxRegister::Destination,
            static_syscalls: true,
            frames: FrameLayout::Fixed {
                size: frame_size,
                stride: 1,
            },
            meter,
            translation: true,
            regions_adjoin: false,
            direct_functions: true,
            hides_constants: true,
            padding_rate: 256,
        }
    }

    /// Whether checks look at the range that they have found last in a part of the address space, instead
    /// of at one that all share. Frames with gaps between them are ranges of their own, too many for that.
    pub fn has_hints(&self) -> bool {
        let has_gaps = matches!(self.frames, FrameLayout::Fixed { stride: 2, .. });
        self.regions_adjoin && !has_gaps
    }

    /// Whether an access of `size` bytes at `[r10 + offset]` lies in the current frame.
    pub fn is_in_frame(&self, offset: i32, size: u32) -> bool {
        match self.frames {
            FrameLayout::Fixed { size: frame, .. } => {
                self.translation
                    && i64::from(offset) >= -i64::from(frame)
                    && i64::from(offset) + i64::from(size) <= 0
            }
            FrameLayout::Manual => false,
        }
    }

    /// Whether r10 is a register like others, because the program moves it.
    pub(crate) fn frame_pointer_is_variable(&self) -> bool {
        self.frames == FrameLayout::Manual
    }
}
