//! Versions of sBPF as data: every difference is resolved here, before anything is decoded.

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

/// The instruction set and the limits that a program is compiled for.
///
/// Each field is one predicate of `SBPFVersion` or one field of `Config` in `solana-sbpf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
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
}

impl Dialect {
    /// Whether an access of `size` bytes at `[r10 + offset]` lies in the current frame.
    pub(crate) fn is_in_frame(&self, offset: i32, size: u32) -> bool {
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
