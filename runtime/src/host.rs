//! What an embedder offers to the runtime.

use crate::{
    abi::{Function, REGISTERS},
    learnt::Slots,
    memory_operation::MemoryOperation,
    translation::Range,
};

/// How an execution has ended for the embedder, with everything already written where the
/// embedder expects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended;

/// The embedder of a program: its memory, its interpreter and its syscalls.
///
/// Meters are numbers of instructions left. A method that returns `Err(Ended)` has recorded the
/// error, the final pc and the count by itself.
pub trait Host {
    /// The largest range of virtual addresses around `address` with contiguous host memory that
    /// may be read (and written, if `store`), as the mapping stands now.
    ///
    /// It must not run a handler: what only a handler makes accessible is not accessible here.
    fn range(&mut self, address: u64, store: bool) -> Option<Range>;

    /// Calls `visit` with ranges that are worth translating in advance, out of those that begin in
    /// `needed` slots.
    fn likely_ranges(&mut self, needed: Slots, visit: impl FnMut(Range));

    /// Executes `count` instructions from `pc`, none of which transfers control, exactly as the
    /// interpreter does, with `meter` left before the first.
    ///
    /// # Errors
    /// When one of them fails.
    fn step(
        &mut self,
        pc: u32,
        count: u32,
        meter: i64,
        registers: &mut [u64; REGISTERS],
    ) -> Result<(), Ended>;

    /// Where compiled code stores r0 to r5 for a syscall: six words that stay where they are while
    /// the program runs.
    fn arguments(&mut self) -> *mut u64;

    /// Calls the syscall with number `index` for the call at `pc`, with `depth` calls of functions
    /// in progress; r0 to r5 are at [`Self::arguments`]. Returns the meter that is left and the
    /// result.
    ///
    /// # Errors
    /// When the syscall fails.
    fn syscall(&mut self, index: u32, pc: u32, depth: u64, meter: i64)
    -> Result<(i64, u64), Ended>;

    /// What the syscall with number `index` does if it does nothing but an operation on memory: then it need
    /// not be called.
    #[inline]
    fn memory_operation(&self, _index: u32) -> Option<&MemoryOperation> {
        None
    }

    /// One of r0 to r5 as compiled code has stored them at [`Self::arguments`]. Asked for only where there is
    /// a [`Self::memory_operation`].
    #[inline]
    fn argument(&self, _number: usize) -> u64 {
        0
    }

    /// Takes `cost` compute units with `meter` left before, as a syscall would that is called now; returns the
    /// meter that is left. `None` if there are too few, and then nothing has happened.
    #[inline]
    fn charge(&mut self, _cost: u64, _meter: i64) -> Option<i64> {
        None
    }

    /// For each syscall a function that generated code may call in place of [`Self::syscall`], where the
    /// dialect has it do that: as many as there are syscalls, which stay where they are while the program
    /// runs.
    fn plain_functions(&self) -> &[Option<Function>] {
        &[]
    }

    /// Notes how regions are, before something that may change them, unless they are noted already.
    fn watch_regions(&mut self);

    /// Whether regions may be other ones than those that were noted, which is asked after each
    /// [`Self::watch_regions`]. If so, no region is noted any more.
    fn regions_changed(&mut self) -> bool;

    /// Whether the stack still is as compiled code was told at entry. Always `true` where
    /// compiled code makes no assumption about the stack.
    fn stack_is_intact(&mut self) -> bool;
}
