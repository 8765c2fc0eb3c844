//! The JSON document of `--accounts`.
//!
//! ```json
//! {
//!   "program_id": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
//!   "instruction_data": { "hex": "0c40420f000000000006" },
//!   "accounts": [
//!     {
//!       "pubkey": "…base58…",
//!       "owner": "…base58…",
//!       "lamports": 1000000,
//!       "data": { "base64": "…" },
//!       "is_signer": false,
//!       "is_writable": true,
//!       "executable": false,
//!       "rent_epoch": 18446744073709551615
//!     },
//!     { "pubkey": "…an address given above: a duplicate, with nothing else…" }
//!   ],
//!   "sysvars": {
//!     "clock": { "slot": 1, "epoch_start_timestamp": 0, "epoch": 0,
//!                "leader_schedule_epoch": 0, "unix_timestamp": 1735689600 },
//!     "rent": { "lamports_per_byte_year": 3480, "exemption_threshold": 2.0, "burn_percent": 50 },
//!     "epoch_schedule": { "slots_per_epoch": 432000, "leader_schedule_slot_offset": 432000,
//!                         "warmup": false, "first_normal_epoch": 0, "first_normal_slot": 0 },
//!     "last_restart_slot": 0,
//!     "other": { "SysvarS1otHashes111111111111111111111111111": { "file": "slot-hashes.bin" } }
//!   },
//!   "budget": 200000,
//!   "heap": 32768,
//!   "instruction_data_in_r2": true
//! }
//! ```
//!
//! Everything may be left out. Bytes are `{"hex": …}`, `{"base64": …}`, `{"base58": …}`,
//! `{"text": …}`, `{"file": …}` (relative to the document), `{"zeros": n}`, or an array of numbers.

use {
    super::{
        accounts::{Account, Entry, Instruction, MAX_ACCOUNTS, MAX_DATA_LENGTH},
        failure::Failure,
        program::read_file,
        pubkey::Pubkey,
        sysvars::{Clock, EpochSchedule, Rent, Sysvars},
    },
    base64::{Engine as _, prelude::BASE64_STANDARD},
    serde::{Deserialize, Deserializer, de::Error as _},
    std::{collections::BTreeMap, path::Path},
};

/// Bytes that the document itself may have.
const DOCUMENT_BYTES_LIMIT: u64 = 256 << 20;

/// Bytes that accounts, sysvars and instruction data may have together, as in a transaction of
/// agave (`MAX_LOADED_ACCOUNTS_DATA_SIZE_BYTES`).
const TOTAL_BYTES_LIMIT: usize = 64 << 20;

/// The whole document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// Address of the program.
    #[serde(default)]
    program_id: Pubkey,
    /// Instruction data.
    #[serde(default)]
    instruction_data: Bytes,
    /// Accounts in order.
    #[serde(default)]
    accounts: Vec<AccountDocument>,
    /// Cluster state.
    #[serde(default)]
    sysvars: SysvarsDocument,
    /// Compute units.
    budget: Option<u64>,
    /// Bytes of heap.
    heap: Option<u64>,
    /// Whether r2 points to the instruction data at the start.
    #[serde(default = "yes")]
    instruction_data_in_r2: bool,
}

/// The default of [`Document::instruction_data_in_r2`]: SIMD-0321, as on mainnet.
fn yes() -> bool {
    true
}

/// One account; all but the address left out for a duplicate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountDocument {
    /// The address.
    pubkey: Pubkey,
    /// The owner; the system program's address of zeros when left out.
    owner: Option<Pubkey>,
    /// The balance.
    lamports: Option<u64>,
    /// The data.
    data: Option<Bytes>,
    /// Whether it signed.
    is_signer: Option<bool>,
    /// Whether it may be changed.
    is_writable: Option<bool>,
    /// Whether it is a program.
    executable: Option<bool>,
    /// The epoch in which it owes rent.
    rent_epoch: Option<u64>,
}

