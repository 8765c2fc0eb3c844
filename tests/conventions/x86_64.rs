//! System V and Windows on x86_64, both called from any system.

use {
    super::{Canaries, Convention, embedder},
    sbpf_runtime::abi::Anchor,
    std::arch::naked_asm,
};

pub(crate) const CONVENTIONS: &[Convention] = &[
    Convention {
        target: "x86_64-unknown-linux-gnu",
        enter: enter_system_v,
        callbacks: [
            system_v::access as *const (),
            system_v::unwind as *const (),
            system_v::syscall as *const (),
        ],
    },
    Convention {
        target: "x86_64-pc-windows-gnu",
        enter: enter_windows,
        callbacks: [
            windows::access as *const (),
            windows::unwind as *const (),
            windows::syscall as *const (),
        ],
    },
];

unsafe fn enter_system_v(code: *const u8, anchor: Anchor, canaries: &mut Canaries) -> i64 {
    // SAFETY: passed on to the caller.
    unsafe { system_v_entry(code, anchor, canaries.as_mut_ptr()) }
}

unsafe fn enter_windows(code: *const u8, anchor: Anchor, canaries: &mut Canaries) -> i64 {
    // SAFETY: passed on to the caller.
    unsafe { windows_entry(code, anchor, canaries.as_mut_ptr()) }
}

/// Enters code by System V: rbx, rbp, r12 to r15 and the stack above are the caller's.
#[unsafe(naked)]
unsafe extern "sysv64" fn system_v_entry(
    code: *const u8,
    anchor: Anchor,
    canaries: *mut u64,
) -> i64 {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push rdx",
        // Now the stack is aligned. Canaries come first, from where a callee would look.
        "sub rsp, 32",
        "mov rax, rdi",
        "mov rdi, rsi",
        "movups xmm0, [rdx + 8 * 6]",
        "movups xmm1, [rdx + 8 * 8]",
        "movups [rsp], xmm0",
        "movups [rsp + 16], xmm1",
        "mov rbx, [rdx]",
        "mov rbp, [rdx + 8]",
        "mov r12, [rdx + 8 * 2]",
        "mov r13, [rdx + 8 * 3]",
        "mov r14, [rdx + 8 * 4]",
        "mov r15, [rdx + 8 * 5]",
        "call rax",
        "mov rdx, [rsp + 32]",
        "movups xmm0, [rsp]",
        "movups xmm1, [rsp + 16]",
        "movups [rdx + 8 * 6], xmm0",
        "movups [rdx + 8 * 8], xmm1",
        "mov [rdx], rbx",
        "mov [rdx + 8], rbp",
        "mov [rdx + 8 * 2], r12",
        "mov [rdx + 8 * 3], r13",
        "mov [rdx + 8 * 4], r14",
        "mov [rdx + 8 * 5], r15",
        "add rsp, 40",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
    )
}

/// Enters code by the convention of Windows: rbx, rbp, rdi, rsi, r12 to r15, xmm6 to xmm15 and the
/// stack above the 32 bytes of shadow space are the caller's.
#[unsafe(naked)]
unsafe extern "sysv64" fn windows_entry(
    code: *const u8,
    anchor: Anchor,
    canaries: *mut u64,
) -> i64 {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push rdx",
        "sub rsp, 64",
        "mov rax, rdi",
        "mov rcx, rsi",
        "movups xmm0, [rdx + 8 * 28]",
        "movups xmm1, [rdx + 8 * 30]",
        "movups [rsp + 32], xmm0",
        "movups [rsp + 48], xmm1",
        "movups xmm6, [rdx + 8 * 8]",
        "movups xmm7, [rdx + 8 * 10]",
        "movups xmm8, [rdx + 8 * 12]",
        "movups xmm9, [rdx + 8 * 14]",
        "movups xmm10, [rdx + 8 * 16]",
        "movups xmm11, [rdx + 8 * 18]",
        "movups xmm12, [rdx + 8 * 20]",
        "movups xmm13, [rdx + 8 * 22]",
        "movups xmm14, [rdx + 8 * 24]",
        "movups xmm15, [rdx + 8 * 26]",
        "mov rbx, [rdx]",
        "mov rbp, [rdx + 8]",
        "mov rdi, [rdx + 8 * 2]",
        "mov rsi, [rdx + 8 * 3]",
        "mov r12, [rdx + 8 * 4]",
        "mov r13, [rdx + 8 * 5]",
        "mov r14, [rdx + 8 * 6]",
        "mov r15, [rdx + 8 * 7]",
        "call rax",
        "mov rdx, [rsp + 64]",
        "movups xmm0, [rsp + 32]",
        "movups xmm1, [rsp + 48]",
        "movups [rdx + 8 * 28], xmm0",
        "movups [rdx + 8 * 30], xmm1",
        "movups [rdx + 8 * 8], xmm6",
        "movups [rdx + 8 * 10], xmm7",
        "movups [rdx + 8 * 12], xmm8",
        "movups [rdx + 8 * 14], xmm9",
        "movups [rdx + 8 * 16], xmm10",
        "movups [rdx + 8 * 18], xmm11",
        "movups [rdx + 8 * 20], xmm12",
        "movups [rdx + 8 * 22], xmm13",
        "movups [rdx + 8 * 24], xmm14",
        "movups [rdx + 8 * 26], xmm15",
        "mov [rdx], rbx",
        "mov [rdx + 8], rbp",
        "mov [rdx + 8 * 2], rdi",
        "mov [rdx + 8 * 3], rsi",
        "mov [rdx + 8 * 4], r12",
        "mov [rdx + 8 * 5], r13",
        "mov [rdx + 8 * 6], r14",
        "mov [rdx + 8 * 7], r15",
        "add rsp, 72",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
    )
}

