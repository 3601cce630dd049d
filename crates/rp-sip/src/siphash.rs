//! SipHash-2-4 (Aumasson and Bernstein, 2012): a hash that those who do not know the key cannot make collide.

use core::fmt;

/// A key of 128 bits.
#[derive(Clone, Copy)]
pub(crate) struct Key(u64, u64);

/// A key is not for logs.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    pub(crate) fn new(octets: [u8; 16]) -> Self {
        let bits = u128::from_le_bytes(octets);
        #[allow(clippy::cast_possible_truncation, reason = "the lower half, then the upper one")]
        Self(bits as u64, (bits >> 64) as u64)
    }
}

/// The hash of some octets.
pub(crate) fn siphash<'a>(Key(low, high): Key, octets: impl Iterator<Item = &'a u8>) -> u64 {
    let mut state = State {
        v0: low ^ 0x736f_6d65_7073_6575,
        v1: high ^ 0x646f_7261_6e64_6f6d,
        v2: low ^ 0x6c79_6765_6e65_7261,
        v3: high ^ 0x7465_6462_7974_6573,
    };
    let (mut word, mut length) = (0_u64, 0_u32);
    octets.for_each(|octet| {
        // The shift wraps at 64 bits.
        word |= u64::from(*octet).wrapping_shl(length.wrapping_mul(8));
        length = length.wrapping_add(1);
        if length.is_multiple_of(8) {
            state.compress(word);
            word = 0;
        }
    });
    state.compress(word | u64::from(length) << 56);
    state.v2 ^= 0xff;
    for _ in 0..4 {
        state.round();
    }
    state.v0 ^ state.v1 ^ state.v2 ^ state.v3
}

struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    fn compress(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.round();
        self.v0 ^= word;
    }

    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v2 = self.v2.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::hash::Hasher;

    use super::{Key, siphash};

    #[test]
    fn it_is_the_hash_of_the_paper() {
        let octets: std::vec::Vec<u8> = (0..15).collect();
        let key: std::vec::Vec<u8> = (0..16).collect();
        let key = Key::new(key.try_into().unwrap());
        assert_eq!(siphash(key, octets.iter()), 0xa129_ca61_49be_45e5);
    }

    #[test]
    #[allow(deprecated, reason = "the only SipHash-2-4 of the standard library")]
    fn it_is_that_of_the_standard_library_at_every_length() {
        let octets: std::vec::Vec<u8> = (0..=255).rev().collect();
        for len in 0..=octets.len() {
            let mut theirs = std::hash::SipHasher::new_with_keys(7, u64::MAX);
            theirs.write(&octets[..len]);
            assert_eq!(siphash(Key(7, u64::MAX), octets[..len].iter()), theirs.finish());
        }
    }
}
