//! The tier below compiled code: the hand-written JIT if the executable has its code, or else the
//! interpreter.

use {
    super::Tier,
    solana_sbpf::{
        elf::Executable,
        error::ProgramResult,
        vm::{CallFrame, ContextObject, EbpfVm, ExecutionMode},
    },
};

/// Which tier that is.
pub(super) fn tier<C: ContextObject>(executable: &Executable<C>) -> Tier {
    if has_hand_written_code(executable) {
        Tier::HandWritten
    } else {
        Tier::Interpreter
    }
}

/// Runs the program on it.
pub(super) fn execute<C: ContextObject>(
    vm: &mut EbpfVm<C>,
    executable: &Executable<C>,
) -> (u64, ProgramResult) {
    if has_hand_written_code(executable) {
        return vm.execute_program(executable, &mut ExecutionMode::Jit, &mut []);
    }
    let mut call_frames = vec![CallFrame::default(); executable.get_config().max_call_depth];
    vm.execute_program(
        executable,
        &mut ExecutionMode::Interpreted,
        &mut call_frames,
    )
}

#[cfg(all(
    feature = "hand-written",
    target_arch = "x86_64",
    not(target_os = "windows")
))]
fn has_hand_written_code<C: ContextObject>(executable: &Executable<C>) -> bool {
    executable.get_compiled_program().is_some()
}

#[cfg(not(all(
    feature = "hand-written",
    target_arch = "x86_64",
    not(target_os = "windows")
)))]
fn has_hand_written_code<C: ContextObject>(_: &Executable<C>) -> bool {
    false
}
