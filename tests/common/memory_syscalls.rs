//! Syscalls that copy, fill and compare memory, which compiled code may do by itself. They write no log, so
//! that nothing tells whether it did.

use {
    super::{context::TestContext, host_syscalls::map, syscalls::SyscallResult},
    sbpf_cranelift::{MemoryOperation, MemorySyscall, Operation},
    solana_sbpf::{
        error::EbpfError,
        memory_region::AccessType,
        program::{BuiltinFunctionDefinition, BuiltinProgram},
    },
    std::error::Error,
};

/// The least that an operation costs.
pub const BASE_COST: u64 = 10;
/// Bytes for one unit beyond that.
pub const BYTES_PER_UNIT: u64 = 25;

/// Takes what an operation on `length` bytes costs.
fn charge(context: &mut TestContext, length: u64) -> Result<(), Box<dyn Error>> {
    let cost = BASE_COST.max(length / BYTES_PER_UNIT);
    let is_exceeded = context.remaining < cost;
    context.remaining = context.remaining.saturating_sub(cost);
    match is_exceeded {
        true => Err("no units left".into()),
        false => Ok(()),
    }
}

fn read(context: &mut TestContext, address: u64, length: u64) -> Result<Vec<u8>, EbpfError> {
    let host = map(context, AccessType::Load, address, length)?;
    // SAFETY: the mapping vouches for the range.
    Ok(unsafe { &*host.ptr() }.to_vec())
}

fn copy(context: &mut TestContext, to: u64, from: u64, length: u64) -> SyscallResult {
    charge(context, length)?;
    if length > 0 {
        map(context, AccessType::Store, to, length)?;
        let bytes = read(context, from, length)?;
        let host = map(context, AccessType::Store, to, length)?;
        // SAFETY: the mapping vouches for the range.
        unsafe { (*host.ptr_mut()).copy_from_slice(&bytes) };
    }
    Ok(0)
}

macro_rules! syscall {
    ($type:ident, |$context:ident, $first:ident, $second:ident, $length:ident, $result:ident| $body:expr) => {
        struct $type;
        impl BuiltinFunctionDefinition<TestContext> for $type {
            type Error = Box<dyn Error>;
            fn rust(
                $context: &mut TestContext,
                $first: u64,
                $second: u64,
                $length: u64,
                $result: u64,
                _: u64,
            ) -> SyscallResult {
                $body
            }
        }
    };
}

syscall!(Copy, |context, to, from, length, _result| {
    if to.abs_diff(from) < length {
        charge(context, length)?;
        return Err("the ranges overlap".into());
    }
    copy(context, to, from, length)
});

syscall!(Move, |context, to, from, length, _result| copy(
    context, to, from, length
));

syscall!(Fill, |context, to, byte, length, _result| {
    charge(context, length)?;
    if length > 0 {
        let host = map(context, AccessType::Store, to, length)?;
        // SAFETY: the mapping vouches for the range.
        unsafe { (*host.ptr_mut()).fill(byte as u8) };
    }
    Ok(0)
});

syscall!(Compare, |context, one, other, length, result| {
    charge(context, length)?;
    let [one, other] = match length {
        0 => [vec![], vec![]],
        _ => [read(context, one, length)?, read(context, other, length)?],
    };
    let differing = one.iter().zip(&other).find(|(one, other)| one != other);
    let difference = differing.map_or(0, |(one, other)| i32::from(*one) - i32::from(*other));
    let host = map(context, AccessType::Store, result, 4)?;
    if !host.ptr().cast::<i32>().is_aligned() {
        return Err("the result is not aligned".into());
    }
    // SAFETY: the mapping vouches for the range.
    unsafe { (*host.ptr_mut()).copy_from_slice(&difference.to_le_bytes()) };
    Ok(0)
});

const OPERATIONS: [(&str, Operation); 4] = [
    ("sys_memcpy", Operation::Copy),
    ("sys_memmove", Operation::Move),
    ("sys_memset", Operation::Fill),
    ("sys_memcmp", Operation::Compare),
];

/// What compiled code is told of them.
pub fn known() -> Vec<MemorySyscall> {
    let known = OPERATIONS.map(|(name, operation)| MemorySyscall {
        name: name.to_string(),
        operation: MemoryOperation {
            operation,
            base_cost: BASE_COST,
            bytes_per_unit: BYTES_PER_UNIT,
        },
    });
    known.into()
}

/// Registers the syscalls of this file.
pub fn register(loader: &mut BuiltinProgram<TestContext>) {
    for (name, operation) in OPERATIONS {
        let result = match operation {
            Operation::Copy => Copy::register(loader, name),
            Operation::Move => Move::register(loader, name),
            Operation::Fill => Fill::register(loader, name),
            _ => Compare::register(loader, name),
        };
        result.expect("the names have distinct hashes");
    }
}
