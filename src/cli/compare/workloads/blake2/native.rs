//! The native twins.

use super::{CONSTANTS, MESSAGE, MIXED, PARAMETERS, SCHEDULE};

/// Defines a hash of one block, compressed again and again.
macro_rules! define_hash {
    ($hash:ident, $compress:ident, $word:ty, $rounds:literal, $rotations:expr) => {
        pub(super) fn $hash(message: &[$word; 16], compressions: u64) -> [$word; 8] {
            let mut chain = CONSTANTS.map(upper::<$word>);
            chain[0] ^= PARAMETERS as $word ^ size_of_val(&chain) as $word;
            for _ in 0..compressions {
                $compress(&mut chain, message, MESSAGE.len() as $word);
            }
            chain
        }

        #[inline(never)]
        fn $compress(chain: &mut [$word; 8], message: &[$word; 16], counter: $word) {
            const ROTATIONS: [u32; 4] = $rotations;
            let mut vector = [0; 16];
            vector[..8].copy_from_slice(chain);
            vector[8..].copy_from_slice(&CONSTANTS.map(upper::<$word>));
            vector[12] ^= counter;
            vector[14] = !vector[14];
            for round in 0..$rounds {
                let order = &SCHEDULE[round % SCHEDULE.len()];
                for ([a, b, c, d], words) in MIXED.into_iter().zip(order.as_chunks::<2>().0) {
                    for (word, rotations) in words.iter().zip(ROTATIONS.as_chunks::<2>().0) {
                        vector[a] = vector[a]
                            .wrapping_add(vector[b])
                            .wrapping_add(message[*word]);
                        vector[d] = (vector[d] ^ vector[a]).rotate_right(rotations[0]);
                        vector[c] = vector[c].wrapping_add(vector[d]);
                        vector[b] = (vector[b] ^ vector[c]).rotate_right(rotations[1]);
                    }
                }
            }
            for (index, word) in chain.iter_mut().enumerate() {
                *word ^= vector[index] ^ vector[index + 8];
            }
        }
    };
}

define_hash!(hash_s, compress_s, u32, 10, [16, 12, 8, 7]);
define_hash!(hash_b, compress_b, u64, 12, [32, 24, 16, 63]);

/// A word of 4 or 8 bytes.
trait Word {
    /// The upper bytes of a constant.
    fn upper(constant: u64) -> Self;
}

impl Word for u32 {
    fn upper(constant: u64) -> Self {
        (constant >> 32) as Self
    }
}

impl Word for u64 {
    fn upper(constant: u64) -> Self {
        constant
    }
}

fn upper<W: Word>(constant: u64) -> W {
    W::upper(constant)
}

/// Compares the twins with the digests of "abc" in appendices A and B of the RFC.
pub(super) fn check_against_rfc() {
    let mut message = [0; 16];
    message[0] = u32::from_le_bytes([b'a', b'b', b'c', 0]);
    let short = hash_s(&message, 1);
    assert_eq!(short[0].to_le_bytes(), [0x50, 0x8c, 0x5e, 0x8c], "BLAKE2s");
    assert_eq!(short[7].to_le_bytes(), [0x86, 0x67, 0x59, 0x82], "BLAKE2s");
    let long = hash_b(&message.map(u64::from), 1);
    assert_eq!(long[0].to_be(), 0xba80_a53f_981c_4d0d, "BLAKE2b");
    assert_eq!(long[7].to_be(), 0xb923_86ed_d400_9923, "BLAKE2b");
}
