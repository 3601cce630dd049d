//! Q.931 as H.225.0 uses it (H.225.0, 7.2): the head of a message, and the user-user element in it.

use nom::{
    IResult, Parser,
    bytes::complete::take,
    multi::length_data,
    number::complete::{be_u8, be_u16},
};

use crate::{
    error::{Error, Invalid, Reason},
    per::Bits,
};

/// The octets of the head: protocol discriminator, length of the call reference, two octets of it, type.
pub(crate) const HEAD: usize = 5;

/// The protocol discriminator of Q.931 (4.2).
const Q931: u8 = 0x08;

/// The length of the call reference, which H.225.0 fixes.
const CALL_REFERENCE_LENGTH: u8 = 2;

/// The top bit of the call reference: clear from the side that made it up, set to that side (Q.931, 4.3).
const CALL_REFERENCE_FLAG: u16 = 0x8000;

/// Information element identifiers (Q.931, 4.5).
const SINGLE_OCTET: u8 = 0x80;
const SHIFT_LOCKING: u8 = 0x90;
const SHIFT_ONCE: u8 = 0x98;
const USER_USER: u8 = 0x7e;

/// The user-user protocol discriminator of information coded by ASN.1 (Q.931, 4.5.30).
const USER_USER_ASN1: u8 = 0x05;

/// The head of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// Without its flag; 0 for RAS.
    pub(crate) call_reference: u16,
    pub(crate) message_type: MessageType,
}

/// The type of a message (Q.931, table 4-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageType(pub(crate) u8);

impl MessageType {
    pub(crate) const NATIONAL_ESCAPE: Self = Self(0x00);
    pub(crate) const SETUP: Self = Self(0x05);
    pub(crate) const RELEASE_COMPLETE: Self = Self(0x5a);
    pub(crate) const FACILITY: Self = Self(0x62);
    pub(crate) const NOTIFY: Self = Self(0x6e);
    pub(crate) const STATUS_INQUIRY: Self = Self(0x75);
    pub(crate) const INFORMATION: Self = Self(0x7b);
    pub(crate) const STATUS: Self = Self(0x7d);
}

impl Head {
    /// Reads the head at the front of `input`, as far as it has come; `at` is the offset of `input` in
    /// what the connection has sent.
    pub(crate) fn parse(input: &[u8], at: usize) -> Result<Self, Error> {
        match *input {
            [discriminator, ..] if discriminator != Q931 => Err(Error::invalid(Reason::NotQ931, at)),
            [_, length, ..] if length != CALL_REFERENCE_LENGTH => {
                Err(Error::invalid(Reason::CallReferenceLength, at.saturating_add(1)))
            }
            [_, _, high, low, message_type, ..] => Ok(Self {
                call_reference: u16::from_be_bytes([high, low]) & !CALL_REFERENCE_FLAG,
                message_type: MessageType(message_type),
            }),
            _ => Err(Error::incomplete(1)),
        }
    }
}

/// The contents of the user-user element of a message, which ends at the offset `end` of the input; `None`
/// if there is none.
///
/// Receivers take the first one or the last one, and some ignore shifts of the codeset. So that no
/// message can have two meanings, there is one user-user element at most, in codeset 0.
pub(crate) fn user_user(message: &[u8], end: usize) -> Result<Option<Bits<'_>>, Invalid> {
    let mut rest = message.get(HEAD..).unwrap_or_default();
    let mut found = None;
    let mut codeset = Codeset::default();
    while !rest.is_empty() {
        let fault = |reason| Invalid { reason, offset: end.saturating_sub(rest.len()) };
        let Ok((behind, element)) = element(rest) else { return Err(fault(Reason::ElementLength)) };
        match element {
            Element::Single(identifier) => codeset.shift(identifier),
            Element::Other => codeset.step(),
            Element::UserUser(_) if codeset.now() != 0 => return Err(fault(Reason::ShiftedUserUser)),
            Element::UserUser(_) if found.is_some() => return Err(fault(Reason::SecondUserUser)),
            Element::UserUser([USER_USER_ASN1, contents @ ..]) => {
                found = Some(Bits::new(contents, end.saturating_sub(behind.len())));
            }
            Element::UserUser(_) => return Err(fault(Reason::UserUser)),
        }
        rest = behind;
    }
    Ok(found)
}

enum Element<'a> {
    /// One octet: a shift, or something that nobody here looks at.
    Single(u8),
    UserUser(&'a [u8]),
    Other,
}

/// An octet with the top bit set is an element by itself; any other is followed by a length, of one octet
/// but for the user-user element, which has two (H.225.0, 7.2.2).
fn element(input: &[u8]) -> IResult<&[u8], Element<'_>, ()> {
    let (rest, identifier) = be_u8(input)?;
    match identifier {
        SINGLE_OCTET.. => Ok((rest, Element::Single(identifier))),
        USER_USER => length_data(be_u16).map(Element::UserUser).parse(rest),
        _ => {
            let (rest, length) = be_u8(rest)?;
            take(length).map(|_| Element::Other).parse(rest)
        }
    }
}

/// Which codeset the next element belongs to (Q.931, 4.5.2 to 4.5.4).
#[derive(Default)]
struct Codeset {
    locked: u8,
    once: Option<u8>,
}

impl Codeset {
    fn now(&self) -> u8 {
        self.once.unwrap_or(self.locked)
    }

    fn shift(&mut self, identifier: u8) {
        match identifier & 0xf8 {
            SHIFT_LOCKING => self.locked = identifier & 0x07,
            SHIFT_ONCE => self.once = Some(identifier & 0x07),
            _ => self.step(),
        }
    }

    fn step(&mut self) {
        self.once = None;
    }
}
