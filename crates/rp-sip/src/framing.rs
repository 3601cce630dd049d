//! Where a head begins and ends, and how long the body behind it is.
//!
//! Whatever two readers could cut differently is refused: a line end that is not CR LF, a
//! Content-Length that is missing, repeated or more than digits.

use memchr::memchr2;

use crate::{
    Error, Field, Invalid, Limits, Reason, error::invalid, grammar::trim, header::Fields,
    start_line::StartLine,
};

/// A whole head, of a request or of a response. The fields of a request are not judged yet.
pub(crate) struct Head<'a> {
    /// The input up to the end of the head; all offsets count from its beginning.
    pub(crate) input: &'a [u8],
    pub(crate) start: usize,
    pub(crate) start_line: StartLine<'a>,
    pub(crate) fields: Fields,
    pub(crate) body_len: usize,
}

impl<'a> Head<'a> {
    /// Reads the head that begins at `start`.
    pub(crate) fn read(input: &'a [u8], start: usize, limits: &Limits) -> Result<Self, Error> {
        let limit = start.saturating_add(limits.head.min(Limits::MAX_HEAD));
        let window = input.get(..limit).unwrap_or(input);
        match Self::read_window(window, start, limits) {
            Err(Error::Incomplete(_)) if window.len() == limit => Err(invalid(Reason::HeadTooLarge, limit)),
            result => result,
        }
    }

    fn read_window(window: &'a [u8], start: usize, limits: &Limits) -> Result<Self, Error> {
        let (start_line, at) = StartLine::read(window, start)?;
        let (fields, end) = Fields::read(window, at)?;
        let input = window.get(..end).unwrap_or(window);
        let body_len = content_length(&fields, input, limits.body)?;
        Ok(Self { input, start, start_line, fields, body_len })
    }
}

/// Where the first message begins: CR LF before a start line is skipped (7.5), also when it is a
/// keep-alive (RFC 5626 3.5.1).
pub(crate) fn message_start(input: &[u8]) -> Result<usize, Error> {
    let mut rest = input;
    while let [b'\r', b'\n', behind @ ..] = rest {
        rest = behind;
    }
    let start = input.len().saturating_sub(rest.len());
    match rest {
        [] | [b'\r'] => Err(Error::MORE),
        [b'\r', ..] => Err(invalid(Reason::LineEnd, start.saturating_add(1))),
        _ => Ok(start),
    }
}

/// The offset of the first CR LF at or behind `from`; any other CR or LF on the way is a fault (7).
pub(crate) fn line_end(input: &[u8], from: usize) -> Result<usize, Error> {
    let rest = input.get(from..).unwrap_or_default();
    let found = memchr2(b'\r', b'\n', rest).ok_or(Error::MORE)?;
    let end = from.saturating_add(found);
    match rest.get(found..) {
        Some([b'\r', b'\n', ..]) => Ok(end),
        Some([b'\r', _, ..]) => Err(invalid(Reason::LineEnd, end.saturating_add(1))),
        Some([b'\n', ..]) => Err(invalid(Reason::LineEnd, end)),
        _ => Err(Error::MORE),
    }
}

/// 18.3: on a stream the length is the only thing that tells where the next message begins.
fn content_length(fields: &Fields, input: &[u8], limit: usize) -> Result<usize, Invalid> {
    let line = fields.content_length.only(Field::ContentLength, input)?;
    let digits = trim(line.value(input));
    // 20.14 Content-Length = 1*DIGIT, of any length: leading zeros are fine.
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Invalid::new(Reason::BadContentLength, line.start));
    }
    let length = digits
        .iter()
        .fold(0_usize, |length, digit| length.saturating_mul(10).saturating_add(usize::from(digit & 0x0f)));
    if length > limit {
        return Err(Invalid::new(Reason::BodyTooLarge, line.start));
    }
    Ok(length)
}
