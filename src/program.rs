//! A compiled program: machine code and what it needs to run.

use {
    crate::{
        CodeOrigin, CompileError, CompileOptions, CompileStatistics, code::Code, config, isa, lazy,
        memory_syscalls,
    },
    sbpf_runtime::{code::GrowingCode, memory_operation::MemoryOperation},
    solana_sbpf::{elf::Executable, program::BuiltinFunction, vm::ContextObject},
    std::{ops::Deref, sync::Arc},
};

/// A program compiled to native code, ready to be run by any number of threads at once.
///
/// It belongs to the [`Executable`] it was compiled from, and through it to one `Config`.
pub struct CompiledProgram<C: ContextObject> {
    pub(crate) code: Arc<Code>,
    pub(crate) syscalls: Vec<BuiltinFunction<C>>,
    /// What syscalls do if they do nothing else; none behind the last one that is known.
    pub(crate) memory_operations: Vec<Option<MemoryOperation>>,
    pub(crate) identity: Identity,
    /// Bytes of native stack that compiled code may take.
    pub(crate) native_stack: usize,
    origin: CodeOrigin,
}

/// Machine code of a program; it stays in memory as long as this does.
#[derive(Debug, Clone)]
pub struct MachineCode(Arc<Code>);

impl Deref for MachineCode {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.image.code.bytes()
    }
}

/// What tells executables apart at next to no cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    text: usize,
    length: usize,
    address: u64,
    entry: usize,
}

impl Identity {
    /// Instruction slots in the text.
    pub(crate) fn slots(&self) -> u64 {
        self.length as u64 / 8
    }

    pub(crate) fn of<C: ContextObject>(executable: &Executable<C>) -> Self {
        let (address, text) = executable.get_text_bytes();
        Self {
            text: text.as_ptr().addr(),
            length: text.len(),
            address,
            entry: executable.get_entrypoint_instruction_offset(),
        }
    }
}

impl<C: ContextObject> CompiledProgram<C> {
    /// Compiles `executable` with default options for the machine this runs on.
    ///
    /// The code is shared with programs of the same instructions in this process, see
    /// [`Cache`](crate::Cache).
    ///
    /// # Errors
    /// [`CompileError`] when the program can't be compiled; the interpreter still can run it.
    pub fn compile(executable: &Executable<C>) -> Result<Self, CompileError> {
        Self::compile_with(executable, &CompileOptions::default())
    }

    /// Compiles `executable` with `options`.
    ///
    /// # Errors
    /// See [`Self::compile`].
    pub fn compile_with(
        executable: &Executable<C>,
        options: &CompileOptions,
    ) -> Result<Self, CompileError> {
        crate::dump::from_environment(executable);
        let machine = isa::here(options)?;
        if let Some(code) = options.cache.same(executable, options, &machine) {
            return Ok(Self::of_code(executable, code, CodeOrigin::Memory, options));
        }
        let (program, syscalls) = config::program(executable)?;
        let named = options.native_names.with_functions_of(executable, options);
        let options = named.as_ref().unwrap_or(options);
        let (code, origin) = options.cache.code(&program, options, &machine)?;
        let found = (&code, origin);
        let cache = &options.cache;
        cache.remember_source(executable, options, &machine, found);
        Ok(Self::with(executable, code, syscalls, origin, options))
    }

