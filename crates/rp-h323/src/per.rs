//! Aligned PER, as far as H.225.0 needs it on the way to the key: a cursor over borrowed octets.
//!
//! X.691 numbers sections by edition; the ones given here are those of 07/2002.

use crate::error::{Counted, Invalid, Reason};

/// The highest normally small number in its short form (10.6.1): the bound of extension alternatives, and
/// one less than that of extension additions. H.225.0 has at most 28 of either.
const NORMALLY_SMALL_MAX: u8 = 63;

/// A fragment of a long value is a multiple of this (10.9.3.8).
const FRAGMENT: usize = 16 * 1024;

/// Where reading stands: the octets not begun yet, and the octet begun.
///
/// Nearly every field of H.225.0 is aligned, so aligning has to cost nothing: it forgets the octet begun.
/// A cursor that counts bits from the start would have to round, divide and index at every field.
#[derive(Clone, Copy)]
pub(crate) struct Bits<'a> {
    rest: &'a [u8],
    /// The offset in the input of the octet behind `rest`, for error messages.
    end: usize,
    /// The octet begun, and how many of its low bits are unread.
    octet: u8,
    left: u8,
}

impl<'a> Bits<'a> {
    pub(crate) const EMPTY: Self = Self { rest: &[], end: 0, octet: 0, left: 0 };

    /// A cursor at the start of `octets`, which end at the offset `end` of the input.
    pub(crate) fn new(octets: &'a [u8], end: usize) -> Self {
        Self { rest: octets, end, octet: 0, left: 0 }
    }

    #[cold]
    pub(crate) fn fault(&self, reason: Reason) -> Invalid {
        Invalid { reason, offset: self.end.saturating_sub(self.rest.len()) }
    }

    /// The octets not begun yet.
    #[cfg(feature = "messages")]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether every octet has been begun.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bits, at most 8.
    #[inline]
    pub(crate) fn bits(&mut self, count: u8) -> Result<u8, Invalid> {
        debug_assert!(count <= 8);
        let mask = 0xff_u8.wrapping_shr(u32::from(8_u8.wrapping_sub(count)));
        // No subtraction wraps: it is guarded here, and below `left < count <= 8`.
        if count <= self.left {
            self.left = self.left.wrapping_sub(count);
            return Ok(self.octet.wrapping_shr(u32::from(self.left)) & mask);
        }
        let Some((&next, rest)) = self.rest.split_first() else { return Err(self.fault(Reason::Truncated)) };
        let window = u16::from_be_bytes([self.octet, next]);
        self.left = self.left.wrapping_add(8).wrapping_sub(count);
        self.octet = next;
        self.rest = rest;
        let [_, low] = window.wrapping_shr(u32::from(self.left)).to_be_bytes();
        Ok(low & mask)
    }

    #[inline]
    pub(crate) fn bit(&mut self) -> Result<bool, Invalid> {
        Ok(self.bits(1)? != 0)
    }

