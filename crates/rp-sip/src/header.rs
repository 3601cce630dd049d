//! Header lines: one pass that remembers where the fields stand that decide, and looks closer at none.

use core::ops::Range;

use memchr::memchr;

use crate::{
    Error, Field, Invalid, Reason, Span,
    error::invalid,
    framing::next_line,
    grammar::{before, behind, behind_quote, is_token, offset, split, trim, trim_start},
};

/// Where the fields of a head stand. What is in them is judged by whom it concerns.
#[derive(Default)]
pub(crate) struct Fields {
    seen: [Seen; Name::COUNT],
}

/// The lines of one name; all zero if there is none.
#[derive(Clone, Copy, Default)]
struct Seen {
    first: Place,
    /// Where the last line begins and ends.
    last: (usize, usize),
}

/// Where a header line stands, with its continuation lines.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    /// The first octet of the name.
    pub(crate) start: usize,
    /// The first octet behind the colon.
    value: usize,
    /// Behind the CR LF.
    end: usize,
}

impl Fields {
    /// Reads the lines of `rest`, the tail of `input`, up to the blank line; also gives what stands
    /// behind that.
    pub(crate) fn read<'a>(&mut self, input: &[u8], mut rest: &'a [u8]) -> Result<&'a [u8], Error> {
        loop {
            let line = rest;
            let (name, value) = match usual_name(line) {
                Some(found) => found,
                None => match split(line, is_token) {
                    ([], _) => return blank_line(input, line),
                    (name, [b':', value @ ..]) => (Name::of(name), value),
                    (name, blanks) => (Name::of(name), behind_colon(input, blanks)?),
                },
            };
            rest = behind_value(input, value)?;
            if let Some(seen) = self.seen.get_mut(name as usize) {
                let [start, value, end] = [line, value, rest].map(|tail| offset(input, tail));
                seen.note(Place { start, value, end });
            }
        }
    }

    fn seen(&self, name: Name) -> Option<&Seen> {
        self.seen.get(name as usize).filter(|seen| seen.first.end > 0)
    }

    pub(crate) fn has(&self, name: Name) -> bool {
        self.seen(name).is_some()
    }

    /// The first line of a name.
    pub(crate) fn first(&self, name: Name) -> Option<Span> {
        self.seen(name).map(|seen| Span { start: seen.first.start, end: seen.first.end })
    }

    /// From the first line of a name to the last.
    pub(crate) fn all(&self, name: Name) -> Option<Span> {
        self.seen(name).map(|seen| Span { start: seen.first.start, end: seen.last.1 })
    }

    /// The first line of a field of the head `input`.
    pub(crate) fn topmost(&self, field: Field, input: &[u8]) -> Result<Place, Invalid> {
        let missing = Invalid::new(Reason::Missing(field), input.len());
        self.seen(field.into()).map(|seen| seen.first).ok_or(missing)
    }

    /// The only line of a field of the head `input`.
    pub(crate) fn only(&self, field: Field, input: &[u8]) -> Result<Place, Invalid> {
        match self.seen(field.into()) {
            Some(seen) if seen.last.0 != seen.first.start => {
                Err(Invalid::new(Reason::Repeated(field), seen.last.0))
            }
            _ => self.topmost(field, input),
        }
    }
}

impl Seen {
    fn note(&mut self, place: Place) {
        if self.first.end == 0 {
            self.first = place;
        }
        self.last = (place.start, place.end);
    }
}

impl Place {
    /// What stands behind the colon, with the blanks and folds around it.
    pub(crate) fn value<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        input.get(self.value..self.end.saturating_sub(2)).unwrap_or_default()
    }
}

