//! The cluster state that programs can ask for: clock, rent, epoch schedule and so on.
//!
//! Every sysvar exists in two layouts: the `#[repr(C)]` struct that the `sol_get_*_sysvar`
//! syscalls write, with padding, and the packed bincode bytes that `sol_get_sysvar` slices (and
//! that a sysvar account holds). Field order is that of the crates `solana-clock`, `solana-rent`,
//! `solana-epoch-schedule`, `solana-epoch-rewards` and `solana-last-restart-slot`.

use {
    super::pubkey::Pubkey,
    serde::Deserialize,
    std::{collections::BTreeMap, iter::repeat_n},
};

/// Time and epoch, from `solana-clock`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Clock {
    /// The current slot.
    pub(crate) slot: u64,
    /// Unix time of the first slot of this epoch.
    pub(crate) epoch_start_timestamp: i64,
    /// The current epoch.
    pub(crate) epoch: u64,
    /// The epoch for which the leader schedule was last made.
    pub(crate) leader_schedule_epoch: u64,
    /// Unix time, seconds.
    pub(crate) unix_timestamp: i64,
}

impl Default for Clock {
    /// A fixed moment (1 January 2025, epoch 720), so that runs repeat exactly.
    fn default() -> Self {
        Self {
            slot: 311_040_000,
            epoch_start_timestamp: 1_735_689_600,
            epoch: 720,
            leader_schedule_epoch: 721,
            unix_timestamp: 1_735_689_600,
        }
    }
}

/// What storage costs, from `solana-rent`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rent {
    /// Lamports a byte a year.
    pub(crate) lamports_per_byte_year: u64,
    /// Years of rent that make an account exempt.
    pub(crate) exemption_threshold: f64,
    /// Percentage of collected rent that is burned.
    pub(crate) burn_percent: u8,
}

impl Default for Rent {
    /// The long-standing values of mainnet: 3,480 lamports, 2 years, 50 %.
    fn default() -> Self {
        Self {
            lamports_per_byte_year: 3_480,
            exemption_threshold: 2.0,
            burn_percent: 50,
        }
    }
}

/// Lengths of epochs, from `solana-epoch-schedule`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EpochSchedule {
    /// Slots in an epoch after warm-up.
    pub(crate) slots_per_epoch: u64,
    /// Slots before an epoch at which its leader schedule is made.
    pub(crate) leader_schedule_slot_offset: u64,
    /// Whether epochs start short and grow.
    pub(crate) warmup: bool,
    /// First epoch of full length.
    pub(crate) first_normal_epoch: u64,
    /// First slot of that epoch.
    pub(crate) first_normal_slot: u64,
}

impl Default for EpochSchedule {
    /// Mainnet's: 432,000 slots, no warm-up.
    fn default() -> Self {
        Self {
            slots_per_epoch: 432_000,
            leader_schedule_slot_offset: 432_000,
            warmup: false,
            first_normal_epoch: 0,
            first_normal_slot: 0,
        }
    }
}

/// All sysvars of one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sysvars {
    /// The clock.
    pub(crate) clock: Clock,
    /// The rent.
    pub(crate) rent: Rent,
    /// The epoch schedule.
    pub(crate) epoch_schedule: EpochSchedule,
    /// The slot of the last cluster restart.
    pub(crate) last_restart_slot: u64,
    /// Packed bytes of further sysvars, by address, for `sol_get_sysvar`.
    pub(crate) other: BTreeMap<Pubkey, Vec<u8>>,
}

/// A sysvar as the `sol_get_*_sysvar` syscalls write it.
pub(crate) struct Layout {
    /// The struct's bytes, padding zeroed.
    pub(crate) bytes: Vec<u8>,
    /// Alignment that the syscall demands of the destination.
    pub(crate) align: usize,
}

