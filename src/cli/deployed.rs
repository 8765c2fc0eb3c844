//! The on-chain programs that `solana-program-binaries` bundles.

use solana_program_binaries::{core_bpf_programs, spl_programs};

/// Their names, in the order of [`elves`].
pub(crate) const NAMES: [&str; 10] = [
    "token (p-token 1.0.0)",
    "token-2022 10.0.0",
    "memo 1.0.0",
    "memo 3.0.0",
    "memo 4.0.0",
    "associated token 1.1.1",
    "lookup table 3.0.0",
    "config 3.0.0",
    "feature gate 0.0.1",
    "stake 5.1.0",
];

/// Their ELF files; as many as [`NAMES`] unless the crate is of another version.
pub(crate) fn elves() -> Vec<Vec<u8>> {
    spl_programs(&Default::default())
        .into_iter()
        .chain(core_bpf_programs(&Default::default(), |_| true))
        .filter_map(|(_, account)| elf_in(&account.data_clone()))
        .collect()
}

/// The ELF file in an account of `solana-program-binaries`.
///
/// Those of the upgradeable loader hold a header before the ELF file, so the file starts at its
/// magic.
pub(crate) fn elf_in(data: &[u8]) -> Option<Vec<u8>> {
    const MAGIC: &[u8] = b"\x7fELF";
    const LONGEST_HEADER: usize = 64;
    let start = data
        .windows(MAGIC.len())
        .take(LONGEST_HEADER)
        .position(|bytes| bytes == MAGIC)?;
    data.get(start..).map(<[u8]>::to_vec)
}
