//! The memory that a program works on, and how to put it back.

use super::block::Block;

/// Input, heap and stack of one user of a subject.
pub(crate) struct Memory {
    /// The input regions.
    pub(crate) inputs: Vec<Block>,
    /// The heap.
    pub(crate) heap: Block,
    /// The stack.
    pub(crate) stack: Block,
}

impl Memory {
    /// A copy of `inputs`, and zeroed heap and stack of so many bytes.
    pub(crate) fn new(inputs: &[Vec<u8>], heap: usize, stack: usize) -> Self {
        Self {
            inputs: inputs.iter().map(|input| Block::copy_of(input)).collect(),
            heap: Block::zeroed(heap),
            stack: Block::zeroed(stack),
        }
    }

    /// All blocks.
    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.inputs.iter().chain([&self.heap, &self.stack])
    }

    /// All input regions, one after the other.
    pub(crate) fn input_bytes(&self) -> Vec<u8> {
        self.inputs
            .iter()
            .flat_map(|input| input.bytes().iter().copied())
            .collect()
    }
}

/// Bytes that are put back together: a line of the processor's cache.
const LINE: usize = 64;

/// What a run changed, as it was before.
///
/// Only that is written again between runs, so that the rest of the memory stays as near to the
/// processor as it was.
#[derive(Default)]
pub(crate) struct Changes {
    /// Block, offset in it, bytes.
    lines: Vec<(usize, usize, Vec<u8>)>,
}

impl Changes {
    /// What has to be written to `now` to make it `original` again.
    pub(crate) fn between(original: &Memory, now: &Memory) -> Self {
        let mut lines = Vec::new();
        for (block, (original, now)) in original.blocks().zip(now.blocks()).enumerate() {
            let pairs = original.bytes().chunks(LINE).zip(now.bytes().chunks(LINE));
            for (line, (original, now)) in pairs.enumerate() {
                if original != now {
                    lines.push((block, line * LINE, original.to_vec()));
                }
            }
        }
        Self { lines }
    }

    /// Undoes them in `memory`, which no VM may be using at the moment.
    pub(crate) fn undo(&self, memory: &Memory) {
        let mut blocks = memory.blocks();
        let mut current = blocks.next();
        let mut position = 0;
        for (block, offset, bytes) in &self.lines {
            while position < *block {
                current = blocks.next();
                position += 1;
            }
            let Some(target) = current else { return };
            // SAFETY: no reference to the block lives here and no VM runs.
            let target = unsafe { &mut *target.host() };
            if let Some(target) = target.get_mut(*offset..*offset + bytes.len()) {
                target.copy_from_slice(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_in_every_block_are_undone() {
        let original = Memory::new(&[vec![1; 100], vec![2; 3]], 70, 32);
        let mut now = Memory::new(&[vec![1; 100], vec![2; 3]], 70, 32);
        now.inputs[0].bytes_mut()[99] = 9;
        now.inputs[1].bytes_mut()[0] = 9;
        now.heap.bytes_mut()[69] = 9;
        now.stack.bytes_mut()[31] = 9;
        let changes = Changes::between(&original, &now);
        assert_eq!(changes.lines.len(), 4);
        changes.undo(&now);
        assert!(Changes::between(&original, &now).lines.is_empty());
    }
}
