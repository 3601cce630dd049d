//! The names and numbers of an endpoint (H.225.0, AliasAddress).

use core::fmt;

use crate::{Text, h225::address, per::Bits};

/// One alias.
#[derive(Clone, Copy, Debug)]
pub enum Alias<'a> {
    /// dialedDigits: a telephone number.
    DialedDigits(Text<'a>),
    /// h323-ID: a name.
    H323Id(Text<'a>),
    /// url-ID: a URL.
    UrlId(Text<'a>),
    /// email-ID: an address of the form of RFC 822.
    EmailId(Text<'a>),
    /// An alias of another type, which is not read: the number of the extension in AliasAddress
    /// (1 transportID, 3 partyNumber, 4 mobileUIM, 5 isupNumber).
    Other(u8),
}

impl fmt::Display for Alias<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DialedDigits(text) | Self::H323Id(text) | Self::UrlId(text) | Self::EmailId(text) => {
                text.fmt(f)
            }
            Self::Other(1) => f.write_str("(transportID)"),
            Self::Other(3) => f.write_str("(partyNumber)"),
            Self::Other(4) => f.write_str("(mobileUIM)"),
            Self::Other(5) => f.write_str("(isupNumber)"),
            Self::Other(number) => write!(f, "(alias of type {number})"),
        }
    }
}

/// The aliases of a message in their order, read from its octets as they are asked for.
#[derive(Clone, Copy)]
pub struct Aliases<'a> {
    bits: Bits<'a>,
    left: u16,
}

impl<'a> Aliases<'a> {
    /// Whether there is none (left).
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// No alias at all.
    pub(crate) const NONE: Self = Self { bits: Bits::EMPTY, left: 0 };

    /// `count` aliases that have been walked over once, so that reading them again cannot fail.
    pub(crate) fn new(bits: Bits<'a>, count: u16) -> Self {
        Self { bits, left: count }
    }
}

impl<'a> Iterator for Aliases<'a> {
    type Item = Alias<'a>;

    fn next(&mut self) -> Option<Alias<'a>> {
        self.left = self.left.checked_sub(1)?;
        address::alias(&mut self.bits).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.left);
        (left, Some(left))
    }
}

impl fmt::Debug for Aliases<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}
