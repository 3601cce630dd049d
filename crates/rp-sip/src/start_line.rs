//! The first line, judged octet by octet, so that another protocol is ruled out by its first octets.

use crate::{
    Error, Reason, Status,
    error::invalid,
    framing::next_line,
    grammar::{before, is_lws, is_token, offset, split, text},
};

/// The first line of a message.
#[derive(Clone, Copy)]
pub(crate) enum StartLine<'a> {
    /// `Method SP Request-URI SP SIP-Version CRLF` (7.1).
    Request { method: &'a str, uri: &'a [u8] },
    /// `SIP-Version SP Status-Code SP Reason-Phrase CRLF` (7.2).
    Response { status: Status, reason: &'a [u8] },
}

/// 7.1 SIP-Version
pub(crate) const VERSION: &[u8] = b"SIP/2.0";

impl<'a> StartLine<'a> {
    /// Reads the line at `start`; also gives what stands behind it.
    pub(crate) fn read(input: &'a [u8], start: usize) -> Result<(Self, &'a [u8]), Error> {
        let line = input.get(start..).unwrap_or_default();
        let (start_line, next) =
            if is_response(line) { read_response(input, line)? } else { read_request(input, line)? };
        // 7.3.1 lets header fields be folded, the start line not.
        match next {
            [b' ' | b'\t', ..] => Err(invalid(Reason::StartLine, offset(input, next))),
            _ => Ok((start_line, next)),
        }
    }
}

/// Whether a line can only be a status line: `/` cannot stand in a method.
pub(crate) fn is_response(line: &[u8]) -> bool {
    line.get(..4).is_some_and(|front| front.eq_ignore_ascii_case(b"SIP/"))
}

/// Whether a line, of which more may come, can still be a status line.
pub(crate) fn may_be_response(line: &[u8]) -> bool {
    line.iter().zip(b"SIP/").all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// The request line `line`, and what stands behind it. One blank each, none at the end.
fn read_request<'a>(input: &[u8], line: &'a [u8]) -> Result<(StartLine<'a>, &'a [u8]), Error> {
    let (method, rest) = word(input, line, is_token)?;
    let (uri, rest) = word(input, rest, |octet| !is_lws(octet))?;
    let rest = behind_version(input, rest)?;
    let next = match rest {
        [b'\r', b'\n', next @ ..] => next,
        [] | [b'\r' | b'\n', ..] => next_line(input, rest)?,
        fault => return Err(no_version(input, fault)),
    };
    Ok((StartLine::Request { method: text(method), uri }, next))
}

/// One or more octets of a class and the SP behind them, and what stands behind that.
fn word<'a>(input: &[u8], rest: &'a [u8], class: impl Fn(u8) -> bool) -> Result<(&'a [u8], &'a [u8]), Error> {
    let (word, rest) = split(rest, class);
    match rest {
        [b' ', rest @ ..] if !word.is_empty() => Ok((word, rest)),
        [] => Err(Error::MORE),
        [b'\n', ..] => Err(invalid(Reason::LineEnd, offset(input, rest))),
        _ => Err(invalid(Reason::StartLine, offset(input, rest))),
    }
}

/// `SIP/2.0`, without regard to case (7.1).
fn behind_version<'a>(input: &[u8], rest: &'a [u8]) -> Result<&'a [u8], Error> {
    if let Some(rest) = rest.strip_prefix(VERSION) {
        return Ok(rest);
    }
    let same = VERSION.iter().zip(rest).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    match rest.get(same..).unwrap_or_default() {
        rest if same == VERSION.len() => Ok(rest),
        [] => Err(Error::MORE),
        fault if same < 4 => Err(invalid(Reason::StartLine, offset(input, fault))),
        fault => Err(no_version(input, fault)),
    }
}

/// What stands where `2.0` or the end of the version should: another version, or what could be none.
fn no_version(input: &[u8], fault: &[u8]) -> Error {
    let reason = match fault {
        [b'0'..=b'9' | b'.', ..] => Reason::Version,
        _ => Reason::StartLine,
    };
    invalid(reason, offset(input, fault))
}

/// The status line `line`, and what stands behind it.
fn read_response<'a>(input: &[u8], line: &'a [u8]) -> Result<(StartLine<'a>, &'a [u8]), Error> {
    let rest = behind_version(input, line)?;
    let (reason, code) = match rest {
        // 7.2: six classes, so 100 to 699 (RFC 4475 3.1.2.19 has a larger one).
        [b' ', a @ b'1'..=b'6', b @ b'0'..=b'9', c @ b'0'..=b'9', reason @ ..] => (reason, [*a, *b, *c]),
        [b' ', b'1'..=b'6', b'0'..=b'9', fault @ ..] => return Err(no_status(input, fault)),
        [b' ', b'1'..=b'6', fault @ ..] => return Err(no_status(input, fault)),
        [b' ', fault @ ..] => return Err(no_status(input, fault)),
        fault => return Err(no_status(input, fault)),
    };
    // RFC 4475 3.1.1.13: the reason may be empty; some leave out the blank before it.
    if !matches!(reason, [] | [b' ' | b'\r' | b'\n', ..]) {
        return Err(no_status(input, reason));
    }
    let next = next_line(input, reason)?;
    let reason = before(reason, next);
    let reason = reason.strip_suffix(b"\r\n").unwrap_or(reason);
    let reason = reason.strip_prefix(b" ").unwrap_or(reason);
    Ok((StartLine::Response { status: Status::of(&code), reason }, next))
}

fn no_status(input: &[u8], fault: &[u8]) -> Error {
    if fault.is_empty() { Error::MORE } else { invalid(Reason::StartLine, offset(input, fault)) }
}
