//! The basic rules of the grammar (RFC 3261 25.1): classes of octets, blanks, trimming.

/// `token`: letters, digits and ``-.!%*_+`'~``.
const TOKEN: u8 = 1;
/// What a user may be made of: `unreserved`, `user-unreserved`, the `%` of an escape, and the octets
/// 80–FF that phones send unescaped. `#` is outside the grammar but is dialled.
const USER: u8 = 2;
/// Letters, digits, `-` and the dots between labels.
const HOST: u8 = 4;

static CLASSES: [u8; 256] = classes();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "evaluated at compile time, below 256"
)]
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = class(octet as u8);
        octet += 1;
    }
    table
}

const fn class(octet: u8) -> u8 {
    match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => TOKEN | USER | HOST,
        b'-' | b'.' => TOKEN | USER | HOST,
        b'!' | b'%' | b'*' | b'_' | b'+' | b'\'' | b'~' => TOKEN | USER,
        b'`' => TOKEN,
        b'(' | b')' | b'&' | b'=' | b'$' | b',' | b';' | b'?' | b'/' | b'#' | 0x80.. => USER,
        _ => 0,
    }
}

fn is(octet: u8, class: u8) -> bool {
    CLASSES.get(usize::from(octet)).is_some_and(|classes| classes & class != 0)
}

pub(crate) fn is_token(octet: u8) -> bool {
    is(octet, TOKEN)
}

pub(crate) fn is_user(octet: u8) -> bool {
    is(octet, USER)
}

pub(crate) fn is_host(octet: u8) -> bool {
    is(octet, HOST)
}

/// `LWS`. In a head whose line ends were judged, a CR or LF inside a value can only be part of a fold.
pub(crate) fn is_lws(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// How many octets at the front satisfy `class`.
pub(crate) fn span(octets: &[u8], class: impl Fn(u8) -> bool) -> usize {
    octets.iter().position(|&octet| !class(octet)).unwrap_or(octets.len())
}

/// Splits before the first octet that satisfies `stop`; the second half is empty if none does.
pub(crate) fn split_before(octets: &[u8], stop: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    octets.split_at_checked(span(octets, |octet| !stop(octet))).unwrap_or((octets, &[]))
}

pub(crate) fn trim_start(mut octets: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = octets
        && is_lws(*first)
    {
        octets = rest;
    }
    octets
}

pub(crate) fn trim(octets: &[u8]) -> &[u8] {
    let mut octets = trim_start(octets);
    while let [rest @ .., last] = octets
        && is_lws(*last)
    {
        octets = rest;
    }
    octets
}

/// Text of octets that a class of ASCII octets has let through.
pub(crate) fn text(octets: &[u8]) -> &str {
    str::from_utf8(octets).unwrap_or_default()
}
