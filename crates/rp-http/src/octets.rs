//! Which octets may stand where, and a cursor that knows its place.

use crate::{Error, Invalid, Reason, error::Error::Invalid as Refused};

/// A set of octets.
pub(crate) struct Class([bool; 256]);

/// RFC 9110 5.6.2: `tchar`, the octets of methods, field names and options.
pub(crate) static TOKEN: Class = Class::letters_digits_and(b"!#$%&'*+-.^_`|~");
/// RFC 3986 3.3: `pchar` and `/`; besides `[` and `]`, which browsers send raw.
pub(crate) static PATH: Class = Class::letters_digits_and(b"-._~%!$&'()*+,;=:@/[]");
/// RFC 3986 3.4: `pchar`, `/` and `?`; besides `` [ ] | ^ { } \ ` ``, which browsers send raw.
pub(crate) static QUERY: Class = Class::letters_digits_and(b"-._~%!$&'()*+,;=:@/?[]|^{}\\`");
/// Names and dotted addresses in Host.
pub(crate) static NAME: Class = Class::letters_digits_and(b"-._");

impl Class {
    pub(crate) fn has(&self, octet: u8) -> bool {
        self.0.get(usize::from(octet)) == Some(&true)
    }

    /// How many octets at the front of `input` are in the class.
    pub(crate) fn run(&self, input: &[u8]) -> usize {
        let mut rest = input;
        while let [octet, behind @ ..] = rest
            && self.has(*octet)
        {
            rest = behind;
        }
        input.len().saturating_sub(rest.len())
    }

    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "runs in the compiler only")]
    const fn letters_digits_and(others: &[u8]) -> Self {
        let mut class = [false; 256];
        let mut octet = 0_u8;
        while octet < 0x80 {
            class[octet as usize] = octet.is_ascii_alphanumeric();
            octet += 1;
        }
        let mut i = 0;
        while i < others.len() {
            class[others[i] as usize] = true;
            i += 1;
        }
        Self(class)
    }
}

/// RFC 9110 5.5: what a field value may contain, `field-vchar`, space and tab.
pub(crate) fn is_text(octet: u8) -> bool {
    octet == b'\t' || octet >= b' ' && octet != 0x7f
}

/// How many octets at the front of `input` are text, of which most of a head consists: eight at a time.
pub(crate) fn text_run(input: &[u8]) -> usize {
    let mut rest = input;
    while let Some((block, behind)) = rest.split_first_chunk::<8>() {
        match first_control(u64::from_le_bytes(*block)) {
            None => rest = behind,
            Some(at) => {
                rest = rest.get(at..).unwrap_or_default();
                let [b'\t', behind @ ..] = rest else { break };
                rest = behind;
            }
        }
    }
    while let [octet, behind @ ..] = rest
        && is_text(*octet)
    {
        rest = behind;
    }
    input.len().saturating_sub(rest.len())
}

/// Which of eight octets, the first in the lowest place, is the first below `20` or equal to `7f`.
///
/// A subtraction borrows from the octet above only where it has found one itself, so what it finds first is
/// true (Bit Twiddling Hacks, "Determine if a word has a byte less than n").
fn first_control(octets: u64) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
    const DELETES: u64 = u64::from_ne_bytes([0x7f; 8]);
    let below_space = octets.wrapping_sub(SPACES) & !octets;
    let deletes = octets ^ DELETES;
    let found = (below_space | deletes.wrapping_sub(ONES) & !deletes) & TOPS;
    (found != 0).then(|| usize::try_from(found.trailing_zeros() / 8).unwrap_or(0))
}

/// RFC 9110 5.6.3: optional white space around a value is no part of it.
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
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
                    let slow = text.iter().take_while(|&&octet| is_text(octet)).count();
                    assert_eq!(text_run(&text), slow, "{octet:02x} at {at} of {length}");
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
