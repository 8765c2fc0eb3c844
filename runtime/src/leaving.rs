//! How compiled code is left before the program's own `exit`: at an end in an access, and for the interpreter,
//! which goes on with registers and a call stack.

use crate::{
    abi::{DISPLACED, ENDED, Exception, FRAME_POINTER, LEAVE, REGISTERS, instructions_left},
    host::Host,
    run::{Exit, Run},
    site::{AccessSite, Inherited, STAYS},
};

impl<H: Host> Run<'_, H> {
    /// How compiled code was left, if it has called back or not finished.
    #[inline(never)]
    pub(crate) fn left(&mut self, returned: i64) -> Exit {
        self.is_touched = true;
        self.cache.end(&self.image.learnt);
        if let Some(payload) = self.panic.take() {
            std::panic::resume_unwind(payload);
        }
        if self.has_ended {
            use Exception::{BailoutAtEntry, EnteredTooDeep};
            if returned != ENDED {
                self.context.frame = self.first_frame;
            } else if let Some((EnteredTooDeep | BailoutAtEntry, _)) = self.context.raised() {
                // Left by a function that was called behind the access.
                self.context.frame = self.context.frame.wrapping_sub(self.frame_size());
            }
            self.context.meter = instructions_left(self.context.meter);
            return Exit::Ended;
        }
        if returned != ENDED {
            return self.finished(returned);
        }
        self.context.meter = instructions_left(self.context.meter);
        match self.context.raised() {
            Some((Exception::BailoutAtEntry, pc)) => Exit::Raised(Exception::Bailout, pc),
            Some((exception, pc)) => Exit::Raised(exception, pc),
            None => Exit::Ended,
        }
    }

    /// Ends the program in an access, or stays at the end if it comes to another one behind it.
    ///
    /// Compiled code that goes on behind the site finds no translation any more, so it comes back here before it
    /// accesses anything. The meter makes it leave at the next checkpoint, as [`DISPLACED`] does.
    pub(crate) fn end_in(&mut self, site: AccessSite, meter: i64) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.drop_translations();
            self.context.stack_span = 0;
        }
        self.context.resolved = if site.leaves == STAYS { 0 } else { LEAVE };
        self.context.meter = meter | DISPLACED;
    }

    /// Makes compiled code leave to the interpreter, at `pc` with `meter` left. Some registers are not
    /// in transit.
    pub(crate) fn leave_to_interpreter(&mut self, meter: i64, pc: u32, inherited: Inherited) {
        self.context.meter = meter;
        self.context.bail_out(pc, inherited);
        self.context.resolved = LEAVE;
    }

    /// Puts r10 among the registers in transit; generated code leaves it out where the frame
    /// value determines it.
    pub fn restore_frame_pointer(&mut self) {
        let register = FRAME_POINTER as usize;
        self.context.registers[register] =
            self.frame_pointer(self.context.frame, self.context.registers[register]);
    }

    /// Completes the registers in transit and [`Self::frames`] for the interpreter, after [`Exception::Bailout`].
    /// `initial` are the registers that the execution started from.
    ///
    /// What is inherited is in the nearest frame around that has saved it, and else as it was at the entry.
    pub fn hand_over(&mut self, initial: &[u64; REGISTERS]) {
        self.restore_frame_pointer();
        let [.., r6, r7, r8, r9, _] = *initial;
        let mut current = [r6, r7, r8, r9];
        for frame in self.frames.iter_mut().rev() {
            for (register, (saved, current)) in (6..).zip(frame.saved.iter_mut().zip(&mut current))
            {
                match frame.kept.contains(register) {
                    true => *current = *saved,
                    false => *saved = *current,
                }
            }
        }
        for register in self.context.inherited().iter() {
            let register = usize::from(register);
            self.context.registers[register] = current[register - 6];
        }
    }
}
