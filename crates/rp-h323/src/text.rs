//! Text as it stands in a message: UTF-16, IA5 or packed digits, decoded only when somebody looks at it.

use core::{
    char::{DecodeUtf16, REPLACEMENT_CHARACTER, decode_utf16},
    fmt::{self, Write as _},
    slice, str,
};

/// The characters of dialedDigits in the order of their codes (H.225.0, AliasAddress; X.691, 27.5.4:
/// a permitted alphabet is numbered by character value).
const DIGITS: [u8; 13] = *b"#*,0123456789";

/// A buffer of so many octets holds any text of a message as UTF-8: an h323-ID has at most 256 UTF-16 units
/// of at most 3 octets each; a url-ID or email-ID has at most 512 octets.
pub const UTF8_MAX: usize = 768;

/// Text borrowed from a message, in the encoding that it came in.
///
/// There is no `PartialEq`: names are compared with what an administrator wrote, by
/// [`eq_ignore_ascii_case`](Self::eq_ignore_ascii_case) or by way of [`to_str`](Self::to_str).
#[derive(Clone, Copy)]
pub struct Text<'a> {
    octets: &'a [u8],
    form: Form,
}

#[derive(Clone, Copy)]
enum Form {
    /// BMPString: code units of two octets, big-endian. Endpoints put surrogate pairs into it.
    Utf16,
    /// IA5String: an octet a character. Octets over 7f are not refused, but equal nothing.
    Ia5,
    /// dialedDigits: four bits a character, so many of them.
    Digits(u8),
}

impl<'a> Text<'a> {
    pub(crate) fn utf16(octets: &'a [u8]) -> Self {
        Self { octets, form: Form::Utf16 }
    }

    pub(crate) fn ia5(octets: &'a [u8]) -> Self {
        Self { octets, form: Form::Ia5 }
    }

    /// `count` digits in so many half octets.
    pub(crate) fn digits(octets: &'a [u8], count: u8) -> Self {
        Self { octets, form: Form::Digits(count) }
    }

    /// The characters. What is none (an unpaired surrogate, an IA5 octet over 7f) comes as U+FFFD; use
    /// [`to_str`](Self::to_str) where that must not pass for a character.
    pub fn chars(&self) -> Chars<'a> {
        Chars { decoded: self.decoded() }
    }

    /// The text as UTF-8 in the caller's buffer, which is always large enough. `None` if it has an
    /// unpaired surrogate or an IA5 octet over 7f: such text is no name.
    pub fn to_str<'b>(&self, buffer: &'b mut [u8; UTF8_MAX]) -> Option<&'b str> {
        let mut len = 0_usize;
        for decoded in self.decoded() {
            let c = decoded.ok()?;
            let end = len.checked_add(c.len_utf8())?;
            c.encode_utf8(buffer.get_mut(len..end)?);
            len = end;
        }
        str::from_utf8(buffer.get(..len)?).ok()
    }

    /// Whether the text is `other` but for the case of ASCII letters. Text with an unpaired surrogate or
    /// an IA5 octet over 7f equals nothing.
    pub fn eq_ignore_ascii_case(&self, other: &str) -> bool {
        let mut mine = self.decoded();
        other.chars().all(|c| matches!(mine.next(), Some(Ok(own)) if own.eq_ignore_ascii_case(&c)))
            && mine.next().is_none()
    }

    /// Whether there is no character at all.
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// The octets as they came.
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// The text before and behind the first `separator`, which must be ASCII; `None` without one.
    pub(crate) fn split_once(&self, separator: u8) -> Option<(Self, Self)> {
        let (before, rest) = self.split_at_any(&[separator])?;
        let behind = rest.get(if matches!(self.form, Form::Utf16) { 2 } else { 1 }..)?;
        Some((before, Self { octets: behind, ..*self }))
    }

    /// The text up to the first of these `ends`, which must be ASCII; all of it without one.
    pub(crate) fn until(&self, ends: &[u8]) -> Self {
        self.split_at_any(ends).map_or(*self, |(before, _)| before)
    }

    /// The text up to and including the first `end`, which must be ASCII; `None` without one.
    pub(crate) fn through(&self, end: u8) -> Option<Self> {
        let (_, behind) = self.split_once(end)?;
        let len = self.octets.len().checked_sub(behind.octets.len())?;
        Some(Self { octets: self.octets.get(..len)?, ..*self })
    }

    pub(crate) fn starts_with(&self, first: u8) -> bool {
        self.decoded().next() == Some(Ok(char::from(first)))
    }

    /// The text before the first of these ASCII characters, and the octets from there on.
    fn split_at_any(&self, characters: &[u8]) -> Option<(Self, &'a [u8])> {
        // Few and known where this is inlined; `contains` would search for each octet of the text.
        let is_any = |octet: &u8| characters.iter().any(|character| character == octet);
        let at = match self.form {
            Form::Utf16 => {
                let (units, _) = self.octets.as_chunks::<2>();
                let is_one = |[high, low]: &[u8; 2]| *high == 0 && is_any(low);
                units.iter().position(is_one)?.checked_mul(2)?
            }
            Form::Ia5 => self.octets.iter().position(is_any)?,
            Form::Digits(_) => return None,
        };
        let (before, rest) = self.octets.split_at_checked(at)?;
        Some((Self { octets: before, ..*self }, rest))
    }

    /// The UTF-16 units of a BMPString.
    fn units(&self) -> Units<'a> {
        Units(self.octets.as_chunks().0.iter())
    }

    fn decoded(&self) -> Decoded<'a> {
        match self.form {
            Form::Utf16 => Decoded::Utf16(decode_utf16(self.units())),
            Form::Ia5 => Decoded::Ia5(self.octets.iter()),
            Form::Digits(count) => Decoded::Digits { octets: self.octets, next: 0, count },
        }
    }
}

