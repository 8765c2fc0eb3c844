//! An associated token account.

use {
    super::{Account, Call, Entry, Instruction, Pubkey, account, known, made_up, signer, token},
    crate::cli::syscalls::find_program_address,
};

/// The address of the program.
pub(super) const PROGRAM: &str = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";

/// The number of `CreateIdempotent`.
const CREATE_IDEMPOTENT: u8 = 1;

/// Asks for an account that exists: the program derives its address and checks what it holds.
pub(super) fn call(program_id: Pubkey) -> Call {
    let token_program = known(token::TOKEN_PROGRAM);
    let mint = made_up("mint");
    let wallet = made_up("wallet");
    let seeds = [wallet, token_program, mint].map(|seed| seed.0.to_vec());
    let (address, _) = find_program_address(&seeds, &program_id).unwrap_or_default();
    let associated = account(address, token_program, token::account(&mint, &wallet, 0));
    let mint_data = token::mint(&made_up("authority"), 1_000_000, 6);
    let program = |pubkey| {
        Entry::Account(Account {
            executable: true,
            ..account(
                pubkey,
                known("BPFLoaderUpgradeab1e11111111111111111111111"),
                Vec::new(),
            )
        })
    };
    let accounts = vec![
        signer(made_up("payer")),
        Entry::Account(Account {
            is_writable: true,
            ..associated
        }),
        Entry::Account(account(wallet, Pubkey::default(), Vec::new())),
        Entry::Account(account(mint, token_program, mint_data)),
        program(Pubkey::default()),
        program(token_program),
    ];
    let instruction = Instruction {
        program_id,
        accounts,
        data: vec![CREATE_IDEMPOTENT],
    };
    let labels = vec![
        "payer",
        "associated account",
        "wallet",
        "mint",
        "system program",
        "token program",
    ];
    (instruction, labels)
}
