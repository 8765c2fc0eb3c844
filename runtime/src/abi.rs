//! The layout that generated code depends on, and nothing else.
//!
//! Every structure is `repr(C)` and ours. The offsets are constants computed by `offset_of!`, so
//! a change of layout changes the generated code with it; the assertions at the end state what
//! the lowering relies on beyond the offsets, those of `layout` where every field is.

use {
    crate::site::{AccessSite, Inherited, RegisterSet},
    std::{ffi::c_void, mem::offset_of, sync::atomic::AtomicPtr},
};

/// Registers of the virtual machine: r0 to r9 and the frame pointer r10.
pub const REGISTERS: usize = 11;

/// Index of the frame pointer among the registers.
pub const FRAME_POINTER: u8 = 10;

/// Slots of the region cache; an address selects its slot by its bits from [`SLOT_SHIFT`] up.
pub const SLOTS: usize = 8;

/// Bits of an address below the ones that select its translation.
///
/// Solana places each region kind in an area of its own, 4 GiB apart (`ebpf::MM_REGION_SIZE`).
pub const SLOT_SHIFT: u32 = 32;

/// Log2 of the size of a [`Translation`].
pub const TRANSLATION_SHIFT: u32 = 6;

/// Log2 of the size of a [`Slot`], which scales its number to its byte offset.
pub const SLOT_SIZE_SHIFT: u32 = TRANSLATION_SHIFT + 1;

/// How many sizes [`Translation::limits`] has a limit for: 1 << n bytes for each n below this.
pub const LIMITS: usize = 6;

/// Log2 of the size of an [`AccessSite`].
pub const ACCESS_SITE_SHIFT: u32 = 5;

/// Log2 of the size of an entry of [`Context::functions`].
pub const FUNCTION_SHIFT: u32 = 3;

/// A contiguous range of virtual addresses backed by contiguous host memory.
///
/// An access of `1 << n` bytes at `address` is inside when
/// `address.wrapping_sub(start) < limits[n]`. The all-zero value admits nothing.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct Translation {
    /// First virtual address.
    pub start: u64,
    /// Host address of the byte at `start`.
    pub host: u64,
    /// Number of offsets at which 1, 2, 4, 8, 16 and 32 bytes fit: `length - size + 1`, or 0 where
    /// the range is shorter. `limits[0]` is the length of the range.
    pub limits: [u64; LIMITS],
}

/// What the region cache knows of the addresses that share their upper half.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Slot {
    /// A range that may be read.
    pub load: Translation,
    /// A range that may be written.
    pub store: Translation,
}

/// Ranges that [`Found`] holds at most.
pub const FOUND: usize = 64;

/// Checks whose sites are that many apart share their hints.
pub const HINTED_SITES: usize = 1024;

/// Hints in [`Found`]: for a site and an address at the number of the site plus the offset of the slot
/// that the address would have in the first level.
pub const HINTS: usize = HINTED_SITES + ((SLOTS - 1) << SLOT_SIZE_SHIFT);

/// The second level of the region cache, for programs whose accesses alternate between ranges of
/// one slot. It is searched out of line, by halving.
///
/// Ranges are in the order of their addresses. Hosts that give each account a region of its own have
/// short ones and long ones side by side, so no bits of an address tell them apart. In code for such
/// hosts there is no other level: a check looks at the range that it has found last.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Found {
    /// The ranges; all-zero behind the last.
    pub slots: [Slot; FOUND],
    /// Their first virtual addresses, ascending; [`u64::MAX`] behind the last.
    pub starts: [u64; FOUND],
    /// For each check, by its site's number as it is in the code, and for each part of the address space
    /// the slot that the check looks at. Less than [`FOUND`].
    pub hints: [u8; HINTS],
    /// The first step of a search: the greatest power of two below the number of ranges, or 0.
    pub reach: u64,
    /// Not 0 once a search has changed a hint.
    pub are_hints_new: u64,
}

/// What [`Context::resolved`] is when compiled code has to be left behind the access callback. No host
/// address of memory is as low.
pub const LEAVE: u64 = 1;

