//! Says in plain words why a file that starts like an ELF file is no sBPF program.
//!
//! The loader's own errors are exact about sBPF and vague about everything else: a program for
//! another processor ends in a complaint about the length of a section's name.

use super::accounts::array;

/// Bytes of an ELF64 file header.
const HEADER_LENGTH: usize = 64;
/// Offset of the class, which is 2 for 64 bits.
const CLASS: usize = 4;
/// Offset of the byte order, which is 1 for little-endian.
const BYTE_ORDER: usize = 5;
/// Offset of the machine.
const MACHINE: usize = 18;
/// Offset of the program headers' offset, with their size and number at the two others.
const PROGRAM_HEADERS: [usize; 3] = [32, 54, 56];
/// Offset of the section headers' offset, with their size and number at the two others.
const SECTION_HEADERS: [usize; 3] = [40, 58, 60];

/// Machines that are eBPF (`EM_BPF`) or sBPF (`EM_SBPF`).
const BPF_MACHINES: [u16; 2] = [247, 263];

/// Machines that people have lying around.
const OTHER_MACHINES: [(u16, &str); 5] = [
    (3, "x86"),
    (40, "Arm"),
    (62, "x86-64"),
    (183, "AArch64"),
    (243, "RISC-V"),
];

/// What is wrong with the ELF file `bytes`, if it is something simple.
pub(crate) fn diagnose(bytes: &[u8]) -> Option<String> {
    let length = bytes.len();
    if length < HEADER_LENGTH {
        return Some(format!(
            "truncated: an ELF header has {HEADER_LENGTH} bytes, the file has {length}"
        ));
    }
    if bytes.get(CLASS) != Some(&2) || bytes.get(BYTE_ORDER) != Some(&1) {
        return Some(format!(
            "not a 64-bit little-endian ELF file (bytes at offset {CLASS})"
        ));
    }
    let machine = short(bytes, MACHINE);
    if !BPF_MACHINES.contains(&machine) {
        let name = OTHER_MACHINES
            .iter()
            .find(|(number, _)| *number == machine)
            .map_or_else(
                || "another machine".to_string(),
                |(_, name)| (*name).to_string(),
            );
        return Some(format!(
            "an ELF file for {name} (machine {machine} at offset {MACHINE}), not for sBPF"
        ));
    }
    [
        ("program headers", PROGRAM_HEADERS),
        ("section headers", SECTION_HEADERS),
    ]
    .into_iter()
    .find_map(|(what, [offset, size, count])| {
        let start = u64::from_le_bytes(array(bytes, offset));
        let table = u64::from(short(bytes, size)) * u64::from(short(bytes, count));
        let end = start.saturating_add(table);
        (end > length as u64).then(|| {
            format!("truncated: its {what} end at offset {end}, the file has {length} bytes")
        })
    })
}

/// The number of two bytes at `offset`.
fn short(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(array(bytes, offset))
}
