//! The data of SPL Token mints and accounts, as far as the samples and reports need it.
//!
//! Field order is that of `spl-token-interface` (`Mint`, `Account`); both token programs share it.

use super::{accounts::number, pubkey::Pubkey};

/// The token program, which on mainnet is p-token.
pub(crate) const TOKEN_PROGRAM: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
/// The token program with extensions.
pub(crate) const TOKEN_2022_PROGRAM: &str = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb";

/// Bytes of a token account without extensions.
const ACCOUNT_LENGTH: usize = 165;
/// Offset of the amount in a token account, after mint and owner.
const ACCOUNT_AMOUNT: usize = 64;
/// Offset of the state in a token account, after amount and optional delegate.
const ACCOUNT_STATE: usize = 108;
/// The state "initialized".
const INITIALIZED: u8 = 1;

/// Data of an initialised mint.
pub(crate) fn mint(authority: &Pubkey, supply: u64, decimals: u8) -> Vec<u8> {
    let mut data = 1_u32.to_le_bytes().to_vec();
    data.extend(authority.0);
    data.extend(supply.to_le_bytes());
    data.push(decimals);
    data.push(INITIALIZED);
    // No freeze authority: a tag and an unused address.
    data.extend([0; 36]);
    data
}

/// Data of an initialised token account.
pub(crate) fn account(mint: &Pubkey, owner: &Pubkey, amount: u64) -> Vec<u8> {
    let mut data = mint.0.to_vec();
    data.extend(owner.0);
    data.extend(amount.to_le_bytes());
    // Neither delegate, native reserve, delegated amount nor close authority.
    data.resize(ACCOUNT_LENGTH, 0);
    data[ACCOUNT_STATE] = INITIALIZED;
    data
}

/// Instruction data of `TransferChecked`.
pub(crate) fn transfer_checked(amount: u64, decimals: u8) -> Vec<u8> {
    let mut data = vec![12];
    data.extend(amount.to_le_bytes());
    data.push(decimals);
    data
}

/// The amount in an account's data, if `owner` is a token program and the data a token account.
pub(crate) fn amount(owner: &Pubkey, data: &[u8]) -> Option<u64> {
    let owner = owner.to_string();
    let is_token = owner == TOKEN_PROGRAM || owner == TOKEN_2022_PROGRAM;
    (is_token && data.len() >= ACCOUNT_LENGTH).then(|| number(data, ACCOUNT_AMOUNT))
}
