//! The competitors.

/// One way to get a workload done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// The interpreter of `solana-sbpf`, the oracle.
    Interpreter,
    /// The x86_64 JIT of `solana-sbpf`, with its default configuration.
    HandWritten,
    /// This project.
    Cranelift,
    /// The workload's twin in Rust.
    Native,
}

/// Whether the hand-written JIT exists in this build.
pub(crate) const HAS_HAND_WRITTEN: bool = cfg!(all(
    feature = "hand-written",
    target_arch = "x86_64",
    not(target_os = "windows")
));

impl Engine {
    /// The engines of this build, the oracle first.
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        [
            Self::Interpreter,
            Self::HandWritten,
            Self::Cranelift,
            Self::Native,
        ]
        .into_iter()
        .filter(|&engine| HAS_HAND_WRITTEN || engine != Self::HandWritten)
    }

    /// The name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Interpreter => "interpreter",
            Self::HandWritten => "hand-written",
            Self::Cranelift => "cranelift",
            Self::Native => "native",
        }
    }
}
