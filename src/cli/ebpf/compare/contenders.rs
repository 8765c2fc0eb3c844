//! The engines, each ready to run a workload again and again.

use {
    super::workloads::{HELPER, Workload, helper},
    crate::cli::failure::Failure,
    sbpf_cranelift::ebpf::{CompiledProgram, Helpers, Memory, Options, Program},
    std::hint::black_box,
};

/// What an engine is called.
pub(super) type Name = &'static str;

/// Runs a workload so often, one run after the other as a host would do, and gives the last result.
pub(super) type Runs<'w> = Box<dyn FnMut(u32) -> Result<u64, String> + 'w>;

/// An engine with a workload.
pub(super) type Contender<'w> = (Name, Runs<'w>);

/// [`Runs`] of what runs once.
fn repeated<'w>(mut once: impl FnMut() -> Result<u64, String> + 'w) -> Runs<'w> {
    Box::new(move |count| {
        for _ in 1..count {
            black_box(once()?);
        }
        once()
    })
}

/// The instructions that a workload may take, more than any does.
const LIMIT: u64 = 1 << 40;

/// One of our engines with what it runs a workload on.
pub(super) struct Ours {
    program: Program,
    compiled: CompiledProgram,
    memory: Memory<'static>,
    helpers: Helpers<'static>,
}

impl Ours {
    /// Prepares a workload, with or without a meter.
    ///
    /// # Errors
    /// When it is no valid program.
    pub(super) fn new(workload: &Workload, meter: bool) -> Result<Self, Failure> {
        let options = Options {
            meter,
            ..Options::default()
        };
        let failure = |error: String| Failure::at(workload.name, error);
        let program = Program::from_bytes(&workload.text, &options);
        let program = program.map_err(|error| failure(error.to_string()))?;
        let compiled = program.compile();
        let compiled = compiled.map_err(|error| failure(error.to_string()))?;
        let mut helpers = Helpers::new();
        helpers.register_function(HELPER, helper);
        let mut memory = Memory::new();
        memory.own_context(&workload.memory);
        Ok(Self {
            program,
            compiled,
            memory,
            helpers,
        })
    }

    fn compiled<'w>(&'w mut self, name: Name) -> Contender<'w> {
        let mut session = self.compiled.session(&mut self.memory, &mut self.helpers);
        let run = move || session.run(LIMIT).result.map_err(|fault| fault.to_string());
        (name, repeated(run))
    }

    fn interpreted<'w>(&'w mut self, name: Name) -> Contender<'w> {
        let run = || {
            let outcome = self
                .program
                .interpret(&mut self.memory, &mut self.helpers, LIMIT);
            outcome.result.map_err(|fault| fault.to_string())
        };
        (name, repeated(run))
    }
}

/// All engines of this build, the one that others are measured by first.
pub(super) fn all<'w>(workload: &'w Workload, ours: &'w mut [Ours; 3]) -> Vec<Contender<'w>> {
    let [metered, unmetered, interpreted] = ours;
    let mut contenders = vec![
        metered.compiled("cranelift"),
        unmetered.compiled("no meter"),
        interpreted.interpreted("interpreter"),
    ];
    let mut memory = workload.memory.clone();
    let native = workload.native;
    let run = move || Ok(native(black_box(&mut memory)));
    contenders.push(("native", repeated(run)));
    contenders.extend(rivals(workload));
    contenders
}

#[cfg(not(feature = "rbpf"))]
fn rivals(_: &Workload) -> Vec<Contender<'_>> {
    Vec::new()
}

#[cfg(feature = "rbpf")]
fn rivals(workload: &Workload) -> Vec<Contender<'_>> {
    rival::all(workload)
}

#[cfg(feature = "rbpf")]
mod rival {
    use {
        super::{Contender, HELPER, Runs, Workload, helper, repeated},
        std::slice,
    };

    /// How a machine of `rbpf` runs its program.
    #[derive(Clone, Copy)]
    enum Engine {
        Interpreter,
        #[cfg(all(target_arch = "x86_64", not(windows)))]
        Jit,
        Cranelift,
    }

    /// The engines of `rbpf` that can run the workload; the others say why not when they are run.
    pub(super) fn all(workload: &Workload) -> Vec<Contender<'_>> {
        let mut engines = vec![("rbpf interpreter", Engine::Interpreter)];
        #[cfg(all(target_arch = "x86_64", not(windows)))]
        engines.push(("rbpf JIT", Engine::Jit));
        engines.push(("rbpf Cranelift", Engine::Cranelift));
        engines
            .into_iter()
            .map(|(name, engine)| -> Contender<'_> {
                let run = machine(workload, engine);
                (
                    name,
                    run.unwrap_or_else(|error| Box::new(move |_| Err(error.clone()))),
                )
            })
            .collect()
    }

    fn machine(workload: &Workload, engine: Engine) -> Result<Runs<'_>, String> {
        let text = |error: rbpf::lib::Error| error.to_string();
        let mut vm = rbpf::EbpfVmRaw::new(Some(&workload.text)).map_err(text)?;
        vm.register_helper(HELPER, |a, b, c, d, e| helper(a, b, c, d, e))
            .map_err(text)?;
        match engine {
            Engine::Interpreter => {}
            #[cfg(all(target_arch = "x86_64", not(windows)))]
            Engine::Jit => vm.jit_compile().map_err(text)?,
            Engine::Cranelift => vm.cranelift_compile().map_err(text)?,
        }
        let mut bytes = workload.memory.clone();
        Ok(repeated(move || {
            // SAFETY: the bytes live as long as the machine, which alone is given them, and only
            // until the call returns.
            let memory = unsafe { slice::from_raw_parts_mut(bytes.as_mut_ptr(), bytes.len()) };
            match engine {
                Engine::Interpreter => vm.execute_program(memory),
                #[cfg(all(target_arch = "x86_64", not(windows)))]
                // SAFETY: the workloads access nothing but their memory and stack, and have ended
                // on the interpreter.
                Engine::Jit => unsafe { vm.execute_program_jit(memory) },
                Engine::Cranelift => vm.execute_program_cranelift(memory),
            }
            .map_err(|error| error.to_string())
        }))
    }
}
