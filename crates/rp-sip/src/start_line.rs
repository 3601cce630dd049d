//! The first line, judged octet by octet, so that another protocol is ruled out by its first octets.

use crate::{
    Error, Reason, Status,
    error::invalid,
    framing::line_end,
    grammar::{is_token, span, text},
};

/// The first line of a message.
#[derive(Clone, Copy)]
pub(crate) enum StartLine<'a> {
    /// `Method SP Request-URI SP SIP-Version CRLF` (7.1).
    Request { method: &'a str, uri: &'a [u8] },
    /// `SIP-Version SP Status-Code SP Reason-Phrase CRLF` (7.2).
    Response { status: Status, reason: &'a [u8] },
}

const VERSION: &[u8] = b"SIP/2.0";

impl<'a> StartLine<'a> {
    /// Reads the line at `start`; also says where the next one begins.
    pub(crate) fn read(input: &'a [u8], start: usize) -> Result<(Self, usize), Error> {
        let line = input.get(start..).unwrap_or_default();
        let (start_line, end) =
            if is_response(line) { read_response(input, start)? } else { read_request(input, start)? };
        let next = end.saturating_add(2);
        // 7.3.1 lets header fields be folded, the start line not.
        match input.get(next) {
            Some(b' ' | b'\t') => Err(invalid(Reason::StartLine, next)),
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

/// The request line at `start` and the offset of its CR LF. One blank each, none at the end.
fn read_request(input: &[u8], start: usize) -> Result<(StartLine<'_>, usize), Error> {
    let (method, at) = word(input, start, is_token)?;
    let (uri, at) = word(input, at, |octet| !matches!(octet, b' ' | b'\t' | b'\r' | b'\n'))?;
    let version = input.get(at..).unwrap_or_default();
    let end = at.saturating_add(version_len(version, at)?);
    if !matches!(input.get(end), None | Some(b'\r' | b'\n')) {
        return Err(bad_version_octet(input.get(end), end));
    }
    line_end(input, end)?;
    Ok((StartLine::Request { method: text(method), uri }, end))
}

/// One or more octets of a class and the SP behind them; also says where the next word begins.
fn word(input: &[u8], start: usize, class: impl Fn(u8) -> bool) -> Result<(&[u8], usize), Error> {
    let rest = input.get(start..).unwrap_or_default();
    let length = span(rest, class);
    let end = start.saturating_add(length);
    match rest.split_at_checked(length) {
        Some((word, [b' ', ..])) if !word.is_empty() => Ok((word, end.saturating_add(1))),
        Some((_, [])) | None => Err(Error::MORE),
        Some((_, [b'\n', ..])) => Err(invalid(Reason::LineEnd, end)),
        Some(_) => Err(invalid(Reason::StartLine, end)),
    }
}

/// `SIP/2.0`, without regard to case (7.1). `at` is where it stands in the input.
fn version_len(octets: &[u8], at: usize) -> Result<usize, Error> {
    let same = VERSION.iter().zip(octets).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    if same == VERSION.len() {
        return Ok(same);
    }
    let offset = at.saturating_add(same);
    match octets.get(same) {
        None => Err(Error::MORE),
        other if same >= 4 => Err(bad_version_octet(other, offset)),
        Some(_) => Err(invalid(Reason::StartLine, offset)),
    }
}

/// What stands behind `SIP/` where `2.0` and the end of the version should: another version, or nothing
/// that could be one.
fn bad_version_octet(octet: Option<&u8>, offset: usize) -> Error {
    match octet {
        Some(b'0'..=b'9' | b'.') => invalid(Reason::Version, offset),
        _ => invalid(Reason::StartLine, offset),
    }
}

/// The status line at `start` and the offset of its CR LF.
fn read_response(input: &[u8], start: usize) -> Result<(StartLine<'_>, usize), Error> {
    let line = input.get(start..).unwrap_or_default();
    let version = version_len(line, start)?;
    let behind = line.get(version..).unwrap_or_default();
    let fault = |index: usize| {
        let offset = start.saturating_add(version).saturating_add(index);
        if behind.len() <= index { Error::MORE } else { invalid(Reason::StartLine, offset) }
    };
    match behind {
        [b' ', ..] => {}
        _ => return Err(fault(0)),
    }
    // 7.2: six classes, so 100 to 699 (RFC 4475 3.1.2.19 has a larger one).
    let code = match behind {
        [_, b'1'..=b'6', b'0'..=b'9', b'0'..=b'9', ..] => behind.get(1..4).unwrap_or_default(),
        [_, b'1'..=b'6', b'0'..=b'9', ..] => return Err(fault(3)),
        [_, b'1'..=b'6', ..] => return Err(fault(2)),
        _ => return Err(fault(1)),
    };
    // RFC 4475 3.1.1.13: the reason may be empty; the blank before it is left out by some.
    if !matches!(behind.get(4), None | Some(b' ' | b'\r' | b'\n')) {
        return Err(fault(4));
    }
    let from = start.saturating_add(version).saturating_add(4);
    let end = line_end(input, from)?;
    let reason = input.get(from..end).unwrap_or_default();
    let reason = reason.strip_prefix(b" ").unwrap_or(reason);
    Ok((StartLine::Response { status: Status::of(code), reason }, end))
}
