//! Instructions as bytes.

/// One instruction.
pub(crate) fn insn(
    opcode: u8,
    destination: u8,
    source: u8,
    offset: i16,
    immediate: i32,
) -> [u8; 8] {
    let [o0, o1] = offset.to_le_bytes();
    let [i0, i1, i2, i3] = immediate.to_le_bytes();
    [opcode, source << 4 | destination, o0, o1, i0, i1, i2, i3]
}

/// A 64-bit constant, with what it stands for in the source field of its first half.
pub(crate) fn constant(destination: u8, source: u8, value: u64) -> [[u8; 8]; 2] {
    [
        insn(0x18, destination, source, 0, value as i32),
        insn(0, 0, 0, 0, (value >> 32) as i32),
    ]
}

/// `mov64 destination, source`
pub(crate) fn copy(destination: u8, source: u8) -> [u8; 8] {
    insn(0xbf, destination, source, 0, 0)
}

/// `mov64 destination, value`
pub(crate) fn set(destination: u8, value: i32) -> [u8; 8] {
    insn(0xb7, destination, 0, 0, value)
}

/// `exit`
pub(crate) const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

/// `call` of a helper.
pub(crate) fn helper(number: i32) -> [u8; 8] {
    insn(0x85, 0, 0, 0, number)
}

/// `call` of the function that is `distance` instructions behind the next one.
pub(crate) fn local(distance: i32) -> [u8; 8] {
    insn(0x85, 0, 1, 0, distance)
}
