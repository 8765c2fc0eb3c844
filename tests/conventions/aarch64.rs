//! The procedure call standard of arm64, and Apple's variant of it.

use {
    super::{CANARY, Canaries, Convention, embedder},
    sbpf_runtime::abi::Anchor,
    std::arch::naked_asm,
};

pub(crate) const CONVENTIONS: &[Convention] = &[
    Convention {
        target: "aarch64-unknown-linux-gnu",
        enter,
        callbacks: CALLBACKS,
    },
    Convention {
        target: "aarch64-apple-darwin",
        enter,
        callbacks: CALLBACKS,
    },
];

const CALLBACKS: [*const (); 3] = [
    access as *const (),
    unwind as *const (),
    syscall as *const (),
];

unsafe fn enter(code: *const u8, anchor: Anchor, canaries: &mut Canaries) -> i64 {
    // SAFETY: passed on to the caller.
    unsafe { entry(code, anchor, canaries.as_mut_ptr()) }
}

/// Enters code: x19 to x29, the low halves of v8 to v15 and the stack above are the caller's, and
/// x18 is the platform's.
#[unsafe(naked)]
unsafe extern "C" fn entry(code: *const u8, anchor: Anchor, canaries: *mut u64) -> i64 {
    naked_asm!(
        "stp x29, x30, [sp, #-176]!",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "stp x2, x18, [sp, #160]",
        "sub sp, sp, #32",
        "mov x9, x0",
        "mov x0, x1",
        "ldp x10, x11, [x2, #160]",
        "ldp x12, x13, [x2, #176]",
        "stp x10, x11, [sp]",
        "stp x12, x13, [sp, #16]",
        "ldp x18, x19, [x2]",
        "ldp x20, x21, [x2, #16]",
        "ldp x22, x23, [x2, #32]",
        "ldp x24, x25, [x2, #48]",
        "ldp x26, x27, [x2, #64]",
        "ldp x28, x29, [x2, #80]",
        "ldp d8, d9, [x2, #96]",
        "ldp d10, d11, [x2, #112]",
        "ldp d12, d13, [x2, #128]",
        "ldp d14, d15, [x2, #144]",
        "blr x9",
        "ldr x2, [sp, #192]",
        "ldp x10, x11, [sp]",
        "ldp x12, x13, [sp, #16]",
        "stp x10, x11, [x2, #160]",
        "stp x12, x13, [x2, #176]",
        "stp x18, x19, [x2]",
        "stp x20, x21, [x2, #16]",
        "stp x22, x23, [x2, #32]",
        "stp x24, x25, [x2, #48]",
        "stp x26, x27, [x2, #64]",
        "stp x28, x29, [x2, #80]",
        "stp d8, d9, [x2, #96]",
        "stp d10, d11, [x2, #112]",
        "stp d12, d13, [x2, #128]",
        "stp d14, d15, [x2, #144]",
        "add sp, sp, #32",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldr x18, [sp, #168]",
        "ldp x29, x30, [sp], #176",
        "ret",
    )
}

/// One callback. It checks that the stack is aligned and x18 is as it was, calls the embedder, and
/// leaves rubbish in what the convention does not protect; `$result` does so to the register of the
/// result. x18 is kept from the embedder, which is made for a system where it may be used.
macro_rules! callback {
    ($name:ident($($parameter:ident: $type:ty),*) $(-> $return:ty)?, $result:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name($($parameter: $type),*) $(-> $return)? {
            unsafe extern "C" fn inner($($parameter: $type),*) $(-> $return)? {
                // SAFETY: generated code calls back as the embedder expects.
                unsafe { embedder::$name($($parameter),*) }
            }
            naked_asm!(
                "mov x9, sp",
                "tst x9, #15",
                "b.ne 2f",
                "mov x9, {x18_0}",
                "movk x9, {x18_1}, lsl #16",
                "movk x9, {x18_2}, lsl #32",
                "movk x9, {x18_3}, lsl #48",
                "cmp x9, x18",
                "b.ne 2f",
                "stp x29, x30, [sp, #-32]!",
                "str x18, [sp, #16]",
                "bl {inner}",
                "ldr x18, [sp, #16]",
                "ldp x29, x30, [sp], #32",
                "mov x17, #0x5bad",
                "movk x17, #0x5bad, lsl #16",
                "movk x17, #0x5bad, lsl #32",
                "movk x17, #0x5bad, lsl #48",
                $result,
                "mov x1, x17",
                "mov x2, x17",
                "mov x3, x17",
                "mov x4, x17",
                "mov x5, x17",
                "mov x6, x17",
                "mov x7, x17",
                "mov x8, x17",
                "mov x9, x17",
                "mov x10, x17",
                "mov x11, x17",
                "mov x12, x17",
                "mov x13, x17",
                "mov x14, x17",
                "mov x15, x17",
                "mov x16, x17",
                "dup v0.2d, x17",
                "dup v1.2d, x17",
                "dup v2.2d, x17",
                "dup v3.2d, x17",
                "dup v4.2d, x17",
                "dup v5.2d, x17",
                "dup v6.2d, x17",
                "dup v7.2d, x17",
                // Of these only the low halves are protected.
                "mov v8.d[1], x17",
                "mov v9.d[1], x17",
                "mov v10.d[1], x17",
                "mov v11.d[1], x17",
                "mov v12.d[1], x17",
                "mov v13.d[1], x17",
                "mov v14.d[1], x17",
                "mov v15.d[1], x17",
                "dup v16.2d, x17",
                "dup v17.2d, x17",
                "dup v18.2d, x17",
                "dup v19.2d, x17",
                "dup v20.2d, x17",
                "dup v21.2d, x17",
                "dup v22.2d, x17",
                "dup v23.2d, x17",
                "dup v24.2d, x17",
                "dup v25.2d, x17",
                "dup v26.2d, x17",
                "dup v27.2d, x17",
                "dup v28.2d, x17",
                "dup v29.2d, x17",
                "dup v30.2d, x17",
                "dup v31.2d, x17",
                "ret",
                "2:",
                "brk #1",
                inner = sym inner,
                x18_0 = const CANARY & 0xffff,
                x18_1 = const CANARY >> 16 & 0xffff,
                x18_2 = const CANARY >> 32 & 0xffff,
                x18_3 = const CANARY >> 48,
            )
        }
    };
}

callback!(access(anchor: Anchor, meter: i64, site: u32), "mov x0, x17");
callback!(unwind(anchor: Anchor, site: u32, meter: i64, result: u64), "mov x0, x17");
callback!(
    syscall(anchor: Anchor, behind: u32, index: u32, meter: i64) -> i64,
    ""
);
