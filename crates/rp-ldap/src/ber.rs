//! A walk over BER elements that never copies, and never looks at an octet it does not need.
//!
//! LDAP restricts BER (RFC 4511 5.1): definite lengths only, primitive strings only; and no tag of LDAP
//! takes more than one octet. Lengths need not be minimal, though: Active Directory writes all of them
//! in five octets.

use crate::error::{Error, Reason};

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const SEQUENCE: u8 = 0x30;

/// The class bits of a tag (X.690 8.1.2.2).
pub(crate) const CLASS: u8 = 0xc0;
pub(crate) const APPLICATION: u8 = 0x40;
pub(crate) const CONTEXT: u8 = 0x80;
/// The number bits of a tag; all set, they say that the number follows in further octets.
pub(crate) const NUMBER: u8 = 0x1f;

/// Walks the content of one element, whose end is announced but may not have arrived yet.
///
/// Each read first holds what it needs against the announced end ([`Reason::Structure`]), then against
/// the octets that are there ([`Error::Incomplete`]). So a bad octet is refused as soon as it arrives.
///
/// Headers are read in place: calls that hand readers around in memory would be a fifth of all work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// A walk over `input` whose end is not known yet.
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0, end: usize::MAX }
    }

    /// The offset of the next octet.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// The offset behind the element.
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// The octets announced and not read yet, whether they are there or not.
    pub(crate) fn left(&self) -> usize {
        self.end.saturating_sub(self.at)
    }

    /// A refusal of the next octet.
    pub(crate) fn refuse(&self, reason: Reason) -> Error {
        Error::invalid(reason, self.at)
    }

    /// The next octet without reading it.
    pub(crate) fn peek(&self) -> Result<u8, Error> {
        if self.at >= self.end {
            return Err(self.refuse(Reason::Structure));
        }
        self.input.get(self.at).copied().ok_or(Error::incomplete(1))
    }

    /// The next octet.
    fn octet(&mut self) -> Result<u8, Error> {
        let octet = self.peek()?;
        self.at = self.at.saturating_add(1);
        Ok(octet)
    }

    /// The next `count` octets.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let end = self.end_of(count)?;
        let octets = self.input.get(self.at..end);
        let octets = octets.ok_or(Error::incomplete(end.saturating_sub(self.input.len())))?;
        self.at = end;
        Ok(octets)
    }

    /// The content of the next element, which must have the tag `tag`.
    pub(crate) fn element(&mut self, tag: u8) -> Result<Self, Error> {
        if self.peek()? != tag {
            return Err(self.refuse(Reason::Structure));
        }
        self.any_element(Reason::Structure)
    }

    /// The content of the next element, whatever its tag. One that is too long is refused for `too_long`.
    #[inline(always)]
    pub(crate) fn any_element(&mut self, too_long: Reason) -> Result<Self, Error> {
        self.octet()?;
        let length_at = self.at;
        let length = self.length()?;
        let end = self.end_of(length).map_err(|_| Error::invalid(too_long, length_at))?;
        let content = Self { end, ..*self };
        self.at = end;
        Ok(content)
    }

    /// The octets of the next element, which must be a primitive OCTET STRING, or be tagged like one.
    pub(crate) fn string(&mut self, tag: u8) -> Result<&'a [u8], Error> {
        let mut content = self.element(tag)?;
        content.take(content.left())
    }

    /// The value of the next element, an INTEGER or ENUMERATED of `0..=2^31-1`. That is the range of all
    /// numbers which are read here (RFC 4511 4.1.1: maxInt). Leading zeros are legal in a length of up to
    /// four octets; other numbers are refused for `reason`.
    #[inline(always)]
    pub(crate) fn number(&mut self, tag: u8, reason: Reason) -> Result<i32, Error> {
        let content = self.element(tag)?;
        content.as_number(reason)
    }

    /// All that is left of the element as a number, as in [`Reader::number`].
    pub(crate) fn as_number(mut self, reason: Reason) -> Result<i32, Error> {
        if !(1..=4).contains(&self.left()) || self.peek()? >= 0x80 {
            return Err(self.refuse(reason));
        }
        let octets = self.take(self.left())?;
        Ok(octets.iter().fold(0, |value, &octet| (value << 8) | i32::from(octet)))
    }

    /// Fails with what is missing of the element.
    pub(crate) fn whole(&self) -> Result<(), Error> {
        match self.end.checked_sub(self.input.len()) {
            Some(missing) if missing > 0 => Err(Error::incomplete(missing)),
            _ => Ok(()),
        }
    }

    /// A length in the short form, or in the long one with one to four octets. X.690 8.1.3.5 allows
    /// leading zeros.
    #[inline(always)]
    fn length(&mut self) -> Result<usize, Error> {
        let length_at = self.at;
        let octets = match self.octet()? {
            short @ 0x00..=0x7f => return Ok(usize::from(short)),
            long @ 0x81..=0x84 => self.take(usize::from(long & 0x7f))?,
            _ => return Err(Error::invalid(Reason::LengthForm, length_at)),
        };
        let length = octets.iter().fold(0, |value: u32, &octet| (value << 8) | u32::from(octet));
        // Where an address has fewer than 32 bits, no such element can be there.
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Where the next `count` octets end, if the element announced so many.
    fn end_of(&self, count: usize) -> Result<usize, Error> {
        match self.at.checked_add(count) {
            Some(end) if end <= self.end => Ok(end),
            _ => Err(self.refuse(Reason::Structure)),
        }
    }
}
