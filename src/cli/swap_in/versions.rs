//! The versions of `solana-sbpf` that the swap-in knows.

use crate::cli::failure::Failure;

/// A version, and the files that stand in for those of the newest one.
#[derive(Debug)]
pub(super) struct Known {
    /// The version, in full.
    pub(super) version: &'static str,
    /// In place of the adapter's `compat.rs`.
    pub(super) compat: Option<&'static [u8]>,
    /// In place of the facade's `modules.rs`.
    pub(super) modules: Option<&'static [u8]>,
}

/// Newest first, so that a version in short means its newest patch.
const KNOWN: &[Known] = &[
    Known {
        version: "0.26.0",
        compat: None,
        modules: None,
    },
    Known {
        version: "0.24.0",
        compat: Some(V0_23),
        modules: Some(BEFORE_0_26),
    },
    Known {
        version: "0.23.0",
        compat: Some(V0_23),
        modules: Some(BEFORE_0_26),
    },
    Known {
        version: "0.21.1",
        compat: Some(V0_21),
        modules: Some(BEFORE_0_26),
    },
    Known {
        version: "0.21.0",
        compat: Some(V0_21),
        modules: Some(BEFORE_0_26),
    },
];

const V0_21: &[u8] = include_bytes!("../../../swap-in/compat/v0_21.rs");
const V0_23: &[u8] = include_bytes!("../../../swap-in/compat/v0_23.rs");
const BEFORE_0_26: &[u8] = include_bytes!("../../../swap-in/compat/modules_before_0_26.rs");

impl Known {
    /// The version that `text` names, in full or without its patch number.
    pub(super) fn find(text: &str) -> Result<&'static Self, Failure> {
        let is_named = |known: &&Known| {
            let (minor, _) = known
                .version
                .rsplit_once('.')
                .unwrap_or((known.version, ""));
            text == known.version || text == minor
        };
        KNOWN.iter().find(is_named).ok_or_else(|| {
            let known: Vec<&str> = KNOWN.iter().map(|known| known.version).collect();
            let what = format!(
                "solana-sbpf {text} is not known; known are {}",
                known.join(", ")
            );
            Failure::at("--sbpf", what)
        })
    }
}
