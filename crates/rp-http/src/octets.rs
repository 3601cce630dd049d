//! Which octets may stand where, and a cursor that knows its place.

use crate::{Error, Invalid, Reason, error::Error::Invalid as Refused};

/// RFC 9110 5.6.2: `tchar`, the octets of methods, field names and options.
pub(crate) const TOKEN: u8 = 1;
/// RFC 3986 3.3: `pchar` and `/`; besides `[` and `]`, which browsers send raw.
pub(crate) const PATH: u8 = 2;
/// RFC 3986 3.4: `pchar`, `/` and `?`; besides `` [ ] | ^ { } \ ` ``, which browsers send raw.
pub(crate) const QUERY: u8 = 4;
/// RFC 9110 5.5: `field-vchar`, space and tab.
pub(crate) const TEXT: u8 = 8;
/// Names and dotted addresses in Host.
pub(crate) const NAME: u8 = 16;
/// A method that is passed on: `A` to `Z` and `-`.
pub(crate) const METHOD: u8 = 32;

static CLASSES: [u8; 256] = classes();

pub(crate) fn is(class: u8, octet: u8) -> bool {
    CLASSES.get(usize::from(octet)).is_some_and(|found| found & class != 0)
}

/// How many octets at the front of `input` are of `class`.
pub(crate) fn run(class: u8, input: &[u8]) -> usize {
    input.iter().position(|&octet| !is(class, octet)).unwrap_or(input.len())
}

/// [`run`] of [`TEXT`], where most octets of a head are: whole blocks at a time, in a form that compilers
/// turn into vector instructions.
pub(crate) fn text_run(input: &[u8]) -> usize {
    let (blocks, _) = input.as_chunks::<16>();
    let plain = blocks.iter().take_while(|block| {
        block.iter().fold(true, |plain, &octet| plain & (octet >= b' ') & (octet != 0x7f))
    });
    let start = plain.count().saturating_mul(16);
    start.saturating_add(run(TEXT, input.get(start..).unwrap_or_default()))
}

/// RFC 9110 5.6.3: optional white space around a value is no part of it.
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The elements of a comma-separated list (RFC 9110 5.6.1), without white space, empty ones left out.
pub(crate) fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&octet| octet == b',').map(trim).filter(|element| !element.is_empty())
}

/// Where reading is in an input.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    input: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, rest: input }
    }

    pub(crate) fn offset(&self) -> usize {
        self.input.len().saturating_sub(self.rest.len())
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next octet, which stays.
    pub(crate) fn peek(&self) -> Result<u8, Error> {
        self.rest.first().copied().ok_or(Error::MORE)
    }

    /// Takes `len` octets, or as many as there are.
    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    /// Takes `wanted`, which must come next.
    pub(crate) fn expect(&mut self, wanted: u8, reason: Reason) -> Result<(), Error> {
        if self.peek()? != wanted {
            return Err(self.refuse(reason));
        }
        self.take(1);
        Ok(())
    }

    /// Takes CRLF, which must come next (RFC 9112 2.2 lets recipients take LF alone; a border must not).
    pub(crate) fn line_end(&mut self, otherwise: Reason) -> Result<(), Error> {
        match self.rest {
            [b'\r', b'\n', rest @ ..] => {
                self.rest = rest;
                Ok(())
            }
            [b'\r'] | [] => Err(Error::MORE),
            [b'\r', ..] => Err(self.refuse(Reason::BareCr)),
            [b'\n', ..] => Err(self.refuse(Reason::BareLf)),
            _ => Err(self.refuse(otherwise)),
        }
    }

    /// A refusal for the next octet.
    pub(crate) fn refuse(&self, reason: Reason) -> Error {
        Refused(Invalid::new(reason, self.offset()))
    }
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "runs in the compiler only")]
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "below 256")]
        let octet = i as u8;
        let word = octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_');
        let pchar = word
            || matches!(octet, b'~' | b'%' | b':' | b'@')
            || matches!(octet, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=');
        let mut classes = 0;
        if word
            || matches!(
                octet,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'^' | b'`' | b'|' | b'~'
            )
        {
            classes |= TOKEN;
        }
        if pchar || matches!(octet, b'/' | b'[' | b']') {
            classes |= PATH;
        }
        if pchar || matches!(octet, b'/' | b'?' | b'[' | b']' | b'|' | b'^' | b'{' | b'}' | b'\\' | b'`') {
            classes |= QUERY;
        }
        if octet == b'\t' || octet >= b' ' && octet != 0x7f {
            classes |= TEXT;
        }
        if word {
            classes |= NAME;
        }
        if octet.is_ascii_uppercase() || octet == b'-' {
            classes |= METHOD;
        }
        table[i] = classes;
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{vec, vec::Vec};

    #[test]
    fn the_quick_way_through_text_stops_where_the_slow_one_does() {
        for length in 0..40 {
            for at in 0..length {
                for octet in 0..=255 {
                    let mut text: Vec<u8> = vec![b'x'; length];
                    text[at] = octet;
                    assert_eq!(text_run(&text), run(TEXT, &text), "{octet:02x} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn white_space_is_trimmed_at_both_ends_only() {
        assert_eq!(trim(b" \t a \t b\t "), b"a \t b");
        assert_eq!(trim(b" \t "), b"");
    }
}
