//! A small host of generated code that notes how it is called back.

use {
    super::{Canaries, Convention, common::Program},
    sbpf_cranelift::{CompileOptions, GeneratedCode},
    sbpf_runtime::{
        abi::{
            AccessCallback, Anchor, Context, Exception, FOUND, Found, HINTS, REGISTERS, Slot,
            SyscallCallback, UnwindCallback,
        },
        code::CodeMemory,
        host::{Ended, Host},
        learnt::{Learnt, Slots},
        run::{Entry, Frames, Image, Run},
        site::RegisterSet,
        translation::Range,
    },
    solana_sbpf::{ebpf::MM_INPUT_START, program::SBPFVersion, vm::Config},
    std::{ffi::c_void, mem::transmute},
};

/// Instructions that a syscall consumes.
pub(crate) const RETURNED_METER_COST: i64 = 3;

/// Words of memory at the start of the input.
const WORDS: usize = 8;

/// How generated code called back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// It asked for the memory at an offset of the input.
    Access { pc: u32, offset: u64 },
    /// It called a syscall.
    Syscall { pc: u32, arguments: [u64; 5] },
    /// It left a frame with these values in r6 to r9, 0 where they are no longer needed.
    Unwind { pc: u32, saved: [u64; 4] },
    /// A callee returned to this pc with a meter that may not last.
    Short { pc: u32, meter: i64, result: u64 },
}

/// A program and what has become of it.
pub(crate) struct Session {
    generated: GeneratedCode,
    image: Image,
    memory: Box<[u64; WORDS]>,
    arguments: Box<[u64; 6]>,
    syscalls_fail: bool,
    found: Option<Box<Found>>,
    events: Vec<Event>,
    context: Option<Box<Context>>,
}

impl Session {
    /// Compiles assembly text by a convention.
    pub(crate) fn new(version: SBPFVersion, text: &str, convention: &Convention) -> Self {
        let config = Config {
            enabled_sbpf_versions: SBPFVersion::V0..=version,
            // With both levels of the region cache.
            aligned_memory_mapping: true,
            ..Config::default()
        };
        let executable = Program::Assembly(text.to_string())
            .load(&config, &[])
            .expect("the program loads");
        let mut options = CompileOptions::default();
        options.target = Some(convention.target.parse().expect("it is a triple"));
        let generated =
            GeneratedCode::generate(&executable, &options).expect("the program compiles");
        Self {
            image: Image {
                code: CodeMemory::seal(generated.bytes()).expect("there is memory"),
                entries: generated.entries().to_vec(),
                accesses: generated.access_sites().to_vec(),
                calls: generated.calls().to_vec(),
                key: generated.key(),
                learnt: Learnt::default(),
            },
            generated,
            memory: Box::new([0x1111_1111_1111_1111; WORDS]),
            arguments: Box::new([0; 6]),
            syscalls_fail: false,
            found: None,
            events: Vec::new(),
            context: None,
        }
    }

    /// Lets syscalls fail.
    pub(crate) fn fail_syscalls(&mut self) {
        self.syscalls_fail = true;
    }

    /// Puts the input into the second level of the region cache.
    pub(crate) fn cache_input(&mut self) {
        let range = Range {
            start: MM_INPUT_START,
            length: size_of_val(&*self.memory) as u64,
            host: self.memory.as_mut_ptr().expose_provenance() as u64,
            writable: true,
        };
        // Between two others, so that it is searched for.
        let ranges = [
            Range {
                start: MM_INPUT_START - 8,
                length: 8,
                ..range
            },
            range,
            Range {
                start: MM_INPUT_START + range.length,
                length: 8,
                ..range
            },
        ];
        let mut found = Found {
            slots: [Slot::default(); FOUND],
            starts: [u64::MAX; FOUND],
            hints: [0; HINTS],
            reach: 2,
            are_hints_new: 0,
        };
        for (index, range) in ranges.into_iter().enumerate() {
            found.starts[index] = range.start;
            found.slots[index].set(&range);
        }
        self.found = Some(Box::new(found));
    }

    /// Enters the program with `meter` and r1 at the input.
    pub(crate) fn enter(
        &mut self,
        convention: &Convention,
        meter: i64,
        canaries: &mut Canaries,
    ) -> i64 {
        let mut registers = [0; REGISTERS];
        registers[1] = MM_INPUT_START;
        let entry = Entry {
            registers,
            meter,
            frames: Frames::Manual,
            max_call_depth: 10,
        };
        let mut context = Box::new(Run::new(&self.image, None, NoHost, &entry).context);
        let [access, unwind, syscall] = convention.callbacks;
        // SAFETY: generated code calls these by the convention it was made for, which is theirs;
        // nothing else calls them.
        unsafe {
            context.access = transmute::<*const (), AccessCallback>(access);
            context.unwind = transmute::<*const (), UnwindCallback>(unwind);
            context.syscall = transmute::<*const (), SyscallCallback>(syscall);
        }
        context.entries = self.image.entries.as_ptr();
        if let Some(found) = &self.found {
            context.found = &raw const **found;
        }
        context.arguments = self.arguments.as_mut_ptr();
        let code = self.image.code.as_ptr();
        let session = &raw mut *self;
        context.run = session.cast::<c_void>();
        let context = Box::into_raw(context);
        // SAFETY: the code is what the lowering made for this convention; the context and the
        // session behind it live on, and only generated code and its callbacks use them.
        let returned = unsafe { (convention.enter)(code, Context::anchor(context), canaries) };
        // SAFETY: it came from `into_raw`, and generated code has returned.
        self.context = Some(unsafe { Box::from_raw(context) });
        returned
    }

