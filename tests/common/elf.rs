//! The smallest ELF files that the strict parser (V3 and later) takes.

use solana_sbpf::{ebpf, program::SBPFVersion};

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;

/// An ELF with `rodata` and `text` (multiples of 8 bytes), entered at instruction `entry`.
pub fn strict(version: SBPFVersion, rodata: &[u8], text: &[u8], entry: usize) -> Vec<u8> {
    let mut segments: Vec<(u32, u64, &[u8])> = Vec::new();
    if !rodata.is_empty() {
        segments.push((4, ebpf::MM_RODATA_START, rodata));
    }
    segments.push((1, ebpf::MM_BYTECODE_START, text));

    let flags: u32 = match version {
        SBPFVersion::V3 => 3,
        SBPFVersion::V4 => 4,
        _ => unreachable!("only V3 and later have strict headers"),
    };
    let entry_address = ebpf::MM_BYTECODE_START + (entry * ebpf::INSN_SIZE) as u64;
    let mut elf = Vec::new();
    elf.extend_from_slice(b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00");
    elf.extend_from_slice(&3u16.to_le_bytes()); // type: shared object
    elf.extend_from_slice(&247u16.to_le_bytes()); // machine: BPF
    elf.extend_from_slice(&1u32.to_le_bytes());
    elf.extend_from_slice(&entry_address.to_le_bytes());
    elf.extend_from_slice(&(HEADER as u64).to_le_bytes());
    elf.extend_from_slice(&0u64.to_le_bytes()); // no section headers
    elf.extend_from_slice(&flags.to_le_bytes());
    for half in [HEADER, PROGRAM_HEADER, segments.len(), 64, 0, 0] {
        elf.extend_from_slice(&(half as u16).to_le_bytes());
    }

    let mut offset = (HEADER + PROGRAM_HEADER * segments.len()) as u64;
    for (flags, address, bytes) in &segments {
        elf.extend_from_slice(&1u32.to_le_bytes()); // type: load
        elf.extend_from_slice(&flags.to_le_bytes());
        for field in [offset, *address, *address] {
            elf.extend_from_slice(&field.to_le_bytes());
        }
        for field in [bytes.len() as u64, bytes.len() as u64, 0] {
            elf.extend_from_slice(&field.to_le_bytes());
        }
        offset += bytes.len() as u64;
    }
    for (_, _, bytes) in &segments {
        elf.extend_from_slice(bytes);
    }
    elf
}
