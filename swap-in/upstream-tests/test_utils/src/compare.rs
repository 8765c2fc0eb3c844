//! One program on the interpreter and on the JIT.

use {
    crate::{TestContextObject, create_vm, host, untraced::untraced},
    solana_sbpf::{
        ebpf,
        elf::Executable,
        error::{EbpfError, ProgramResult},
        memory_region::{HostMemoryObject, MemoryRegion},
        verifier::RequisiteVerifier,
        vm::{CallFrame, ExecutionMode},
    },
};

/// A budget that all programs of the tests end within, unless they run forever.
const LARGE_BUDGET: u64 = 1024;

/// A program with its input.
pub struct Case<'a, Input> {
    /// The program.
    pub executable: &'a Executable<TestContextObject>,
    /// What is mapped for input.
    pub input: Input,
    /// Instructions that the program must take.
    pub budget: u64,
}

/// What can be observed of a run.
#[derive(Debug, PartialEq)]
struct Outcome {
    result: String,
    count: u64,
    final_pc: u64,
    /// What the context has left.
    remaining: u64,
}

/// What a run left in memory.
struct Memory {
    input: Vec<u8>,
    stack: Vec<u8>,
    trace: Vec<[u64; 12]>,
}

/// Whether two traces are the same.
pub fn compare_register_trace(interpreter: &[[u64; 12]], jit: &[[u64; 12]]) -> bool {
    interpreter == jit
}

impl<Input: HostMemoryObject + Copy> Case<'_, Input> {
    /// Runs the program on both engines, with its budget, one instruction less, and a large one.
    ///
    /// # Panics
    /// When the engines differ, or the result or the count is not the expected one.
    pub fn check(&self, expected: &ProgramResult) {
        self.prepare();
        let outcome = self.compare(self.budget);
        assert_eq!(outcome.result, format!("{expected:?}"), "the result");
        self.check_count(&outcome);
        if let Some(less) = self.budget.checked_sub(1) {
            self.compare(less);
        }
        let is_exceeded = matches!(
            expected,
            ProgramResult::Err(EbpfError::ExceededMaxInstructions)
        );
        if !is_exceeded {
            let outcome = self.compare(LARGE_BUDGET);
            self.check_count(&outcome);
        }
        if let Some(twin) = untraced(self.executable) {
            self.with(&twin).check(expected);
        }
    }

    /// Runs the program on both engines with a large budget.
    ///
    /// # Panics
    /// When the engines differ, or the count is not the expected one.
    pub fn check_count_only(&self) {
        self.prepare();
        let outcome = self.compare(LARGE_BUDGET);
        self.check_count(&outcome);
        if let Some(twin) = untraced(self.executable) {
            self.with(&twin).check_count_only();
        }
    }

    fn with<'other>(
        &self,
        executable: &'other Executable<TestContextObject>,
    ) -> Case<'other, Input> {
        Case {
            executable,
            input: self.input,
            budget: self.budget,
        }
    }

    fn prepare(&self) {
        self.executable
            .verify::<RequisiteVerifier>()
            .expect("the program passes the verifier");
        self.executable
            .jit_compile()
            .expect("the program can be compiled");
    }

    fn check_count(&self, outcome: &Outcome) {
        if self.executable.get_config().enable_instruction_meter {
            assert_eq!(outcome.count, self.budget, "the instruction count");
        }
    }

    fn compare(&self, budget: u64) -> Outcome {
        let input = MemoryRegion::new(self.input, ebpf::MM_INPUT_START);
        let before = bytes(&input);
        let interpreted = self.run(budget, ExecutionMode::Interpreted);
        restore(&input, &before);
        let compiled = self.run(budget, ExecutionMode::Jit);
        restore(&input, &before);
        assert_eq!(interpreted.0, compiled.0, "with a budget of {budget}");
        let (left, right) = (interpreted.1, compiled.1);
        assert!(compare_register_trace(&left.trace, &right.trace), "traces");
        assert!(
            left.input == right.input,
            "input, with a budget of {budget}"
        );
        assert!(
            left.stack == right.stack,
            "stack, with a budget of {budget}"
        );
        interpreted.0
    }

    fn run(&self, budget: u64, mut mode: ExecutionMode) -> (Outcome, Memory) {
        let region = MemoryRegion::new(self.input, ebpf::MM_INPUT_START);
        let regions = vec![region.clone()];
        let mut context = TestContextObject::new(budget);
        let is_interpreted = matches!(mode, ExecutionMode::Interpreted);
        let depth = self.executable.get_config().max_call_depth;
        let mut call_frames = vec![CallFrame::default(); if is_interpreted { depth } else { 0 }];
        create_vm!(
            vm,
            self.executable,
            &mut context,
            stack,
            heap,
            regions,
            None
        );
        if !self.executable.get_config().enable_address_translation {
            let address = host::buffer(&region).cast::<u8>();
            vm.registers[1] = address.expose_provenance() as u64;
            vm.registers[10] = stack.as_slice_mut().as_mut_ptr().expose_provenance() as u64
                + self.executable.get_config().stack_frame_size as u64;
        } else {
            vm.registers[1] = ebpf::MM_INPUT_START;
        }
        let (count, result) = vm.execute_program(self.executable, &mut mode, &mut call_frames);
        assert_eq!(
            matches!(mode, ExecutionMode::Interpreted),
            is_interpreted,
            "the mode that was used"
        );
        let (final_pc, trace) = (vm.registers[11], vm.register_trace.clone());
        drop(vm);
        let outcome = Outcome {
            result: format!("{result:?}"),
            count,
            final_pc,
            remaining: context.remaining,
        };
        let memory = Memory {
            input: bytes(&region),
            stack: stack.as_slice().to_vec(),
            trace,
        };
        (outcome, memory)
    }
}

fn bytes(region: &MemoryRegion) -> Vec<u8> {
    // SAFETY: the test's input lives, and nothing else uses it now.
    unsafe { &*host::buffer(region) }.to_vec()
}

fn restore(region: &MemoryRegion, before: &[u8]) {
    if host::is_mutable(region) {
        // SAFETY: as in `bytes`, and the memory may be written.
        unsafe { &mut *host::buffer(region).cast_mut() }.copy_from_slice(before);
    }
}
