//! Bundled samples: real on-chain programs with an input that makes them do real work.
//!
//! The programs come from the crate `solana-program-binaries`, which agave itself loads into test
//! clusters; the bytes are those deployed on mainnet.

mod associated_token;
mod lookup_table;
mod memo;
mod stake;
mod token_transfer;

use {
    super::{
        accounts::{Account, Entry, Instruction},
        deployed,
        failure::Failure,
        pubkey::Pubkey,
        token,
    },
    sha2::{Digest as _, Sha256},
};

/// A call and what each of its accounts is for.
type Call = (Instruction, Vec<&'static str>);

/// A sample that can be run by name.
pub(crate) struct Sample {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it does, in one line.
    pub(crate) about: &'static str,
    /// The program's file in `solana-program-binaries`.
    pub(crate) program: &'static str,
    /// The program's address.
    program_id: &'static str,
    /// Makes the call for the program at this address.
    instruction: fn(Pubkey) -> Call,
}

/// All samples; the first is the default.
pub(crate) const SAMPLES: [Sample; 6] = [
    Sample {
        name: "token-2022-transfer",
        about: "TransferChecked of 2.5 tokens between two accounts, checked against their mint",
        program: "spl_token_2022-10.0.0.so",
        program_id: token::TOKEN_2022_PROGRAM,
        instruction: token_transfer::call,
    },
    Sample {
        name: "token-transfer",
        about: "the same transfer with p-token, the token program of mainnet",
        program: "spl_p_token-1.0.0.so",
        program_id: token::TOKEN_PROGRAM,
        instruction: token_transfer::call,
    },
    Sample {
        name: "memo",
        about: "a memo with two signers, which the program checks and logs",
        program: "spl_memo-3.0.0.so",
        program_id: "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
        instruction: memo::call,
    },
    Sample {
        name: "associated-token-create",
        about: "CreateIdempotent of an associated token account that exists already",
        program: "spl_associated_token_account-1.1.1.so",
        program_id: associated_token::PROGRAM,
        instruction: associated_token::call,
    },
    Sample {
        name: "lookup-table-extend",
        about: "ExtendLookupTable by twenty addresses",
        program: "core_bpf_address_lookup_table-3.0.0.so",
        program_id: "AddressLookupTab1e1111111111111111111111111",
        instruction: lookup_table::call,
    },
    Sample {
        name: "stake-delegate",
        about: "DelegateStake to a vote account with a full vote history",
        program: "core_bpf_stake-5.1.0.so",
        program_id: "Stake11111111111111111111111111111111111111",
        instruction: stake::call,
    },
];

/// A sample ready to run.
pub(crate) struct LoadedSample {
    /// The program's ELF file.
    pub(crate) elf: Vec<u8>,
    /// The call.
    pub(crate) instruction: Instruction,
    /// What each account is for.
    pub(crate) labels: Vec<&'static str>,
}

/// The sample called `name`, or the first one.
///
/// # Errors
/// When there is none of that name.
pub(crate) fn find(name: Option<&str>) -> Result<&'static Sample, Failure> {
    let Some(name) = name else {
        return Ok(&SAMPLES[0]);
    };
    SAMPLES
        .iter()
        .find(|sample| sample.name == name)
        .ok_or_else(|| {
            let names: Vec<&str> = SAMPLES.iter().map(|sample| sample.name).collect();
            let names = names.join(", ");
            Failure::at(
                "--sample",
                format!("there is no {name:?}; there are {names}"),
            )
        })
}

impl Sample {
    /// The program's bytes and the call.
    ///
    /// # Errors
    /// When the bundled crate lacks the program.
    pub(crate) fn load(&self) -> Result<LoadedSample, Failure> {
        let program_id = Pubkey::parse(self.program_id).map_err(Failure::new)?;
        let elf = bundled_elf(&program_id)
            .ok_or_else(|| Failure::new(format!("{} is not bundled", self.program)))?;
        let (instruction, labels) = (self.instruction)(program_id);
        Ok(LoadedSample {
            elf,
            instruction,
            labels,
        })
    }
}

/// The ELF file of the program at `program_id`, from `solana-program-binaries`.
fn bundled_elf(program_id: &Pubkey) -> Option<Vec<u8>> {
    let id = program_id.0.into();
    let accounts = solana_program_binaries::by_id(&id, &Default::default())?;
    accounts
        .iter()
        .find_map(|(_, account)| deployed::elf_in(&account.data_clone()))
}

/// A made-up address that is always the same for the same `purpose`.
fn made_up(purpose: &str) -> Pubkey {
    Pubkey(Sha256::digest(format!("sbpf-cranelift sample: {purpose}")).into())
}

/// Lamports that exempt an account with so many bytes of data from rent: two years at 3,480 a byte,
/// and 128 bytes for the account itself.
fn rent_exemption(bytes: usize) -> u64 {
    (128 + bytes as u64) * 3_480 * 2
}

/// An account with `data` that `owner` may change.
fn account(pubkey: Pubkey, owner: Pubkey, data: Vec<u8>) -> Account {
    Account {
        pubkey,
        owner,
        lamports: rent_exemption(data.len()),
        data,
        ..Account::default()
    }
}

/// The address in `text`, which is a constant.
fn known(text: &str) -> Pubkey {
    Pubkey::parse(text).unwrap_or_default()
}

/// A wallet that signed.
fn signer(pubkey: Pubkey) -> Entry {
    Entry::Account(Account {
        pubkey,
        lamports: 1_000_000_000,
        is_signer: true,
        ..Account::default()
    })
}