/// The sysvars.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SysvarsDocument {
    /// The clock.
    clock: Clock,
    /// The rent.
    rent: Rent,
    /// The epoch schedule.
    epoch_schedule: EpochSchedule,
    /// The last restart slot.
    last_restart_slot: u64,
    /// Others, by address.
    other: BTreeMap<Pubkey, Bytes>,
}

/// Bytes, or the file that holds them.
#[derive(Debug, Clone)]
enum Bytes {
    /// The bytes.
    Inline(Vec<u8>),
    /// A path relative to the document.
    File(String),
    /// So many zeros.
    Zeros(usize),
}

impl Default for Bytes {
    fn default() -> Self {
        Self::Inline(Vec::new())
    }
}

/// The ways to write bytes.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected bytes: {\"hex\": …}, {\"base64\": …}, {\"base58\": …}, \
                               {\"text\": …}, {\"file\": …}, {\"zeros\": n} or an array of numbers"
)]
enum BytesDocument {
    /// Numbers.
    Array(Vec<u8>),
    /// One of the named forms.
    Named(NamedBytes),
}

/// The named ways to write bytes.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum NamedBytes {
    /// Hexadecimal digits.
    Hex(String),
    /// Base64 with padding.
    Base64(String),
    /// Base58.
    Base58(String),
    /// UTF-8.
    Text(String),
    /// A path.
    File(String),
    /// So many zeros.
    Zeros(usize),
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = match BytesDocument::deserialize(deserializer)? {
            BytesDocument::Array(bytes) => return Ok(Self::Inline(bytes)),
            BytesDocument::Named(named) => named,
        };
        let bytes = match named {
            NamedBytes::Hex(text) => hex::decode(&text)
                .map_err(|error| D::Error::custom(format!("{text:?} is not hex: {error}")))?,
            NamedBytes::Base64(text) => BASE64_STANDARD
                .decode(&text)
                .map_err(|error| D::Error::custom(format!("{text:?} is not base64: {error}")))?,
            NamedBytes::Base58(text) => bs58::decode(&text)
                .into_vec()
                .map_err(|error| D::Error::custom(format!("{text:?} is not base58: {error}")))?,
            NamedBytes::Text(text) => text.into_bytes(),
            NamedBytes::File(path) => return Ok(Self::File(path)),
            NamedBytes::Zeros(length) => return Ok(Self::Zeros(length)),
        };
        Ok(Self::Inline(bytes))
    }
}

/// Turns the document's bytes into real ones, up to a limit for all of them together.
struct Resolver<'document> {
    /// The document's path.
    path: &'document Path,
    /// Bytes that may still be resolved.
    remaining: usize,
}

impl Resolver<'_> {
    /// A failure of the document as a whole.
    fn failure(&self, what: String) -> Failure {
        Failure::at(self.path.display().to_string(), what)
    }

    /// The bytes of `owner`, read from their file if they are in one.
    fn resolve(&mut self, bytes: Bytes, owner: &str) -> Result<Vec<u8>, Failure> {
        let too_large = |resolver: &Self, length: usize| {
            let limit = resolver.remaining.min(MAX_DATA_LENGTH);
            let what = format!("{owner} has {length} bytes, more than the {limit} allowed here");
            resolver.failure(what)
        };
        let bytes = match bytes {
            Bytes::Inline(bytes) => bytes,
            Bytes::File(path) => {
                let folder = self.path.parent().unwrap_or(Path::new(""));
                read_file(&folder.join(path), MAX_DATA_LENGTH as u64)?
            }
            Bytes::Zeros(length) if length > self.remaining => {
                return Err(too_large(self, length));
            }
            Bytes::Zeros(length) => vec![0; length],
        };
        if bytes.len() > MAX_DATA_LENGTH || bytes.len() > self.remaining {
            return Err(too_large(self, bytes.len()));
        }
        self.remaining -= bytes.len();
        Ok(bytes)
    }
}

/// What a document asks for.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// The call.
    pub(crate) instruction: Instruction,
    /// The cluster state.
    pub(crate) sysvars: Sysvars,
    /// Compute units, if given.
    pub(crate) budget: Option<u64>,
    /// Bytes of heap, if given.
    pub(crate) heap: Option<u64>,
    /// Whether r2 points to the instruction data at the start.
    pub(crate) instruction_data_in_r2: bool,
}