    /// Prepares `executable` so that each of its functions is compiled when it is called first.
    ///
    /// What this takes is a small part of what compiling the program takes, and so is what its first
    /// runs take, since they use a small part of it. Calls between functions cost a little more from
    /// then on, and the code is stored in no cache; where `options` have a cache that has the code, that
    /// is used instead. A function that can't be compiled is left to the interpreter, and so is one
    /// whose compilation the observer ends, until it is called again in another run.
    ///
    /// The whole program is compiled at once where `options` ask for native names, and on Apple
    /// silicon.
    ///
    /// # Errors
    /// See [`Self::compile`].
    pub fn compile_lazily(
        executable: &Executable<C>,
        options: &CompileOptions,
    ) -> Result<Self, CompileError> {
        if options.native_names.is_any() || !GrowingCode::is_possible() {
            return Self::compile_with(executable, options);
        }
        crate::dump::from_environment(executable);
        let machine = isa::here(options)?;
        if let Some(code) = options.cache.same(executable, options, &machine) {
            return Ok(Self::of_code(executable, code, CodeOrigin::Memory, options));
        }
        let (program, syscalls) = config::program(executable)?;
        let found = match options.cache.may_have_code() {
            true => options.cache.find(&program, options, &machine),
            false => None,
        };
        let (code, origin) = match found {
            Some(found) => found,
            None => {
                let code = lazy::begin(&program, options, machine.isa().clone())?;
                (Arc::new(code), CodeOrigin::Compiled)
            }
        };
        Ok(Self::with(executable, code, syscalls, origin, options))
    }

    /// Whether functions are compiled when they are called first: [`Self::compile_lazily`].
    pub fn is_lazy(&self) -> bool {
        self.code.is_lazy()
    }

    /// Compiles `executable` with `options`, unless that was done before: then it is the same
    /// program, found without a look at the instructions.
    ///
    /// # Errors
    /// See [`Self::compile`].
    pub fn compile_shared(
        executable: &Arc<Executable<C>>,
        options: &CompileOptions,
    ) -> Result<Arc<Self>, CompileError>
    where
        C: 'static,
    {
        if let Some(program) = options.cache.known(executable, options) {
            return Ok(program);
        }
        let program = Arc::new(Self::compile_with(executable, options)?);
        options.cache.remember(executable, options, &program);
        Ok(program)
    }

    /// The program of `executable`, whose code is `code`.
    pub(crate) fn of_code(
        executable: &Executable<C>,
        code: Arc<Code>,
        origin: CodeOrigin,
        options: &CompileOptions,
    ) -> Self {
        let syscalls = config::registered_syscalls(executable);
        let syscalls = syscalls.into_iter().map(|(.., function)| function);
        Self::with(executable, code, syscalls.collect(), origin, options)
    }

    fn with(
        executable: &Executable<C>,
        code: Arc<Code>,
        syscalls: Vec<BuiltinFunction<C>>,
        origin: CodeOrigin,
        options: &CompileOptions,
    ) -> Self {
        Self {
            native_stack: native_stack(executable, &code),
            memory_operations: memory_syscalls::operations(executable, &options.memory_syscalls),
            code,
            syscalls,
            identity: Identity::of(executable),
            origin,
        }
    }

    /// Where the code came from.
    pub fn origin(&self) -> CodeOrigin {
        self.origin
    }

    /// Sizes of this program's code and of what it was made from, as far as it is compiled by now.
    ///
    /// Of a lazy program the largest frame is the largest one that it may have.
    pub fn statistics(&self) -> CompileStatistics {
        self.code.statistics()
    }

    /// The machine code; of a lazy program what it had from the start.
    pub fn machine_code(&self) -> &[u8] {
        self.code.image.code.bytes()
    }

    /// The machine code, to be kept beyond this program's life.
    pub fn shared_machine_code(&self) -> MachineCode {
        MachineCode(Arc::clone(&self.code))
    }

    /// Bytes of memory that this program takes, the machine code included, even where it is shared.
    pub fn mem_size(&self) -> usize {
        size_of::<Self>()
            + self.code.size()
            + size_of_val(self.syscalls.as_slice())
            + size_of_val(self.memory_operations.as_slice())
    }
}

/// Bytes of native stack that `code` may take.
fn native_stack<C: ContextObject>(executable: &Executable<C>, code: &Code) -> usize {
    let depth = executable.get_config().max_call_depth;
    // One more, for the function that finds out that it is too deep.
    let frames = depth.saturating_add(1);
    code.statistics.largest_frame.saturating_mul(frames)
}

impl<C: ContextObject> std::fmt::Debug for CompiledProgram<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompiledProgram")
            .field("statistics", &self.code.statistics())
            .field("origin", &self.origin)
            .finish()
    }
}
