//! Options that several commands have. A command's programs have the id `program` in all of them.

use {
    super::{failure::Failure, input::Input, program::Version},
    clap::Args,
    std::path::PathBuf,
};

/// What a program is run on.
#[derive(Debug, Args)]
pub(crate) struct InputArguments {
    /// File with the bytes of the input region
    #[arg(
        long,
        value_name = "FILE",
        requires = "program",
        conflicts_with = "accounts"
    )]
    pub(crate) input: Option<PathBuf>,
    /// JSON document with accounts, instruction data and sysvars (see run --help)
    #[arg(long, value_name = "JSON", requires = "program")]
    pub(crate) accounts: Option<PathBuf>,
}

impl InputArguments {
    /// Reads it.
    ///
    /// # Errors
    /// When a file can't be read or is no such document.
    pub(crate) fn read(&self) -> Result<Input, Failure> {
        Input::read(self.input.as_deref(), self.accounts.as_deref())
    }
}

/// What assembly text does not say itself.
#[derive(Debug, Args)]
pub(crate) struct VersionArgument {
    /// Version of assembly text [default: v3]
    #[arg(long, value_name = "VERSION", value_enum, requires = "program")]
    pub(crate) sbpf_version: Option<Version>,
}