/// Escaped for logs: what does not print (controls, marks that change the direction of writing, unpaired
/// surrogates, octets over 7f) comes as `\u{...}` or `\x..`, and a backslash doubled.
impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decoded().try_for_each(|decoded| match decoded {
            Ok(c @ ('"' | '\'')) => f.write_char(c),
            Ok(c) => write!(f, "{}", c.escape_debug()),
            Err(Undecoded::Surrogate(unit)) => write!(f, "\\u{{{unit:x}}}"),
            Err(Undecoded::Octet(octet)) => write!(f, "\\x{octet:02x}"),
        })
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The characters of a [`Text`].
#[derive(Clone)]
pub struct Chars<'a> {
    decoded: Decoded<'a>,
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        self.decoded.next().map(|decoded| decoded.unwrap_or(REPLACEMENT_CHARACTER))
    }
}

impl fmt::Debug for Chars<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

#[derive(Clone)]
enum Decoded<'a> {
    Utf16(DecodeUtf16<Units<'a>>),
    Ia5(slice::Iter<'a, u8>),
    Digits { octets: &'a [u8], next: u8, count: u8 },
}

/// UTF-16 units, big-endian.
#[derive(Clone)]
struct Units<'a>(slice::Iter<'a, [u8; 2]>);

impl Iterator for Units<'_> {
    type Item = u16;

    #[inline]
    fn next(&mut self) -> Option<u16> {
        self.0.next().map(|octets| u16::from_be_bytes(*octets))
    }
}

/// What stands in a text without being a character.
#[derive(PartialEq, Eq)]
enum Undecoded {
    Surrogate(u16),
    Octet(u8),
}

impl Iterator for Decoded<'_> {
    type Item = Result<char, Undecoded>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Utf16(units) => {
                Some(units.next()?.map_err(|error| Undecoded::Surrogate(error.unpaired_surrogate())))
            }
            Self::Ia5(octets) => {
                let octet = *octets.next()?;
                Some(if octet.is_ascii() { Ok(char::from(octet)) } else { Err(Undecoded::Octet(octet)) })
            }
            Self::Digits { octets, next, count } => {
                if next == count {
                    return None;
                }
                let octet = *octets.get(usize::from(*next / 2))?;
                let half = if *next % 2 == 0 { octet >> 4 } else { octet & 0x0f };
                *next = next.checked_add(1)?;
                DIGITS.get(usize::from(half)).map(|digit| Ok(char::from(*digit)))
            }
        }
    }
}

/// Whether the first `count` half octets are all codes of [`DIGITS`].
pub(crate) fn are_digits(octets: &[u8], count: u8) -> bool {
    let is_digit = |half: u8| usize::from(half) < DIGITS.len();
    let (pairs, odd) = octets.split_at_checked(usize::from(count / 2)).unwrap_or((octets, &[]));
    pairs.iter().all(|octet| is_digit(octet >> 4) && is_digit(octet & 0x0f))
        && odd.first().is_none_or(|octet| is_digit(octet >> 4))
}
