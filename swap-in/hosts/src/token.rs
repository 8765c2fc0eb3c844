//! Instructions of the token programs.

use {
    solana_address::Address,
    solana_instruction::{AccountMeta, Instruction},
};

/// SPL Token.
pub const TOKEN: Address = Address::from_str_const("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
/// SPL Token-2022.
pub const TOKEN_2022: Address =
    Address::from_str_const("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");
/// SPL Associated Token Account.
pub const ASSOCIATED_TOKEN: Address =
    Address::from_str_const("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
/// The system program.
pub const SYSTEM: Address = Address::from_str_const("11111111111111111111111111111111");
/// Loader of the programs above, or of the newer ones among them.
pub const LOADER_V2: Address =
    Address::from_str_const("BPFLoader2111111111111111111111111111111111");
/// The upgradeable loader.
pub const LOADER_V3: Address =
    Address::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");

/// Bytes of a mint.
pub const MINT_SIZE: usize = 82;
/// Bytes of a token account.
pub const ACCOUNT_SIZE: usize = 165;

/// `InitializeMint2`
pub fn initialize_mint(program: Address, mint: Address, authority: Address) -> Instruction {
    let mut data = vec![20, 6];
    data.extend_from_slice(authority.as_array());
    data.push(0);
    instruction(program, vec![AccountMeta::new(mint, false)], data)
}

/// `InitializeAccount3`
pub fn initialize_account(
    program: Address,
    account: Address,
    mint: Address,
    owner: Address,
) -> Instruction {
    let mut data = vec![18];
    data.extend_from_slice(owner.as_array());
    let accounts = vec![
        AccountMeta::new(account, false),
        AccountMeta::new_readonly(mint, false),
    ];
    instruction(program, accounts, data)
}

/// `MintTo`
pub fn mint_to(
    program: Address,
    mint: Address,
    account: Address,
    authority: Address,
    amount: u64,
) -> Instruction {
    amount_instruction(program, 7, mint, account, authority, amount)
}

/// `Transfer`
pub fn transfer(
    program: Address,
    from: Address,
    to: Address,
    owner: Address,
    amount: u64,
) -> Instruction {
    amount_instruction(program, 3, from, to, owner, amount)
}

/// The address of a wallet's associated token account.
pub fn associated_address(program: Address, wallet: Address, mint: Address) -> Address {
    let seeds = [wallet.as_ref(), program.as_ref(), mint.as_ref()];
    Address::find_program_address(&seeds, &ASSOCIATED_TOKEN).0
}

/// `Create` of the associated token program.
pub fn create_associated(
    program: Address,
    payer: Address,
    wallet: Address,
    mint: Address,
) -> Instruction {
    let accounts = vec![
        AccountMeta::new(payer, true),
        AccountMeta::new(associated_address(program, wallet, mint), false),
        AccountMeta::new_readonly(wallet, false),
        AccountMeta::new_readonly(mint, false),
        AccountMeta::new_readonly(SYSTEM, false),
        AccountMeta::new_readonly(program, false),
    ];
    instruction(ASSOCIATED_TOKEN, accounts, Vec::new())
}

/// `CreateAccount` of the system program.
pub fn create_account(
    payer: Address,
    account: Address,
    lamports: u64,
    size: usize,
    owner: Address,
) -> Instruction {
    let mut data = 0u32.to_le_bytes().to_vec();
    data.extend_from_slice(&lamports.to_le_bytes());
    data.extend_from_slice(&(size as u64).to_le_bytes());
    data.extend_from_slice(owner.as_array());
    let accounts = vec![
        AccountMeta::new(payer, true),
        AccountMeta::new(account, true),
    ];
    instruction(SYSTEM, accounts, data)
}

fn amount_instruction(
    program: Address,
    tag: u8,
    first: Address,
    second: Address,
    authority: Address,
    amount: u64,
) -> Instruction {
    let mut data = vec![tag];
    data.extend_from_slice(&amount.to_le_bytes());
    let accounts = vec![
        AccountMeta::new(first, false),
        AccountMeta::new(second, false),
        AccountMeta::new_readonly(authority, true),
    ];
    instruction(program, accounts, data)
}

fn instruction(program_id: Address, accounts: Vec<AccountMeta>, data: Vec<u8>) -> Instruction {
    Instruction {
        program_id,
        accounts,
        data,
    }
}
