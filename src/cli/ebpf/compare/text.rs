//! Instructions with jumps to where the text was or will be.

/// A program in the making.
#[derive(Default)]
pub(super) struct Text(Vec<[u8; 8]>);

impl Text {
    /// Adds an instruction.
    pub(super) fn op(&mut self, opcode: u8, registers: [u8; 2], offset: i16, immediate: i32) {
        let [destination, source] = registers;
        let [o0, o1] = offset.to_le_bytes();
        let [i0, i1, i2, i3] = immediate.to_le_bytes();
        self.0
            .push([opcode, source << 4 | destination, o0, o1, i0, i1, i2, i3]);
    }

    /// Where the next instruction will be.
    pub(super) fn here(&self) -> usize {
        self.0.len()
    }

    /// Adds a jump to an earlier place.
    pub(super) fn back(&mut self, opcode: u8, registers: [u8; 2], immediate: i32, to: usize) {
        let offset = to as i64 - self.here() as i64 - 1;
        self.op(opcode, registers, offset as i16, immediate);
    }

    /// Adds a jump whose target is not known yet.
    pub(super) fn ahead(&mut self, opcode: u8, registers: [u8; 2], immediate: i32) -> usize {
        self.op(opcode, registers, 0, immediate);
        self.here() - 1
    }

    /// Makes an earlier jump lead here.
    pub(super) fn land(&mut self, jump: usize) {
        let [o0, o1] = ((self.here() - jump - 1) as i16).to_le_bytes();
        self.0[jump][2] = o0;
        self.0[jump][3] = o1;
    }

    /// Makes an earlier call lead here.
    pub(super) fn land_call(&mut self, call: usize) {
        let distance = (self.here() - call - 1) as i32;
        self.0[call][4..].copy_from_slice(&distance.to_le_bytes());
    }

    /// `exit`
    pub(super) fn exit(&mut self) {
        self.op(0x95, [0, 0], 0, 0);
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.as_flattened().to_vec()
    }
}
