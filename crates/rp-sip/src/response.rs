//! Responses: writing our own, which repeat lines of the request, and reading those of a service.

use memchr::memchr2;

use crate::{
    CSeq, Error, Head, Invalid, Limits, Reason, Span, Status,
    error::invalid,
    framing::{Frame, message_start},
    grammar::{behind, is_token, split, trim_start},
    header::{Line, Lines, Name, Values, values},
    route::Token,
    start_line::{is_response, may_be_response},
    uri::{self, Address, is_secure},
};

/// The answer to a request, with the lines that it repeats.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// From the first header line on; the lines end at the blank line.
    headers: &'a [u8],
    via: &'a [u8],
    from: &'a [u8],
    to: &'a [u8],
    call_id: &'a [u8],
    cseq: &'a [u8],
    /// Whether To is an address and has no tag yet.
    wants_tag: bool,
}

impl<'a> Answer<'a> {
    /// The answer to the first request of `input`, which may be one that [`extract`](crate::extract)
    /// refuses. None if there can be no answer: to a response, to ACK (17.1.1.3), to an incomplete
    /// head, and to one in which Via, From, To, Call-ID or `CSeq` is missing. Of a field that is
    /// repeated the first line is taken.
    pub fn to(input: &'a [u8]) -> Option<Self> {
        let start = message_start(input).ok()?;
        let window = input.get(start..)?;
        let window = window.get(..Limits::MAX_HEAD).unwrap_or(window);
        let mut lines = Lines::of(window);
        if !is_answerable(lines.next()?.whole) {
            return None;
        }
        let headers = lines.rest();
        let first = |name: Name| lines.clone().find(|line| Name::of(line.name) == name);
        let to = first(Name::To)?;
        let answer = Self {
            headers,
            via: first(Name::Via)?.value,
            from: repeatable(first(Name::From)?)?,
            to: repeatable(to)?,
            call_id: repeatable(first(Name::CallId)?)?,
            cseq: repeatable(first(Name::CSeq)?)?,
            wants_tag: wants_tag(to.value),
        };
        for line in lines.by_ref().filter(|line| Name::of(line.name) == Name::Via) {
            repeatable(line)?;
        }
        lines.at_end().then_some(answer)
    }

    /// `branch` of the topmost Via, of which a caller may compute the tag.
    pub fn branch(&self) -> Option<&'a [u8]> {
        uri::branch(self.via)
    }

    /// Writes the response with `status` into `sink`, piece by piece and without a body (8.2.6.2). A To without a tag
    /// gets the [`Token`] of `tag`, except in 100, which is not of a dialog. `retry_after` are the seconds of
    /// Retry-After (20.33), which stands there only if they are given.
    pub fn write(&self, status: Status, tag: u64, retry_after: Option<u32>, sink: &mut impl FnMut(&[u8])) {
        sink(b"SIP/2.0 ");
        decimal(u32::from(status.code()), sink);
        sink(b" ");
        sink(status.reason().as_bytes());
        sink(b"\r\n");
        for line in Lines::of(self.headers).filter(|line| Name::of(line.name) == Name::Via) {
            sink(line.whole);
        }
        sink(self.from);
        if self.wants_tag && status != Status::TRYING {
            sink(self.to.strip_suffix(b"\r\n").unwrap_or(self.to));
            sink(b";tag=");
            sink(Token::new(tag).as_bytes());
            sink(b"\r\n");
        } else {
            sink(self.to);
        }
        sink(self.call_id);
        sink(self.cseq);
        if let Some(seconds) = retry_after {
            sink(b"Retry-After: ");
            decimal(seconds, sink);
            sink(b"\r\n");
        }
        sink(b"Content-Length: 0\r\n\r\n");
    }
}

/// A request line as far as an answer needs it: a method that is not ACK. The rest may be broken.
fn is_answerable(line: &[u8]) -> bool {
    let (method, rest) = split(line, is_token);
    !is_response(line) && !method.is_empty() && method != b"ACK" && rest.starts_with(b" ")
}

/// The line as it goes into an answer. A stray CR or LF would let a reader see other lines than those
/// that are repeated.
fn repeatable(line: Line<'_>) -> Option<&[u8]> {
    let mut rest = line.whole;
    while let Some(found) = memchr2(b'\r', b'\n', rest) {
        rest = rest.get(found..)?.strip_prefix(b"\r\n")?;
    }
    Some(line.whole)
}

