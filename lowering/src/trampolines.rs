//! Functions of a program that are not made of its instructions: the way in, the way to the
//! access callback, and the way from the signature of `callx` to a function's own.

use {
    crate::{
        call::{access_signature, declare},
        function::{Analysis, FunctionName, TRUSTED, signature},
        units::UnitId,
    },
    cranelift_codegen::{
        ir::{
            AbiParam, Function, InstBuilder, Signature, UserFuncName, Value, condcodes::IntCC,
            types::I64,
        },
        isa::{CallConv, TargetFrontendConfig},
    },
    cranelift_frontend::{FunctionBuilder, FunctionBuilderContext},
    sbpf_runtime::abi::{
        ACCESS_SITE_SHIFT, FOUND, FOUND_SHIFT, FOUND_SPREAD, SLOT_SHIFT, SLOT_SIZE_SHIFT, SLOTS,
        TRANSLATION_SHIFT, offset,
    },
};

fn begin<'f>(
    function: &'f mut Function,
    frontend: &'f mut FunctionBuilderContext,
    name: FunctionName,
    signature: Signature,
) -> (FunctionBuilder<'f>, Vec<Value>) {
    let (namespace, index) = name.to_user_name();
    function.name = UserFuncName::user(namespace, index);
    function.signature = signature;
    let mut builder = FunctionBuilder::new(function, frontend);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    builder.seal_block(block);
    let parameters = builder.block_params(block).to_vec();
    (builder, parameters)
}

/// The way in: `extern "C" fn(*mut Context) -> i64`, see [`sbpf_runtime::run::EntryPoint`].
pub fn lower_entry(
    analysis: &Analysis<'_>,
    target: TargetFrontendConfig,
    frontend: &mut FunctionBuilderContext,
    function: &mut Function,
) {
    let mut entry = Signature::new(target.default_call_conv);
    entry.params.push(AbiParam::new(I64));
    entry.returns.push(AbiParam::new(I64));
    let (mut builder, parameters) = begin(function, frontend, FunctionName::Entry, entry);
    let context = parameters[0];
    let start = analysis.graph.starts[0];
    let registers = analysis.liveness.live_in(start);
    let mut arguments = vec![
        context,
        builder.ins().load(I64, TRUSTED, context, offset::METER),
        builder.ins().load(I64, TRUSTED, context, offset::FRAME),
    ];
    for register in registers.iter() {
        arguments.push(
            builder
                .ins()
                .load(I64, TRUSTED, context, offset::register(register)),
        );
    }
    let name = FunctionName::Unit(analysis.units.owner(start));
    let callee = declare(&mut builder, name, signature(registers));
    let call = builder.ins().call(callee, &arguments);
    let results = builder.inst_results(call).to_vec();
    let ended = builder.create_block();
    let finished = builder.create_block();
    let zero = builder.ins().iconst(I64, 0);
    let is_negative = builder.ins().icmp(IntCC::SignedLessThan, results[1], zero);
    builder.ins().brif(is_negative, ended, &[], finished, &[]);
    builder.seal_all_blocks();
    // The registers belong to the interpreter's continuation if the program has not finished.
    builder.switch_to_block(finished);
    builder
        .ins()
        .store(TRUSTED, results[0], context, offset::register(0));
    builder.ins().return_(&[results[1]]);
    builder.switch_to_block(ended);
    builder.ins().return_(&[results[1]]);
    builder.finalize(target);
}

