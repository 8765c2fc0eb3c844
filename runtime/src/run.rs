//! One execution of a program, from entry to exit.

use {
    crate::{
        abi::{
            Anchor, Context, ENDED, Exception, FRAME_POINTER, REGISTERS, SLOTS, Slot,
            instructions_left,
        },
        callbacks,
        code::{CodeMemory, GrowingCode},
        host::Host,
        learnt::Learnt,
        second_level::SecondLevel,
        site::{AccessSite, CallSite, RegisterSet},
        translation::{self, Range},
    },
    std::{
        any::Any,
        ffi::c_void,
        fmt,
        ptr::{null, null_mut},
    },
};

/// What an execution starts from.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Registers r0 to r10.
    pub registers: [u64; REGISTERS],
    /// Instructions that may be executed; 0 to [`LARGEST_METER`](crate::abi::LARGEST_METER).
    pub meter: i64,
    /// How frames are passed.
    pub frames: Frames,
    /// Frames that may be in use at once.
    pub max_call_depth: u64,
}

/// The two ways in which generated code keeps track of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// Frames of `size` bytes follow each other in host memory; in virtual memory they are
    /// `stride` times as far apart.
    Fixed {
        /// Host address of the first byte of the first frame.
        host: u64,
        /// Bytes in a frame.
        size: u64,
        /// Virtual distance between frames, in frames.
        stride: u64,
    },
    /// The program moves r10 itself; only the depth is counted.
    Manual,
}

/// Why compiled code returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The outermost function executed `exit` at this pc; its result is in r0.
    Finished {
        /// The pc of the `exit`.
        pc: u32,
    },
    /// Generated code raised an exception at a pc.
    Raised(Exception, u32),
    /// The embedder ended the execution and knows why.
    Ended,
}

/// The stack after a syscall or a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stack {
    /// No region has changed.
    Unchanged,
    /// Where compiled code was entered with it.
    InPlace,
    /// Not as frames of compiled code need it.
    Displaced,
}

/// A frame that was left while a negative meter passed through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Where the frame would go on.
    pub return_pc: u32,
    /// r6 to r10 of the frame. Those that are not kept are arbitrary until [`Run::hand_over`].
    pub saved: [u64; 5],
    /// Registers that the frame has saved itself.
    pub kept: RegisterSet,
}

/// What compiled code is entered through: the context, and the first function.
pub type EntryPoint = unsafe extern "C" fn(Anchor) -> i64;

/// A program as the runtime sees it.
#[derive(Debug)]
pub struct Image {
    /// Sealed machine code, which starts with a function of type [`EntryPoint`].
    pub code: CodeMemory,
    /// For each pc the offset in the code of the function that starts there, or 0.
    pub entries: Vec<u32>,
    /// All places that access memory.
    pub accesses: Vec<AccessSite>,
    /// All calls of functions.
    pub calls: Vec<CallSite>,
    /// What hides constants in the code; 0 if nothing does.
    pub key: u64,
    /// What runs of the program have learnt about it.
    pub learnt: Learnt,
}

impl Image {
    /// Bytes of memory that this takes beside itself.
    pub fn size(&self) -> usize {
        self.code.bytes().len()
            + size_of_val(self.entries.as_slice())
            + size_of_val(self.accesses.as_slice())
            + size_of_val(self.calls.as_slice())
            + self.learnt.size()
    }
}

/// Functions of a program that are compiled when they are called. They and their places are here, and in
/// its [`Image`] there is only what is made of no instruction of the program.
#[derive(Debug, Clone, Copy)]
pub struct Growing<'p> {
    /// Those that are compiled.
    pub code: &'p GrowingCode,
    /// What compiles others.
    pub compiler: &'p dyn Compiler,
}

/// Compiles functions while the program runs, on any number of threads.
pub trait Compiler: fmt::Debug + Sync {
    /// Adds the function with a number to the code. Where it can't be compiled it stays missing, and
    /// the interpreter takes over.
    fn compile(&self, number: u32);
}