/// What generated code holds of the [`Context`]: the address of its slots, see [`Context::anchor`].
///
/// The fields that are used most are before the slots, so that all of them are within the reach of
/// the shortest displacements.
pub type Anchor = *mut Slot;

/// The meter that a function returns when the program has ended. With [`DISPLACED`] it is never this
/// one, because of the `exit` that has been paid for.
pub const ENDED: i64 = -1;

/// Set in the meter while the stack is not where compiled code was entered with it, because a handler
/// has changed it.
///
/// To generated code the meter is negative then, so it leaves to the interpreter at the next
/// checkpoint. The region cache stays empty meanwhile: at the next access before a frame is used, the
/// access callback leaves.
pub const DISPLACED: i64 = i64::MIN;

/// The most instructions that an execution starts with. Generated code adds a few to its meter before it pays
/// for more, and that must not look like [`DISPLACED`].
pub const LARGEST_METER: i64 = i64::MAX - (1 << 16);

/// The meter to start with for a budget: one that no program can use up counts as [`LARGEST_METER`].
pub const fn meter_for(budget: u64) -> i64 {
    if budget > LARGEST_METER as u64 {
        return LARGEST_METER;
    }
    budget as i64
}

/// The instructions left, without [`DISPLACED`].
pub const fn instructions_left(meter: i64) -> i64 {
    meter & !DISPLACED
}

/// Function that generated code calls with the context, the instructions left, and the number of its
/// site. The lowest address that the site accesses is in [`Context::resolved`]. The meter is second, as it is in
/// functions: it hardly ever has to be moved for the call.
pub type AccessCallback = unsafe extern "C" fn(Anchor, i64, u32);

/// Function that generated code calls with the context, the number of its site, and what a callee
/// returned: the instructions left, negative if the program has ended, and its result.
pub type UnwindCallback = unsafe extern "C" fn(Anchor, u32, i64, u64);

/// Function that generated code calls with the context, an [`Exception::Bailout`] behind the call, the number of
/// the syscall and the instructions left; returns those left afterwards, or a negative number to leave.
pub type SyscallCallback = unsafe extern "C" fn(Anchor, u32, u32, i64) -> i64;

/// Function of the embedder that generated code calls by itself, with r1 to r5; its result is r0.
pub type Function = extern "C" fn(u64, u64, u64, u64, u64) -> u64;

/// Function that generated code calls with the context and the number of a function that is not
/// compiled yet, see [`crate::code::GrowingCode`]; afterwards it is, or it can't be.
pub type CompileCallback = unsafe extern "C" fn(Anchor, u32);

