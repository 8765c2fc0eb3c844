//! A run on the interpreter of `solana-sbpf`, one instruction after the other.
//!
//! The interpreter shows its registers but not its machine, so each instruction gets an interpreter
//! of its own on the same machine and frames; between two of them everything can be looked at.

use {
    super::{Moment, Recorder, progress::Progress},
    crate::cli::{
        context::Context,
        engine::{self, Outcome, Refusal, Workload},
        guard,
    },
    solana_sbpf::{
        ebpf::{self, FRAME_PTR_REG},
        elf::Executable,
        error::ProgramResult,
        interpreter::Interpreter,
        vm::{CallFrame, ContextObject as _, EbpfVm},
    },
};

/// The register that holds the pc.
const PC: usize = FRAME_PTR_REG + 1;

/// A run, and where it was when it ended.
pub(crate) struct Stepped {
    /// What was observed.
    pub(crate) outcome: Outcome,
    /// The pc of each active frame, innermost first: the last instruction, and the calls that led
    /// to it.
    pub(crate) frames: Vec<usize>,
}

/// Runs `workload` and shows every executed instruction to `recorder`.
///
/// # Errors
/// When the machine can't be set up, or a syscall panics.
pub(crate) fn step_through(
    workload: &Workload<'_>,
    recorder: &mut Recorder<'_>,
) -> Result<Stepped, Refusal> {
    let mut frames = Vec::new();
    let run = || {
        engine::execute_by(workload, |vm, executable, call_frames| {
            interpret(vm, executable, call_frames, recorder, &mut frames)
        })
    };
    let outcome = guard::catch(run)
        .map_err(|panic| Refusal::Failed(format!("interpreter panicked: {panic}")))??;
    Ok(Stepped { outcome, frames })
}

/// What `EbpfVm::execute_program` does, with a look at every instruction.
fn interpret(
    vm: &mut EbpfVm<'_, Context>,
    executable: &Executable<Context>,
    call_frames: &mut [CallFrame],
    recorder: &mut Recorder<'_>,
    active: &mut Vec<usize>,
) -> (u64, ProgramResult) {
    let slots = executable.get_text_bytes().1.len() / ebpf::INSN_SIZE;
    let initial = vm.context().get_remaining();
    vm.registers[PC] = executable.get_entrypoint_instruction_offset() as u64;
    vm.previous_instruction_meter = initial;
    vm.due_insn_count = 0;
    vm.program_result = ProgramResult::Ok(0);
    let mut registers = vm.registers;
    let mut progress = Progress::new(initial);
    loop {
        let pc = registers[PC] as usize;
        let depth = vm.call_depth as usize;
        // Without that the interpreter ends the program before it executes the instruction.
        let is_executed = vm.due_insn_count < vm.previous_instruction_meter && pc < slots;
        let units = used_units(vm, initial);
        progress.step(units);
        if is_executed {
            recorder.before(&Moment {
                pc,
                depth,
                units,
                registers: &registers,
            });
        }
        let mut interpreter = Interpreter::new(vm, executable, registers, call_frames);
        let goes_on = interpreter.step();
        registers = interpreter.reg;
        if is_executed {
            let used = used_units(vm, initial).saturating_sub(units);
            recorder.after(used, vm.call_depth as usize, registers[PC] as usize);
        }
        if !goes_on {
            // A frame that this instruction pushed before it failed was never entered.
            let callers = call_frames.iter().take(depth).rev();
            active.push(pc);
            active.extend(callers.map(|frame| (frame.target_pc as usize).saturating_sub(1)));
            break;
        }
    }
    vm.registers[PC] = registers[PC];
    let due = vm.due_insn_count;
    vm.context().consume(due);
    let count = initial.saturating_sub(vm.context().get_remaining());
    let result = std::mem::replace(&mut vm.program_result, ProgramResult::Ok(0));
    (count, result)
}

/// Compute units used since the start, syscalls included.
fn used_units(vm: &EbpfVm<'_, Context>, initial: u64) -> u64 {
    let left = vm
        .previous_instruction_meter
        .saturating_sub(vm.due_insn_count);
    initial.saturating_sub(left)
}
