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

/// The length of the TPKT at the front of `input`, and the head of its message, if it has one. All of that is
/// judged octet by octet.
pub(crate) fn heads(input: &[u8]) -> Result<(usize, Option<q931::Head>), Error> {
    let len = length(input, 0)?;
    if len == HEAD {
        return Ok((len, None));
    }
    let head = q931::Head::parse(input.get(HEAD..).unwrap_or_default(), HEAD)?;
    Ok((len, Some(head)))
}

/// What the TPKT of `len` octets at the front of `input` carries, as soon as it is whole.
pub(crate) fn message(input: &[u8], len: usize) -> Result<&[u8], Error> {
    input.get(HEAD..len).ok_or_else(|| Error::incomplete(len.saturating_sub(input.len())))
}

/// A TPKT that passes as it comes: how many octets of it are still to pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passing {
    left: usize,
}

impl Passing {
    pub(crate) const NOTHING: Self = Self { left: 0 };

    /// How many octets of `input` belong to the TPKT that has begun; `None` if none has, or nothing is there.
    pub(crate) fn step(&mut self, input: &[u8]) -> Option<usize> {
        if self.is_done() || input.is_empty() { None } else { Some(self.begin(self.left, input)) }
    }

    /// How many octets of `input` belong to the TPKT of `len` octets at its front.
    pub(crate) fn begin(&mut self, len: usize, input: &[u8]) -> usize {
        let octets = len.min(input.len());
        self.left = len.saturating_sub(octets);
        octets
    }

    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }
}
