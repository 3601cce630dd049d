//! Header lines: one pass that remembers where the fields stand that decide, and looks closer at none.

use memchr::memchr;

use crate::{
    Error, Field, Invalid, Reason, Span,
    error::invalid,
    framing::line_end,
    grammar::{is_token, span, split_before, trim},
};

/// Where the fields of a head stand. What is in them is judged by whom it concerns.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fields {
    pub(crate) from: Single,
    pub(crate) to: Single,
    pub(crate) call_id: Single,
    pub(crate) cseq: Single,
    pub(crate) content_length: Single,
    /// The topmost Via line.
    pub(crate) via: Option<Place>,
    /// Authorization or Proxy-Authorization is there.
    pub(crate) credentials: bool,
    /// The first Route line.
    pub(crate) route: Option<Span>,
    /// From the first Record-Route line to the end of the last.
    pub(crate) record_route: Option<Span>,
}

/// A field that may be there once.
#[derive(Clone, Copy, Default)]
pub(crate) struct Single {
    first: Option<Place>,
    second: Option<Place>,
}

/// Where a header line stands, with its continuation lines.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// The first octet of the name.
    pub(crate) start: usize,
    /// The first octet behind the colon.
    value: usize,
    /// The CR LF that ends the line.
    end: usize,
}

impl Fields {
    /// Reads the lines from `at` to the blank line; also says where the head ends.
    pub(crate) fn read(input: &[u8], mut at: usize) -> Result<(Self, usize), Error> {
        let mut fields = Self::default();
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let length = span(rest, is_token);
            let Some((name, behind)) = rest.split_at_checked(length) else { return Err(Error::MORE) };
            if name.is_empty() {
                return blank_line(rest, at).map(|end| (fields, end));
            }
            let value = at.saturating_add(length).saturating_add(colon(behind, at.saturating_add(length))?);
            let end = value_end(input, value)?;
            fields.note(name, Place { start: at, value, end });
            at = end.saturating_add(2);
        }
    }

    fn note(&mut self, name: &[u8], place: Place) {
        match Name::of(name) {
            Name::From => self.from.note(place),
            Name::To => self.to.note(place),
            Name::CallId => self.call_id.note(place),
            Name::CSeq => self.cseq.note(place),
            Name::ContentLength => self.content_length.note(place),
            Name::Via => self.via = self.via.or(Some(place)),
            Name::Credentials => self.credentials = true,
            Name::Route => self.route = self.route.or(Some(place.span())),
            Name::RecordRoute => {
                let start = self.record_route.map_or(place.start, |span| span.start);
                self.record_route = Some(Span { start, ..place.span() });
            }
            Name::Other => {}
        }
    }
}

impl Single {
    fn note(&mut self, place: Place) {
        if self.first.is_none() {
            self.first = Some(place);
        } else if self.second.is_none() {
            self.second = Some(place);
        }
    }

    /// The only line of this field in the head `input`.
    pub(crate) fn only(&self, field: Field, input: &[u8]) -> Result<Place, Invalid> {
        match (self.first, self.second) {
            (Some(place), None) => Ok(place),
            (None, _) => Err(Invalid::new(Reason::Missing(field), input.len())),
            (_, Some(second)) => Err(Invalid::new(Reason::Repeated(field), second.start)),
        }
    }
}

impl Place {
    /// What stands behind the colon, blanks and folds included.
    pub(crate) fn value<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        input.get(self.value..self.end).unwrap_or_default()
    }

    fn span(&self) -> Span {
        Span { start: self.start, end: self.end.saturating_add(2) }
    }
}

/// The blank line that ends the head; anything else without a name is a fault.
fn blank_line(rest: &[u8], at: usize) -> Result<usize, Error> {
    match rest {
        [b'\r', b'\n', ..] => Ok(at.saturating_add(2)),
        [] | [b'\r'] => Err(Error::MORE),
        [b'\r', ..] => Err(invalid(Reason::LineEnd, at.saturating_add(1))),
        [b'\n', ..] => Err(invalid(Reason::LineEnd, at)),
        _ => Err(invalid(Reason::HeaderName, at)),
    }
}

/// 25.1 HCOLON = *( SP / HTAB ) ":" SWS. The length up to and with the colon; `at` is where it begins.
fn colon(behind: &[u8], at: usize) -> Result<usize, Error> {
    let blanks = span(behind, |octet| matches!(octet, b' ' | b'\t'));
    match behind.get(blanks) {
        Some(b':') => Ok(blanks.saturating_add(1)),
        Some(_) => Err(invalid(Reason::HeaderName, at.saturating_add(blanks))),
        None => Err(Error::MORE),
    }
}

/// 7.3.1: a line that begins with a blank continues the one before. The offset of the last CR LF.
fn value_end(input: &[u8], mut from: usize) -> Result<usize, Error> {
    loop {
        let end = line_end(input, from)?;
        let next = end.saturating_add(2);
        match input.get(next) {
            Some(b' ' | b'\t') => from = next,
            Some(_) => return Ok(end),
            None => return Err(Error::MORE),
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
    Other,
}

impl Name {
    /// 7.3.1: without regard to case; 7.3.3: some have a compact form.
    pub(crate) fn of(name: &[u8]) -> Self {
        let (text, found): (&[u8], Self) = match (name.len(), name.first()) {
            (1, Some(b'f' | b'F')) => return Self::From,
            (1, Some(b't' | b'T')) => return Self::To,
            (1, Some(b'i' | b'I')) => return Self::CallId,
            (1, Some(b'l' | b'L')) => return Self::ContentLength,
            (1, Some(b'v' | b'V')) => return Self::Via,
            (2, _) => (b"to", Self::To),
            (3, _) => (b"via", Self::Via),
            (4, Some(b'f' | b'F')) => (b"from", Self::From),
            (4, _) => (b"cseq", Self::CSeq),
            (5, _) => (b"route", Self::Route),
            (7, _) => (b"call-id", Self::CallId),
            (12, _) => (b"record-route", Self::RecordRoute),
            (13, _) => (b"authorization", Self::Credentials),
            (14, _) => (b"content-length", Self::ContentLength),
            (19, _) => (b"proxy-authorization", Self::Credentials),
            _ => return Self::Other,
        };
        if name.eq_ignore_ascii_case(text) { found } else { Self::Other }
    }
}

/// The long form of a name (7.3.3); another name as it is.
pub(crate) fn long_form(name: &[u8]) -> &[u8] {
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
        let (name, value) = match split_before(whole, |octet| octet == b':') {
            (name, [b':', value @ ..]) => (trim(name), trim(value)),
            _ => (&[][..], &[][..]),
        };
        Some(Line { whole, name, value })
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
