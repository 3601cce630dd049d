//! Aligned PER, as far as H.225.0 needs it on the way to the key: a cursor over borrowed octets.
//!
//! X.691 numbers sections by edition; the ones given here are those of 07/2002.

use core::array;

use crate::error::{Invalid, Reason};

/// The highest normally small number in its short form (10.6.1): the bound of extension alternatives, and
/// one less than that of extension additions. H.225.0 has at most 28 of either.
const NORMALLY_SMALL_MAX: u8 = 63;

/// A fragment of a long value is a multiple of this (10.9.3.8).
const FRAGMENT: usize = 16 * 1024;

/// Where reading stands: the octets not begun yet, and the octet begun.
///
/// Nearly every field of H.225.0 is aligned, so aligning has to cost nothing: it forgets the octet begun.
/// A cursor that counts bits from the start would have to round, divide and index at every field.
///
/// What every registration has is inlined into one function, and everything else goes by way of
/// [`rarely`](Self::rarely): then these fields live in registers, which saves a fifth of the instructions.
#[derive(Clone, Copy)]
pub(crate) struct Bits<'a> {
    rest: &'a [u8],
    /// The offset in the input of the octet behind `rest`, for error messages. All offsets fit: no more
    /// than seventeen frames of 64 K are looked at.
    end: u32,
    /// The octet begun, and how many of its low bits are unread.
    octet: u8,
    left: u8,
}

impl<'a> Bits<'a> {
    pub(crate) const EMPTY: Self = Self { rest: &[], end: 0, octet: 0, left: 0 };

    /// A cursor at the start of `octets`, which end at the offset `end` of the input.
    pub(crate) fn new(octets: &'a [u8], end: usize) -> Self {
        Self { rest: octets, end: u32::try_from(end).unwrap_or(u32::MAX), octet: 0, left: 0 }
    }

    /// The offset in the input of the next octet.
    fn offset(&self) -> usize {
        usize::try_from(self.end).unwrap_or(usize::MAX).saturating_sub(self.rest.len())
    }

    /// What is wrong, here. Inlined, so that no address of the cursor gets out: then its fields live in
    /// registers.
    #[inline(always)]
    pub(crate) fn fault(&self, reason: Reason) -> Invalid {
        fault(reason, self.end, self.rest.len())
    }

