//! Stand-ins for the syscalls of a Solana host: memory ones do what they should, logs and failures
//! too, all others succeed with 0.

use {
    super::{
        context::TestContext,
        syscalls::{Mock, SyscallResult, syscall},
    },
    solana_sbpf::{
        elf_parser::Elf64,
        error::EbpfError,
        memory_region::{AccessType, HostBuffer},
        program::{BuiltinFunctionDefinition, BuiltinProgram},
    },
};

/// Maps guest memory, which the access-violation handler may make accessible.
pub(super) fn map(
    context: &mut TestContext,
    access: AccessType,
    address: u64,
    len: u64,
) -> Result<HostBuffer, EbpfError> {
    context
        .mapping
        .map_with_access_violation_handler(access, address, len)
        .into()
}

/// Copies memory; the ranges may overlap.
fn copy(context: &mut TestContext, [to, from, len, ..]: [u64; 5]) -> SyscallResult {
    context.remaining = context.remaining.saturating_sub(10 + len / 250);
    let from = map(context, AccessType::Load, from, len)?.ptr();
    let to = map(context, AccessType::Store, to, len)?.ptr_mut();
    // SAFETY: the mapping vouches for both ranges.
    unsafe { std::ptr::copy(from.cast::<u8>(), to.cast::<u8>(), len as usize) };
    Ok(0)
}

syscall!(
    /// `sol_memcpy_`.
    Memcpy, "sol_memcpy_", |context, arguments| copy(context, arguments)
);

syscall!(
    /// `sol_memmove_`.
    Memmove, "sol_memmove_", |context, arguments| copy(context, arguments)
);

syscall!(
    /// `sol_memset_`.
    Memset, "sol_memset_", |context, arguments| {
        let [to, byte, len, ..] = arguments;
        context.remaining = context.remaining.saturating_sub(10 + len / 250);
        let to = map(context, AccessType::Store, to, len)?.ptr_mut();
        // SAFETY: the mapping vouches for the range.
        unsafe { (*to).fill(byte as u8) };
        Ok(0)
    }
);

syscall!(
    /// `sol_memcmp_`.
    Memcmp, "sol_memcmp_", |context, arguments| {
        let [left, right, len, result, ..] = arguments;
        context.remaining = context.remaining.saturating_sub(10 + len / 250);
        let left = map(context, AccessType::Load, left, len)?.ptr();
        let right = map(context, AccessType::Load, right, len)?.ptr();
        // SAFETY: the mapping vouches for both ranges, and nothing writes to them here.
        let (left, right) = unsafe { (&*left, &*right) };
        let difference = left
            .iter()
            .zip(right)
            .find(|(left, right)| left != right)
            .map_or(0, |(left, right)| i32::from(*left) - i32::from(*right));
        let result = map(context, AccessType::Store, result, 4)?.ptr_mut();
        // SAFETY: the mapping vouches for the 4 bytes.
        unsafe { result.cast::<i32>().write_unaligned(difference) };
        Ok(0)
    }
);

syscall!(
    /// `abort` and `sol_panic_`.
    Abort, "abort", |_context, _arguments| Err("aborted".into())
);

/// Registers a stand-in for the syscall `name`.
pub fn register(loader: &mut BuiltinProgram<TestContext>, name: &str) {
    let result = match name {
        "sol_memcpy_" => Memcpy::register(loader, name),
        "sol_memmove_" => Memmove::register(loader, name),
        "sol_memset_" => Memset::register(loader, name),
        "sol_memcmp_" => Memcmp::register(loader, name),
        "abort" | "sol_panic_" => Abort::register(loader, name),
        _ => Mock::register(loader, name),
    };
    result.expect("the names have distinct hashes");
}

/// The names that an ELF file imports, through its dynamic symbols.
pub fn imports(elf: &[u8]) -> Vec<String> {
    // The parser wants alignment, which a vector of words has.
    let mut words = vec![0u64; elf.len().div_ceil(8)];
    // SAFETY: the words have room for the bytes, and any bytes make a word.
    let aligned = unsafe {
        std::ptr::copy_nonoverlapping(elf.as_ptr(), words.as_mut_ptr().cast(), elf.len());
        std::slice::from_raw_parts(words.as_ptr().cast::<u8>(), elf.len())
    };
    let Ok(elf) = Elf64::parse(aligned) else {
        return Vec::new();
    };
    let symbols = elf.dynamic_symbol_table().unwrap_or_default().iter();
    let mut names: Vec<String> = symbols
        .filter(|symbol| symbol.st_value == 0)
        .filter_map(|symbol| elf.dynamic_symbol_name(symbol.st_name).ok())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .filter(|name| !name.is_empty())
        .collect();
    names.sort();
    names.dedup();
    names
}