    fn context(&self) -> &Context {
        self.context.as_ref().expect("the program ran")
    }

    /// The registers in the context.
    pub(crate) fn registers(&self) -> &[u64; REGISTERS] {
        &self.context().registers
    }

    /// The exception that was raised.
    pub(crate) fn exception(&self) -> Option<(Exception, u32)> {
        self.context().raised()
    }

    /// The word at an offset of the input.
    pub(crate) fn word(&self, offset: usize) -> u64 {
        self.memory[offset / 8]
    }

    /// How generated code called back.
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }
}

/// The session behind a context.
///
/// # Safety
/// The context must be the one that [`Session::enter`] made, while generated code waits.
unsafe fn session<'a>(anchor: Anchor) -> (&'a mut Context, &'a mut Session) {
    // SAFETY: `enter` stored the session, and generated code, its only user, waits.
    unsafe {
        let context = Context::of_anchor(anchor);
        (&mut *context, &mut *(*context).run.cast::<Session>())
    }
}

/// Gives the host address of an access.
///
/// # Safety
/// As [`session`].
pub(crate) unsafe fn access(anchor: Anchor, meter: i64, site: u32) {
    assert!(meter >= 0, "no site comes behind the end of a budget");
    // SAFETY: passed on to the caller.
    let (context, session) = unsafe { session(anchor) };
    let site = session.generated.access_sites()[site as usize];
    let offset = context.resolved.wrapping_sub(MM_INPUT_START);
    assert!(offset + u64::from(site.span) <= size_of_val(&*session.memory) as u64);
    session.events.push(Event::Access {
        pc: site.pc,
        offset,
    });
    context.resolved = session.memory.as_mut_ptr().expose_provenance() as u64 + offset;
}

/// Notes a frame that is left.
///
/// # Safety
/// As [`session`].
pub(crate) unsafe fn unwind(anchor: Anchor, site: u32, meter: i64, result: u64) {
    // SAFETY: passed on to the caller.
    let (context, session) = unsafe { session(anchor) };
    let call = session.generated.calls()[context.revealed(site) as usize];
    if meter >= 0 {
        context.raise(Exception::Bailout, call.return_pc);
        session.events.push(Event::Short {
            pc: call.return_pc,
            meter,
            result,
        });
        return;
    }
    let value = |register: u8, set: RegisterSet| {
        let index = usize::from(register - 6);
        if set.contains(register) {
            context.saved[index]
        } else {
            0
        }
    };
    session.events.push(Event::Unwind {
        pc: call.return_pc,
        saved: [6, 7, 8, 9].map(|register| value(register, call.saved)),
    });
}

/// A syscall that returns the sum of its arguments.
///
/// # Safety
/// As [`session`].
pub(crate) unsafe fn syscall(anchor: Anchor, behind: u32, _index: u32, meter: i64) -> i64 {
    // SAFETY: passed on to the caller.
    let (context, session) = unsafe { session(anchor) };
    let [_, arguments @ ..] = *session.arguments;
    let behind = Exception::unpack(context.revealed(behind).into());
    let (exception, return_pc) = behind.expect("it is an exception");
    assert_eq!(exception, Exception::Bailout);
    let pc = return_pc - 1;
    session.events.push(Event::Syscall { pc, arguments });
    if session.syscalls_fail {
        return -1;
    }
    context.registers[0] = arguments
        .iter()
        .fold(0, |sum, word| sum.wrapping_add(*word));
    (meter - RETURNED_METER_COST).max(0)
}

/// Only lends its type to [`Run`], whose callbacks are replaced.
struct NoHost;

impl Host for NoHost {
    fn range(&mut self, _address: u64, _store: bool) -> Option<Range> {
        None
    }

    fn likely_ranges(&mut self, _needed: Slots, _visit: impl FnMut(Range)) {}

    fn step(
        &mut self,
        _pc: u32,
        _count: u32,
        _meter: i64,
        _registers: &mut [u64; REGISTERS],
    ) -> Result<(), Ended> {
        Err(Ended)
    }

    fn arguments(&mut self) -> *mut u64 {
        std::ptr::null_mut()
    }

    fn syscall(
        &mut self,
        _index: u32,
        _pc: u32,
        _depth: u64,
        _meter: i64,
    ) -> Result<(i64, u64), Ended> {
        Err(Ended)
    }

    fn watch_regions(&mut self) {}

    fn regions_changed(&mut self) -> bool {
        true
    }

    fn stack_is_intact(&mut self) -> bool {
        true
    }
}
