//! Where accesses go that the first level of the region cache does not admit: frames of a stack with
//! gaps, the second level, the access callback.
//!
//! ```text
//! access(meter, site):
//!   address = ctx.resolved
//!   distance = address - ctx.stack_start                        // only for stacks with gaps
//!   if distance < ctx.stack_span and span bytes from there are in one frame:
//!     ctx.resolved = ctx.left_host = ctx.stack_host + what they are behind
//!     the first level gets that frame
//!   else own = address + own_offset; range = the last one in ctx.found that starts at own or before it
//!     if own - range.start < length and own - range.start + own_span <= length:
//!       ctx.resolved = address - range.start + range.host
//!       ctx.left_host = the same if all of the span is inside, else 0
//!       the first level gets that range, or else the check's hint
//!   else: access_slow(meter, site)
//! ```
//!
//! Both functions preserve all registers, so that a miss costs nothing on the usual path.

use {
    crate::{
        call::{access_callback_signature, access_signature, declare},
        dialect::FrameLayout,
        function::{Analysis, FunctionName, TRUSTED},
        speculation,
        trampolines::{begin, forward},
        translation::selected_slot,
    },
    cranelift_codegen::{
        ir::{
            Block, Function, InstBuilder, Value,
            condcodes::IntCC,
            types::{I32, I64},
        },
        isa::TargetFrontendConfig,
    },
    cranelift_frontend::{FunctionBuilder, FunctionBuilderContext},
    sbpf_runtime::abi::{
        ACCESS_SITE_SHIFT, FOUND, HINTED_SITES, LIMITS, SLOT_SIZE_SHIFT, TRANSLATION_SHIFT, offset,
    },
};

/// Log2 of the size of a word.
const WORD_SHIFT: u32 = 3;

/// Lowers the function that looks further for the range of a site.
pub(crate) fn lower_access(
    analysis: &Analysis<'_>,
    target: TargetFrontendConfig,
    frontend: &mut FunctionBuilderContext,
    function: &mut Function,
) {
    let (mut builder, parameters) =
        begin(function, frontend, FunctionName::Access, access_signature());
    let [meter, number] = parameters[..] else {
        unreachable!("`access_signature` has two parameters");
    };
    let context = builder.ins().get_pinned_reg(I64);
    let ins = builder.ins();
    let address = ins.load(I64, TRUSTED, context, offset::RESOLVED);
    let slow = builder.create_block();
    let shown = number;
    let number = match analysis.key {
        Some(_) => {
            let key = builder.ins().load(I32, TRUSTED, context, offset::KEY);
            builder.ins().bxor(number, key)
        }
        None => number,
    };
    let site = find_site(&mut builder, context, number);
    let mut access = Access {
        analysis,
        builder,
        context,
        address,
        slow,
        shown,
        site,
    };
    if let FrameLayout::Fixed { size, stride: 2 } = analysis.program.dialect.frames
        && size.is_power_of_two()
    {
        access.look_at_frames(size);
    }
    access.look_up();

    let Access { mut builder, .. } = access;
    builder.switch_to_block(slow);
    let callee = declare(&mut builder, FunctionName::AccessSlow, access_signature());
    builder.ins().call(callee, &[meter, number]);
    builder.ins().return_(&[]);
    builder.seal_all_blocks();
    builder.finalize(target);
}

/// The address of the site with a number.
fn find_site(builder: &mut FunctionBuilder<'_>, context: Value, number: Value) -> Value {
    let sites = builder
        .ins()
        .load(I64, TRUSTED, context, offset::ACCESS_SITES);
    let number = builder.ins().uextend(I64, number);
    let shift = builder.ins().iconst(I64, i64::from(ACCESS_SITE_SHIFT));
    let place = builder.ins().ishl(number, shift);
    builder.ins().iadd(sites, place)
}

/// The function being made.
struct Access<'f> {
    analysis: &'f Analysis<'f>,
    builder: FunctionBuilder<'f>,
    context: Value,
    /// The lowest address that the site accesses.
    address: Value,
    /// Goes to the callback.
    slow: Block,
    /// The site's number as it is in the code.
    shown: Value,
    /// Its address.
    site: Value,
}

