//! The input of a Solana program: accounts, instruction data and program address, as the loader
//! lays them out.
//!
//! The layout is the "aligned" one of loaders v2 and v3, agave's `serialize_parameters_for_abiv1`
//! (`program-runtime/src/serialization.rs`); programs read it with `entrypoint::deserialize` of
//! `solana-program-entrypoint`. All numbers are little-endian.
//!
//! | field | bytes |
//! |---|---|
//! | number of accounts | 8 |
//! | for each account that was not given before: `0xff` | 1 |
//! | … is a signer, is writable, is executable | 3 |
//! | … original length, which the program fills in | 4 |
//! | … address, owner | 32 + 32 |
//! | … lamports, length of data | 8 + 8 |
//! | … data, then room to grow, then padding to 8 bytes | n + 10,240 + 0..7 |
//! | … rent epoch | 8 |
//! | for each account given before: its first position, padding | 1 + 7 |
//! | length of instruction data, instruction data | 8 + n |
//! | address of the program | 32 |

use super::pubkey::{PUBKEY_BYTES, Pubkey};

/// Marks an account that was not given before (`NON_DUP_MARKER` of `solana-program-entrypoint`).
const NON_DUPLICATE: u8 = u8::MAX;

/// Bytes by which a program may grow an account (`MAX_PERMITTED_DATA_INCREASE`).
pub(crate) const MAX_DATA_INCREASE: usize = 10_240;

/// Bytes of data that an account may have (`MAX_PERMITTED_DATA_LENGTH` of
/// `solana-system-interface`).
pub(crate) const MAX_DATA_LENGTH: usize = 10 << 20;

/// Accounts that an instruction may have (`MAX_ACCOUNTS_PER_INSTRUCTION` of
/// `solana-transaction-context`); the last position is also the marker.
pub(crate) const MAX_ACCOUNTS: usize = 255;

/// Alignment of what follows account data (`BPF_ALIGN_OF_U128`).
const ALIGN: usize = 8;

/// An account as an instruction gets it.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// Its address.
    pub(crate) pubkey: Pubkey,
    /// The program that may change it.
    pub(crate) owner: Pubkey,
    /// Its balance.
    pub(crate) lamports: u64,
    /// Its data.
    pub(crate) data: Vec<u8>,
    /// Whether it signed the transaction.
    pub(crate) is_signer: bool,
    /// Whether the instruction may change it.
    pub(crate) is_writable: bool,
    /// Whether it is a program.
    pub(crate) executable: bool,
    /// The epoch in which it owes rent; agave always passes the largest number.
    pub(crate) rent_epoch: u64,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            pubkey: Pubkey::default(),
            owner: Pubkey::default(),
            lamports: 0,
            data: Vec::new(),
            is_signer: false,
            is_writable: false,
            executable: false,
            rent_epoch: u64::MAX,
        }
    }
}

/// An account of an instruction, or a reference to an earlier one.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    /// An account that comes for the first time.
    Account(Account),
    /// The account at this earlier position once more.
    DuplicateOf(u8),
}

/// What a program is called with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Instruction {
    /// The program.
    pub(crate) program_id: Pubkey,
    /// The accounts, at most [`MAX_ACCOUNTS`].
    pub(crate) accounts: Vec<Entry>,
    /// The instruction data.
    pub(crate) data: Vec<u8>,
}

/// Where the fields of an account that a program may change lie in the input.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Of the owner; lamports and data length follow.
    owner: usize,
    /// Of the data.
    data: usize,
    /// Bytes of data before the run.
    length: usize,
}

/// An instruction laid out as a program's input.
#[derive(Debug, Clone)]
pub(crate) struct SerializedInput {
    /// The input region's bytes.
    pub(crate) bytes: Vec<u8>,
    /// Offset of the instruction data.
    pub(crate) instruction_data: usize,
    /// Of each account that is no duplicate.
    places: Vec<Place>,
}

/// What a program left of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountState {
    /// The owner.
    pub(crate) owner: Pubkey,
    /// The balance.
    pub(crate) lamports: u64,
    /// The data, or the length claimed when that is more than an account may grow to.
    pub(crate) data: Result<Vec<u8>, u64>,
}

impl Instruction {
    /// The accounts without the duplicates.
    pub(crate) fn unique_accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().filter_map(|entry| match entry {
            Entry::Account(account) => Some(account),
            Entry::DuplicateOf(_) => None,
        })
    }

    /// Lays the instruction out.
    pub(crate) fn serialize(&self) -> SerializedInput {
        let mut bytes = Vec::new();
        let mut places = Vec::new();
        push_number(&mut bytes, self.accounts.len());
        for entry in &self.accounts {
            match entry {
                Entry::Account(account) => places.push(push_account(&mut bytes, account)),
                Entry::DuplicateOf(position) => {
                    bytes.push(*position);
                    bytes.extend([0; 7]);
                }
            }
        }
        push_number(&mut bytes, self.data.len());
        let instruction_data = bytes.len();
        bytes.extend(&self.data);
        bytes.extend(self.program_id.0);
        SerializedInput {
            bytes,
            instruction_data,
            places,
        }
    }
}