/// One execution: the context of generated code and the embedder behind it.
pub struct Run<'p, H: Host> {
    /// What generated code works on.
    pub context: Context,
    /// The embedder.
    pub host: H,
    /// Frames left on the way out, innermost first.
    pub frames: Vec<Frame>,
    pub(crate) panic: Option<Box<dyn Any + Send>>,
    pub(crate) cache: SecondLevel,
    /// Whether anything may be translated, on any level.
    has_translations: bool,
    /// Whether the program has ended in an access, see [`Self::end_in`].
    pub(crate) has_ended: bool,
    /// Whether more of the context may have changed than results of compiled code.
    pub(crate) is_touched: bool,
    layout: Frames,
    /// [`Context::frame`] at the entry.
    pub(crate) first_frame: u64,
    /// [`Context::stack_span`] while the stack is in place.
    stack_span: u64,
    pub(crate) image: &'p Image,
    pub(crate) growing: Option<Growing<'p>>,
}

impl<'p, H: Host> Run<'p, H> {
    /// Prepares an execution of `image`; its functions are `growing` where they are compiled one by one.
    ///
    /// To be inlined, because a copy of words just stored waits for them to leave the store buffer.
    #[inline(always)]
    pub fn new(image: &'p Image, growing: Option<Growing<'p>>, host: H, entry: &Entry) -> Self {
        let (frame, step, bias) = match entry.frames {
            Frames::Fixed { host, size, stride } => {
                let frame = host.wrapping_add(size);
                let frame_pointer = entry.registers[FRAME_POINTER as usize];
                (
                    frame,
                    size,
                    frame_pointer.wrapping_sub(frame.wrapping_mul(stride)),
                )
            }
            Frames::Manual => (0, 1, 0),
        };
        let (stack_host, stack_span) = match entry.frames {
            Frames::Fixed {
                host,
                size,
                stride: 2,
            } => (host, (2 * size).wrapping_mul(entry.max_call_depth)),
            _ => (0, 0),
        };
        let context = Context {
            slots: [Slot::default(); SLOTS],
            registers: entry.registers,
            saved: [0; 5],
            left_frame: 0,
            stack_start: entry.registers[FRAME_POINTER as usize].wrapping_sub(step),
            stack_span,
            stack_host,
            key: image.key,
            meter: entry.meter,
            frame,
            frame_limit: frame.wrapping_add(step.wrapping_mul(entry.max_call_depth)),
            frame_bias: bias,
            resolved: 0,
            exception: u64::from(image.key as u32),
            exit_pc: 0,
            code: image.code.as_ptr(),
            entries: null(),
            access_sites: match growing {
                None => image.accesses.as_ptr(),
                Some(growing) => growing.code.access_sites(),
            },
            found: null(),
            left_host: 0,
            access: callbacks::access::<H>,
            unwind: callbacks::unwind::<H>,
            syscall: callbacks::syscall::<H>,
            arguments: null_mut(),
            plain_functions: null(),
            run: null_mut(),
            functions: growing.map_or(null(), |growing| growing.code.functions()),
            compile: callbacks::compile::<H>,
        };
        Self {
            is_touched: has_silent_lookups(&context),
            context,
            host,
            frames: Vec::new(),
            panic: None,
            cache: SecondLevel::default(),
            has_translations: false,
            has_ended: false,
            layout: entry.frames,
            first_frame: frame,
            stack_span,
            image,
            growing,
        }
    }

    /// Prepares one more execution, from the same frame and with these registers and instructions left,
    /// on regions that are where they were.
    #[inline]
    pub fn restart(&mut self, registers: &[u64; REGISTERS], meter: i64) {
        self.context.meter = meter;
        if self.is_touched {
            return self.reset(registers);
        }
        // The result, and r1 to r5 where a caller reads them.
        let [results @ .., _, _, _, _, _] = &mut self.context.registers;
        let [first @ .., _, _, _, _, _] = registers;
        *results = *first;
    }

