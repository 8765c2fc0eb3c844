//! `solana-sbpf` as the host of compiled code: its memory mapping, interpreter and syscalls.

use {
    crate::{
        CompiledProgram, compat,
        regions::{KnownRegion, Stack, contiguous},
    },
    sbpf_lowering::dialect::FrameLayout,
    sbpf_runtime::{
        abi::{FOUND, FRAME_POINTER, REGISTERS, meter_for},
        host::{Ended, Host},
        learnt::Slots,
        memory_operation::MemoryOperation,
        run::Frames,
        translation::Range,
    },
    solana_sbpf::{
        ebpf,
        elf::Executable,
        error::{EbpfError, ProgramResult},
        interpreter::Interpreter,
        memory_region::MemoryMapping,
        program::BuiltinFunction,
        vm::{CallFrame, Config, ContextObject, EbpfVm},
    },
    std::ptr::NonNull,
};

/// With more regions than this, syscalls are assumed to change them: comparing would cost more than
/// finding the few translations again that a program works with at a time.
const MAX_COMPARED_REGIONS: usize = 128;

/// Regions beyond this are not translated in advance.
const MAX_LIKELY_REGIONS: usize = FOUND;

/// The memory that a virtual machine has when compiled code is entered.
#[derive(Clone, Copy)]
pub(crate) struct EntryMemory {
    mapping: NonNull<MemoryMapping>,
    /// How the program's frames are laid out.
    layout: FrameLayout,
    /// Where the frames are, if compiled code relies on it.
    stack: Option<Stack>,
}

impl EntryMemory {
    /// The memory of `vm`, or `None` if compiled code must not run on it.
    ///
    /// To be inlined, for the reason that [`Embedder::begin`] has.
    #[inline(always)]
    pub(crate) fn of<C: ContextObject>(
        vm: &mut EbpfVm<C>,
        config: &Config,
        layout: FrameLayout,
    ) -> Option<Self> {
        let mut memory = Self {
            // The interpreter uses the one that was active when the VM was made, which is to be the same.
            mapping: vm.context().active_mapping_ptr(),
            layout,
            stack: None,
        };
        if let FrameLayout::Fixed { size, stride } = layout
            && config.enable_address_translation
        {
            let (size, stride) = (u64::from(size), u64::from(stride));
            let expected = ebpf::MM_STACK_START.checked_add(size)?;
            if vm.registers[usize::from(FRAME_POINTER)] != expected {
                return None;
            }
            memory.stack = Some(Stack::find(memory.mapping(), config, size, stride)?);
        }
        Some(memory)
    }

    /// How compiled code is to keep its frames.
    #[inline(always)]
    pub(crate) fn frames(&self) -> Frames {
        match self.layout {
            FrameLayout::Fixed { size, stride } => Frames::Fixed {
                host: self.stack.map_or(0, |stack| stack.host),
                size: size.into(),
                stride: stride.into(),
            },
            FrameLayout::Manual => Frames::Manual,
        }
    }

    fn mapping(&self) -> &MemoryMapping {
        // SAFETY: the context keeps its mapping where it is while the VM exists, as the interpreter
        // relies on, and nothing else borrows it: this is only called while no handler and no syscall
        // runs.
        unsafe { self.mapping.as_ref() }
    }
}

/// A virtual machine while compiled code runs on it.
pub(crate) struct Embedder<'a, 'vm, C: ContextObject> {
    vm: &'a mut EbpfVm<'vm, C>,
    executable: &'a Executable<C>,
    config: &'a Config,
    syscalls: &'a [BuiltinFunction<C>],
    memory_operations: &'a [Option<MemoryOperation>],
    memory: EntryMemory,
    /// The meter when `vm.due_insn_count` was 0 last.
    start: i64,
    /// `Config::enable_instruction_meter`
    has_meter: bool,
    /// The regions before a syscall or a handler, which all translations are of; empty if not known.
    known_regions: Vec<KnownRegion>,
    /// Memory for the interpreter, which insists on having frames.
    call_frames: Vec<CallFrame>,
}

