//! The frame: TPKT (RFC 1006, section 6).

use nom::{
    Err, IResult, Parser,
    bytes::streaming::tag,
    number::streaming::{be_u8, be_u16},
    sequence::{pair, preceded},
};

use crate::error::{Error, Reason};

/// The octets of the head: version, a reserved octet, the length of the whole in two.
pub(crate) const HEAD: usize = 4;

/// The shortest TPKT with a message: its own head and the five octets of Q.931's.
const MESSAGE_MIN: usize = HEAD + 5;

/// The length of the TPKT at the front of `input`, its head included, as soon as the head is there.
/// `at` is the offset of `input` in what the connection has sent.
///
/// A length of 4 is a TPKT without a message: endpoints keep a connection alive with it.
pub(crate) fn length(input: &[u8], at: usize) -> Result<usize, Error> {
    match head(input) {
        Ok((_, length)) if usize::from(length) == HEAD || usize::from(length) >= MESSAGE_MIN => {
            Ok(usize::from(length))
        }
        Ok(_) => Err(Error::invalid(Reason::TpktLength, at.saturating_add(2))),
        Err(Err::Incomplete(_)) => Err(Error::incomplete(1)),
        Err(Err::Error(()) | Err::Failure(())) => Err(Error::invalid(Reason::NotTpkt, at)),
    }
}

/// What the TPKT of `len` octets at the front of `input` carries, as soon as it is whole.
pub(crate) fn message(input: &[u8], len: usize) -> Result<&[u8], Error> {
    input.get(HEAD..len).ok_or_else(|| Error::incomplete(len.saturating_sub(input.len())))
}

/// Receivers do not look at the reserved octet, and so it is not judged here.
fn head(input: &[u8]) -> IResult<&[u8], u16, ()> {
    preceded(pair(tag(&b"\x03"[..]), be_u8), be_u16).parse(input)
}