/// The name of a line in the spelling of nearly all of them, and what stands behind the colon. Most of a head is
/// read here, with a few comparisons a line instead of one an octet.
fn usual_name(line: &[u8]) -> Option<(Name, &[u8])> {
    match line.first()? {
        b'A' => begins(line, b"Authorization:", Name::Credentials)
            .or_else(|| begins(line, b"Allow:", Name::Other)),
        b'C' => begins(line, b"CSeq:", Name::CSeq)
            .or_else(|| begins(line, b"Call-ID:", Name::CallId))
            .or_else(|| begins(line, b"Contact:", Name::Other))
            .or_else(|| begins(line, b"Content-Type:", Name::Other))
            .or_else(|| begins(line, b"Content-Length:", Name::ContentLength)),
        b'E' => begins(line, b"Expires:", Name::Other),
        b'F' => begins(line, b"From:", Name::From),
        b'M' => begins(line, b"Max-Forwards:", Name::Other),
        b'T' => begins(line, b"To:", Name::To),
        b'U' => begins(line, b"User-Agent:", Name::Other),
        b'V' => begins(line, b"Via:", Name::Via),
        _ => None,
    }
}

fn begins<'a, const N: usize>(line: &'a [u8], with: &[u8; N], name: Name) -> Option<(Name, &'a [u8])> {
    line.split_first_chunk().filter(|(front, _)| *front == with).map(|(_, value)| (name, value))
}

/// The blank line that ends the head, and what stands behind it; anything else without a name is a fault.
fn blank_line<'a>(input: &[u8], line: &'a [u8]) -> Result<&'a [u8], Error> {
    match line {
        [b'\r' | b'\n', ..] => next_line(input, line),
        [] => Err(Error::MORE),
        _ => Err(invalid(Reason::HeaderName, offset(input, line))),
    }
}

/// 25.1 HCOLON = *( SP / HTAB ) ":" SWS
fn behind_colon<'a>(input: &[u8], behind_name: &'a [u8]) -> Result<&'a [u8], Error> {
    match behind(behind_name, |octet| matches!(octet, b' ' | b'\t')) {
        [b':', value @ ..] => Ok(value),
        [] => Err(Error::MORE),
        fault => Err(invalid(Reason::HeaderName, offset(input, fault))),
    }
}

/// 7.3.1: a line that begins with a blank continues the one before.
fn behind_value<'a>(input: &[u8], mut rest: &'a [u8]) -> Result<&'a [u8], Error> {
    loop {
        rest = next_line(input, rest)?;
        match rest {
            [b' ' | b'\t', ..] => {}
            [] => return Err(Error::MORE),
            _ => return Ok(rest),
        }
    }
}

/// The header names that are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    From,
    To,
    CallId,
    CSeq,
    ContentLength,
    Via,
    Credentials,
    Route,
    RecordRoute,
    /// All others. It has no place among the fields, so it comes last.
    Other,
}

impl From<Field> for Name {
    fn from(field: Field) -> Self {
        match field {
            Field::ContentLength => Self::ContentLength,
            Field::From => Self::From,
            Field::To => Self::To,
            Field::CallId => Self::CallId,
            Field::CSeq => Self::CSeq,
            Field::Via => Self::Via,
        }
    }
}

impl Name {
    const COUNT: usize = Self::Other as usize;

    /// 7.3.1: without regard to case; 7.3.3: some have a compact form.
    pub(crate) fn of(name: &[u8]) -> Self {
        match name.len() {
            1 => match name {
                [b'f' | b'F'] => Self::From,
                [b't' | b'T'] => Self::To,
                [b'i' | b'I'] => Self::CallId,
                [b'l' | b'L'] => Self::ContentLength,
                [b'v' | b'V'] => Self::Via,
                _ => Self::Other,
            },
            2 if is(name, b"To") => Self::To,
            3 if is(name, b"Via") => Self::Via,
            4 if is(name, b"From") => Self::From,
            4 if is(name, b"CSeq") => Self::CSeq,
            5 if is(name, b"Route") => Self::Route,
            7 if is(name, b"Call-ID") => Self::CallId,
            12 if is(name, b"Record-Route") => Self::RecordRoute,
            13 if is(name, b"Authorization") => Self::Credentials,
            14 if is(name, b"Content-Length") => Self::ContentLength,
            19 if is(name, b"Proxy-Authorization") => Self::Credentials,
            _ => Self::Other,
        }
    }
}