/// To a value that is not an address nothing is added: who knows where a parameter would belong.
fn wants_tag(to: &[u8]) -> bool {
    Address::parse(to).is_some_and(|address| address.param(b"tag").is_none())
}

fn decimal(number: u32, sink: &mut impl FnMut(&[u8])) {
    let mut digits = [b'0'; 10];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit |= u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    match behind(&digits, |digit| digit == b'0') {
        [] => sink(b"0"),
        digits => sink(digits),
    }
}

/// The head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The status.
    pub status: Status,
    /// The reason phrase as on the wire.
    pub reason: &'a [u8],
    /// `branch` of the topmost Via value, which is that of the request (8.2.6.2).
    pub branch: Result<Option<&'a [u8]>, Invalid>,
    /// The `CSeq`, which is that of the request.
    pub cseq: Result<CSeq<'a>, Invalid>,
    /// The Call-ID, which is that of the request.
    pub call_id: Result<&'a [u8], Invalid>,
    /// From the first Record-Route line to the end of the last, with whatever is between them.
    pub record_route: Option<Span>,
    /// Where the message begins: behind the CR LFs that came before it.
    pub start: usize,
    /// The length of the head, blank line included.
    pub head_len: usize,
    /// The length of the body, as Content-Length says.
    pub body_len: usize,
    /// The input up to the end of the head.
    pub(crate) input: &'a [u8],
}

impl<'a> Response<'a> {
    /// Reads the first message of `input`.
    ///
    /// # Errors
    /// As [`extract`](crate::extract), with the parts exchanged: a request is `Invalid`. Besides the
    /// framing no field is judged.
    pub fn parse(input: &'a [u8]) -> Result<Self, Error> {
        let start = message_start(input)?;
        if !may_be_response(input.get(start..).unwrap_or_default()) {
            return Err(invalid(Reason::Request, start));
        }
        match Head::read(&Frame::read(input, start, &Limits::default())?) {
            Head::Response(response) => Ok(response),
            Head::Request(_) => Err(invalid(Reason::Request, start)),
        }
    }

    pub(crate) fn read(frame: &Frame<'a>, status: Status, reason: &'a [u8]) -> Self {
        Self {
            status,
            reason,
            branch: frame.branch(),
            cseq: frame.cseq(),
            call_id: frame.call_id(),
            record_route: frame.fields.all(Name::RecordRoute),
            start: frame.start,
            head_len: frame.head_len(),
            body_len: frame.body_len,
            input: frame.input,
        }
    }

    /// The octets of the head.
    pub fn octets(&self) -> &'a [u8] {
        self.input.get(self.start..).unwrap_or_default()
    }

    /// The values of the header lines of this name, in order, without blanks at the ends. Case does not
    /// count, and a compact form is the long one (7.3.3). Lists are not taken apart.
    pub fn headers<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        values(self.octets(), name)
    }

    /// Whether this is a challenge that would have taken the credentials but for their nonce, which is too
    /// old (22.4; RFC 7616 3.3 `stale`).
    pub fn is_stale(&self) -> bool {
        Lines::of(self.octets())
            .skip(1)
            .filter(|line| CHALLENGES.iter().any(|name| line.name.eq_ignore_ascii_case(name)))
            .any(|line| challenge_is_stale(line.value))
    }

    /// Whether the first Contact is a `sips:` URI.
    pub fn has_secure_contact(&self) -> bool {
        let contact = self.headers("Contact").next().unwrap_or_default();
        Values::of(contact)
            .next()
            .and_then(|value| Address::parse(contact.get(value)?))
            .is_some_and(|address| is_secure(address.uri))
    }
}

/// The header lines of a challenge (20.44, 20.27).
const CHALLENGES: [&[u8]; 2] = [b"WWW-Authenticate", b"Proxy-Authenticate"];

/// 25.1 challenge = "Digest" LWS digest-cln *( COMMA digest-cln ): whether one of them is `stale=true`,
/// quoted or not.
fn challenge_is_stale(challenge: &[u8]) -> bool {
    let (_scheme, parameters) = split(challenge, is_token);
    Values::of(parameters)
        .filter_map(|parameter| parameters.get(parameter))
        .map(|parameter| split(parameter, is_token))
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"stale"))
        .filter_map(|(_, value)| trim_start(value).strip_prefix(b"="))
        .any(|value| {
            let value = trim_start(value);
            let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
            unquoted.unwrap_or(value).eq_ignore_ascii_case(b"true")
        })
}
