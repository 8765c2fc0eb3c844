//! A memo.

use super::{Call, Instruction, Pubkey, made_up, signer};

/// Logs a text that two wallets signed.
pub(super) fn call(program_id: Pubkey) -> Call {
    let instruction = Instruction {
        program_id,
        accounts: vec![
            signer(made_up("first signer")),
            signer(made_up("second signer")),
        ],
        data: "Compiled by Cranelift, checked by the interpreter 🦀".into(),
    };
    (instruction, vec!["first signer", "second signer"])
}
