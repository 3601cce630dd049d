//! A hash index beside a list: from the hash of an element to its position.
//!
//! `alloc` has no hash map, and the matchers want what none offers: the hashes of *all* heads (or tails) of
//! a text in one walk over it. Hence a hash that grows octet by octet, and a table that leaves it to the
//! caller what "equal" means.

use alloc::vec;
use alloc::vec::Vec;
use core::hash::BuildHasher;

use foldhash::quality::RandomState;

/// The hash of the octets seen so far, drawn anew for every table, so that nobody outside can tell which
/// texts meet in one slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed {
    /// The hash of no octets.
    pub(crate) start: u64,
    factor: u64,
}

impl Seed {
    /// With it all hashes are equal.
    #[cfg(test)]
    pub(crate) const ALL_EQUAL: Self = Self { start: 0, factor: 0 };

    pub(crate) fn random() -> Self {
        let state = RandomState::default();
        Self { start: state.hash_one(0_u8), factor: state.hash_one(1_u8) | 1 }
    }

    /// The hash with one more octet: a multiplication folded onto itself, as in foldhash and wyhash.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "folding adds the upper half to the lower")]
    pub(crate) fn extend(self, hash: u64, octet: u8) -> u64 {
        let product = u128::from(hash ^ u64::from(octet)).wrapping_mul(u128::from(self.factor));
        (product ^ (product >> 64)) as u64
    }

    pub(crate) fn hash<'a>(self, octets: impl IntoIterator<Item = &'a u8>) -> u64 {
        octets.into_iter().fold(self.start, |hash, &octet| self.extend(hash, octet))
    }
}

/// Open addressing with linear probing, at most an eighth full: a look-up that finds nothing, which is the
/// common one, nearly always sees an empty slot at once, whatever the size.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// Positions. Empty, or a power of two of them.
    slots: Vec<u32>,
    /// By position.
    hashes: Vec<u64>,
}

const FREE: u32 = u32::MAX;
const SLOTS_PER_ELEMENT: usize = 8;

impl Index {
    /// The position with this hash of which `is` says that it is the one.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is: impl Fn(usize) -> bool) -> Option<usize> {
        let mut at = first_slot(hash);
        loop {
            let position = *self.slots.get(at & self.mask())?;
            if position == FREE {
                return None;
            }
            let position = position as usize;
            if self.hashes.get(position) == Some(&hash) && is(position) {
                return Some(position);
            }
            at = at.wrapping_add(1);
        }
    }

    /// Adds the hash of the element that has just been put at the end of the list.
    pub(crate) fn push(&mut self, hash: u64) {
        self.hashes.push(hash);
        let wanted = self.hashes.len().saturating_mul(SLOTS_PER_ELEMENT);
        if wanted <= self.slots.len() {
            self.place(self.hashes.len().saturating_sub(1), hash);
            return;
        }
        self.slots = vec![FREE; wanted.next_power_of_two()];
        for position in 0..self.hashes.len() {
            if let Some(&hash) = self.hashes.get(position) {
                self.place(position, hash);
            }
        }
    }

    fn place(&mut self, position: usize, hash: u64) {
        // What comes after four milliards would not be found; 32 GiB of hashes come first.
        let position = u32::try_from(position).unwrap_or(FREE);
        let mask = self.mask();
        let mut at = first_slot(hash);
        while let Some(slot) = self.slots.get_mut(at & mask) {
            if *slot == FREE {
                *slot = position;
                return;
            }
            at = at.wrapping_add(1);
        }
    }

    fn mask(&self) -> usize {
        self.slots.len().wrapping_sub(1)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the lower bits are as good as any")]
fn first_slot(hash: u64) -> usize {
    hash as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_element_of_any_size_also_where_all_hashes_are_equal() {
        for hash_of in
            [|n: usize| (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15), |_| 7, |n| (n as u64) << 32]
        {
            let mut index = Index::default();
            assert_eq!(index.find(hash_of(0), |_| true), None);
            for n in 0..500 {
                index.push(hash_of(n));
                for present in 0..=n {
                    assert_eq!(index.find(hash_of(present), |position| position == present), Some(present));
                }
                assert_eq!(index.find(hash_of(n + 1), |position| position == n + 1), None);
            }
        }
    }

    #[test]
    fn stays_at_most_an_eighth_full_and_no_larger_than_needed() {
        let mut index = Index::default();
        for elements in 1..=10_000 {
            index.push(0);
            assert!(index.slots.len().is_power_of_two());
            assert!((8 * elements..=16 * elements).contains(&index.slots.len()));
            // Equal hashes would make this test quadratic.
            index.slots.fill(FREE);
        }
    }
}
