//! The competitors.

use {
    crate::cli::engine::{Engine, hand_written_absence},
    serde::{Deserialize, Serialize},
};

/// One way to get a subject's work done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Competitor {
    /// The interpreter of `solana-sbpf`, the oracle.
    Interpreter,
    /// The x86_64 JIT of `solana-sbpf`, with its default configuration.
    HandWritten,
    /// This project.
    Cranelift,
    /// The program's twin in Rust.
    Native,
}

impl Competitor {
    /// All of them, the oracle first.
    pub(crate) const ALL: [Self; 4] = [
        Self::Interpreter,
        Self::HandWritten,
        Self::Cranelift,
        Self::Native,
    ];

    /// The competitors of this build, the oracle first.
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|&competitor| {
            competitor != Self::HandWritten || hand_written_absence().is_none()
        })
    }

    /// The engine, unless it is native code, which needs none.
    pub(crate) const fn engine(self) -> Option<Engine> {
        match self {
            Self::Interpreter => Some(Engine::Interpreter),
            Self::HandWritten => Some(Engine::HandWritten),
            Self::Cranelift => Some(Engine::Cranelift),
            Self::Native => None,
        }
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