    #[inline(never)]
    fn reset(&mut self, registers: &[u64; REGISTERS]) {
        self.context.registers = *registers;
        self.context.frame = self.first_frame;
        self.context.exception = self.context.no_exception();
        self.frames.clear();
        if std::mem::take(&mut self.has_ended) {
            self.context.stack_span = self.stack_span;
            self.prefill();
        }
        self.is_touched = has_silent_lookups(&self.context);
    }

    /// Executes the program.
    ///
    /// Afterwards the context holds the meter that is left, and after [`Exception::Bailout`] and
    /// [`Self::hand_over`] the registers with which the interpreter goes on, [`Self::frames`] being its call stack.
    ///
    /// # Panics
    /// With the panic of a syscall, as an interpreter would.
    ///
    /// # Safety
    /// The image's code must come from the lowering together with its entries and sites, what runs have
    /// learnt must be [`Learnt::with_hints`] if its dialect has hints, and the
    /// frames given to [`Self::new`] must be host memory that the program may read and write. If its
    /// dialect calls functions directly, [`Host::plain_functions`] must have one entry for each syscall.
    #[inline]
    pub unsafe fn enter(&mut self) -> Exit {
        if self.context.run != (&raw mut *self).cast::<c_void>() {
            self.settle_late();
        }
        let entry_point = self.image.code.entry_point();
        let run: *mut Self = self;
        // SAFETY: the caller vouches for the code. `run` stays valid and is not used here until
        // the call returns; generated code and its callbacks reach the execution through that
        // pointer alone.
        let returned = unsafe {
            let context = &raw mut (*run).context;
            (*context).run = run.cast::<c_void>();
            entry_point(Context::anchor(context))
        };
        if returned == ENDED || self.is_touched {
            return self.left(returned);
        }
        self.finished(returned)
    }

    #[inline]
    pub(crate) fn finished(&mut self, meter: i64) -> Exit {
        self.context.meter = instructions_left(meter);
        Exit::Finished {
            pc: self.context.revealed(self.context.exit_pc as u32),
        }
    }

    /// Tells the context where the execution and what belongs to the host are, which is where they have
    /// not been before. [`Self::enter`] does it where it was not done; to do it before is faster for an
    /// execution that is entered but once.
    #[inline]
    pub fn settle(&mut self) {
        self.prefill();
        self.context.run = (&raw mut *self).cast::<c_void>();
        self.context.entries = match self.growing {
            None => self.image.entries.as_ptr(),
            Some(growing) => growing.code.entries(),
        };
        self.context.arguments = self.host.arguments();
        self.context.plain_functions = self.host.plain_functions().as_ptr();
    }

    #[inline(never)]
    fn settle_late(&mut self) {
        self.settle();
    }

    pub(crate) fn access_site(&self, number: usize) -> AccessSite {
        match self.growing {
            None => self.image.accesses[number],
            Some(growing) => growing.code.access_site(number),
        }
    }

    pub(crate) fn call_site(&self, number: usize) -> CallSite {
        match self.growing {
            None => self.image.calls[number],
            Some(growing) => growing.code.call_site(number),
        }
    }

    /// How frames are passed.
    pub fn frames(&self) -> Frames {
        self.layout
    }

    /// Call depth that belongs to a frame value.
    pub fn depth(&self, frame: u64) -> u64 {
        match self.layout {
            // Divisions are slow, and sizes of frames hardly ever need one.
            Frames::Fixed { host, size, .. } if size.is_power_of_two() => {
                (frame.wrapping_sub(host) >> size.trailing_zeros()).wrapping_sub(1)
            }
            Frames::Fixed { host, size, .. } => frame
                .wrapping_sub(host)
                .checked_div(size)
                .map_or(0, |depth| depth.wrapping_sub(1)),
            Frames::Manual => frame,
        }
    }

