//! Where a head begins and ends, and how long the body behind it is.
//!
//! Whatever two readers could cut differently is refused: a line end that is not CR LF, a
//! Content-Length that is missing, repeated or more than digits.

use memchr::memchr2;

use crate::{
    Error, Field, Invalid, Limits, Reason,
    error::invalid,
    grammar::{before, number, offset, trim},
    header::Fields,
    start_line::StartLine,
};

/// A whole head and the length of the body behind it. The fields of a request are not judged yet.
pub(crate) struct Frame<'a> {
    /// The input up to the end of the head; all offsets count from its beginning.
    pub(crate) input: &'a [u8],
    pub(crate) start: usize,
    pub(crate) start_line: StartLine<'a>,
    pub(crate) fields: Fields,
    pub(crate) body_len: usize,
}

impl<'a> Frame<'a> {
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
        let (start_line, lines) = StartLine::read(window, start)?;
        let mut frame = Self { input: window, start, start_line, fields: Fields::default(), body_len: 0 };
        let body = frame.fields.read(window, lines)?;
        frame.input = before(window, body);
        frame.body_len = content_length(&frame.fields, frame.input, limits.body)?;
        Ok(frame)
    }
}

/// Where the first message begins: CR LF before a start line is skipped (7.5), also when it is a
/// keep-alive (RFC 5626 3.5.1).
pub(crate) fn message_start(input: &[u8]) -> Result<usize, Error> {
    let mut rest = input;
    while let [b'\r', b'\n', behind @ ..] = rest {
        rest = behind;
    }
    let start = offset(input, rest);
    match rest {
        [] | [b'\r'] => Err(Error::MORE),
        [b'\r', ..] => Err(invalid(Reason::LineEnd, start.saturating_add(1))),
        _ => Ok(start),
    }
}

/// What stands behind the first CR LF of `rest`, the tail of `input`; any other CR or LF on the way is a
/// fault (7).
pub(crate) fn next_line<'a>(input: &[u8], rest: &'a [u8]) -> Result<&'a [u8], Error> {
    let end = memchr2(b'\r', b'\n', rest).ok_or(Error::MORE)?;
    match rest.get(end..).unwrap_or_default() {
        [b'\r', b'\n', next @ ..] => Ok(next),
        [b'\r', fault @ ..] if !fault.is_empty() => Err(invalid(Reason::LineEnd, offset(input, fault))),
        fault @ [b'\n', ..] => Err(invalid(Reason::LineEnd, offset(input, fault))),
        _ => Err(Error::MORE),
    }
}

/// 18.3: on a stream the length is the only thing that tells where the next message begins.
fn content_length(fields: &Fields, input: &[u8], limit: usize) -> Result<usize, Invalid> {
    let line = fields.only(Field::ContentLength, input)?;
    let digits = trim(line.value(input));
    // 20.14 Content-Length = 1*DIGIT, of any length: leading zeros are fine.
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Invalid::new(Reason::BadContentLength, line.start));
    }
    let length = number(digits);
    if length > limit {
        return Err(Invalid::new(Reason::BodyTooLarge, line.start));
    }
    Ok(length)
}
