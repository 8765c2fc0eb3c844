//! A transfer of tokens.

use super::{Account, Call, Entry, Instruction, Pubkey, account, made_up, signer, token};

/// Moves 2.5 tokens of a mint with six decimals.
pub(super) fn call(program_id: Pubkey) -> Call {
    const DECIMALS: u8 = 6;
    const UNIT: u64 = 1_000_000;
    let mint = made_up("mint");
    let authority = made_up("authority");
    let entry = |pubkey, data, is_writable| {
        Entry::Account(Account {
            is_writable,
            ..account(pubkey, program_id, data)
        })
    };
    let source_data = token::account(&mint, &authority, 10 * UNIT);
    let destination_data = token::account(&mint, &made_up("recipient"), UNIT / 4);
    let accounts = vec![
        entry(made_up("source"), source_data, true),
        entry(mint, token::mint(&authority, 1_000 * UNIT, DECIMALS), false),
        entry(made_up("destination"), destination_data, true),
        signer(authority),
    ];
    let instruction = Instruction {
        program_id,
        accounts,
        data: token::transfer_checked(5 * UNIT / 2, DECIMALS),
    };
    let labels = vec!["source", "mint", "destination", "authority"];
    (instruction, labels)
}