impl Access<'_> {
    /// Goes on in a new block if the address is in no frame of the stack, of `size` bytes each.
    fn look_at_frames(&mut self, size: u32) {
        let within_stack = self.builder.create_block();
        let hit = self.builder.create_block();
        let elsewhere = self.builder.create_block();
        let start = self.load(self.context, offset::STACK_START);
        let distance = self.builder.ins().isub(self.address, start);
        let span = self.load(self.context, offset::STACK_SPAN);
        let is_within_stack = self.go_if(
            IntCC::UnsignedLessThan,
            distance,
            span,
            within_stack,
            elsewhere,
        );

        self.builder.switch_to_block(within_stack);
        // Frame and gap together are twice the size.
        let mask = self.constant(2 * i64::from(size) - 1);
        let within = self.builder.ins().band(distance, mask);
        let span = self.site_half(offset::SITE_SPAN);
        let end = self.builder.ins().iadd(within, span);
        let limit = self.constant(i64::from(size));
        let is_within_frame =
            self.go_if(IntCC::UnsignedLessThanOrEqual, end, limit, hit, elsewhere);

        self.builder.switch_to_block(hit);
        let frame = self.builder.ins().isub(distance, within);
        let behind = self.shifted(frame, -1);
        let stack = self.load(self.context, offset::STACK_HOST);
        let host = self.builder.ins().iadd(stack, behind);
        let host = self.unless_mispredicted(&[is_within_stack, is_within_frame], host);
        let resolved = self.builder.ins().iadd(host, within);
        self.store(resolved, self.context, offset::RESOLVED);
        self.store(resolved, self.context, offset::LEFT_HOST);
        let first_level = self.first_level(self.address);
        let start = self.builder.ins().isub(self.address, within);
        self.store(start, first_level, offset::LOAD + offset::START);
        self.store(host, first_level, offset::LOAD + offset::HOST);
        for log2 in 0..LIMITS as u32 {
            let limit = self.constant((i64::from(size) + 1 - (1 << log2)).max(0));
            self.store(limit, first_level, offset::LOAD + offset::limit(log2));
        }
        self.builder.ins().return_(&[]);
        self.builder.switch_to_block(elsewhere);
    }

    /// The second level ([`sbpf_runtime::abi::Found`]).
    fn look_up(&mut self) {
        let has_hints = self.analysis.program.dialect.has_hints();
        let own_offset = self.site_half(offset::SITE_OWN_OFFSET);
        let own = self.builder.ins().iadd(self.address, own_offset);
        let found = self.load(self.context, offset::FOUND);
        let hit = self.builder.create_block();
        let range = self.builder.append_block_param(hit, I64);
        let look = self.builder.create_block();
        self.builder.ins().brif(found, look, &[], self.slow, &[]);
        self.builder.switch_to_block(look);
        self.follow_hint(found, own, hit);
        let index = self.search(found, own);
        self.keep_hint(found, index);
        self.go_if_inside(found, index, own, hit, self.slow);

        self.builder.switch_to_block(hit);
        let (distance, length) = self.distance(range, own);
        let host = self.load(range, offset::HOST);
        let resolved = self.builder.ins().iadd(host, distance);
        let resolved = self.builder.ins().isub(resolved, own_offset);
        let resolved = self.unless_outside(distance, length, resolved);
        self.store(resolved, self.context, offset::RESOLVED);
        self.leave_if_whole(distance, own_offset, length, resolved);
        if !has_hints {
            let first_level = self.first_level(own);
            for word in (0..1 << TRANSLATION_SHIFT).step_by(8) {
                let value = self.load(range, word);
                self.store(value, first_level, offset::LOAD + word);
            }
        }
        self.builder.ins().return_(&[]);
    }

    /// Goes to `hit` with the range of a number if what the site accesses itself, from `own` on, is inside.
    fn go_if_inside(
        &mut self,
        found: Value,
        index: Value,
        own: Value,
        hit: Block,
        otherwise: Block,
    ) {
        let range = self.range(found, index);
        let (distance, length) = self.distance(range, own);
        let [begins, ends] = self.inside(distance, offset::SITE_OWN_SPAN, length);
        let is_inside = self.builder.ins().band(begins, ends);
        let arguments = [range.into()];
        self.builder
            .ins()
            .brif(is_inside, hit, &arguments, otherwise, &[]);
    }

    /// How far behind the start of a range an address is, and the length of the range.
    fn distance(&mut self, range: Value, address: Value) -> (Value, Value) {
        let start = self.load(range, offset::START);
        let distance = self.builder.ins().isub(address, start);
        (distance, self.load(range, offset::limit(0)))
    }

    /// Whether what is `distance` behind the start of a range of `length` bytes begins inside, and whether it
    /// ends there; `span` is the field of the site with its size, which is small and not 0. An address before
    /// the start is farther behind it than any length.
    fn inside(&mut self, distance: Value, span: i32, length: Value) -> [Value; 2] {
        let span = self.site_half(span);
        let end = self.builder.ins().iadd(distance, span);
        [distance, end].map(|place| {
            let within = IntCC::UnsignedLessThanOrEqual;
            self.builder.ins().icmp(within, place, length)
        })
    }

    /// The half that the site looks at of the slot with a number.
    fn range(&mut self, found: Value, index: Value) -> Value {
        let slot = self.shifted(index, i64::from(SLOT_SIZE_SHIFT));
        let slot = self.builder.ins().iadd(found, slot);
        let half = self.half();
        self.builder.ins().iadd(slot, half)
    }

    /// `host` unless what the site accesses itself was taken to be inside by misprediction.
    fn unless_outside(&mut self, distance: Value, length: Value, host: Value) -> Value {
        if !self.analysis.guards_speculation {
            return host;
        }
        let conditions = self.inside(distance, offset::SITE_OWN_SPAN, length);
        self.unless_mispredicted(&conditions, host)
    }

    /// Goes to `hit` if the hint is right, or if one of the next ranges is: programs go through accounts in
    /// their order.
    fn follow_hint(&mut self, found: Value, own: Value, hit: Block) {
        let place = self.hint_place(found);
        let hint = offset::FOUND_HINTS;
        let hint = self.builder.ins().uload8(I64, TRUSTED, place, hint);
        // The check may have looked for more than the site needs itself.
        let mut goes_on = self.builder.create_block();
        self.go_if_inside(found, hint, own, hit, goes_on);
        for ahead in 1..=2 {
            self.builder.switch_to_block(goes_on);
            let ahead = self.constant(ahead);
            let next = self.builder.ins().iadd(hint, ahead);
            let last = self.constant(FOUND as i64 - 1);
            let next = self.builder.ins().band(next, last);
            let is_next = self.builder.create_block();
            goes_on = self.builder.create_block();
            let range = self.builder.append_block_param(is_next, I64);
            self.go_if_inside(found, next, own, is_next, goes_on);
            self.builder.switch_to_block(is_next);
            self.keep_hint(found, next);
            self.builder.ins().jump(hit, &[range.into()]);
        }
        self.builder.switch_to_block(goes_on);
    }

    /// Lets the check look at the range with a number next time.
    fn keep_hint(&mut self, found: Value, index: Value) {
        let place = self.hint_place(found);
        let ins = self.builder.ins();
        ins.istore8(TRUSTED, index, place, offset::FOUND_HINTS);
        let new = self.constant(1);
        self.store(new, found, offset::FOUND_ARE_HINTS_NEW);
    }

    /// Where the check's hint is, or the one of all checks if they have none of their own, less
    /// [`offset::FOUND_HINTS`].
    fn hint_place(&mut self, found: Value) -> Value {
        if !self.analysis.program.dialect.has_hints() {
            return found;
        }
        let shown = self.builder.ins().uextend(I64, self.shown);
        let mask = self.constant(HINTED_SITES as i64 - 1);
        let site = self.builder.ins().band(shown, mask);
        let slot = selected_slot(&mut self.builder, self.address);
        let hint = self.builder.ins().iadd(site, slot);
        self.builder.ins().iadd(found, hint)
    }

    /// The number of the last range that starts at `own` or before it, or else of the first one.
    fn search(&mut self, found: Value, own: Value) -> Value {
        let turn = self.builder.create_block();
        let step = self.builder.append_block_param(turn, I64);
        let index = self.builder.append_block_param(turn, I64);
        let probe = self.builder.create_block();
        let ends = self.builder.create_block();
        let reach = self.load(found, offset::FOUND_REACH);
        let first = self.constant(0);
        let arguments = [reach.into(), first.into()];
        self.builder.ins().jump(turn, &arguments);

        self.builder.switch_to_block(turn);
        self.builder.ins().brif(step, probe, &[], ends, &[]);

        self.builder.switch_to_block(probe);
        let next = self.builder.ins().iadd(index, step);
        let behind = self.shifted(next, i64::from(WORD_SHIFT));
        let place = self.builder.ins().iadd(found, behind);
        let start = self.load(place, offset::FOUND_STARTS);
        let is_before = IntCC::UnsignedLessThanOrEqual;
        let is_before = self.builder.ins().icmp(is_before, start, own);
        let index_behind = self.builder.ins().select(is_before, next, index);
        let half = self.shifted(step, -1);
        let arguments = [half.into(), index_behind.into()];
        self.builder.ins().jump(turn, &arguments);

        self.builder.switch_to_block(ends);
        index
    }

    /// Sets what a check leaves to later blocks: `resolved` if a range of `length` bytes has the whole
    /// span of the site, whose own accesses begin `distance` behind the first byte.
    fn leave_if_whole(
        &mut self,
        distance: Value,
        own_offset: Value,
        length: Value,
        resolved: Value,
    ) {
        let lowest = self.builder.ins().isub(distance, own_offset);
        let conditions = self.inside(lowest, offset::SITE_SPAN, length);
        let is_whole = self.builder.ins().band(conditions[0], conditions[1]);
        let none = self.constant(0);
        let left = self.builder.ins().select(is_whole, resolved, none);
        let left = self.unless_mispredicted(&conditions, left);
        self.store(left, self.context, offset::LEFT_HOST);
    }

    /// The entry of the first level for an address: what follows is likely to be in the same
    /// range. It is used with the offsets of a slot's half for loads.
    fn first_level(&mut self, address: Value) -> Value {
        let slot = selected_slot(&mut self.builder, address);
        let half = self.half();
        let place = self.builder.ins().bor(slot, half);
        self.builder.ins().iadd(self.context, place)
    }

    /// How far behind a slot the half of it is that the site looks at.
    fn half(&mut self) -> Value {
        let store = self.site_half(offset::SITE_STORE);
        self.shifted(store, i64::from(TRANSLATION_SHIFT))
    }

    /// Gives the condition.
    fn go_if(
        &mut self,
        code: IntCC,
        left: Value,
        right: Value,
        then: Block,
        otherwise: Block,
    ) -> Value {
        let holds = self.builder.ins().icmp(code, left, right);
        self.builder.ins().brif(holds, then, &[], otherwise, &[]);
        holds
    }

    fn unless_mispredicted(&mut self, conditions: &[Value], host: Value) -> Value {
        speculation::unless_mispredicted(self.analysis, &mut self.builder, conditions, host)
    }

    fn site_half(&mut self, field: i32) -> Value {
        self.builder.ins().uload16(I64, TRUSTED, self.site, field)
    }

    fn load(&mut self, address: Value, at: i32) -> Value {
        self.builder.ins().load(I64, TRUSTED, address, at)
    }

    fn store(&mut self, value: Value, address: Value, at: i32) {
        self.builder.ins().store(TRUSTED, value, address, at);
    }

    fn constant(&mut self, value: i64) -> Value {
        self.builder.ins().iconst(I64, value)
    }

    /// `value` shifted to the left by `bits`, or to the right if negative.
    fn shifted(&mut self, value: Value, bits: i64) -> Value {
        let amount = self.constant(bits.abs());
        if bits < 0 {
            self.builder.ins().ushr(value, amount)
        } else {
            self.builder.ins().ishl(value, amount)
        }
    }
}

/// Forwards to [`sbpf_runtime::abi::Context::access`] and preserves all registers, so that a miss
/// in the region cache costs nothing on the usual path.
pub(crate) fn lower_access_slow(
    target: TargetFrontendConfig,
    frontend: &mut FunctionBuilderContext,
    function: &mut Function,
) {
    let (mut builder, parameters) = begin(
        function,
        frontend,
        FunctionName::AccessSlow,
        access_signature(),
    );
    let callback = access_callback_signature(target.default_call_conv);
    forward(&mut builder, &parameters, offset::ACCESS, callback);
    builder.finalize(target);
}