/// Looks up the second level of the region cache ([`sbpf_runtime::abi::Found`]) for a site.
///
/// ```text
/// address = base + low
/// entry = found.tables[store][index(address)]
/// if address - entry.start < length && address - entry.start + span <= length:
///   ctx.resolved = address - entry.start + entry.host
///   copy the entry to the first level
/// else: the access callback
/// ```
///
/// It calls nothing that changes registers, so it has few to preserve.
pub fn lower_access(
    target: TargetFrontendConfig,
    frontend: &mut FunctionBuilderContext,
    function: &mut Function,
) {
    let (mut builder, parameters) = begin(
        function,
        frontend,
        FunctionName::Access,
        access_signature(CallConv::PreserveAll),
    );
    let (context, number) = (parameters[0], parameters[2]);
    let slow = builder.create_block();
    let look_up = builder.create_block();
    let check_end = builder.create_block();
    let hit = builder.create_block();
    let found = builder.ins().load(I64, TRUSTED, context, offset::FOUND);
    builder.ins().brif(found, look_up, &[], slow, &[]);

    builder.switch_to_block(look_up);
    let sites = builder
        .ins()
        .load(I64, TRUSTED, context, offset::ACCESS_SITES);
    let number = builder.ins().uextend(I64, number);
    let place = shifted(&mut builder, number, i64::from(ACCESS_SITE_SHIFT));
    let site = builder.ins().iadd(sites, place);
    let base = builder.ins().sload32(TRUSTED, site, offset::SITE_BASE);
    let register = builder.ins().iadd(context, base);
    let base = builder.ins().load(I64, TRUSTED, register, 0);
    let low = builder.ins().sload32(TRUSTED, site, offset::SITE_LOW);
    let address = builder.ins().iadd(base, low);
    let page = shifted(&mut builder, address, -i64::from(FOUND_SHIFT));
    let spread = shifted(&mut builder, address, -i64::from(FOUND_SPREAD));
    let index = builder.ins().bxor(page, spread);
    let mask = builder.ins().iconst(I64, FOUND as i64 - 1);
    let index = builder.ins().band(index, mask);
    let store = builder.ins().uload32(TRUSTED, site, offset::SITE_STORE);
    let table = shifted(&mut builder, store, i64::from(FOUND.trailing_zeros()));
    let index = builder.ins().bor(index, table);
    let place = shifted(&mut builder, index, i64::from(TRANSLATION_SHIFT));
    let entry = builder.ins().iadd(found, place);
    let start = builder.ins().load(I64, TRUSTED, entry, offset::START);
    let distance = builder.ins().isub(address, start);
    let length = builder.ins().load(I64, TRUSTED, entry, offset::limit(0));
    let starts_inside = builder
        .ins()
        .icmp(IntCC::UnsignedLessThan, distance, length);
    builder.ins().brif(starts_inside, check_end, &[], slow, &[]);

    builder.switch_to_block(check_end);
    let span = builder.ins().uload32(TRUSTED, site, offset::SITE_SPAN);
    let end = builder.ins().iadd(distance, span);
    let ends_inside = builder
        .ins()
        .icmp(IntCC::UnsignedLessThanOrEqual, end, length);
    builder.ins().brif(ends_inside, hit, &[], slow, &[]);

    builder.switch_to_block(hit);
    let host = builder.ins().load(I64, TRUSTED, entry, offset::HOST);
    let resolved = builder.ins().iadd(host, distance);
    builder
        .ins()
        .store(TRUSTED, resolved, context, offset::RESOLVED);
    // What follows is likely to be in the same range.
    let slot = shifted(&mut builder, address, -i64::from(SLOT_SHIFT));
    let mask = builder.ins().iconst(I64, SLOTS as i64 - 1);
    let slot = builder.ins().band(slot, mask);
    let slot = shifted(&mut builder, slot, i64::from(SLOT_SIZE_SHIFT));
    let half = shifted(&mut builder, store, i64::from(TRANSLATION_SHIFT));
    let place = builder.ins().bor(slot, half);
    let first_level = builder.ins().iadd(context, place);
    for word in (0..1 << TRANSLATION_SHIFT).step_by(8) {
        let value = builder.ins().load(I64, TRUSTED, entry, word);
        builder
            .ins()
            .store(TRUSTED, value, first_level, offset::LOAD + word);
    }
    builder.ins().return_(&[]);

    builder.switch_to_block(slow);
    let callee = declare(
        &mut builder,
        FunctionName::AccessSlow,
        access_signature(CallConv::PreserveAll),
    );
    builder.ins().call(callee, &parameters);
    builder.ins().return_(&[]);
    builder.seal_all_blocks();
    builder.finalize(target);
}

/// `value` shifted to the left by `bits`, or to the right if negative.
fn shifted(builder: &mut FunctionBuilder<'_>, value: Value, bits: i64) -> Value {
    let amount = builder.ins().iconst(I64, bits.abs());
    if bits < 0 {
        builder.ins().ushr(value, amount)
    } else {
        builder.ins().ishl(value, amount)
    }
}

/// Forwards to [`sbpf_runtime::abi::Context::access`] and preserves all registers, so that a miss
/// in the region cache costs nothing on the usual path.
pub fn lower_access_slow(
    target: TargetFrontendConfig,
    frontend: &mut FunctionBuilderContext,
    function: &mut Function,
) {
    let (mut builder, parameters) = begin(
        function,
        frontend,
        FunctionName::AccessSlow,
        access_signature(CallConv::PreserveAll),
    );
    let callback = builder
        .ins()
        .load(I64, TRUSTED, parameters[0], offset::ACCESS);
    let signature = builder.import_signature(access_signature(target.default_call_conv));
    builder
        .ins()
        .call_indirect(signature, callback, &parameters);
    builder.ins().return_(&[]);
    builder.finalize(target);
}

/// Forwards from the signature of `callx`, the same for all functions, to a unit's own.
pub fn lower_indirect(
    analysis: &Analysis<'_>,
    unit: UnitId,
    target: TargetFrontendConfig,
    frontend: &mut FunctionBuilderContext,
    function: &mut Function,
) {
    let passed = analysis.liveness.indirect_parameters;
    let (mut builder, parameters) = begin(
        function,
        frontend,
        FunctionName::Indirect(unit),
        signature(passed),
    );
    let needed = analysis.liveness.live_in(analysis.units.unit(unit).entry);
    let mut arguments = parameters[..3].to_vec();
    for (register, value) in passed.iter().zip(&parameters[3..]) {
        if needed.contains(register) {
            arguments.push(*value);
        }
    }
    let callee = declare(&mut builder, FunctionName::Unit(unit), signature(needed));
    builder.ins().return_call(callee, &arguments);
    builder.finalize(target);
}