    /// The octets not begun yet.
    #[cfg(feature = "messages")]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads something rare, on a copy of the cursor. The function that does it is not inlined and takes the
    /// cursor's address, which must not be that of the cursor of everything common.
    #[inline(always)]
    pub(crate) fn rarely<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        let mut copy = *self;
        let value = read(&mut copy)?;
        *self = copy;
        Ok(value)
    }

    /// Whether every octet has been begun.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bits, from 1 to 8.
    #[inline(always)]
    pub(crate) fn bits(&mut self, count: u8) -> Result<u8, Invalid> {
        debug_assert!((1..=8).contains(&count));
        let mask = 0xff_u8.wrapping_shr(u32::from(8_u8.wrapping_sub(count)));
        // Nothing wraps: the first subtraction is guarded, and for the second `left < count <= 8`.
        if count <= self.left {
            self.left = self.left.wrapping_sub(count);
            return Ok(self.octet.wrapping_shr(u32::from(self.left)) & mask);
        }
        let Some((&next, rest)) = self.rest.split_first() else { return Err(self.fault(Reason::Truncated)) };
        let window = u32::from(self.octet) << 8 | u32::from(next);
        self.left = self.left.wrapping_add(8).wrapping_sub(count);
        self.octet = next;
        self.rest = rest;
        let [bits, ..] = window.wrapping_shr(u32::from(self.left)).to_le_bytes();
        Ok(bits & mask)
    }

    #[inline(always)]
    pub(crate) fn bit(&mut self) -> Result<bool, Invalid> {
        Ok(self.bits(1)? != 0)
    }

    /// The next `N` bits as booleans: the extension bit of a SEQUENCE and its bits for OPTIONAL fields
    /// (18.1, 18.2), or fields that are BOOLEAN (11).
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "N is at most 8")]
    pub(crate) fn flags<const N: usize>(&mut self) -> Result<[bool; N], Invalid> {
        const { assert!(N <= 8) };
        let bits = self.bits(N as u8)?;
        let first = 1_u8.wrapping_shl((N as u32).wrapping_sub(1));
        Ok(array::from_fn(|place| bits.wrapping_shl(place as u32) & first != 0))
    }

    /// So many octets at the next octet boundary.
    #[inline(always)]
    pub(crate) fn octets(&mut self, count: usize) -> Result<&'a [u8], Invalid> {
        let Some((octets, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.fault(Reason::Truncated));
        };
        self.rest = rest;
        self.left = 0;
        Ok(octets)
    }

    /// `N` octets at the next octet boundary.
    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Invalid> {
        let Some((octets, rest)) = self.rest.split_first_chunk() else {
            return Err(self.fault(Reason::Truncated));
        };
        self.rest = rest;
        self.left = 0;
        Ok(octets)
    }

    /// A number of 16 bits, and lengths of a range of 257 to 64 K: two octets (10.5.7.3).
    #[inline(always)]
    pub(crate) fn number16(&mut self) -> Result<u16, Invalid> {
        Ok(u16::from_be_bytes(*self.array()?))
    }

    /// An unconstrained length of something that has to be in one piece (10.9.3.5 to 10.9.3.7).
    #[inline(always)]
    pub(crate) fn length(&mut self) -> Result<usize, Invalid> {
        match self.determinant()? {
            Length::Whole(count) => Ok(count),
            Length::Fragment(_) => Err(self.fault(Reason::Fragmented)),
        }
    }

    /// The count of a SEQUENCE OF without constraint.
    #[inline(always)]
    pub(crate) fn count(&mut self, max: u16, too_many: Reason) -> Result<u16, Invalid> {
        match u16::try_from(self.length()?) {
            Ok(count) if count <= max => Ok(count),
            _ => Err(self.fault(too_many)),
        }
    }

    /// An unconstrained OCTET STRING, OBJECT IDENTIFIER or INTEGER, in one piece.
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Result<&'a [u8], Invalid> {
        let count = self.length()?;
        self.octets(count)
    }

    /// The contents of an open type in one piece (10.2).
    #[inline(always)]
    pub(crate) fn open_type(&mut self) -> Result<Self, Invalid> {
        let octets = self.string()?;
        Ok(Self::new(octets, self.offset()))
    }

    /// Leaves out an OCTET STRING, OBJECT IDENTIFIER or open type of any length; `width` octets are one
    /// unit of the length.
    pub(crate) fn skip_string(&mut self, width: usize) -> Result<(), Invalid> {
        loop {
            let length = self.determinant()?;
            let (Length::Whole(count) | Length::Fragment(count)) = length;
            self.octets(count.saturating_mul(width))?;
            if let Length::Whole(_) = length {
                return Ok(());
            }
        }
    }

    /// Which alternative of an extensible CHOICE, whose root index has `root` bits, at most 6 (22.4 to 22.8).
    #[inline(always)]
    pub(crate) fn choice(&mut self, root: u8) -> Result<Choice, Invalid> {
        let bits = self.bits(root.wrapping_add(1))?;
        let extension = 1_u8.wrapping_shl(u32::from(root));
        if bits < extension {
            return Ok(Choice::Root(bits));
        }
        // The number of an extension is a normally small one (10.6.1): a clear bit, and six bits.
        let more = 7_u8.wrapping_sub(root);
        let high = bits.wrapping_sub(extension).wrapping_shl(u32::from(more));
        match high | self.bits(more)? {
            number @ 0..=NORMALLY_SMALL_MAX => Ok(Choice::Extension(number)),
            _ => Err(self.fault(Reason::TooManyAdditions)),
        }
    }

    /// Leaves out all extension additions of a SEQUENCE, whose root ends here.
    #[cold]
    pub(crate) fn skip_additions(&mut self) -> Result<(), Invalid> {
        let present = self.additions()?;
        self.skip_open_types(present)
    }

    /// The contents of the extension addition with this number, counted from 0, of a SEQUENCE whose root
    /// ends here; `None` if it is not there.
    #[inline(always)]
    pub(crate) fn addition(&mut self, number: u8) -> Result<Option<Self>, Invalid> {
        let present = self.additions()?;
        if !present.has(number) {
            return Ok(None);
        }
        self.skip_open_types(present.before(number))?;
        self.open_type().map(Some)
    }

    /// Which extension additions follow (18.7, 18.8). Their number is a normally small length (10.9.3.4): a
    /// bit that is clear up to 64, and then six bits for the number less one.
    #[inline(always)]
    pub(crate) fn additions(&mut self) -> Result<Additions, Invalid> {
        let count = self.bits(7)?;
        if count > NORMALLY_SMALL_MAX {
            return Err(self.fault(Reason::TooManyAdditions));
        }
        // The unread bits of the octet begun, and then whole octets until there are enough.
        let count = u32::from(count).wrapping_add(1);
        let mut have = u32::from(self.left);
        let mut present = u128::from(self.octet);
        while have < count {
            let [next] = *self.array()?;
            self.octet = next;
            present = present << 8 | u128::from(next);
            have = have.wrapping_add(8);
        }
        // At most 7 are left over, for `have` was less than `count` before the last octet.
        [self.left, ..] = have.wrapping_sub(count).to_le_bytes();
        let present = present.wrapping_shl(u128::BITS.wrapping_sub(have)) & !u128::MAX.wrapping_shr(count);
        Ok(Additions(present))
    }

    #[inline(always)]
    fn skip_open_types(&mut self, present: Additions) -> Result<(), Invalid> {
        for _ in 0..present.0.count_ones() {
            self.skip_string(1)?;
        }
        Ok(())
    }

    /// A length determinant (10.9.3.5 to 10.9.3.8).
    #[inline(always)]
    fn determinant(&mut self) -> Result<Length, Invalid> {
        let [first] = *self.array()?;
        if first < 0x80 {
            return Ok(Length::Whole(usize::from(first)));
        }
        self.rarely(|bits| bits.long_determinant(first))
    }

    #[cold]
    fn long_determinant(&mut self, first: u8) -> Result<Length, Invalid> {
        match first {
            0x80..=0xbf => {
                let [second] = *self.array()?;
                Ok(Length::Whole(usize::from(u16::from_be_bytes([first & 0x3f, second]))))
            }
            0xc1..=0xc4 => Ok(Length::Fragment(usize::from(first & 0x07).saturating_mul(FRAGMENT))),
            _ => Err(self.fault(Reason::LengthForm)),
        }
    }
}

#[cold]
fn fault(reason: Reason, end: u32, unread: usize) -> Invalid {
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    Invalid { reason, offset: end.saturating_sub(unread) }
}

/// Which extension additions are present, the first one in the top bit.
#[derive(Clone, Copy)]
pub(crate) struct Additions(u128);

impl Additions {
    /// Whether the one with this number, at most 63, is present.
    pub(crate) fn has(self, number: u8) -> bool {
        self.0 & (1_u128 << 127).wrapping_shr(u32::from(number)) != 0
    }

    /// Those before the one with this number, at most 63.
    fn before(self, number: u8) -> Self {
        Self(self.0 & !u128::MAX.wrapping_shr(u32::from(number)))
    }
}

/// An alternative of a CHOICE.
#[derive(Clone, Copy)]
pub(crate) enum Choice {
    /// Of the root, by its index.
    Root(u8),
    /// An extension, by its number; its contents follow as an open type.
    Extension(u8),
}

enum Length {
    /// So many units, and no more follow.
    Whole(usize),
    /// So many units, then another determinant.
    Fragment(usize),
}
