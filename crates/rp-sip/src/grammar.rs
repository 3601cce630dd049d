//! The basic rules of the grammar (RFC 3261 25.1): classes of octets, blanks, trimming.

/// `token`: letters, digits and ``-.!%*_+`'~``.
const TOKEN: u8 = 1;
/// What a user may be made of, escapes aside: `unreserved`, `user-unreserved`, and the octets 80–FF that
/// phones send unescaped. `#` is outside the grammar but is dialled.
const USER: u8 = 2;
/// Letters, digits and `-`.
const LABEL: u8 = 4;
/// What ends a URI in brackets, or must not stand in it: blanks, `<`, `>`, `"`.
const URI_END: u8 = 8;
/// What ends a parameter, or begins a quoted string in it.
const PARAM_END: u8 = 16;
/// `LWS`.
const BLANK: u8 = 32;

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
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => TOKEN | USER | LABEL,
        b'.' | b'!' | b'*' | b'_' | b'+' | b'\'' | b'~' => TOKEN | USER,
        b'%' | b'`' => TOKEN,
        b'(' | b')' | b'&' | b'=' | b'$' | b'?' | b'/' | b'#' | 0x80.. => USER,
        b';' | b',' => USER | PARAM_END,
        b'"' => URI_END | PARAM_END,
        b'<' | b'>' => URI_END,
        b' ' | b'\t' | b'\r' | b'\n' => URI_END | BLANK,
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

pub(crate) fn is_label(octet: u8) -> bool {
    is(octet, LABEL)
}

pub(crate) fn is_uri_end(octet: u8) -> bool {
    is(octet, URI_END)
}

pub(crate) fn is_param_end(octet: u8) -> bool {
    is(octet, PARAM_END)
}

/// `LWS`. In a head whose line ends were judged, a CR or LF inside a value can only be part of a fold.
pub(crate) fn is_lws(octet: u8) -> bool {
    is(octet, BLANK)
}

/// What is left behind the octets at the front that satisfy `class`. Most of the work is done here, so
/// four octets are tried before the length is looked at again.
pub(crate) fn behind(mut octets: &[u8], class: impl Fn(u8) -> bool) -> &[u8] {
    while let [a, b, c, d, rest @ ..] = octets {
        for (index, octet) in [a, b, c, d].into_iter().enumerate() {
            if !class(*octet) {
                return octets.get(index..).unwrap_or_default();
            }
        }
        octets = rest;
    }
    while let [first, rest @ ..] = octets
        && class(*first)
    {
        octets = rest;
    }
    octets
}

/// Splits behind the octets at the front that satisfy `class`.
pub(crate) fn split(octets: &[u8], class: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let rest = behind(octets, class);
    (before(octets, rest), rest)
}

/// What stands in `octets` before its tail `rest`.
pub(crate) fn before<'a>(octets: &'a [u8], rest: &[u8]) -> &'a [u8] {
    octets.get(..offset(octets, rest)).unwrap_or_default()
}

/// Where in `octets` its tail `rest` begins.
pub(crate) fn offset(octets: &[u8], rest: &[u8]) -> usize {
    octets.len().saturating_sub(rest.len())
}

/// 25.1 quoted-string: what stands behind the closing quote. A `\` takes the next octet with it.
pub(crate) fn behind_quote(mut octets: &[u8]) -> Option<&[u8]> {
    loop {
        octets = match behind(octets, |octet| !matches!(octet, b'"' | b'\\')) {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', _, rest @ ..] => rest,
            _ => return None,
        };
    }
}

/// A number of digits only, the largest there is if it is larger.
pub(crate) fn number(digits: &[u8]) -> usize {
    digits
        .iter()
        .fold(0, |number: usize, digit| number.saturating_mul(10).saturating_add(usize::from(digit & 0x0f)))
}

pub(crate) fn trim_start(octets: &[u8]) -> &[u8] {
    behind(octets, is_lws)
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