/// The common spelling first: arrays of a known length are compared in a few instructions.
fn is<const N: usize>(name: &[u8], spelling: &[u8; N]) -> bool {
    <&[u8; N]>::try_from(name).is_ok_and(|name| name == spelling || name.eq_ignore_ascii_case(spelling))
}

/// The values of the lines of a name, in order. `head` begins with the start line.
pub(crate) fn values<'a, 'n>(head: &'a [u8], name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
    let name = long_form(name.as_bytes());
    Lines::of(head)
        .skip(1)
        .filter(move |line| long_form(line.name).eq_ignore_ascii_case(name))
        .map(|line| line.value)
}

/// The long form of a name (7.3.3); another name as it is.
fn long_form(name: &[u8]) -> &[u8] {
    match name {
        [b'f' | b'F'] => b"From",
        [b't' | b'T'] => b"To",
        [b'i' | b'I'] => b"Call-ID",
        [b'v' | b'V'] => b"Via",
        [b'l' | b'L'] => b"Content-Length",
        [b'm' | b'M'] => b"Contact",
        _ => name,
    }
}

/// The lines of a head that may not have been judged, each with its continuation lines. Ends at the
/// blank line, or where the input does.
#[derive(Clone)]
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
}

/// A line of a head, whatever is in it.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    /// From the first octet to the CR LF, which is included.
    pub(crate) whole: &'a [u8],
    /// What stands before the colon, without blanks; empty without a colon.
    pub(crate) name: &'a [u8],
    /// What stands behind the colon, without blanks at the ends.
    pub(crate) value: &'a [u8],
}

impl<'a> Lines<'a> {
    /// The lines of `input`, the start line first.
    pub(crate) fn of(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether the blank line that ends the head comes next.
    pub(crate) fn at_end(&self) -> bool {
        self.rest.starts_with(b"\r\n")
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.at_end() {
            return None;
        }
        let mut length = crlf_end(self.rest)?;
        while let Some(more @ [b' ' | b'\t', ..]) = self.rest.get(length..) {
            length = length.saturating_add(crlf_end(more)?);
        }
        let (whole, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        let (name, value) = match split(whole, |octet| octet != b':') {
            (name, [_, value @ ..]) => (trim(name), trim(value)),
            _ => (&[][..], &[][..]),
        };
        Some(Line { whole, name, value })
    }
}

/// The values of a list (7.3.1), as ranges of it, without the blanks around them. A comma in quotes or in
/// angle brackets does not separate.
pub(crate) struct Values<'a> {
    list: &'a [u8],
    /// From where the next value begins; none behind the last.
    rest: Option<&'a [u8]>,
}

impl<'a> Values<'a> {
    pub(crate) fn of(list: &'a [u8]) -> Self {
        Self { list, rest: Some(list) }
    }
}

impl Iterator for Values<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let rest = self.rest?;
        let behind_value = comma_or_end(rest);
        self.rest = behind_value.strip_prefix(b",");
        let value = trim_start(before(rest, behind_value));
        let start = offset(self.list, behind_value).saturating_sub(value.len());
        Some(start..start.saturating_add(trim(value).len()))
    }
}

/// From the first comma on that separates, or nothing.
fn comma_or_end(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match behind(rest, |octet| !matches!(octet, b',' | b'"' | b'<')) {
            [b'"', quoted @ ..] => behind_quote(quoted).unwrap_or_default(),
            [b'<', uri @ ..] => behind(uri, |octet| octet != b'>'),
            found => return found,
        };
    }
}

/// The offset behind the first CR LF.
fn crlf_end(octets: &[u8]) -> Option<usize> {
    let mut from = 0_usize;
    loop {
        let found = from.saturating_add(memchr(b'\n', octets.get(from..)?)?);
        from = found.saturating_add(1);
        if octets.get(..found).is_some_and(|line| line.ends_with(b"\r")) {
            return Some(from);
        }
    }
}