    /// The next `N` bits as booleans: the extension bit of a SEQUENCE and its bits for OPTIONAL fields
    /// (18.1, 18.2), or fields that are BOOLEAN (11).
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "N is at most 8")]
    pub(crate) fn flags<const N: usize>(&mut self) -> Result<[bool; N], Invalid> {
        const { assert!(N <= 8) };
        let mut bits = self.bits(N as u8)?;
        let mut flags = [false; N];
        for flag in flags.iter_mut().rev() {
            *flag = bits & 1 != 0;
            bits >>= 1;
        }
        Ok(flags)
    }

    /// So many octets at the next octet boundary.
    #[inline]
    pub(crate) fn octets(&mut self, count: usize) -> Result<&'a [u8], Invalid> {
        let Some((octets, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.fault(Reason::Truncated));
        };
        self.rest = rest;
        self.left = 0;
        Ok(octets)
    }

    /// `N` octets at the next octet boundary.
    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Invalid> {
        let Some((octets, rest)) = self.rest.split_first_chunk() else {
            return Err(self.fault(Reason::Truncated));
        };
        self.rest = rest;
        self.left = 0;
        Ok(octets)
    }

    /// A number of 16 bits, and lengths of a range of 257 to 64 K: two octets (10.5.7.3).
    #[inline]
    pub(crate) fn number16(&mut self) -> Result<u16, Invalid> {
        Ok(u16::from_be_bytes(*self.array()?))
    }

    /// An unconstrained length of something that has to be in one piece (10.9.3.5 to 10.9.3.7).
    #[inline]
    pub(crate) fn length(&mut self) -> Result<usize, Invalid> {
        match self.determinant()? {
            Length::Whole(count) => Ok(count),
            Length::Fragment(_) => Err(self.fault(Reason::Fragmented)),
        }
    }

    /// The count of a SEQUENCE OF without constraint.
    #[inline]
    pub(crate) fn count(&mut self, max: usize, counted: Counted) -> Result<usize, Invalid> {
        let count = self.length()?;
        if count > max { Err(self.fault(Reason::TooMany(counted))) } else { Ok(count) }
    }

    /// An unconstrained OCTET STRING, OBJECT IDENTIFIER or INTEGER, in one piece.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<&'a [u8], Invalid> {
        let count = self.length()?;
        self.octets(count)
    }

    /// The contents of an open type in one piece (10.2).
    #[inline]
    pub(crate) fn open_type(&mut self) -> Result<Self, Invalid> {
        let octets = self.string()?;
        Ok(Self::new(octets, self.end.saturating_sub(self.rest.len())))
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

    /// Which alternative of an extensible CHOICE with `root` bits of root index (22.4 to 22.8).
    #[inline]
    pub(crate) fn choice(&mut self, root: u8) -> Result<Choice, Invalid> {
        if self.bit()? {
            self.extension_alternative().map(Choice::Extension)
        } else {
            self.bits(root).map(Choice::Root)
        }
    }

    /// A normally small number up to 63 (10.6.1).
    #[cold]
    fn extension_alternative(&mut self) -> Result<u8, Invalid> {
        let number = self.bits(7)?;
        if number > NORMALLY_SMALL_MAX {
            Err(self.fault(Reason::TooMany(Counted::Additions)))
        } else {
            Ok(number)
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
    #[inline]
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
    #[inline]
    pub(crate) fn additions(&mut self) -> Result<Additions, Invalid> {
        let count = self.bits(7)?;
        if count > NORMALLY_SMALL_MAX {
            return Err(self.fault(Reason::TooMany(Counted::Additions)));
        }
        let mut left = count.wrapping_add(1);
        let mut place = u64::BITS;
        let mut present = 0_u64;
        while left > 0 {
            let step = left.min(8);
            place = place.wrapping_sub(u32::from(step));
            present |= u64::from(self.bits(step)?).wrapping_shl(place);
            left = left.wrapping_sub(step);
        }
        Ok(Additions(present))
    }

    #[inline]
    fn skip_open_types(&mut self, present: Additions) -> Result<(), Invalid> {
        for _ in 0..present.0.count_ones() {
            self.skip_string(1)?;
        }
        Ok(())
    }

    /// A length determinant (10.9.3.5 to 10.9.3.8).
    #[inline]
    fn determinant(&mut self) -> Result<Length, Invalid> {
        let [first] = *self.array()?;
        if first < 0x80 {
            return Ok(Length::Whole(usize::from(first)));
        }
        self.long_determinant(first)
    }

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

/// Which extension additions are present, the first one in the top bit.
#[derive(Clone, Copy)]
pub(crate) struct Additions(u64);

impl Additions {
    /// Whether the one with this number, at most 63, is present.
    pub(crate) fn has(self, number: u8) -> bool {
        self.0 & (1_u64 << 63).wrapping_shr(u32::from(number)) != 0
    }

    /// Those before the one with this number, at most 63.
    fn before(self, number: u8) -> Self {
        Self(self.0 & !u64::MAX.wrapping_shr(u32::from(number)))
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
