//! Addresses of Solana accounts and programs.

use {
    serde::{Deserialize, Deserializer, de::Error as _},
    std::fmt,
};

/// Bytes of an address (an Ed25519 public key, or a point off the curve).
pub(crate) const PUBKEY_BYTES: usize = 32;

/// An address of 32 bytes, written in base58 (the Bitcoin alphabet).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Pubkey(pub(crate) [u8; PUBKEY_BYTES]);

impl Pubkey {
    /// Reads base58.
    ///
    /// # Errors
    /// A sentence about the first thing wrong with `text`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bytes = bs58::decode(text)
            .into_vec()
            .map_err(|error| format!("{text:?} is not base58: {error}"))?;
        let length = bytes.len();
        <[u8; PUBKEY_BYTES]>::try_from(bytes)
            .map(Self)
            .map_err(|_| format!("{text:?} has {length} bytes, an address has {PUBKEY_BYTES}"))
    }
}

impl fmt::Display for Pubkey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&bs58::encode(self.0).into_string())
    }
}

impl fmt::Debug for Pubkey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl<'de> Deserialize<'de> for Pubkey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}