impl<'a, 'vm, C: ContextObject> Embedder<'a, 'vm, C> {
    /// Prepares the VM for its memory as `EbpfVm::execute_program` does.
    ///
    /// To be inlined, because a copy of words just stored waits for them to leave the store buffer.
    #[inline(always)]
    pub(crate) fn begin(
        vm: &'a mut EbpfVm<'vm, C>,
        executable: &'a Executable<C>,
        config: &'a Config,
        program: &'a CompiledProgram<C>,
        memory: EntryMemory,
    ) -> Self {
        vm.registers[11] = executable.get_entrypoint_instruction_offset() as u64;
        let initial = vm.context().get_remaining();
        vm.previous_instruction_meter = initial;
        vm.due_insn_count = 0;
        set_result(&mut vm.program_result, 0);
        Self {
            start: meter_for(initial),
            has_meter: config.enable_instruction_meter,
            vm,
            executable,
            config,
            syscalls: &program.syscalls,
            memory_operations: &program.memory_operations,
            memory,
            known_regions: Vec::new(),
            call_frames: Vec::new(),
        }
    }

    /// Instructions left when the execution began.
    pub(crate) fn initial(&self) -> u64 {
        self.vm.previous_instruction_meter
    }

    /// r0 to r10 when compiled code is entered.
    pub(crate) fn entry_registers(&self) -> [u64; REGISTERS] {
        std::array::from_fn(|register| self.vm.registers[register])
    }

    /// Instructions left when compiled code is entered.
    pub(crate) fn meter(&self) -> i64 {
        if self.has_meter { self.start } else { 0 }
    }

    /// Leaves the call depth as the interpreter does when it ends at this depth.
    pub(crate) fn set_call_depth(&mut self, depth: u64) {
        self.vm.call_depth = depth;
    }

    /// Ends the execution as the interpreter would at an `exit` at `pc`.
    pub(crate) fn finish(&mut self, pc: u32, meter: i64, result: u64) {
        if compat::WRITES_EVERY_PC {
            self.vm.registers[11] = u64::from(pc);
        }
        self.vm.call_depth = 0;
        self.vm.due_insn_count = self.due(meter);
        set_result(&mut self.vm.program_result, result);
    }

    /// Ends the execution as the interpreter would with `error` at `pc`.
    pub(crate) fn fail(&mut self, pc: u32, meter: i64, error: EbpfError) {
        self.vm.registers[11] = u64::from(pc);
        self.vm.due_insn_count = self.due(meter);
        self.vm.program_result = ProgramResult::Err(error);
    }

    /// Executes the rest of the program with the interpreter.
    pub(crate) fn interpret(
        &mut self,
        pc: u32,
        meter: i64,
        registers: &[u64; 11],
        mut call_frames: Vec<CallFrame>,
    ) {
        self.vm.due_insn_count = self.due(meter);
        self.vm.call_depth = call_frames.len() as u64;
        call_frames.resize(self.config.max_call_depth, CallFrame::default());
        let registers = with_pc(registers, pc);
        let mut interpreter =
            Interpreter::new(self.vm, self.executable, registers, &mut call_frames);
        while interpreter.step() {}
        if compat::WRITES_EVERY_PC {
            let pc = interpreter.reg[11];
            self.vm.registers[11] = pc;
        }
    }

    fn mapping(&self) -> &MemoryMapping {
        self.memory.mapping()
    }

    /// Remembers the regions, so that changes by a syscall or a handler can be told.
    #[inline(never)]
    fn remember_regions(&mut self) {
        let regions = self.memory.mapping().get_regions();
        if regions.len() <= MAX_COMPARED_REGIONS {
            self.known_regions
                .extend(regions.iter().map(KnownRegion::of));
        }
    }

    /// Instructions executed since `vm.due_insn_count` was 0 last.
    fn due(&self, meter: i64) -> u64 {
        if self.has_meter {
            self.start.wrapping_sub(meter) as u64
        } else {
            0
        }
    }
}

impl<C: ContextObject> Host for Embedder<'_, '_, C> {
    fn range(&mut self, address: u64, store: bool) -> Option<Range> {
        let (_, region) = self.mapping().find_region(address)?;
        let range = contiguous(region, address)?;
        (range.writable || !store).then_some(range)
    }

    #[inline]
    fn likely_ranges(&mut self, needed: Slots, mut visit: impl FnMut(Range)) {
        if needed.are_none() || !self.config.enable_address_translation {
            return;
        }
        let regions = compat::regions(self.mapping());
        for region in &regions[..regions.len().min(MAX_LIKELY_REGIONS)] {
            let start = region.vm_addr_range().start;
            if needed.has(start)
                && let Some(range) = contiguous(region, start)
            {
                visit(range);
            }
        }
    }

