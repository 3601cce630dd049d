//! The routing key, and the fields in it.

use core::fmt;

use crate::{
    SipUri,
    grammar::{behind, is_lws, is_token, split, trim, trim_start},
    uri,
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
}

impl To<'_> {
    /// Whether the user is `name`; see [`SipUri::user_is`].
    pub fn user_is(&self, name: &str) -> bool {
        uri::user_is(self.user, name)
    }
}

impl<'a> CSeq<'a> {
    /// 20.16 `CSeq = 1*DIGIT LWS Method`
    pub(crate) fn parse(value: &'a [u8]) -> Option<Self> {
        let (number, rest) = split(trim(value), |octet| octet.is_ascii_digit());
        let method = trim_start(rest);
        let blank = rest.first().is_some_and(|&octet| is_lws(octet));
        let sound = !number.is_empty() && blank && !method.is_empty() && behind(method, is_token).is_empty();
        sound.then_some(Self { number, method })
    }
}

impl Span {
    /// The octets of the span in the input that it was taken from.
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
