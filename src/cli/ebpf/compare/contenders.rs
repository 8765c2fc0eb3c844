//! The engines, each ready to run a program again and again.

use {
    super::{
        subject::Subject,
        workloads::{HELPER, helper},
    },
    crate::cli::{compare::clock::thread_time, ebpf::maps, failure::Failure},
    sbpf_cranelift::ebpf::{CompiledProgram, Helpers, Memory, Options, Program},
    std::{hint::black_box, time::Duration},
};

/// What an engine is called.
pub(super) type Name = &'static str;

/// Runs a program so often, one run after the other as a host would do; gives the last result and the
/// time of all runs.
pub(super) type Runs<'s> = Box<dyn FnMut(u32) -> Result<(u64, Duration), String> + 's>;

/// An engine with a program.
pub(super) type Contender<'s> = (Name, Runs<'s>);

/// The instructions that a program may take.
pub(super) const LIMIT: u64 = 1 << 32;

/// The engine that others are measured by.
pub(super) const OURS: Name = "cranelift";

/// [`Runs`] of what runs once.
fn repeated<'s>(mut once: impl FnMut() -> Result<u64, String> + 's) -> Runs<'s> {
    Box::new(move |count| {
        let start = thread_time();
        let mut last = 0;
        for _ in 0..count {
            last = black_box(once()?);
        }
        Ok((last, thread_time() - start))
    })
}

/// What stands in for an engine that can't run a program.
fn absent<'s>(error: String) -> Runs<'s> {
    Box::new(move |_| Err(error.clone()))
}

/// One of our engines with what it runs a program on.
pub(super) struct Ours {
    pub(super) program: Program,
    pub(super) compiled: CompiledProgram,
    pub(super) memory: Memory<'static>,
    pub(super) helpers: Helpers<'static>,
}

impl Ours {
    /// Prepares a program, with or without a meter.
    ///
    /// # Errors
    /// When it is no valid program.
    pub(super) fn new(subject: &Subject, meter: bool) -> Result<Self, Failure> {
        let options = Options {
            meter,
            ..Options::default()
        };
        let program = subject.program(&options)?;
        let compiled = program.compile();
        let compiled = compiled.map_err(|error| Failure::at(&*subject.name, error.to_string()))?;
        let mut helpers = Helpers::new();
        helpers.register_function(HELPER, helper);
        let mut memory = program.memory();
        memory.own_context(&subject.memory);
        maps::give(&subject.maps, &mut memory, &mut helpers);
        Ok(Self {
            program,
            compiled,
            memory,
            helpers,
        })
    }

    fn compiled<'s>(&'s mut self, name: Name, restored: Option<&'s Subject>) -> Contender<'s> {
        let mut session = self.compiled.session(&mut self.memory, &mut self.helpers);
        let run = move || {
            if let Some(subject) = restored {
                restore(session.memory(), subject)?;
            }
            session.run(LIMIT).result.map_err(|fault| fault.to_string())
        };
        (name, repeated(run))
    }

    fn interpreted<'s>(&'s mut self, name: Name, restored: Option<&'s Subject>) -> Contender<'s> {
        let run = move || {
            if let Some(subject) = restored {
                restore(&self.memory, subject)?;
            }
            let outcome = self
                .program
                .interpret(&mut self.memory, &mut self.helpers, LIMIT);
            outcome.result.map_err(|fault| fault.to_string())
        };
        (name, repeated(run))
    }
}

/// Puts context and maps back to what they were.
pub(super) fn restore(memory: &Memory<'_>, subject: &Subject) -> Result<(), String> {
    let context = (Memory::address_of_context(), &subject.memory);
    let maps = subject.maps.iter();
    let maps = maps.map(|map| (Memory::address_of_map(map.number), &map.values));
    for (address, bytes) in std::iter::once(context).chain(maps) {
        let written = memory.write(address, bytes);
        written.map_err(|fault| fault.to_string())?;
    }
    Ok(())
}

