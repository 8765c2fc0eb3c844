//! Programs whose jumps, calls and addresses are resolved at the end.

use {
    super::text::encode,
    rand::{Rng, RngCore, seq::IndexedRandom},
    solana_sbpf::{ebpf::MM_BYTECODE_START, program::SBPFVersion},
};

/// A position in the program that is known at the end.
#[derive(Debug, Clone, Copy)]
pub struct Label(usize);

/// What a slot's offset or immediate refers to.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// Nothing: they are what they are.
    None,
    /// The offset leads to the label.
    Jump(Label),
    /// The offset leads to any instruction of the program.
    JumpAnywhere,
    /// The immediate names the function.
    Call(Label),
    /// This slot and the next hold the address of the label.
    Address(Label),
    /// This slot and the next hold the address of any instruction.
    AddressAnywhere,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    opcode: u8,
    dst: u8,
    src: u8,
    offset: i16,
    immediate: i32,
    target: Target,
}

/// A program under construction.
#[derive(Debug, Clone, Default)]
pub struct Symbolic {
    slots: Vec<Slot>,
    labels: Vec<usize>,
}

impl Symbolic {
    /// Appends a slot.
    pub fn push(&mut self, opcode: u8, dst: u8, src: u8, offset: i16, immediate: i32) {
        self.slots.push(Slot {
            opcode,
            dst,
            src,
            offset,
            immediate,
            target: Target::None,
        });
    }

    /// Sets the target of the last slot.
    pub fn aim(&mut self, target: Target) {
        let slot = self.slots.last_mut().expect("a slot was pushed");
        slot.target = target;
    }

    /// A label without a place yet.
    pub fn new_label(&mut self) -> Label {
        self.labels.push(0);
        Label(self.labels.len() - 1)
    }

    /// Puts `label` before the next slot.
    pub fn place(&mut self, label: Label) {
        self.labels[label.0] = self.slots.len();
    }

    /// The pc of a placed label.
    pub fn pc(&self, label: Label) -> usize {
        self.labels[label.0]
    }

    /// Fills in all targets and gives the text section.
    pub fn resolve(&self, version: SBPFVersion, random: &mut dyn RngCore) -> Vec<u8> {
        let count = self.slots.len();
        let starts: Vec<usize> = (0..count)
            .filter(|pc| self.slots[*pc].opcode != 0)
            .collect();
        let mut text = Vec::new();
        // The address whose low half went into the slot before.
        let mut address = None;
        for (pc, slot) in self.slots.iter().enumerate() {
            let mut slot = *slot;
            if let Some(address) = address.take() {
                slot.immediate = (address >> 32u32) as i32;
            }
            let distance = |target: usize| target as i64 - pc as i64 - 1;
            match slot.target {
                Target::None => {}
                Target::Jump(label) => slot.offset = distance(self.pc(label)) as i16,
                Target::JumpAnywhere => {
                    let target = starts.choose(random).expect("there is an instruction");
                    slot.offset = distance(*target) as i16;
                }
                Target::Call(label) => {
                    slot.immediate = if version.static_syscalls() {
                        distance(self.pc(label)) as i32
                    } else {
                        self.pc(label) as i32
                    };
                }
                Target::Address(label) => {
                    address = Some(MM_BYTECODE_START + 8 * self.pc(label) as u64);
                }
                Target::AddressAnywhere => {
                    let target = random.random_range(0..=count as u64);
                    address = Some(MM_BYTECODE_START + 8 * target);
                }
            }
            if let Some(address) = address {
                slot.immediate = address as i32;
            }
            text.extend_from_slice(&encode(
                slot.opcode,
                slot.dst,
                slot.src,
                slot.offset,
                slot.immediate,
            ));
        }
        text
    }
}