    /// The frame pointer r10 that belongs to a frame value; with manual frames `manual`.
    pub fn frame_pointer(&self, frame: u64, manual: u64) -> u64 {
        match self.layout {
            Frames::Fixed { stride, .. } => self
                .context
                .frame_bias
                .wrapping_add(frame.wrapping_mul(stride)),
            Frames::Manual => manual,
        }
    }

    /// To be called before what may change regions, and [`Self::refresh`] behind it.
    #[inline(always)]
    pub(crate) fn expect_changes(&mut self) {
        if self.has_translations {
            self.host.watch_regions();
        }
    }

    /// Drops translations if regions may have changed. Tells whether compiled code can go on with the
    /// stack as it is now.
    #[inline(always)]
    pub(crate) fn refresh(&mut self) -> Stack {
        if self.has_translations {
            return self.refresh_translations();
        }
        let stack = self.look_at_stack();
        if stack == Stack::Displaced {
            // Frames are looked up without telling.
            self.drop_translations();
        }
        stack
    }

    #[inline(never)]
    fn refresh_translations(&mut self) -> Stack {
        if !self.host.regions_changed() {
            return Stack::Unchanged;
        }
        self.drop_translations();
        let stack = self.look_at_stack();
        if stack == Stack::InPlace {
            self.prefill();
        }
        stack
    }

    pub(crate) fn drop_translations(&mut self) {
        translation::clear(&mut self.context);
        self.cache.clear();
        self.has_translations = false;
    }

    /// By how much the frame values of a function and of one that it calls differ.
    pub fn frame_size(&self) -> u64 {
        match self.layout {
            Frames::Fixed { size, .. } => size,
            Frames::Manual => 1,
        }
    }

    #[inline(always)]
    fn look_at_stack(&mut self) -> Stack {
        let is_intact = self.host.stack_is_intact();
        self.context.stack_span = if is_intact { self.stack_span } else { 0 };
        if is_intact {
            Stack::InPlace
        } else {
            Stack::Displaced
        }
    }

    /// Puts the range around `address` into the region cache, after it was missed there.
    pub(crate) fn remember(&mut self, address: u64, range: Range) {
        self.has_translations = true;
        let learnt = &self.image.learnt;
        if learnt.has_hints() {
            learnt.add(address);
            self.cache.insert(&mut self.context.found, range);
        } else {
            translation::insert(&mut self.context, address, range);
            if !learnt.add(address) && self.cache.miss(&mut self.context.found, range) {
                learnt.crowd();
            }
        }
    }

    #[inline]
    fn prefill(&mut self) {
        if self.image.learnt.are_crowded() {
            return self.prefill_second_level();
        }
        let needed = self.image.learnt.slots();
        self.has_translations |= !needed.are_none();
        self.host.likely_ranges(needed, |range| {
            // Programs read their input from its start.
            if translation::is_empty(&self.context, range.start) {
                translation::insert(&mut self.context, range.start, range);
            }
        });
    }

    /// [`Self::prefill`] where one range in each slot is not enough.
    #[inline(never)]
    fn prefill_second_level(&mut self) {
        let context = &mut self.context;
        let cache = &mut self.cache;
        let learnt = &self.image.learnt;
        let has_hints = learnt.has_hints();
        if has_hints {
            cache.begin(&mut context.found, learnt);
        }
        let needed = learnt.slots();
        self.has_translations |= !needed.are_none();
        self.host.likely_ranges(needed, |range| {
            if !has_hints && translation::is_empty(context, range.start) {
                translation::insert(context, range.start, range);
            }
            cache.insert_again(&mut context.found, range);
        });
        if has_hints {
            cache.begun();
        }
        self.is_touched |= has_silent_lookups(&self.context);
    }
}

/// Whether generated code may look up accesses out of line without a callback. It shows registers of all
/// kinds before it does.
fn has_silent_lookups(context: &Context) -> bool {
    !context.found.is_null() || context.stack_span != 0
}
