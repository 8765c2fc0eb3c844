//! What the environment chooses.

use std::{env, sync::OnceLock};

/// What runs programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Engine {
    /// sbpf-cranelift.
    #[default]
    Cranelift,
    /// Upstream as it is, with its hand-written JIT where that exists.
    HandWritten,
    /// Upstream's interpreter.
    Interpreter,
}

/// When programs are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum When {
    /// At the first run: hosts load many programs that never run.
    #[default]
    Lazy,
    /// When `jit_compile` is called.
    Eager,
}

impl Engine {
    /// The engine of this process.
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<Engine> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            choose(
                "SBPF_CRANELIFT_ENGINE",
                &[
                    ("cranelift", Self::Cranelift),
                    ("hand-written", Self::HandWritten),
                    ("interpreter", Self::Interpreter),
                ],
            )
        })
    }
}

impl When {
    /// The moment of compilation in this process.
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<When> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            choose(
                "SBPF_CRANELIFT_COMPILE",
                &[("lazy", Self::Lazy), ("eager", Self::Eager)],
            )
        })
    }
}

/// The choice that `variable` names. A host must not fail because of a variable that is none of
/// its own, so an unknown name is reported and the default taken.
fn choose<T: Copy + Default>(variable: &str, choices: &[(&str, T)]) -> T {
    let Some(value) = env::var_os(variable) else {
        return T::default();
    };
    let chosen = choices.iter().find(|(name, _)| value == *name);
    chosen.map_or_else(
        || {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            eprintln!(
                "sbpf-cranelift: {variable}={} is none of {}: using {}",
                value.display(),
                names.join(", "),
                names[0],
            );
            T::default()
        },
        |(_, choice)| *choice,
    )
}