/// All engines of this build, ours first. Where memory is `restored` before each run, that is part of its
/// time.
pub(super) fn all<'s>(
    subject: &'s Subject,
    ours: &'s mut [Ours; 3],
    expected: u64,
    is_restored: bool,
) -> Vec<Contender<'s>> {
    let restored = is_restored.then_some(subject);
    let [metered, unmetered, interpreted] = ours;
    let mut contenders = vec![
        metered.compiled(OURS, restored),
        unmetered.compiled("no meter", restored),
        interpreted.interpreted("interpreter", restored),
    ];
    if let Some(native) = subject.native {
        let mut memory = subject.memory.clone();
        let run = move || Ok(native(black_box(&mut memory)));
        contenders.push(("native Rust", repeated(run)));
    }
    // The other process has no way to put memory back.
    if let Some(native) = subject.c.as_ref().filter(|_| !is_restored) {
        let runs = match native.start(&subject.memory) {
            Ok(mut process) => {
                Box::new(move |count| process.run(count).map_err(|error| error.to_string()))
            }
            Err(error) => absent(error.to_string()),
        };
        contenders.push(("native C", runs));
    }
    let restored = is_restored.then_some(&*subject.memory);
    contenders.extend(rivals(subject, expected, restored));
    contenders
}

#[cfg(not(feature = "rbpf"))]
fn rivals<'s>(_: &Subject, _: u64, _: Option<&'s [u8]>) -> Vec<Contender<'s>> {
    Vec::new()
}

#[cfg(feature = "rbpf")]
use rival::all as rivals;

#[cfg(feature = "rbpf")]
mod rival {
    use {
        super::{Contender, HELPER, Runs, Subject, absent, helper, repeated},
        sbpf_cranelift::ebpf::Options,
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

    /// The engines of `rbpf`; those that can't run the program say why when they are run.
    pub(super) fn all<'s>(
        subject: &Subject,
        expected: u64,
        restored: Option<&'s [u8]>,
    ) -> Vec<Contender<'s>> {
        let mut engines = vec![("rbpf interpreter", Engine::Interpreter)];
        #[cfg(all(target_arch = "x86_64", not(windows)))]
        engines.push(("rbpf JIT", Engine::Jit));
        engines.push(("rbpf Cranelift", Engine::Cranelift));
        let contender = |(name, engine)| {
            let runs = machine(subject, engine, expected, restored);
            (name, runs.unwrap_or_else(absent))
        };
        engines.into_iter().map(contender).collect()
    }

    fn machine<'s>(
        subject: &Subject,
        engine: Engine,
        expected: u64,
        restored: Option<&'s [u8]>,
    ) -> Result<Runs<'s>, String> {
        if !subject.maps.is_empty() {
            return Err("it has no maps".to_string());
        }
        let program = subject.program(&Options::default());
        let program = program.map_err(|error| error.to_string())?;
        if program.entry() != 0 {
            return Err("it starts with the first instruction".to_string());
        }
        let text = |error: rbpf::lib::Error| error.to_string();
        // The machine lives as long as the process, and what it runs has to outlive it.
        let code: &'static [u8] = program.text().to_vec().leak();
        let mut vm = rbpf::EbpfVmRaw::new(Some(code)).map_err(text)?;
        vm.register_helper(HELPER, |a, b, c, d, e| helper(a, b, c, d, e))
            .map_err(text)?;
        let mut bytes = subject.memory.clone();
        // SAFETY: the bytes live as long as the machine, which alone is given them, and only until a
        // run returns.
        let memory = |bytes: &mut Vec<u8>| unsafe {
            slice::from_raw_parts_mut(bytes.as_mut_ptr(), bytes.len())
        };
        match vm.execute_program(memory(&mut bytes.clone())) {
            Ok(result) if result == expected => {}
            Ok(result) => return Err(format!("its interpreter returns {result:#x}")),
            Err(error) => return Err(error.to_string()),
        }
        match engine {
            Engine::Interpreter => {}
            #[cfg(all(target_arch = "x86_64", not(windows)))]
            Engine::Jit => vm.jit_compile().map_err(text)?,
            Engine::Cranelift => vm.cranelift_compile().map_err(text)?,
        }
        Ok(repeated(move || {
            if let Some(original) = restored {
                bytes.copy_from_slice(original);
            }
            let memory = memory(&mut bytes);
            match engine {
                Engine::Interpreter => vm.execute_program(memory),
                #[cfg(all(target_arch = "x86_64", not(windows)))]
                // SAFETY: the program has ended with the right result on the interpreter, which lets
                // it access nothing but its memory and stack, and does the same again.
                Engine::Jit => unsafe { vm.execute_program_jit(memory) },
                Engine::Cranelift => vm.execute_program_cranelift(memory),
            }
            .map_err(|error| error.to_string())
        }))
    }
}
