//! The virtual machine: upstream's module with [`EbpfVm`] wrapped.

pub use upstream::vm::*;

use {
    crate::{
        compiled::Compiled,
        elf::Executable,
        swap_in::{Engine, statistics},
    },
    sbpf_cranelift::CompiledProgram,
    std::{
        ops::{Deref, DerefMut},
        sync::Arc,
    },
    upstream::{
        error::ProgramResult,
        program::{BuiltinProgram, SBPFVersion},
        vm::EbpfVm as Upstream,
    },
};

/// Upstream's virtual machine, whose programs run on the engine that was chosen.
#[repr(transparent)]
pub struct EbpfVm<'a, C: ContextObject>(Upstream<'a, C>);

impl<'a, C: ContextObject> Deref for EbpfVm<'a, C> {
    type Target = Upstream<'a, C>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<C: ContextObject> DerefMut for EbpfVm<'_, C> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<'a, C: ContextObject> EbpfVm<'a, C> {
    /// Creates a virtual machine.
    pub fn new(
        loader: Arc<BuiltinProgram<C>>,
        sbpf_version: SBPFVersion,
        context_object: &'a mut C,
        stack_len: usize,
    ) -> Self {
        Self(Upstream::new(
            loader,
            sbpf_version,
            context_object,
            stack_len,
        ))
    }

    /// Executes the program.
    ///
    /// `mode` asks for a kind of execution, and is overwritten with the one that was used:
    /// `Interpreted` is the interpreter, `Jit` needs a program that was compiled before, and
    /// `PreferJit` compiles the program if that was not done yet.
    ///
    /// `call_frames` must have `max_call_depth` elements for `Interpreted`.
    ///
    /// Returns the instruction count and the result.
    pub fn execute_program(
        &mut self,
        executable: &Executable<C>,
        mode: &mut ExecutionMode,
        call_frames: &mut [CallFrame],
    ) -> (u64, ProgramResult) {
        debug_assert!(Arc::ptr_eq(&self.loader, executable.get_loader()));
        let compiled = match (Engine::chosen(), &mode) {
            (Engine::HandWritten, _) | (_, ExecutionMode::Interpreted) => None,
            (_, ExecutionMode::Jit) => executable.slot.get(),
            (_, ExecutionMode::PreferJit) if self.is_debugged() => None,
            (_, ExecutionMode::PreferJit) => executable.slot.get_or_request(),
        };
        match compiled {
            Some(compiled) => self.execute_compiled(executable, &compiled, mode, call_frames),
            None => self.execute_upstream(executable, mode, call_frames),
        }
    }

    fn execute_compiled(
        &mut self,
        executable: &Executable<C>,
        compiled: &Compiled<C>,
        mode: &mut ExecutionMode,
        call_frames: &mut [CallFrame],
    ) -> (u64, ProgramResult) {
        if Engine::chosen() == Engine::Cranelift && CompiledProgram::is_traced(&executable.upstream)
        {
            // Upstream's JIT traces, too.
            *mode = ExecutionMode::Jit;
            return self.interpret(executable, mode, call_frames);
        }
        let native = compiled.native(&executable.upstream);
        if native.is_some() {
            *mode = ExecutionMode::Jit;
        }
        let outcome =
            native.and_then(|program| program.execute_native(&mut self.0, &executable.upstream));
        match outcome {
            Some(outcome) => {
                statistics::count_run(Engine::Cranelift);
                outcome
            }
            None => {
                let outcome = self.execute_lower(executable, mode, call_frames);
                compiled.record(&executable.upstream, outcome.0);
                outcome
            }
        }
    }

    /// Runs a program on the tier below compiled code.
    fn execute_lower(
        &mut self,
        executable: &Executable<C>,
        mode: &mut ExecutionMode,
        call_frames: &mut [CallFrame],
    ) -> (u64, ProgramResult) {
        if Engine::chosen() == Engine::Cranelift && executable.upstream_is_compiled() {
            *mode = ExecutionMode::Jit;
            return self.execute_upstream(executable, mode, call_frames);
        }
        self.interpret(executable, mode, call_frames)
    }

    /// Interprets a program that the host believes to be compiled.
    fn interpret(
        &mut self,
        executable: &Executable<C>,
        mode: &mut ExecutionMode,
        call_frames: &mut [CallFrame],
    ) -> (u64, ProgramResult) {
        // Hosts provide frames only to the interpreter.
        let depth = executable.get_config().max_call_depth;
        let mut own = Vec::new();
        let call_frames = if call_frames.len() < depth {
            own.resize(depth, CallFrame::default());
            &mut own
        } else {
            call_frames
        };
        let mut interpreted = ExecutionMode::Interpreted;
        let outcome = self.execute_upstream(executable, &mut interpreted, call_frames);
        if matches!(mode, ExecutionMode::PreferJit) {
            *mode = interpreted;
        }
        outcome
    }

    fn execute_upstream(
        &mut self,
        executable: &Executable<C>,
        mode: &mut ExecutionMode,
        call_frames: &mut [CallFrame],
    ) -> (u64, ProgramResult) {
        let outcome = self
            .0
            .execute_program(&executable.upstream, mode, call_frames);
        match mode {
            ExecutionMode::Jit if executable.upstream_is_compiled() => {
                statistics::count_run(Engine::HandWritten);
            }
            // It was not compiled, so nothing ran.
            ExecutionMode::Jit => {}
            _ => statistics::count_run(Engine::Interpreter),
        }
        outcome
    }

    /// Whether a debugger is to be attached, which the interpreter alone can do.
    fn is_debugged(&self) -> bool {
        #[cfg(feature = "debugger")]
        return self.debug_port.is_some();
        #[cfg(not(feature = "debugger"))]
        false
    }
}