/// What generated code reads and writes. One per execution.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Context {
    /// Registers r6 to r10 of a frame that is left behind a call.
    pub saved: [u64; 5],
    /// The frame value of a frame that is left behind a call.
    pub left_frame: u64,
    /// The frame value that a function must not have: one step past the deepest frame.
    pub frame_limit: u64,
    /// The pc of the last `exit` executed in a function that can be the outermost one; hidden.
    pub exit_pc: u64,
    /// Registers in transit: into a callback and out of it, r0 to r5 also into functions and out of them where
    /// they are at home here, and the state in which compiled code was left for good.
    pub registers: [u64; REGISTERS],
    /// What hides constants that the program chose; 0 if nothing is hidden.
    ///
    /// Numbers of sites and pcs that generated code passes to callbacks, [`Self::exception`] and
    /// [`Self::exit_pc`] are combined with its low 32 bits by exclusive or.
    pub key: u64,
    /// Instructions left to execute: when compiled code is left, and out of the access callback when
    /// it has executed a stretch.
    pub meter: i64,
    /// The frame value of the function that called back or left.
    ///
    /// With fixed frames the host address one past the frame's last byte, which is where r10
    /// points; with manual frames the call depth.
    pub frame: u64,
    /// With fixed frames `r10 = frame_bias + frame * stride`, in wrapping arithmetic.
    pub frame_bias: u64,
    /// Going into the access callback, the lowest address that the site accesses. Coming back, the host
    /// address of it, good for what the site's own instructions access; 0 when the callback executed the
    /// stretch itself, or [`LEAVE`].
    pub resolved: u64,
    /// The first level of the region cache, by the upper half of an address.
    pub slots: [Slot; SLOTS],
    /// Virtual address of the first frame of a stack with gaps.
    pub stack_start: u64,
    /// Bytes of virtual addresses from there that its frames and gaps take; 0 if it has no gaps.
    pub stack_span: u64,
    /// Host address of its first frame.
    pub stack_host: u64,
    /// An [`Exception`] with what is inherited in the low byte and its pc above, written by generated code; hidden,
    /// see [`Self::raised`] and [`Self::inherited`].
    pub exception: u64,
    /// First byte of the program's machine code.
    pub code: *const u8,
    /// For each pc the offset of its function in the machine code, or 0 if none starts there. Where
    /// functions are compiled one by one, for each pc the address of its function, or null.
    pub entries: *const u32,
    /// All access sites of the program.
    pub access_sites: *const AccessSite,
    /// The second level of the region cache, or null.
    pub found: *const Found,
    /// [`Self::resolved`] if that is good for the whole range of the site, else 0.
    pub left_host: u64,
    /// Resolves or executes a stretch of memory accesses.
    pub access: AccessCallback,
    /// Leaves the frame of a caller.
    pub unwind: UnwindCallback,
    /// Calls a syscall.
    pub syscall: SyscallCallback,
    /// Where a syscall's r0 to r5 go: the embedder's own registers.
    pub arguments: *mut u64,
    /// For each syscall the function that generated code calls in place of [`Self::syscall`], if there
    /// is one. Read only where a dialect asks for it.
    pub plain_functions: *const Option<Function>,
    /// The execution this context belongs to, for the callbacks.
    pub run: *mut c_void,
    /// Addresses of functions by their numbers, where functions are compiled one by one; those that
    /// are not compiled yet are null.
    pub functions: *const AtomicPtr<u8>,
    /// Compiles a function.
    pub compile: CompileCallback,
}

impl Context {
    /// What generated code is given of the context at `context`.
    pub fn anchor(context: *mut Self) -> Anchor {
        context
            .wrapping_byte_add(offset_of!(Self, slots))
            .cast::<Slot>()
    }

    /// A number that generated code has hidden.
    pub fn revealed(&self, number: u32) -> u32 {
        number ^ self.key as u32
    }

    /// The exception that was raised, if one was, with its pc.
    pub fn raised(&self) -> Option<(Exception, u32)> {
        Exception::unpack(self.exception ^ self.no_exception())
    }

    /// Raises an exception, as generated code does.
    pub fn raise(&mut self, exception: Exception, pc: u32) {
        self.exception = exception.at(pc) ^ self.no_exception();
    }

    /// Leaves the rest of the program to the interpreter, which starts at a pc. Some registers are not in transit.
    pub(crate) fn bail_out(&mut self, pc: u32, inherited: Inherited) {
        self.exception = Exception::Bailout.inheriting(inherited, pc) ^ self.no_exception();
    }

    /// The registers that are not in transit, where the rest of the program has been left to the interpreter.
    pub fn inherited(&self) -> RegisterSet {
        Exception::inherited(self.exception ^ self.no_exception()).registers()
    }

    /// What [`Self::exception`] is if none was raised.
    pub fn no_exception(&self) -> u64 {
        u64::from(self.key as u32)
    }

    /// Undoes [`Self::anchor`].
    pub fn of_anchor(anchor: Anchor) -> *mut Self {
        anchor
            .wrapping_byte_sub(offset_of!(Self, slots))
            .cast::<Self>()
    }
}

