//! Programs without the register trace that a test asks for.
//!
//! A traced program is interpreted, so its tests would say nothing of compiled code.

use {
    crate::TestContextObject,
    solana_sbpf::{
        elf::Executable,
        program::{BuiltinProgram, FunctionRegistry},
        vm::Config,
    },
    std::sync::Arc,
};

/// The same program, not traced; `None` if it isn't traced, or has more to it than instructions.
pub(crate) fn untraced(
    executable: &Executable<TestContextObject>,
) -> Option<Executable<TestContextObject>> {
    let config = untraced_config(executable.get_config())?;
    let syscalls = executable.get_loader().get_function_registry();
    if syscalls.iter().next().is_some() || executable.get_function_registry().iter().count() > 1 {
        return None;
    }
    let twin = Executable::from_text_bytes(
        executable.get_text_bytes().1,
        Arc::new(BuiltinProgram::new_loader(config)),
        executable.get_sbpf_version(),
        FunctionRegistry::default(),
    );
    Some(twin.expect("the same instructions were loaded before"))
}

#[cfg(feature = "traced-by-config")]
fn untraced_config(config: &Config) -> Option<Config> {
    config.enable_register_tracing.then(|| Config {
        enable_register_tracing: false,
        ..config.clone()
    })
}

#[cfg(not(feature = "traced-by-config"))]
fn untraced_config(_config: &Config) -> Option<Config> {
    None
}