    fn step(
        &mut self,
        pc: u32,
        count: u32,
        meter: i64,
        registers: &mut [u64; REGISTERS],
    ) -> Result<(), Ended> {
        self.vm.due_insn_count = self.due(meter);
        self.call_frames
            .resize(self.config.max_call_depth, CallFrame::default());
        let mut interpreter = Interpreter::new(
            self.vm,
            self.executable,
            with_pc(registers, pc),
            &mut self.call_frames,
        );
        for _ in 0..count {
            if !interpreter.step() {
                return Err(Ended);
            }
        }
        registers.copy_from_slice(&interpreter.reg[..11]);
        Ok(())
    }

    fn arguments(&mut self) -> *mut u64 {
        self.vm.registers.as_mut_ptr()
    }

    // Into the callback, which does little else.
    #[inline(always)]
    fn syscall(
        &mut self,
        index: u32,
        pc: u32,
        depth: u64,
        meter: i64,
    ) -> Result<(i64, u64), Ended> {
        // As `Interpreter::dispatch_syscall`.
        let due = self.due(meter);
        self.vm.due_insn_count = self.vm.previous_instruction_meter.wrapping_sub(due);
        self.vm.call_depth = depth;
        self.vm.invoke_function(self.syscalls[index as usize]);
        self.vm.due_insn_count = 0;
        self.start = meter_for(self.vm.previous_instruction_meter);
        match &self.vm.program_result {
            ProgramResult::Ok(result) => Ok((self.meter(), *result)),
            ProgramResult::Err(_) => {
                if compat::WRITES_EVERY_PC {
                    self.vm.registers[11] = u64::from(pc);
                }
                Err(Ended)
            }
        }
    }

    #[inline]
    fn memory_operation(&self, index: u32) -> Option<&MemoryOperation> {
        self.memory_operations.get(index as usize)?.as_ref()
    }

    fn argument(&self, number: usize) -> u64 {
        self.vm.registers[number]
    }

    fn charge(&mut self, cost: u64, meter: i64) -> Option<i64> {
        // As `BuiltinFunctionDefinition::vm` does, and the syscall in it.
        let due = self.due(meter);
        let context = self.vm.context();
        if context.get_remaining().checked_sub(due)? < cost {
            return None;
        }
        if self.has_meter {
            context.consume(due);
        }
        context.consume(cost);
        if self.has_meter {
            self.vm.previous_instruction_meter = self.vm.context().get_remaining();
            self.start = meter_for(self.vm.previous_instruction_meter);
        }
        self.vm.due_insn_count = 0;
        set_result(&mut self.vm.program_result, 0);
        Some(self.meter())
    }

    #[inline]
    fn watch_regions(&mut self) {
        if self.known_regions.is_empty() {
            self.remember_regions();
        }
    }

    #[inline]
    fn regions_changed(&mut self) -> bool {
        let regions = compat::regions(self.mapping());
        let are_known = !regions.is_empty() && self.known_regions.len() == regions.len();
        let pairs = self.known_regions.iter().zip(regions);
        // Hardly ever is there a difference: cheaper than to leave at the first one.
        let difference = pairs.fold(0, |all, (known, region)| all | known.difference(region));
        if are_known && difference == 0 {
            return false;
        }
        self.known_regions.clear();
        true
    }

    #[inline]
    fn stack_is_intact(&mut self) -> bool {
        let (Some(stack), FrameLayout::Fixed { size, stride }) =
            (&self.memory.stack, self.memory.layout)
        else {
            return true;
        };
        stack.is_intact(self.mapping(), self.config, size.into(), stride.into())
    }
}

/// Makes `program_result` a success, mostly in place of another one, which has nothing to drop.
#[inline(always)]
fn set_result(program_result: &mut ProgramResult, result: u64) {
    match program_result {
        ProgramResult::Ok(success) => *success = result,
        failure => *failure = ProgramResult::Ok(result),
    }
}

fn with_pc(registers: &[u64; 11], pc: u32) -> [u64; 12] {
    let mut with_pc = [0; 12];
    with_pc[..11].copy_from_slice(registers);
    with_pc[11] = u64::from(pc);
    with_pc
}
