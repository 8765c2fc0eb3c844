//! Syscalls that change the memory mapping while the program runs.

use {
    super::{
        context::TestContext,
        syscalls::{SyscallResult, syscall},
    },
    solana_sbpf::{
        memory_region::{HostBuffer, MemoryMapping, MemoryRegion},
        program::{BuiltinFunctionDefinition, BuiltinProgram, SBPFVersion},
        vm::Config,
    },
};

/// Finds the region of `address`, lets `change` edit a copy, and puts that in its place.
fn edit_region(
    context: &mut TestContext,
    address: u64,
    change: impl FnOnce(&TestContext, &mut MemoryRegion) -> SyscallResult,
) -> SyscallResult {
    let (index, mut region) = match context.mapping.find_region(address) {
        Some((index, region)) => (index, region.clone()),
        None => return Err(format!("no region at {address:#x}").into()),
    };
    let result = change(context, &mut region)?;
    // SAFETY: the callers below only install pieces of the case's buffers, which outlive the run.
    unsafe { context.mapping.replace_region(index, region)? };
    Ok(result)
}

syscall!(
    /// Makes the region at r1 exactly r2 bytes long, if its host buffer allows.
    Resize, "sys_resize", |context, arguments| {
        let [address, len, ..] = arguments;
        edit_region(context, address, |context, region| {
            let host = region.host_buffer();
            let pointer = host.ptr().cast::<u8>();
            let buffer = context.buffer_around(pointer).ok_or("not resizable")?;
            let offset = pointer.addr() - buffer.ptr().cast::<u8>().addr();
            let end = offset.checked_add(len as usize).ok_or("too long")?;
            let resized = buffer.get(offset..end).ok_or("too long")?;
            let old_len = region.len();
            let resized = if host.is_mutable() { resized } else { resized.immutable() };
            // SAFETY: a piece of a buffer that outlives the run.
            unsafe { region.redirect(resized) };
            Ok(old_len as u64)
        })
    }
);

syscall!(
    /// Redirects the region at r1 to spare buffer r2, from offset r3 on, r4 bytes long.
    Redirect, "sys_redirect", |context, arguments| {
        let [address, spare, offset, len, ..] = arguments;
        edit_region(context, address, |context, region| {
            let index = context.first_spare + spare as usize;
            let buffer = *context.buffers.get(index).ok_or("no such spare")?;
            let end = offset.checked_add(len).ok_or("too long")?;
            let piece = buffer
                .get(offset as usize..end as usize)
                .ok_or("too long")?;
            // SAFETY: a piece of a buffer that outlives the run.
            unsafe { region.redirect(piece) };
            Ok(0)
        })
    }
);

syscall!(
    /// Makes the region at r1 read-only.
    Protect, "sys_protect", |context, arguments| {
        edit_region(context, arguments[0], |_, region| {
            region.make_immutable();
            Ok(0)
        })
    }
);

syscall!(
    /// Makes the region at r1 writable.
    Unprotect, "sys_unprotect", |context, arguments| {
        edit_region(context, arguments[0], |context, region| {
            let host = region.host_buffer();
            // Read-only data isn't the case's and must stay as it is.
            context.buffer_around(host.ptr().cast()).ok_or("not ours")?;
            // SAFETY: all buffers of the case are made from mutable pointers.
            unsafe { region.redirect(host.mutable()) };
            Ok(0)
        })
    }
);

syscall!(
    /// Swaps the host buffers of the regions at r1 and r2, in place, without `replace_region`.
    Swap, "sys_swap", |context, arguments| {
        let [first, second, ..] = arguments;
        let first = context.mapping.find_region(first).ok_or("no region")?.0;
        let second = context.mapping.find_region(second).ok_or("no region")?.0;
        let regions = context.mapping.get_regions_mut();
        let hosts: [HostBuffer; 2] = [regions[first].host_buffer(), regions[second].host_buffer()];
        // SAFETY: both buffers were mapped already and outlive the run.
        unsafe {
            regions[first].redirect(hosts[1]);
            regions[second].redirect(hosts[0]);
        }
        context.mapping.initialize()?;
        Ok(0)
    }
);

syscall!(
    /// Puts a mapping of the same regions in the place of the one that there is: an aligned one if r1 is 1.
    Remap, "sys_remap", |context, arguments| {
        let config = Config {
            aligned_memory_mapping: arguments[0] == 1,
            ..Config::default()
        };
        let regions = context.mapping.get_regions().to_vec();
        // It would have an empty region for each 4 GiB before one.
        if regions.iter().any(|region| region.vm_addr_range().start >> 32 > 16) {
            return Err("too far".into());
        }
        // SAFETY: the regions were mapped already.
        context.mapping = unsafe { MemoryMapping::new(regions, &config, SBPFVersion::V0)? };
        Ok(0)
    }
);

/// Registers the syscalls of this file.
pub fn register(loader: &mut BuiltinProgram<TestContext>) {
    let results = [
        Resize::register(loader, "sys_resize"),
        Redirect::register(loader, "sys_redirect"),
        Protect::register(loader, "sys_protect"),
        Unprotect::register(loader, "sys_unprotect"),
        Swap::register(loader, "sys_swap"),
        Remap::register(loader, "sys_remap"),
    ];
    for result in results {
        result.expect("the names have distinct hashes");
    }
}
