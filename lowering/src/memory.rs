//! Loads and stores, and how they share checks.

use {
    crate::{
        accesses::Accesses,
        cfg::BlockId,
        function::{FunctionCx, Position},
        insn::{Extension, Insn, Operand, Width},
        sharing::GroupId,
        translation::Checked,
    },
    cranelift_codegen::ir::{Block, InstBuilder, MemFlagsData, Value, types::I64},
    sbpf_runtime::abi::FRAME_POINTER,
};

/// Memory flags of the program's memory: checked before, aligned by chance.
pub(crate) const MEMORY: MemFlagsData = MemFlagsData::new().with_notrap();

/// Host addresses found so far in a basic block.
pub(crate) struct Translated {
    /// For each group a host address, and the offset that it belongs to.
    hosts: Vec<Option<(Value, i32)>>,
    /// Where the interpreter comes back to in the current stretch.
    behind: Option<Block>,
}

impl Translated {
    /// The host address for the access at `index`, and the offset that it belongs to.
    pub(crate) fn of(&self, accesses: &Accesses, index: usize) -> Option<(Value, i32)> {
        let group = accesses.group_of[index]?;
        self.hosts[group]
    }
}

impl FunctionCx<'_> {
    pub(crate) fn begin_translation(&mut self, accesses: &Accesses) -> Translated {
        Translated {
            hosts: vec![None; accesses.groups.len()],
            behind: None,
        }
    }

    /// Emits the check of a group before its first access.
    pub(crate) fn translate_group(
        &mut self,
        block: BlockId,
        translated: &mut Translated,
        accesses: &Accesses,
        insns: &[(u32, &Insn)],
        index: usize,
        at: Position,
    ) {
        let Some(number) = accesses.group_of[index] else {
            return;
        };
        let group = &accesses.groups[number];
        let (true, Some(stretch)) = (group.first == index, accesses.stretch_at(index)) else {
            return;
        };
        let behind = *translated
            .behind
            .get_or_insert_with(|| self.builder.create_block());
        let id = GroupId { block, number };
        let access = Checked {
            id,
            group,
            stretch,
            rest: &insns[index..=stretch.last],
            at,
            behind,
        };
        let covering = self.sharing.leader(id);
        let host = match (covering, self.loop_caches.of(block, number)) {
            (Some(leader), _) => self.translate_covered(&access, leader),
            (None, Some(cache)) => {
                let host = self.translate_in_loop(&access, cache);
                if let Some(left) = self.left_hosts.get(&id) {
                    self.builder.def_var(*left, host);
                }
                host
            }
            (None, None) => self.translate(&access),
        };
        let low = covering.and_then(|leader| self.sharing.group(leader));
        translated.hosts[number] = Some((host, low.unwrap_or(group).low));
    }

    /// Ends a stretch behind its last instruction: here the interpreter comes back.
    pub(crate) fn end_stretch(
        &mut self,
        translated: &mut Translated,
        accesses: &Accesses,
        index: usize,
    ) {
        if accesses
            .stretch_at(index)
            .is_some_and(|stretch| stretch.last == index)
            && let Some(behind) = translated.behind.take()
        {
            // What was fetched in the stretch is not there where the interpreter has executed it.
            self.places.values = self.places.values.without(self.places.at_home);
            self.builder.ins().jump(behind, &[]);
            self.builder.seal_block(behind);
            self.builder.switch_to_block(behind);
        }
    }

    pub(crate) fn load(
        &mut self,
        destination: u8,
        size: u32,
        extension: Extension,
        (address, offset): (Value, i32),
    ) {
        let ins = self.builder.ins();
        let value = match (size, extension) {
            (1, Extension::Zero) => ins.uload8(I64, MEMORY, address, offset),
            (2, Extension::Zero) => ins.uload16(I64, MEMORY, address, offset),
            (4, Extension::Zero) => ins.uload32(MEMORY, address, offset),
            (1, Extension::Sign) => ins.sload8(I64, MEMORY, address, offset),
            (2, Extension::Sign) => ins.sload16(I64, MEMORY, address, offset),
            (4, Extension::Sign) => ins.sload32(MEMORY, address, offset),
            _ => ins.load(I64, MEMORY, address, offset),
        };
        self.set_register(destination, value);
    }

    pub(crate) fn store(&mut self, size: u32, source: Operand, (address, offset): (Value, i32)) {
        let value = match source {
            Operand::Register(register) => self.register(register),
            Operand::Immediate(value) if size == 1 => self.constant(i64::from(value as u8)),
            Operand::Immediate(value) => self.chosen(Width::W64, value),
        };
        let ins = self.builder.ins();
        match size {
            1 => ins.istore8(MEMORY, value, address, offset),
            2 => ins.istore16(MEMORY, value, address, offset),
            4 => ins.istore32(MEMORY, value, address, offset),
            _ => ins.store(MEMORY, value, address, offset),
        };
    }

    /// The host address of an access, as a value and an offset from it.
    pub(crate) fn host_address(
        &mut self,
        size: u32,
        base: u8,
        offset: i32,
        translated: Option<(Value, i32)>,
    ) -> (Value, i32) {
        if let Some((host, low)) = translated {
            return (host, offset - low);
        }
        let dialect = &self.analysis.program.dialect;
        if base == FRAME_POINTER && dialect.is_in_frame(offset, size) {
            return self.frame_address(offset);
        }
        debug_assert!(!dialect.translation, "`Accesses` groups every other access");
        let base = self.register(base);
        self.chosen_address(base, offset)
    }
}
