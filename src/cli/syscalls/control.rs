//! Ending the program, and asking the runtime for memory, depth and compute units.

use {
    super::{consume, cost::SYSCALL_BASE_COST, error::SyscallError, syscall, translate},
    solana_sbpf::{ebpf::MM_HEAP_START, vm::ContextObject as _},
};

/// Alignment of what `sol_alloc_free_` gives out: that of `u128` on sBPF.
const ALLOCATION_ALIGN: u64 = 8;

/// Depth of a program that a transaction calls directly.
const TOP_LEVEL_STACK_HEIGHT: u64 = 1;

syscall! {
    /// `abort()`: always fails.
    Abort(_context) {
        Err(SyscallError::Abort.into())
    }
}

syscall! {
    /// `sol_panic_(file, length, line, column)`: always fails, and says where.
    Panic(context, file, length, line, column) {
        consume(context, length)?;
        let file = translate::read_string(context, file, length)?;
        Err(SyscallError::Panic(file, line, column).into())
    }
}

syscall! {
    /// `sol_alloc_free_(size, address)`: gives out heap from the bottom up, and never takes any
    /// back; 0 when the heap is full.
    AllocFree(context, size, free) {
        if free != 0 || isize::try_from(size.saturating_add(ALLOCATION_ALIGN)).is_err() {
            return Ok(0);
        }
        let start = context.heap_position.next_multiple_of(ALLOCATION_ALIGN);
        let end = start.saturating_add(size);
        if end > context.heap_length {
            return Ok(0);
        }
        context.heap_position = end;
        Ok(MM_HEAP_START.saturating_add(start))
    }
}

syscall! {
    /// `sol_get_stack_height()`.
    StackHeight(context) {
        consume(context, SYSCALL_BASE_COST)?;
        Ok(TOP_LEVEL_STACK_HEIGHT)
    }
}

syscall! {
    /// `sol_remaining_compute_units()`: what is left, after this call's own cost.
    RemainingUnits(context) {
        consume(context, SYSCALL_BASE_COST)?;
        Ok(context.get_remaining())
    }
}
