//! Bundled samples: real on-chain programs with an input that makes them do real work.
//!
//! The programs come from the crate `solana-program-binaries`, which agave itself loads into test
//! clusters; the bytes are those deployed on mainnet.

use {
    super::{
        accounts::{Account, Entry, Instruction},
        failure::Failure,
        pubkey::Pubkey,
        token,
    },
    sha2::{Digest as _, Sha256},
};

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
    instruction: fn(Pubkey) -> (Instruction, Vec<&'static str>),
}

/// All samples; the first is the default.
pub(crate) const SAMPLES: [Sample; 3] = [
    Sample {
        name: "token-2022-transfer",
        about: "TransferChecked of 2.5 tokens between two accounts, checked against their mint",
        program: "spl_token_2022-10.0.0.so",
        program_id: token::TOKEN_2022_PROGRAM,
        instruction: token_transfer,
    },
    Sample {
        name: "token-transfer",
        about: "the same transfer with p-token, the token program of mainnet",
        program: "spl_p_token-1.0.0.so",
        program_id: token::TOKEN_PROGRAM,
        instruction: token_transfer,
    },
    Sample {
        name: "memo",
        about: "a memo with two signers, which the program checks and logs",
        program: "spl_memo-3.0.0.so",
        program_id: "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
        instruction: memo,
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
///
/// The crate gives accounts. Those of the upgradeable loader hold a header before the ELF file, so
/// the file starts at its magic.
fn bundled_elf(program_id: &Pubkey) -> Option<Vec<u8>> {
    const MAGIC: &[u8] = b"\x7fELF";
    let id = program_id.0.into();
    let accounts = solana_program_binaries::by_id(&id, &Default::default())?;
    accounts.iter().find_map(|(_, account)| {
        let data = account.data_clone();
        let start = data
            .windows(MAGIC.len())
            .take(64)
            .position(|bytes| bytes == MAGIC)?;
        data.get(start..).map(<[u8]>::to_vec)
    })
}

/// A made-up address that is always the same for the same `purpose`.
fn made_up(purpose: &str) -> Pubkey {
    Pubkey(Sha256::digest(format!("sbpf-cranelift sample: {purpose}")).into())
}

/// Moves 2.5 tokens of a mint with six decimals.
fn token_transfer(program_id: Pubkey) -> (Instruction, Vec<&'static str>) {
    const DECIMALS: u8 = 6;
    const UNIT: u64 = 1_000_000;
    let mint = made_up("mint");
    let authority = made_up("authority");
    let account = |pubkey, data: Vec<u8>, is_writable| {
        Entry::Account(Account {
            pubkey,
            owner: program_id,
            // Rent exemption for this many bytes: (128 + n) × 3,480 × 2.
            lamports: (128 + data.len() as u64) * 6_960,
            data,
            is_writable,
            ..Account::default()
        })
    };
    let source_data = token::account(&mint, &authority, 10 * UNIT);
    let destination_data = token::account(&mint, &made_up("recipient"), UNIT / 4);
    let accounts = vec![
        account(made_up("source"), source_data, true),
        account(mint, token::mint(&authority, 1_000 * UNIT, DECIMALS), false),
        account(made_up("destination"), destination_data, true),
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

/// A wallet that signed.
fn signer(pubkey: Pubkey) -> Entry {
    Entry::Account(Account {
        pubkey,
        lamports: 1_000_000_000,
        is_signer: true,
        ..Account::default()
    })
}

/// Logs a text that two wallets signed.
fn memo(program_id: Pubkey) -> (Instruction, Vec<&'static str>) {
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
