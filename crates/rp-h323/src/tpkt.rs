//! The frame: TPKT (RFC 1006, section 6).

use crate::{
    error::{Error, Reason},
    q931,
};

const VERSION: u8 = 3;

/// The octets of the head: version, a reserved octet, the length of the whole in two.
pub(crate) const HEAD: usize = 4;

/// The shortest TPKT with a message.
const MESSAGE_MIN: usize = HEAD + q931::HEAD;

/// The length of the TPKT at the front of `input`, its head included, as soon as the head is there.
/// `at` is the offset of `input` in what the connection has sent.
///
/// A length of 4 is a TPKT without a message: endpoints keep a connection alive with it.
///
/// Receivers do not look at the reserved octet, and so it is not judged here.
pub(crate) fn length(input: &[u8], at: usize) -> Result<usize, Error> {
    match *input {
        [version, ..] if version != VERSION => Err(Error::invalid(Reason::NotTpkt, at)),
        [_version, _reserved, high, low, ..] => match usize::from(u16::from_be_bytes([high, low])) {
            length @ (HEAD | MESSAGE_MIN..) => Ok(length),
            _ => Err(Error::invalid(Reason::TpktLength, at.saturating_add(2))),
        },
        _ => Err(Error::incomplete(1)),
    }
}

/// What the TPKT of `len` octets at the front of `input` carries, as soon as it is whole.
pub(crate) fn message(input: &[u8], len: usize) -> Result<&[u8], Error> {
    input.get(HEAD..len).ok_or_else(|| Error::incomplete(len.saturating_sub(input.len())))
}
