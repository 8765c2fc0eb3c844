//! Functions of a program that are not made of its instructions: the way in, and the way from the
//! signature of `callx` to a function's own.

use {
    crate::{
        call::declare,
        function::{Analysis, FunctionName, TRUSTED, signature},
        linkage::{compile_callback_signature, compile_signature, load_function},
        units::UnitId,
    },
    cranelift_codegen::{
        ir::{
            AbiParam, Function, InstBuilder, Signature, UserFuncName, Value,
            condcodes::IntCC,
            types::{I32, I64},
        },
        isa::TargetFrontendConfig,
    },
    cranelift_frontend::{FunctionBuilder, FunctionBuilderContext},
    sbpf_runtime::abi::{ENDED, Exception, offset},
};

pub(crate) fn begin<'f>(
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
///
/// Until it returns, the context is in the pinned register: one that host conventions have callees
/// save, so it is still there behind a callback, and that Cranelift does not save for us.
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
    let saved = builder.ins().get_pinned_reg(I64);
    builder.ins().set_pinned_reg(context);
    let start = analysis.graph.starts[0];
    let registers = analysis.passed(start);
    let mut arguments = vec![
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
    let unit = analysis.units.owner(start);
    let call = match analysis.linkage.number(unit) {
        None => {
            let callee = declare(&mut builder, FunctionName::Unit(unit), signature(registers));
            builder.ins().call(callee, &arguments)
        }
        Some(number) => {
            let callee = first_function(analysis, number, [context, saved], &mut builder);
            let signature = builder.import_signature(signature(registers));
            builder.ins().call_indirect(signature, callee, &arguments)
        }
    };
    let results = builder.inst_results(call).to_vec();
    builder.ins().set_pinned_reg(saved);
    let ended = builder.create_block();
    let finished = builder.create_block();
    let mark = builder.ins().iconst(I64, ENDED);
    let has_ended = builder.ins().icmp(IntCC::Equal, results[1], mark);
    builder.ins().brif(has_ended, ended, &[], finished, &[]);
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

/// Where the program's first function is, compiled now if need be. If it can't be, the interpreter is
/// to run the program: registers, meter and frame are still in the context. `saved` is what belongs
/// into the pinned register then.
fn first_function(
    analysis: &Analysis<'_>,
    number: u32,
    [context, saved]: [Value; 2],
    builder: &mut FunctionBuilder<'_>,
) -> Value {
    let [missing, refused] = [(); 2].map(|()| {
        let block = builder.create_block();
        builder.set_cold_block(block);
        block
    });
    let present = builder.create_block();
    let callee = builder.append_block_param(present, I64);
    let found = load_function(builder, context, number);
    builder
        .ins()
        .brif(found, present, &[found.into()], missing, &[]);
    builder.switch_to_block(missing);
    let compile = declare(builder, FunctionName::Compile, compile_signature());
    let argument = builder.ins().iconst(I32, i64::from(number));
    builder.ins().call(compile, &[argument]);
    let found = load_function(builder, context, number);
    builder
        .ins()
        .brif(found, present, &[found.into()], refused, &[]);
    builder.switch_to_block(refused);
    let exception = Exception::Bailout.at(analysis.program.entry as u32) as u32;
    let exception = analysis.combined(exception);
    let exception = builder.ins().iconst(I64, i64::from(exception));
    builder
        .ins()
        .store(TRUSTED, exception, context, offset::EXCEPTION);
    builder.ins().set_pinned_reg(saved);
    let mark = builder.ins().iconst(I64, ENDED);
    builder.ins().return_(&[mark]);
    builder.switch_to_block(present);
    callee
}

/// Forwards to [`sbpf_runtime::abi::Context::compile`] and preserves all registers, so that a function
/// that is not compiled yet costs nothing on the usual path.
pub(crate) fn lower_compile(
    target: TargetFrontendConfig,
    frontend: &mut FunctionBuilderContext,
    function: &mut Function,
) {
    let callback = compile_callback_signature(target.default_call_conv);
    let (mut builder, parameters) = begin(
        function,
        frontend,
        FunctionName::Compile,
        compile_signature(),
    );
    forward(&mut builder, &parameters, offset::COMPILE, callback);
    builder.finalize(target);
}

/// Calls the callback in a field of the context with the context and what was passed, and returns.
pub(crate) fn forward(
    builder: &mut FunctionBuilder<'_>,
    passed: &[Value],
    field: i32,
    signature: Signature,
) {
    let context = builder.ins().get_pinned_reg(I64);
    let callback = builder.ins().load(I64, TRUSTED, context, field);
    let signature = builder.import_signature(signature);
    let arguments = [&[context], passed].concat();
    builder.ins().call_indirect(signature, callback, &arguments);
    builder.ins().return_(&[]);
}

/// Forwards from the signature of `callx`, the same for all functions, to a unit's own.
pub fn lower_indirect(
    analysis: &Analysis<'_>,
    unit: UnitId,
    target: TargetFrontendConfig,
    frontend: &mut FunctionBuilderContext,
    function: &mut Function,
) {
    let passed = analysis.homes.indirect_parameters;
    let (mut builder, parameters) = begin(
        function,
        frontend,
        FunctionName::Indirect(unit),
        signature(passed),
    );
    let start = analysis.units.unit(unit).entry;
    let needed = analysis.passed(start);
    let at_home = analysis.homes.at_start(start);
    let mut arguments = parameters[..2].to_vec();
    for (register, value) in passed.iter().zip(&parameters[2..]) {
        if needed.contains(register) {
            arguments.push(*value);
        } else if at_home.contains(register) {
            let context = builder.ins().get_pinned_reg(I64);
            let home = offset::register(register);
            builder.ins().store(TRUSTED, *value, context, home);
        }
    }
    match analysis.linkage.table() {
        None => {
            let callee = declare(&mut builder, FunctionName::Unit(unit), signature(needed));
            builder.ins().return_call(callee, &arguments);
        }
        // It is compiled before this.
        Some(table) => {
            let number = table.numbers.of(unit);
            let context = builder.ins().get_pinned_reg(I64);
            let callee = load_function(&mut builder, context, number);
            let signature = builder.import_signature(signature(needed));
            builder
                .ins()
                .return_call_indirect(signature, callee, &arguments);
        }
    }
    builder.finalize(target);
}
