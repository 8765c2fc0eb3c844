//! An address lookup table.
//!
//! Its data is that of `solana-address-lookup-table-interface`: a header of 56 bytes, addresses.

use super::{Account, Call, Entry, Instruction, Pubkey, account, made_up, rent_exemption, signer};

/// The number of `ExtendLookupTable`.
const EXTEND: u32 = 2;
/// The state of a table in use.
const LOOKUP_TABLE: u32 = 1;
/// Addresses in the table before.
const BEFORE: u8 = 10;
/// Addresses that are added.
const ADDED: u8 = 20;

/// Adds addresses to a table that has the lamports for them already.
pub(super) fn call(program_id: Pubkey) -> Call {
    let authority = made_up("authority");
    let mut table = LOOKUP_TABLE.to_le_bytes().to_vec();
    // Never deactivated, and extended for the first time in the first slot.
    table.extend(u64::MAX.to_le_bytes());
    table.extend([0; 8]);
    table.push(0);
    table.push(1);
    table.extend(authority.0);
    table.extend([0; 2]);
    table.extend((0..BEFORE).flat_map(|index| address(index).0));
    let length = table.len() + usize::from(ADDED) * 32;
    let accounts = vec![
        Entry::Account(Account {
            is_writable: true,
            lamports: rent_exemption(length),
            ..account(made_up("lookup table"), program_id, table)
        }),
        signer(authority),
    ];
    let mut data = EXTEND.to_le_bytes().to_vec();
    data.extend(u64::from(ADDED).to_le_bytes());
    data.extend((BEFORE..BEFORE + ADDED).flat_map(|index| address(index).0));
    let instruction = Instruction {
        program_id,
        accounts,
        data,
    };
    (instruction, vec!["lookup table", "authority"])
}

/// The address at `index`.
fn address(index: u8) -> Pubkey {
    made_up(&format!("address {index}"))
}
