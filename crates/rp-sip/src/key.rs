//! The routing key, and how it is read from a head.

use core::fmt;

use crate::{
    Field, Invalid, Reason, SipUri,
    framing::Head,
    grammar::{behind, is_lws, is_token, split, trim, trim_start},
    header::Name,
    start_line::StartLine,
    uri::{self, Address},
};

/// What a proxy has to know of a request. Everything borrowed is as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The method. Case counts (7.1): `register` is another method than `REGISTER`.
    pub method: &'a str,
    /// The URI of From; [`SipUri::domain`] is what a request outside a dialog is routed by.
    pub from: SipUri<'a>,
    /// What To says.
    pub to: To<'a>,
    /// `branch` of the topmost Via value; none if it is missing or only the cookie `z9hG4bK`.
    pub branch: Option<&'a [u8]>,
    /// The `CSeq`.
    pub cseq: CSeq<'a>,
    /// The Call-ID, with case.
    pub call_id: &'a [u8],
    /// Whether there is an Authorization or Proxy-Authorization line. What is in it is not read.
    pub credentials: bool,
    /// The first Route line.
    pub route: Option<Span>,
    /// From the first Record-Route line to the end of the last, with whatever is between them.
    pub record_route: Option<Span>,
    /// Whether the Request-URI begins with `sips:`.
    pub secure_uri: bool,
    /// Where the message begins: behind the CR LFs that came before it.
    pub start: usize,
    /// The length of the head, blank line included.
    pub head_len: usize,
    /// The length of the body, as Content-Length says.
    pub body_len: usize,
}

/// What To says of a request. Its URI is not judged: one may call whom one likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct To<'a> {
    /// The user as on the wire, if it stands in a sound `sip:` or `sips:` URI.
    pub user: Option<&'a [u8]>,
    /// The tag; none means that the request is outside a dialog (12.2). Empty for one without a value.
    pub tag: Option<&'a [u8]>,
}

/// A `CSeq` (20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The digits. They are not a number here, because larger ones come than any integer holds.
    pub number: &'a [u8],
    /// The method, which ought to be that of the request.
    pub method: &'a [u8],
}

/// A piece of the input: header lines with their continuation lines and the CR LF at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The offset of the first octet.
    pub start: usize,
    /// The offset behind the last octet.
    pub end: usize,
}

impl<'a> Key<'a> {
    /// Whether the user of From is `name`; see [`SipUri::user_is`].
    pub fn user_is(&self, name: &str) -> bool {
        self.from.user_is(name)
    }

    pub(crate) fn read(head: &Head<'a>) -> Result<Self, Invalid> {
        let StartLine::Request { method, uri } = head.start_line else {
            return Err(Invalid::new(Reason::Response, head.start));
        };
        let (fields, input) = (&head.fields, head.input);
        let call_id = fields.only(Field::CallId, input)?;
        let via = fields.topmost(Field::Via, input)?;
        let from_line = fields.only(Field::From, input)?;
        let fault = |reason| Invalid::new(reason, from_line.start);
        let from = Address::parse(from_line.value(input)).ok_or(fault(Reason::BadFrom))?;
        let from_uri = SipUri::parse(from.uri).map_err(fault)?;
        let to_line = fields.only(Field::To, input)?;
        let to_fault = Invalid::new(Reason::BadTo, to_line.start);
        let to = Address::parse(to_line.value(input)).ok_or(to_fault)?;
        // Most requests are REGISTER, in which both are the same.
        let to_user = if to.uri == from.uri { from_uri.user } else { uri::sound_user(to.uri) };
        Ok(Self {
            method,
            from: from_uri,
            to: To { user: to_user, tag: to.param(b"tag") },
            branch: uri::branch(via.value(input)),
            cseq: cseq(head)?,
            call_id: trim(call_id.value(input)),
            credentials: fields.has(Name::Credentials),
            route: fields.first(Name::Route),
            record_route: fields.all(Name::RecordRoute),
            secure_uri: uri.get(..5).is_some_and(|front| front.eq_ignore_ascii_case(b"sips:")),
            start: head.start,
            head_len: input.len().saturating_sub(head.start),
            body_len: head.body_len,
        })
    }
}

impl To<'_> {
    /// Whether the user is `name`; see [`SipUri::user_is`].
    pub fn user_is(&self, name: &str) -> bool {
        uri::user_is(self.user, name)
    }
}

impl Span {
    /// The octets of the span in the input that the key was taken from.
    pub fn of<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        input.get(self.start..self.end).unwrap_or_default()
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} to ", self.method, self.from)?;
        match self.to.user {
            Some(user) => write!(f, "{}", user.escape_ascii())?,
            None => f.write_str("another address")?,
        }
        write!(f, ", Call-ID {}", self.call_id.escape_ascii())
    }
}

/// 20.16 `CSeq = 1*DIGIT LWS Method`
fn cseq<'a>(head: &Head<'a>) -> Result<CSeq<'a>, Invalid> {
    let place = head.fields.only(Field::CSeq, head.input)?;
    let fault = Invalid::new(Reason::BadCSeq, place.start);
    let value = trim(place.value(head.input));
    let (number, rest) = split(value, |octet| octet.is_ascii_digit());
    let method = trim_start(rest);
    let blank = rest.first().is_some_and(|&octet| is_lws(octet));
    if number.is_empty() || !blank || method.is_empty() || !behind(method, is_token).is_empty() {
        return Err(fault);
    }
    Ok(CSeq { number, method })
}
