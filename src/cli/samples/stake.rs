//! A delegation of stake.
//!
//! The data is that of `StakeStateV2` (`solana-stake-interface`) and `VoteStateV3`
//! (`solana-vote-interface`), as bincode lays them out.

use {
    super::{
        Account, Call, Entry, Instruction, Pubkey, account, known, made_up, rent_exemption, signer,
    },
    crate::cli::sysvars::Sysvars,
};

/// The number of `DelegateStake`.
const DELEGATE: u32 = 2;
/// The state of a stake account that delegates nothing yet.
const INITIALIZED: u32 = 1;
/// Bytes of a stake account.
const STAKE_LENGTH: usize = 200;
/// The state of a vote account.
const VOTE_STATE_V3: u32 = 2;
/// Bytes of a vote account.
const VOTE_LENGTH: usize = 3_762;
/// Votes that a vote account remembers.
const VOTES: u32 = 31;
/// Epochs whose credits it remembers.
const EPOCHS: u64 = 64;
/// Places for authorised voters of the past.
const PRIOR_VOTERS: usize = 32;

/// The address of the clock's account.
const CLOCK: &str = "SysvarC1ock11111111111111111111111111111111";

/// Delegates 5 SOL.
pub(super) fn call(program_id: Pubkey) -> Call {
    let authority = made_up("authority");
    let sysvars = Sysvars::default();
    let sysvar = |pubkey, data| {
        let owner = known("Sysvar1111111111111111111111111111111111111");
        Entry::Account(account(pubkey, owner, data))
    };
    let clock = sysvars.packed(&known(CLOCK)).unwrap_or_default();
    let vote_program = known("Vote111111111111111111111111111111111111111");
    let accounts = vec![
        Entry::Account(Account {
            is_writable: true,
            lamports: rent_exemption(STAKE_LENGTH) + 5_000_000_000,
            ..account(made_up("stake"), program_id, stake(&authority))
        }),
        Entry::Account(account(made_up("vote"), vote_program, vote(&sysvars))),
        sysvar(known(CLOCK), clock),
        sysvar(
            known("SysvarStakeHistory1111111111111111111111111"),
            vec![0; 8],
        ),
        Entry::Account(account(
            known("StakeConfig11111111111111111111111111111111"),
            known("Config1111111111111111111111111111111111111"),
            Vec::new(),
        )),
        signer(authority),
    ];
    let instruction = Instruction {
        program_id,
        accounts,
        data: DELEGATE.to_le_bytes().to_vec(),
    };
    let labels = vec![
        "stake",
        "vote",
        "clock",
        "stake history",
        "stake config",
        "authority",
    ];
    (instruction, labels)
}

/// A stake account that `authority` may delegate and withdraw, without a lockup.
fn stake(authority: &Pubkey) -> Vec<u8> {
    let mut data = INITIALIZED.to_le_bytes().to_vec();
    data.extend(rent_exemption(STAKE_LENGTH).to_le_bytes());
    data.extend(authority.0);
    data.extend(authority.0);
    data.resize(STAKE_LENGTH, 0);
    data
}

/// A vote account that has voted in each of the last slots and epochs.
fn vote(sysvars: &Sysvars) -> Vec<u8> {
    let clock = &sysvars.clock;
    let mut data = VOTE_STATE_V3.to_le_bytes().to_vec();
    data.extend(made_up("validator").0);
    data.extend(made_up("withdrawer").0);
    let commission = 5;
    data.push(commission);
    data.extend(u64::from(VOTES).to_le_bytes());
    for vote in 0..VOTES {
        let latency = 1;
        data.push(latency);
        data.extend((clock.slot - u64::from(VOTES - vote)).to_le_bytes());
        data.extend((VOTES - vote).to_le_bytes());
    }
    let root = clock.slot - u64::from(VOTES) - 1;
    data.push(1);
    data.extend(root.to_le_bytes());
    data.extend(1_u64.to_le_bytes());
    data.extend(clock.epoch.to_le_bytes());
    data.extend(made_up("voter").0);
    // No voter of the past: zeros, the position of the last one, and that there is none.
    data.extend([0; PRIOR_VOTERS * (32 + 8 + 8)]);
    data.extend((PRIOR_VOTERS as u64 - 1).to_le_bytes());
    data.push(1);
    data.extend(EPOCHS.to_le_bytes());
    for epoch in 1..=EPOCHS {
        let credits = epoch * 6_000_000;
        data.extend((clock.epoch - EPOCHS + epoch).to_le_bytes());
        data.extend(credits.to_le_bytes());
        data.extend((credits - 6_000_000).to_le_bytes());
    }
    data.extend(clock.slot.to_le_bytes());
    data.extend(clock.unix_timestamp.to_le_bytes());
    data.resize(VOTE_LENGTH, 0);
    data
}