impl Scenario {
    /// Reads the document at `path`.
    ///
    /// # Errors
    /// One line with the file and, where it has one, the line and column.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_file(path, DOCUMENT_BYTES_LIMIT)?;
        let document: Document =
            serde_json::from_slice(&text).map_err(|error| json_failure(path, &error))?;
        document.resolve(path)
    }
}

/// A failure at the line and column that `error` is about.
fn json_failure(path: &Path, error: &serde_json::Error) -> Failure {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let suffix = format!(" at line {line} column {column}");
    let what = text.strip_suffix(&suffix).unwrap_or(&text);
    Failure::at(format!("{}:{line}:{column}", path.display()), what)
}

impl Document {
    /// Checks limits, finds duplicates and reads the files.
    fn resolve(self, path: &Path) -> Result<Scenario, Failure> {
        let mut resolver = Resolver {
            path,
            remaining: TOTAL_BYTES_LIMIT,
        };
        if self.accounts.len() > MAX_ACCOUNTS {
            let count = self.accounts.len();
            let what = format!("{count} accounts are more than {MAX_ACCOUNTS}");
            return Err(resolver.failure(what));
        }
        let mut seen: BTreeMap<Pubkey, u8> = BTreeMap::new();
        let mut accounts = Vec::with_capacity(self.accounts.len());
        for (position, account) in (0_u8..).zip(self.accounts) {
            if let Some(first) = seen.get(&account.pubkey) {
                if !account.is_bare() {
                    return Err(resolver.failure(format!(
                        "account {position} has the address of account {first}, so it must have \
                         nothing but the address"
                    )));
                }
                accounts.push(Entry::DuplicateOf(*first));
                continue;
            }
            seen.insert(account.pubkey, position);
            let account = account.resolve(&mut resolver, position)?;
            accounts.push(Entry::Account(account));
        }
        Ok(Scenario {
            instruction: Instruction {
                program_id: self.program_id,
                accounts,
                data: resolver.resolve(self.instruction_data, "instruction_data")?,
            },
            sysvars: self.sysvars.resolve(&mut resolver)?,
            budget: self.budget,
            heap: self.heap,
            instruction_data_in_r2: self.instruction_data_in_r2,
        })
    }
}

impl AccountDocument {
    /// Whether there is nothing but the address.
    fn is_bare(&self) -> bool {
        self.owner.is_none()
            && self.lamports.is_none()
            && self.data.is_none()
            && self.is_signer.is_none()
            && self.is_writable.is_none()
            && self.executable.is_none()
            && self.rent_epoch.is_none()
    }

    /// The account, with its data read.
    fn resolve(self, resolver: &mut Resolver<'_>, position: u8) -> Result<Account, Failure> {
        let default = Account::default();
        Ok(Account {
            pubkey: self.pubkey,
            owner: self.owner.unwrap_or_default(),
            lamports: self.lamports.unwrap_or_default(),
            data: resolver.resolve(
                self.data.unwrap_or_default(),
                &format!("account {position}"),
            )?,
            is_signer: self.is_signer.unwrap_or_default(),
            is_writable: self.is_writable.unwrap_or_default(),
            executable: self.executable.unwrap_or_default(),
            rent_epoch: self.rent_epoch.unwrap_or(default.rent_epoch),
        })
    }
}

impl SysvarsDocument {
    /// The sysvars, with the others' bytes read.
    fn resolve(self, resolver: &mut Resolver<'_>) -> Result<Sysvars, Failure> {
        let other = self
            .other
            .into_iter()
            .map(|(address, bytes)| {
                let bytes = resolver.resolve(bytes, &address.to_string())?;
                Ok((address, bytes))
            })
            .collect::<Result<_, Failure>>()?;
        Ok(Sysvars {
            clock: self.clock,
            rent: self.rent,
            epoch_schedule: self.epoch_schedule,
            last_restart_slot: self.last_restart_slot,
            other,
        })
    }
}
