//! The functions that generated code calls.
//!
//! Each is instantiated for one embedder. None lets a panic cross generated code, which has no
//! unwind tables but those for gdb: the payload is kept, compiled code is left, and the panic goes on outside.

use {
    crate::{
        abi::{
            Anchor, Context, DISPLACED, ENDED, Exception, LEAVE, REGISTERS, instructions_left,
            offset,
        },
        code,
        host::Host,
        run::{Frame, Run, Stack},
        site::{CallSite, Inherited, NEEDS_FRAME, RegisterSet},
    },
    std::panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs `body` on the execution behind `anchor`; after a panic in it `on_panic` sees to it that compiled code
/// is left.
///
/// # Safety
/// `anchor` must be the one that [`Run::enter`] passed to generated code, and no other reference
/// to its execution may be in use, which holds while generated code waits for its callback.
unsafe fn with_run<H: Host, R>(
    anchor: Anchor,
    on_panic: impl FnOnce(&mut Run<'_, H>) -> R,
    body: impl FnOnce(&mut Run<'_, H>) -> R,
) -> R {
    // SAFETY: `Run::enter` stored a pointer to the `Run<H>` that outlives the generated code, and
    // generated code, its only other user, is suspended.
    let run = unsafe { &mut *(*Context::of_anchor(anchor)).run.cast::<Run<'_, H>>() };
    run.is_touched = true;
    match catch_unwind(AssertUnwindSafe(|| body(run))) {
        Ok(result) => result,
        Err(payload) => {
            run.panic = Some(payload);
            on_panic(run)
        }
    }
}

fn no_result<H: Host>(_: &mut Run<'_, H>) {}

fn ended<H: Host>(_: &mut Run<'_, H>) -> i64 {
    ENDED
}

/// [`Context::access`]: finds the host address of a stretch of accesses or executes it.
///
/// # Safety
/// See [`with_run`].
pub(crate) unsafe extern "C" fn access<H: Host>(anchor: Anchor, meter: i64, site: u32) {
    // SAFETY: passed on to the caller.
    unsafe {
        let on_panic = |run: &mut Run<'_, H>| run.end_in(run.access_site(site as usize), meter);
        with_run::<H, ()>(anchor, on_panic, |run| {
            let site = run.access_site(site as usize);
            if run.has_ended {
                return run.end_in(site, meter);
            }
            run.restore_frame_pointer();
            let base = (i32::from(site.base) - offset::register(0)) as usize / size_of::<u64>();
            // Generated code shows the address in place of the register.
            let address = run.context.resolved;
            run.context.registers[base] = address.wrapping_sub(i64::from(site.low) as u64);
            let own = address.wrapping_add(u64::from(site.own_offset));
            let left = instructions_left(meter) - i64::from(site.spent);
            let is_displaced = instructions_left(meter) != meter;
            if is_displaced && site.leaves == NEEDS_FRAME {
                return run.leave_to_interpreter(left, site.pc, site.inherited);
            }
            // There may be accesses to the frame in the stretch: not for compiled code then.
            let range = (!is_displaced).then(|| run.host.range(own, site.store != 0));
            let found = range.flatten().and_then(|range| {
                let host = range.resolve(own, u64::from(site.own_span))?;
                // Of the lowest byte, which may be outside.
                let host = host.wrapping_sub(u64::from(site.own_offset));
                if host <= LEAVE {
                    return None;
                }
                run.remember(own, range);
                let whole = range.resolve(address, u64::from(site.span));
                run.context.left_host = whole.unwrap_or(0);
                Some(host)
            });
            run.context.resolved = found.unwrap_or(0);
            if found.is_some() {
                return;
            }
            run.context.meter = meter;
            run.expect_changes();
            let stepped = run
                .host
                .step(site.pc, site.count, left, &mut run.context.registers);
            if stepped.is_err() {
                return run.end_in(site, meter);
            }
            match run.refresh() {
                Stack::Unchanged => {}
                Stack::InPlace => run.context.meter = instructions_left(meter),
                Stack::Displaced if site.leaves == NEEDS_FRAME => {
                    let left = left - i64::from(site.count);
                    run.leave_to_interpreter(left, site.resume, site.inherited);
                }
                Stack::Displaced => run.context.meter = meter | DISPLACED,
            }
        });
    }
}

/// [`Context::unwind`]: leaves the frame of a caller.
///
/// If the callee has ended the program, the frame is noted in case the interpreter goes on. If it
/// returned with a meter that may not last, the interpreter goes on with this frame. If it returned behind an
/// access in which the program has ended, that one had the frame of the callee.
///
/// # Safety
/// See [`with_run`].
pub(crate) unsafe extern "C" fn unwind<H: Host>(
    anchor: Anchor,
    site: u32,
    meter: i64,
    result: u64,
) {
    // SAFETY: passed on to the caller.
    unsafe {
        with_run::<H, ()>(anchor, no_result, |run| {
            if run.has_ended {
                if meter != ENDED {
                    run.context.frame = run.context.left_frame.wrapping_add(run.frame_size());
                }
                return;
            }
            let site = run.context.revealed(site) as usize;
            let CallSite { return_pc, saved } = run.call_site(site);
            let context = &mut run.context;
            if let Some((Exception::EnteredTooDeep, _)) = context.raised() {
                // As if this frame had raised it, at its call.
                context.frame = context.left_frame;
                return context.raise(Exception::CallDepthExceeded, return_pc.wrapping_sub(1));
            }
            if meter == ENDED {
                run.frames.push(Frame {
                    return_pc,
                    saved: context.saved,
                    kept: saved,
                });
                return;
            }
            if saved.contains(0) {
                context.registers[0] = result;
            }
            for register in saved.without(RegisterSet::of(0)).iter() {
                let value = context.saved[usize::from(register) - 6];
                context.registers[usize::from(register)] = value;
            }
            context.meter = instructions_left(meter);
            context.frame = context.left_frame;
            let inherited = Inherited::of(Inherited::ALL.without(saved));
            context.bail_out(return_pc, inherited);
        });
    }
}

/// [`Context::syscall`]: calls a syscall and drops translations that may have become stale.
///
/// # Safety
/// See [`with_run`].
pub(crate) unsafe extern "C" fn syscall<H: Host>(
    anchor: Anchor,
    behind: u32,
    index: u32,
    meter: i64,
) -> i64 {
    // SAFETY: passed on to the caller.
    unsafe {
        with_run::<H, i64>(anchor, ended, |run| {
            if run.has_ended {
                return ENDED;
            }
            let left = instructions_left(meter);
            let was_displaced = left != meter;
            if !was_displaced
                && let Some(&operation) = run.host.memory_operation(index)
                && let Some(left) = run.operate(operation, left)
            {
                run.context.registers[0] = 0;
                return left;
            }
            let packed = u64::from(run.context.revealed(behind));
            let return_pc = Exception::pc(packed);
            let depth = run.depth(run.context.frame);
            run.expect_changes();
            let Ok((left, result)) =
                run.host
                    .syscall(index, return_pc.wrapping_sub(1), depth, left)
            else {
                return ENDED;
            };
            run.context.registers[0] = result;
            let stack = run.refresh();
            if stack == Stack::Displaced || (was_displaced && stack == Stack::Unchanged) {
                run.leave_to_interpreter(left, return_pc, Exception::inherited(packed));
                return ENDED;
            }
            left
        })
    }
}

/// [`Context::compile`]: compiles a function, if it can be.
///
/// # Safety
/// See [`with_run`].
pub(crate) unsafe extern "C" fn compile<H: Host>(anchor: Anchor, number: u32) {
    // SAFETY: passed on to the caller.
    unsafe {
        with_run::<H, ()>(anchor, no_result, |run| {
            if let Some(growing) = run.growing {
                growing.compiler.compile(number);
            }
        });
    }
    code::synchronize();
}

const _: () = assert!(
    REGISTERS == 11,
    "r0 to r10 are exchanged with generated code"
);
