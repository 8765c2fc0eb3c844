//! Programs of our own, as ELF files.

use {
    solana_sbpf::{
        assembler::assemble,
        ebpf,
        memory_region::MemoryMapping,
        program::{BuiltinProgram, SBPFVersion},
        vm::{Config, ContextObject},
    },
    std::{ptr::NonNull, sync::Arc},
};

/// Computes for a long time, in registers, input and stack.
pub const HEAVY: &str = "
entrypoint:
    mov64 r6, r1
    mov64 r7, 15000
    mov64 r8, 0x9e37
loop:
    ldxdw r2, [r6]
    add64 r2, r7
    xor64 r8, r2
    mul64 r8, 0x10001b3
    stxdw [r10-8], r8
    ldxw r3, [r10-8]
    add64 r8, r3
    sub64 r7, 1
    jne r7, 0, loop
    mov64 r1, r8
    mov64 r2, r3
    mov64 r3, 0
    mov64 r4, 0
    mov64 r5, 0
    syscall sol_log_64_
    mov64 r0, 0
    exit";

/// Programs that fail, each in its own way.
pub const FAILING: [(&str, &str); 5] = [
    (
        "access violation",
        "
entrypoint:
    lddw r2, 0x500000000
    ldxdw r0, [r2+8]
    exit",
    ),
    (
        "stack overflow",
        "
entrypoint:
    call entrypoint
    exit",
    ),
    (
        "division by zero",
        "
entrypoint:
    mov64 r1, 0
    mov64 r0, 1
    div64 r0, r1
    exit",
    ),
    (
        "out of compute units",
        "
entrypoint:
    add64 r0, 1
    stxdw [r10-8], r0
    ja entrypoint",
    ),
    (
        "custom error",
        "
entrypoint:
    mov64 r0, 7
    exit",
    ),
];

/// Assembles a program of sBPF v3 into an ELF file.
pub fn elf(source: &str) -> Vec<u8> {
    let config = Config {
        enabled_sbpf_versions: SBPFVersion::V3..=SBPFVersion::V3,
        ..Config::default()
    };
    let loader = Arc::new(BuiltinProgram::<NoContext>::new_loader(config));
    let executable = assemble(source, loader).expect("the source is right");
    let text = executable.get_text_bytes().1;

    const HEADER: u16 = 64;
    const PROGRAM_HEADER: u16 = 56;
    let entry = ebpf::MM_BYTECODE_START;
    let mut elf = Vec::new();
    elf.extend_from_slice(b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00");
    elf.extend_from_slice(&3u16.to_le_bytes()); // a shared object
    elf.extend_from_slice(&247u16.to_le_bytes()); // for BPF
    elf.extend_from_slice(&1u32.to_le_bytes());
    for field in [entry, u64::from(HEADER), 0] {
        elf.extend_from_slice(&field.to_le_bytes());
    }
    elf.extend_from_slice(&3u32.to_le_bytes()); // sBPF v3
    for field in [HEADER, PROGRAM_HEADER, 1, 64, 0, 0] {
        elf.extend_from_slice(&field.to_le_bytes());
    }
    elf.extend_from_slice(&1u32.to_le_bytes()); // to be loaded
    elf.extend_from_slice(&1u32.to_le_bytes()); // executable
    let offset = u64::from(HEADER + PROGRAM_HEADER);
    let length = text.len() as u64;
    for field in [offset, entry, entry, length, length, 0] {
        elf.extend_from_slice(&field.to_le_bytes());
    }
    elf.extend_from_slice(text);
    elf
}

/// Nothing is run with it.
struct NoContext;

impl ContextObject for NoContext {
    fn consume(&mut self, _amount: u64) {}

    fn get_remaining(&self) -> u64 {
        0
    }

    fn active_mapping_ptr(&mut self) -> NonNull<MemoryMapping> {
        NonNull::dangling()
    }
}