/// Appends a length as eight bytes.
fn push_number(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend((number as u64).to_le_bytes());
}

/// Appends an account that comes for the first time, and returns where its fields lie.
fn push_account(bytes: &mut Vec<u8>, account: &Account) -> Place {
    bytes.push(NON_DUPLICATE);
    bytes.push(u8::from(account.is_signer));
    bytes.push(u8::from(account.is_writable));
    bytes.push(u8::from(account.executable));
    bytes.extend([0; 4]);
    bytes.extend(account.pubkey.0);
    let owner = bytes.len();
    bytes.extend(account.owner.0);
    bytes.extend(account.lamports.to_le_bytes());
    push_number(bytes, account.data.len());
    let data = bytes.len();
    bytes.extend(&account.data);
    let room = bytes.len() + MAX_DATA_INCREASE;
    bytes.resize(room.next_multiple_of(ALIGN), 0);
    bytes.extend(account.rent_epoch.to_le_bytes());
    Place {
        owner,
        data,
        length: account.data.len(),
    }
}

impl SerializedInput {
    /// The bytes as regions, one behind the other: data of accounts, and what is between them.
    pub(crate) fn regions(&self) -> Vec<Vec<u8>> {
        let mut regions = Vec::new();
        let mut rest = 0;
        for place in self.places.iter().filter(|place| place.length > 0) {
            let end = place.data + place.length;
            regions.push(self.bytes[rest..place.data].to_vec());
            regions.push(self.bytes[place.data..end].to_vec());
            rest = end;
        }
        regions.push(self.bytes[rest..].to_vec());
        regions
    }

    /// The accounts as `memory`, the input region after a run, has them.
    pub(crate) fn read_back(&self, memory: &[u8]) -> Vec<AccountState> {
        self.places
            .iter()
            .map(|place| {
                let lamports = place.owner + PUBKEY_BYTES;
                let claimed = number(memory, lamports + 8);
                let length = usize::try_from(claimed)
                    .ok()
                    .filter(|length| *length <= place.length + MAX_DATA_INCREASE);
                let data = length.and_then(|length| memory.get(place.data..place.data + length));
                AccountState {
                    owner: Pubkey(array(memory, place.owner)),
                    lamports: number(memory, lamports),
                    data: data.map(<[u8]>::to_vec).ok_or(claimed),
                }
            })
            .collect()
    }
}

/// The `N` bytes at `offset`, or zeros past the end.
pub(crate) fn array<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    bytes
        .get(offset..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or([0; N])
}

/// The number of eight bytes at `offset`, or zero past the end.
pub(crate) fn number(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(array(bytes, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One account of `length` bytes.
    fn instruction(length: usize) -> Instruction {
        Instruction {
            program_id: Pubkey([7; 32]),
            accounts: vec![
                Entry::Account(Account {
                    pubkey: Pubkey([1; 32]),
                    owner: Pubkey([2; 32]),
                    lamports: 3,
                    data: vec![9; length],
                    is_writable: true,
                    ..Account::default()
                }),
                Entry::DuplicateOf(0),
            ],
            data: vec![5, 6],
        }
    }

    #[test]
    fn fields_lie_where_the_entrypoint_reads_them() {
        let input = instruction(3).serialize();
        let bytes = &input.bytes;
        assert_eq!(number(bytes, 0), 2);
        assert_eq!(bytes[8..16], [0xff, 0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[16..48], [1; 32]);
        assert_eq!(bytes[48..80], [2; 32]);
        assert_eq!(number(bytes, 80), 3);
        assert_eq!(number(bytes, 88), 3);
        assert_eq!(bytes[96..99], [9; 3]);
        // Data and room end at 99 + 10,240 = 10,339, padded to 10,344.
        assert_eq!(number(bytes, 10_344), u64::MAX);
        assert_eq!(bytes[10_352..10_360], [0; 8]);
        assert_eq!(number(bytes, 10_360), 2);
        assert_eq!(input.instruction_data, 10_368);
        assert_eq!(bytes[10_368..10_370], [5, 6]);
        assert_eq!(bytes[10_370..], [7; 32]);
    }

    #[test]
    fn accounts_read_back_as_they_were_written() {
        let input = instruction(16).serialize();
        let states = input.read_back(&input.bytes);
        let expected = AccountState {
            owner: Pubkey([2; 32]),
            lamports: 3,
            data: Ok(vec![9; 16]),
        };
        assert_eq!(states, [expected]);
    }

    #[test]
    fn a_length_beyond_the_room_is_reported_not_followed() {
        let input = instruction(0).serialize();
        let mut memory = input.bytes.clone();
        memory[88..96].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(input.read_back(&memory)[0].data, Err(u64::MAX));
    }
}