/// Makes a module with the callbacks by one convention. Each checks that the stack is aligned,
/// calls the embedder, and leaves rubbish in what the convention does not protect.
macro_rules! callbacks {
    ($module:ident, $abi:literal, enter: $enter:literal, leave: $leave:literal) => {
        mod $module {
            use super::*;

            callback!($abi, access(anchor: Anchor, meter: i64, site: u32), $enter, $leave, "mov rax, rcx");
            callback!($abi, unwind(anchor: Anchor, site: u32, meter: i64, result: u64), $enter, $leave, "mov rax, rcx");
            callback!(
                $abi,
                syscall(anchor: Anchor, behind: u32, index: u32, meter: i64) -> i64,
                $enter, $leave, ""
            );
        }
    };
}

/// One callback; `$result` leaves rubbish in the register of the result, or keeps it.
macro_rules! callback {
    (
        $abi:literal, $name:ident($($parameter:ident: $type:ty),*) $(-> $return:ty)?,
        $enter:literal, $leave:literal, $result:literal
    ) => {
        #[unsafe(naked)]
        pub(super) unsafe extern $abi fn $name($($parameter: $type),*) $(-> $return)? {
            unsafe extern $abi fn inner($($parameter: $type),*) $(-> $return)? {
                // SAFETY: generated code calls back as the embedder expects.
                unsafe { embedder::$name($($parameter),*) }
            }
            naked_asm!(
                "lea rax, [rsp + 8]",
                "test al, 15",
                "jnz 2f",
                $enter,
                "call {inner}",
                $leave,
                "mov rcx, 0x5bad5bad5bad5bad",
                $result,
                "mov rdx, rcx",
                "mov r8, rcx",
                "mov r9, rcx",
                "mov r10, rcx",
                "mov r11, rcx",
                "movq xmm0, rcx",
                "movq xmm1, rcx",
                "movq xmm2, rcx",
                "movq xmm3, rcx",
                "movq xmm4, rcx",
                "movq xmm5, rcx",
                "ret",
                "2:",
                "ud2",
                inner = sym inner,
            )
        }
    };
}

callbacks!(
    system_v, "sysv64",
    enter: "sub rsp, 8",
    leave: "add rsp, 8
        mov rdi, 0x5bad5bad5bad5bad
        mov rsi, rdi
        movq xmm6, rdi
        movq xmm7, rdi
        movq xmm8, rdi
        movq xmm9, rdi
        movq xmm10, rdi
        movq xmm11, rdi
        movq xmm12, rdi
        movq xmm13, rdi
        movq xmm14, rdi
        movq xmm15, rdi"
);

// The shadow space above the return address belongs to the callee.
callbacks!(
    windows, "win64",
    enter: "mov rax, 0x5bad5bad5bad5bad
        mov [rsp + 8], rax
        mov [rsp + 16], rax
        mov [rsp + 24], rax
        mov [rsp + 32], rax
        sub rsp, 40",
    leave: "add rsp, 40"
);
