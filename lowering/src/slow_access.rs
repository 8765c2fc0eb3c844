//! What follows a check that fails: the callback finds the range, or the interpreter executes the stretch.

use {
    crate::{exception::Shared, function::FunctionCx, role::Role, translation::Checked},
    cranelift_codegen::ir::{InstBuilder, Value, condcodes::IntCC, types::I64},
    sbpf_runtime::{
        abi::{FRAME_POINTER, LEAVE, offset},
        site::{AccessSite, Inherited, LEAVES_AT_END, NEEDS_FRAME, RegisterSet, STAYS},
    },
};

impl FunctionCx<'_> {
    /// Emits what happens when the cache does not have the range: goes behind the stretch, or on in a
    /// new block with the host address of the group's lowest offset, which is good for `own`, a lowest
    /// offset and a span.
    pub(crate) fn access_slowly(
        &mut self,
        access: &Checked<'_>,
        address: Value,
        own: (i32, u32),
    ) -> Value {
        let Checked {
            group,
            stretch,
            rest,
            at,
            behind,
            id,
        } = *access;
        let places = self.places;
        let mut reads = RegisterSet::EMPTY;
        let mut writes = RegisterSet::EMPTY;
        for (_, insn) in rest {
            reads = reads.union(insn.reads().without(writes));
            writes = writes.union(insn.writes());
        }
        // The callback finds the base from the address, but not the frame that a base may stand for.
        let base = match group.base {
            FRAME_POINTER => RegisterSet::EMPTY,
            base => RegisterSet::of(base),
        };
        self.spill(reads.without(base));
        let live = stretch.after.live;
        let dialect = &self.analysis.program.dialect;
        let is_fixed = !dialect.frame_pointer_is_variable();
        // Without a meter there are no checkpoints.
        let needs_frame = is_fixed && (stretch.after.frame_follows || !dialect.meter);
        let leaves = if needs_frame {
            NEEDS_FRAME
        } else if stretch.after.frame_changes || !dialect.meter || dialect.direct_functions {
            LEAVES_AT_END
        } else {
            STAYS
        };
        // The rest of the live registers is for the interpreter, should it have to stay because its handlers have
        // changed the stack under the frames of compiled code. If no frame is accessed before, it stays at the next
        // access or checkpoint.
        let shown = match needs_frame {
            true => live.without(writes).without(reads),
            false => RegisterSet::EMPTY,
        };
        let number = self.next_access_site();
        let site = self.hidden_number(number);
        self.sites.accesses.push(AccessSite {
            base: offset::register(group.base) as i16,
            leaves,
            inherited: match needs_frame {
                true => self.inherited(shown.union(reads).union(writes)),
                false => Inherited::NONE,
            },
            low: group.low,
            span: group.span as u16,
            own_offset: (own.0 - group.low) as u16,
            own_span: own.1 as u16,
            store: u16::from(group.store),
            pc: at.pc,
            spent: at.spent,
            count: rest.len() as u32,
            resume: stretch.resume,
        });
        let meter = self.meter();
        self.store_context(address, offset::RESOLVED);
        self.call_access([meter, site]);
        let resolved = self.load_context(I64, offset::RESOLVED);
        // A cold block of its own: an edge to where the usual way goes on would have its moves there.
        let found = self.cold_block(Role::Found { pc: at.pc });
        let executed = self.cold_block(Role::Interpreted { pc: at.pc });
        let is_address = match leaves {
            STAYS => resolved,
            _ => {
                let highest_mark = self.constant(LEAVE as i64);
                let ins = self.builder.ins();
                ins.icmp(IntCC::UnsignedGreaterThan, resolved, highest_mark)
            }
        };
        self.builder
            .ins()
            .brif(is_address, found, &[], executed, &[]);
        self.builder.seal_block(found);
        self.builder.seal_block(executed);

        self.go_on_in_cold(executed);
        if leaves != STAYS {
            let context = self.context();
            let leaves = self.cold_block(Role::Interpreted { pc: at.pc });
            let goes_on = self.cold_block(Role::Interpreted { pc: at.pc });
            self.builder.ins().brif(resolved, leaves, &[], goes_on, &[]);
            self.builder.seal_block(leaves);
            self.builder.switch_to_block(leaves);
            self.jump_keeping(Shared::Leave, Vec::new(), shown);
            self.builder.seal_block(goes_on);
            self.builder.switch_to_block(goes_on);
            self.copied_context(context);
        }
        self.reload(writes.intersection(live));
        if leaves == STAYS || (is_fixed && !needs_frame) {
            let meter = self.load_context(I64, offset::METER);
            self.set_meter(meter);
        }
        // A handler may have changed regions.
        self.expire_translations(id.block);
        for leader in self.sharing.held(id) {
            if let Some(left) = self.left_hosts.get(&leader).copied() {
                let zero = self.constant(0);
                self.builder.def_var(left, zero);
            }
        }
        self.builder.ins().jump(behind, &[]);

        self.places = places;
        self.builder.switch_to_block(found);
        resolved
    }
}
