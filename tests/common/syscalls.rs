//! Syscalls that compute, consume, fail, touch memory, or enter the VM again.

use {
    super::{
        context::{Event, TestContext},
        engine::{self, Engine},
        layout::Layout,
        memory::Memory,
        program::Program,
    },
    solana_sbpf::{
        declare_builtin_function,
        error::EbpfError,
        memory_region::AccessType,
        program::{BuiltinFunctionDefinition, BuiltinProgram, JitCompiler},
        vm::{Config, EncryptedHostAddressToEbpfVm},
    },
    std::error::Error,
};

/// What syscalls return.
pub type SyscallResult = Result<u64, Box<dyn Error>>;

/// Declares a syscall that logs its name and arguments first.
macro_rules! syscall {
    ($(#[$attribute:meta])* $type:ident, $name:literal, |$context:ident, $arguments:ident| $body:expr) => {
        $(#[$attribute])*
        pub struct $type;
        impl solana_sbpf::program::BuiltinFunctionDefinition<$crate::common::TestContext> for $type {
            type Error = Box<dyn std::error::Error>;

            fn rust(
                $context: &mut $crate::common::TestContext,
                a: u64,
                b: u64,
                c: u64,
                d: u64,
                e: u64,
            ) -> Result<u64, Self::Error> {
                let $arguments = [a, b, c, d, e];
                $context.record($name, $arguments);
                $body
            }
        }
    };
}
pub(super) use syscall;

/// Mixes the arguments into one value, so that a wrong one shows in the result.
fn digest(arguments: [u64; 5]) -> u64 {
    arguments.iter().fold(0x5bd1_e995, |accumulator, argument| {
        (accumulator ^ argument)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(23)
    })
}

syscall!(
    /// Returns a digest of its arguments.
    Log, "sys_log", |_context, arguments| Ok(digest(arguments))
);

syscall!(
    /// Stands in for syscalls of real programs: succeeds with 0.
    Mock, "mock", |_context, _arguments| Ok(0)
);

syscall!(
    /// Consumes r1 units, or what is left; returns what is left then.
    Consume, "sys_consume", |context, arguments| {
        context.remaining = context.remaining.saturating_sub(arguments[0]);
        Ok(context.remaining)
    }
);

syscall!(
    /// Consumes r1 units, or all that is left and then fails.
    ConsumeChecked, "sys_consume_checked", |context, arguments| {
        let exceeded = context.remaining < arguments[0];
        context.remaining = context.remaining.saturating_sub(arguments[0]);
        if exceeded {
            return Err(Box::new(EbpfError::ExceededMaxInstructions));
        }
        Ok(0)
    }
);

syscall!(
    /// Gives r1 units back to the meter, but neither many nor for ever, so that every program ends.
    Refund, "sys_refund", |context, arguments| {
        if context.log.borrow().len() < 100 {
            context.remaining = context.remaining.saturating_add(arguments[0].min(10_000));
        }
        Ok(0)
    }
);

syscall!(
    /// Fails, and says so with r1.
    Fail, "sys_fail", |_context, arguments| {
        Err(format!("failure {}", arguments[0]).into())
    }
);

syscall!(
    /// Fails when r1 equals r2, else returns r3.
    FailIfEqual, "sys_fail_if_equal", |_context, arguments| {
        if arguments[0] == arguments[1] {
            return Err("equal".into());
        }
        Ok(arguments[2])
    }
);

syscall!(
    /// Fills r2 bytes at r1 with the byte r3.
    Fill, "sys_fill", |context, arguments| {
        let [address, len, byte, ..] = arguments;
        let host: Result<_, EbpfError> =
            context.mapping.map(AccessType::Store, address, len).into();
        // SAFETY: the mapping vouches for the range.
        unsafe { (*host?.ptr_mut()).fill(byte as u8) };
        Ok(0)
    }
);

syscall!(
    /// Sums r2 bytes at r1, asking the access violation handler if need be.
    Sum, "sys_sum", |context, arguments| {
        let [address, len, ..] = arguments;
        let host: Result<_, EbpfError> = context
            .mapping
            .map_with_access_violation_handler(AccessType::Load, address, len)
            .into();
        // SAFETY: the mapping vouches for the range.
        let bytes = unsafe { &*host?.ptr() };
        Ok(bytes.iter().map(|byte| u64::from(*byte)).sum())
    }
);

syscall!(
    /// Panics with text, or, if r1 is 44, with something else.
    Panic, "sys_panic", |_context, arguments| {
        if arguments[0] == 44 {
            std::panic::panic_any(engine::Payload(44));
        }
        panic!("syscall panicked with {}", arguments[0])
    }
);

syscall!(
    /// Runs another VM, r1 levels deep, with the engine that runs this one; returns its result.
    /// The innermost program panics if r2 is 99.
    Reenter, "sys_reenter", |context, arguments| {
        let [levels, value, ..] = arguments;
        let text = if levels == 0 {
            "mov64 r1, r2\njeq r1, 99, +4\nmov64 r0, r2\nmul64 r0, 3\nadd64 r0, 1\nexit\nsyscall sys_panic\nexit"
        } else {
            "stxdw [r10-8], r2\nsub64 r1, 1\nsyscall sys_reenter\nldxdw r2, [r10-8]\nadd64 r0, r2\nexit"
        };
        let (count, result) = nested(context.engine, text, [levels, value]);
        context.log.borrow_mut().push(Event::Observed(format!("{count} {result:?}")));
        context.remaining = context.remaining.saturating_sub(count);
        result
    }
);

/// Runs `text` in a VM of its own with `engine`, with r1 and r2 as given.
fn nested(engine: Engine, text: &str, arguments: [u64; 2]) -> (u64, SyscallResult) {
    let version = solana_sbpf::program::SBPFVersion::V0;
    let config = Config {
        enabled_sbpf_versions: version..=version,
        ..Config::default()
    };
    let prepared = engine::Prepared::new(
        &Program::Assembly(text.to_string()),
        &config,
        &[],
        true,
        &[engine],
        engine::Compilation::default(),
    )
    .expect("the nested program compiles");
    let layout = Layout::standard(&config, version, &[]);
    let mut memory = Memory::new(&layout);
    let registers = [(1, arguments[0]), (2, arguments[1])];
    let outcome = engine::run(&prepared, engine, &mut memory, &registers, 500);
    if outcome.panicked {
        panic!("nested {}", outcome.result);
    }
    match outcome.value {
        Some(value) => (outcome.instruction_count, Ok(value)),
        None => (outcome.instruction_count, Err(outcome.result.into())),
    }
}

/// A syscall on the VM itself: logs r0 to r5 and the result of the last syscall as the VM holds them, and
/// leaves meter and result to
/// the default adapter of [`Log`].
pub struct Raw;

impl BuiltinFunctionDefinition<TestContext> for Raw {
    type Error = Box<dyn Error>;

    fn rust(_: &mut TestContext, a: u64, b: u64, c: u64, d: u64, e: u64) -> SyscallResult {
        Ok(digest([a, b, c, d, e]))
    }

    fn vm(
        mut vm: EncryptedHostAddressToEbpfVm<TestContext>,
        a: u64,
        b: u64,
        c: u64,
        d: u64,
        e: u64,
    ) {
        // SAFETY: the reference ends with the closure, before the address is used again.
        unsafe {
            vm.with_vm(|vm| {
                let observed = format!(
                    "registers {:x?} depth {} result {:?}",
                    &vm.registers[0..6],
                    vm.call_depth,
                    vm.program_result
                );
                let log = vm.context().log.clone();
                log.borrow_mut().push(Event::Observed(observed));
            });
        }
        <Log as BuiltinFunctionDefinition<TestContext>>::vm(vm, a, b, c, d, e);
    }

    fn codegen(jit: &mut JitCompiler<TestContext>) {
        jit.emit_external_call(Self::vm);
    }
}

/// Registers the syscalls of this file.
pub fn register(loader: &mut BuiltinProgram<TestContext>) {
    let results = [
        Log::register(loader, "sys_log"),
        Consume::register(loader, "sys_consume"),
        ConsumeChecked::register(loader, "sys_consume_checked"),
        Refund::register(loader, "sys_refund"),
        Fail::register(loader, "sys_fail"),
        FailIfEqual::register(loader, "sys_fail_if_equal"),
        Fill::register(loader, "sys_fill"),
        Sum::register(loader, "sys_sum"),
        Panic::register(loader, "sys_panic"),
        Reenter::register(loader, "sys_reenter"),
        Raw::register(loader, "sys_raw"),
    ];
    for result in results {
        result.expect("the names have distinct hashes");
    }
}