/// Errors that generated code raises by itself, as the interpreter does.
///
/// Stored in the low half of the low byte of [`Context::exception`]; 0 is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exception {
    /// `EbpfError::DivideByZero`
    DivideByZero = 1,
    /// `EbpfError::DivideOverflow`
    DivideOverflow = 2,
    /// `EbpfError::CallDepthExceeded`
    CallDepthExceeded = 3,
    /// `EbpfError::CallOutsideTextSegment`
    CallOutsideTextSegment = 4,
    /// `EbpfError::ExecutionOverrun`
    ExecutionOverrun = 5,
    /// `EbpfError::UnsupportedInstruction`
    UnsupportedInstruction = 6,
    /// `EbpfError::InvalidInstruction`
    InvalidInstruction = 7,
    /// Not an error: the rest of the program is left to the interpreter, from this pc.
    Bailout = 8,
    /// [`Self::CallDepthExceeded`], raised by the callee instead of the call. The way back to the caller
    /// turns it into that, with the pc of the call.
    EnteredTooDeep = 9,
    /// [`Self::Bailout`] before the first instruction of a function that has just been called.
    BailoutAtEntry = 10,
}

impl Exception {
    /// Packs the exception with the pc at which it is raised.
    pub const fn at(self, pc: u32) -> u64 {
        self.inheriting(Inherited::NONE, pc)
    }

    /// The same with the registers that are not in transit then.
    pub const fn inheriting(self, inherited: Inherited, pc: u32) -> u64 {
        (pc as u64) << 8 | (inherited.bits() as u64) << 4 | self as u64
    }

    /// The pc that is packed.
    pub const fn pc(packed: u64) -> u32 {
        (packed >> 8) as u32
    }

    /// The registers that are not in transit.
    pub const fn inherited(packed: u64) -> Inherited {
        Inherited::from_bits(packed as u8 >> 4)
    }

    /// The exception with its pc; `None` where no exception was packed.
    pub const fn unpack(packed: u64) -> Option<(Self, u32)> {
        let exception = match packed as u8 & 0xf {
            1 => Self::DivideByZero,
            2 => Self::DivideOverflow,
            3 => Self::CallDepthExceeded,
            4 => Self::CallOutsideTextSegment,
            5 => Self::ExecutionOverrun,
            6 => Self::UnsupportedInstruction,
            7 => Self::InvalidInstruction,
            8 => Self::Bailout,
            9 => Self::EnteredTooDeep,
            10 => Self::BailoutAtEntry,
            _ => return None,
        };
        Some((exception, Self::pc(packed)))
    }
}

/// Byte offsets from an [`Anchor`] and into [`Translation`], as immediates of generated loads and
/// stores.
pub mod offset {
    use super::*;

    /// A field of the context at `offset` from its start.
    const fn field(offset: usize) -> i32 {
        offset as i32 - offset_of!(Context, slots) as i32
    }

    /// The `index`-th register in transit.
    pub const fn register(index: u8) -> i32 {
        field(offset_of!(Context, registers)) + 8 * index as i32
    }

    /// The place of r6 to r10 while unwinding.
    pub const fn saved(index: u8) -> i32 {
        field(offset_of!(Context, saved)) + 8 * (index as i32 - 6)
    }

    /// `Translation::limits[log2_size]`.
    pub const fn limit(log2_size: u32) -> i32 {
        offset_of!(Translation, limits) as i32 + 8 * log2_size as i32
    }