/// Addresses of the sysvars that have a field in [`Sysvars`], from `solana-sdk-ids`.
mod address {
    /// Of the clock.
    pub(super) const CLOCK: &str = "SysvarC1ock11111111111111111111111111111111";
    /// Of the rent.
    pub(super) const RENT: &str = "SysvarRent111111111111111111111111111111111";
    /// Of the epoch schedule.
    pub(super) const EPOCH_SCHEDULE: &str = "SysvarEpochSchedu1e111111111111111111111111";
    /// Of the epoch rewards.
    pub(super) const EPOCH_REWARDS: &str = "SysvarEpochRewards1111111111111111111111111";
    /// Of the last restart slot.
    pub(super) const LAST_RESTART_SLOT: &str = "SysvarLastRestartS1ot1111111111111111111111";
}

impl Sysvars {
    /// The packed bytes of the sysvar at `address`, or `None` when there is none.
    pub(crate) fn packed(&self, address: &Pubkey) -> Option<Vec<u8>> {
        if let Some(bytes) = self.other.get(address) {
            return Some(bytes.clone());
        }
        match address.to_string().as_str() {
            address::CLOCK => Some(self.packed_clock()),
            address::RENT => Some(self.packed_rent()),
            address::EPOCH_SCHEDULE => Some(self.packed_epoch_schedule()),
            address::EPOCH_REWARDS => Some(vec![0; 81]),
            address::LAST_RESTART_SLOT => Some(self.last_restart_slot.to_le_bytes().to_vec()),
            _ => None,
        }
    }

    /// The clock: five words, so both layouts are the same.
    fn packed_clock(&self) -> Vec<u8> {
        let clock = &self.clock;
        [
            clock.slot.to_le_bytes(),
            clock.epoch_start_timestamp.to_le_bytes(),
            clock.epoch.to_le_bytes(),
            clock.leader_schedule_epoch.to_le_bytes(),
            clock.unix_timestamp.to_le_bytes(),
        ]
        .concat()
    }

    /// The rent: two words and a byte.
    fn packed_rent(&self) -> Vec<u8> {
        let rent = &self.rent;
        let mut bytes = rent.lamports_per_byte_year.to_le_bytes().to_vec();
        bytes.extend(rent.exemption_threshold.to_le_bytes());
        bytes.push(rent.burn_percent);
        bytes
    }

    /// The epoch schedule: two words, a byte, two words.
    fn packed_epoch_schedule(&self) -> Vec<u8> {
        self.epoch_schedule_with_padding(0)
    }

    /// The epoch schedule with `padding` zero bytes after its flag.
    fn epoch_schedule_with_padding(&self, padding: usize) -> Vec<u8> {
        let schedule = &self.epoch_schedule;
        let mut bytes = schedule.slots_per_epoch.to_le_bytes().to_vec();
        bytes.extend(schedule.leader_schedule_slot_offset.to_le_bytes());
        bytes.push(u8::from(schedule.warmup));
        bytes.extend(repeat_n(0, padding));
        bytes.extend(schedule.first_normal_epoch.to_le_bytes());
        bytes.extend(schedule.first_normal_slot.to_le_bytes());
        bytes
    }

    /// `struct Clock`, 40 bytes.
    pub(crate) fn clock_layout(&self) -> Layout {
        Layout {
            bytes: self.packed_clock(),
            align: 8,
        }
    }

    /// `struct Rent`, 24 bytes: seven of padding at the end.
    pub(crate) fn rent_layout(&self) -> Layout {
        let mut bytes = self.packed_rent();
        bytes.resize(24, 0);
        Layout { bytes, align: 8 }
    }

    /// `struct EpochSchedule`, 40 bytes: seven of padding after the flag.
    pub(crate) fn epoch_schedule_layout(&self) -> Layout {
        Layout {
            bytes: self.epoch_schedule_with_padding(7),
            align: 8,
        }
    }

    /// `struct EpochRewards`, 96 bytes, aligned to 16; always "no distribution under way".
    pub(crate) fn epoch_rewards_layout(&self) -> Layout {
        Layout {
            bytes: vec![0; 96],
            align: 16,
        }
    }

    /// `struct LastRestartSlot`, 8 bytes.
    pub(crate) fn last_restart_slot_layout(&self) -> Layout {
        Layout {
            bytes: self.last_restart_slot.to_le_bytes().to_vec(),
            align: 8,
        }
    }
}
