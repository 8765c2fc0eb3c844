//! What both hosts run, and how they tell what came of it.
//!
//! Every line that is printed must be the same on every engine.

pub mod programs;
pub mod token;

use {solana_account::Account, solana_address::Address, std::fmt::Debug};

/// An address of this test, from a number.
pub fn address(number: u8) -> Address {
    Address::new_from_array([number; 32])
}

/// Prints a result with compute units and log.
pub fn print(title: &str, result: impl Debug, compute_units: u64, log: &[String]) {
    println!("== {title}: {result:?}, {compute_units} compute units");
    for line in log {
        println!("   {line}");
    }
}

/// Prints what is in an account.
pub fn print_account(name: &str, account: Option<&Account>) {
    match account {
        Some(account) => println!(
            "   {name}: {} lamports, owner {}, {} bytes with hash {:016x}",
            account.lamports,
            account.owner,
            account.data.len(),
            hash(&account.data),
        ),
        None => println!("   {name}: none"),
    }
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}