    /// `Translation::start`.
    pub const START: i32 = offset_of!(Translation, start) as i32;
    /// `Translation::host`.
    pub const HOST: i32 = offset_of!(Translation, host) as i32;
    /// `Slot::load`.
    pub const LOAD: i32 = offset_of!(Slot, load) as i32;
    /// `Slot::store`.
    pub const STORE: i32 = offset_of!(Slot, store) as i32;
    /// `Context::key`.
    pub const KEY: i32 = field(offset_of!(Context, key));
    /// `Context::meter`.
    pub const METER: i32 = field(offset_of!(Context, meter));
    /// `Context::frame`.
    pub const FRAME: i32 = field(offset_of!(Context, frame));
    /// `Context::frame_limit`.
    pub const FRAME_LIMIT: i32 = field(offset_of!(Context, frame_limit));
    /// `Context::frame_bias`.
    pub const FRAME_BIAS: i32 = field(offset_of!(Context, frame_bias));
    /// `Context::resolved`.
    pub const RESOLVED: i32 = field(offset_of!(Context, resolved));
    /// `Context::left_frame`.
    pub const LEFT_FRAME: i32 = field(offset_of!(Context, left_frame));
    /// `Context::stack_start`.
    pub const STACK_START: i32 = field(offset_of!(Context, stack_start));
    /// `Context::stack_span`.
    pub const STACK_SPAN: i32 = field(offset_of!(Context, stack_span));
    /// `Context::stack_host`.
    pub const STACK_HOST: i32 = field(offset_of!(Context, stack_host));
    /// `Context::exception`.
    pub const EXCEPTION: i32 = field(offset_of!(Context, exception));
    /// `Context::exit_pc`.
    pub const EXIT_PC: i32 = field(offset_of!(Context, exit_pc));
    /// `Context::code`.
    pub const CODE: i32 = field(offset_of!(Context, code));
    /// `Context::entries`.
    pub const ENTRIES: i32 = field(offset_of!(Context, entries));
    /// `Context::access_sites`.
    pub const ACCESS_SITES: i32 = field(offset_of!(Context, access_sites));
    /// `Context::found`.
    pub const FOUND: i32 = field(offset_of!(Context, found));
    /// `Found::starts`.
    pub const FOUND_STARTS: i32 = offset_of!(Found, starts) as i32;
    /// `Found::hints`.
    pub const FOUND_HINTS: i32 = offset_of!(Found, hints) as i32;
    /// `Found::reach`.
    pub const FOUND_REACH: i32 = offset_of!(Found, reach) as i32;
    /// `Found::are_hints_new`.
    pub const FOUND_ARE_HINTS_NEW: i32 = offset_of!(Found, are_hints_new) as i32;
    /// `Context::left_host`.
    pub const LEFT_HOST: i32 = field(offset_of!(Context, left_host));
    /// `AccessSite::span`.
    pub const SITE_SPAN: i32 = offset_of!(AccessSite, span) as i32;
    /// `AccessSite::own_offset`.
    pub const SITE_OWN_OFFSET: i32 = offset_of!(AccessSite, own_offset) as i32;
    /// `AccessSite::own_span`.
    pub const SITE_OWN_SPAN: i32 = offset_of!(AccessSite, own_span) as i32;
    /// `AccessSite::store`.
    pub const SITE_STORE: i32 = offset_of!(AccessSite, store) as i32;
    /// `Context::access`.
    pub const ACCESS: i32 = field(offset_of!(Context, access));
    /// `Context::unwind`.
    pub const UNWIND: i32 = field(offset_of!(Context, unwind));
    /// `Context::arguments`.
    pub const ARGUMENTS: i32 = field(offset_of!(Context, arguments));
    /// `Context::plain_functions`.
    pub const PLAIN_FUNCTIONS: i32 = field(offset_of!(Context, plain_functions));
    /// `Context::syscall`.
    pub const SYSCALL: i32 = field(offset_of!(Context, syscall));
    /// `Context::functions`.
    pub const FUNCTIONS: i32 = field(offset_of!(Context, functions));
    /// `Context::compile`.
    pub const COMPILE: i32 = field(offset_of!(Context, compile));
}

const _: () = {
    assert!(size_of::<Translation>() == 1 << TRANSLATION_SHIFT);
    // A search ends within the arrays.
    assert!(SLOTS.is_power_of_two() && FOUND.is_power_of_two());
    assert!(size_of::<AccessSite>() == 1 << ACCESS_SITE_SHIFT);
    assert!(size_of::<AtomicPtr<u8>>() == 1 << FUNCTION_SHIFT);
    assert!(size_of::<Slot>() == 1 << SLOT_SIZE_SHIFT);
    // A slot is found without adding.
    assert!(offset_of!(Found, slots) == 0 && HINTED_SITES.is_power_of_two());
    assert!(offset_of!(Slot, store) == 1 << TRANSLATION_SHIFT);
    // The displacements of one byte that x86_64 has.
    assert!(offset::register(0) == -128 && offset::RESOLVED == -8);
    assert!(offset::saved(FRAME_POINTER) - offset::saved(6) == 32);
};
