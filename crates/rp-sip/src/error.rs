//! Why there is no key.

use core::{fmt, num::NonZeroUsize};

use crate::Status;

/// No key: not yet, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// At least so many more octets are needed. Always one, because the next octet may already rule
    /// the message out; a whole head needs more.
    Incomplete(NonZeroUsize),
    /// No continuation can help.
    Invalid(Invalid),
}

/// What is wrong with a message, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invalid {
    /// What is wrong.
    pub reason: Reason,
    /// Where in the input: the octet that has no place there, the line of the faulty field, or the end
    /// of a head that lacks something.
    pub offset: usize,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Neither a request line nor a status line (RFC 3261 7.1, 7.2), or a folded one.
    StartLine,
    /// Another version than `SIP/2.0` (7.1).
    Version,
    /// A response where only a request can have a key.
    Response,
    /// A request where a response was to be read.
    Request,
    /// A CR without LF or an LF without CR in the head (7).
    LineEnd,
    /// A line of the head that is not `name:` and something (7.3.1).
    HeaderName,
    /// No blank line within the limit of the head.
    HeadTooLarge,
    /// A field that must be there is not (8.1.1; Content-Length on a stream: 18.3).
    Missing(Field),
    /// A field that may be there once is there again, in its long or its compact form.
    Repeated(Field),
    /// Content-Length is not a plain number (20.14).
    BadContentLength,
    /// Content-Length is over the limit of the body.
    BodyTooLarge,
    /// From is not an address with a sound SIP URI (20.20).
    BadFrom,
    /// To is not an address (20.39).
    BadTo,
    /// `CSeq` is not a number and a method (20.16).
    BadCSeq,
    /// From is a `tel:` number, which has no domain (RFC 3966).
    NoDomain,
    /// From is neither a `sip:`, `sips:` nor `tel:` URI.
    UnsupportedScheme,
}

/// A header field that a request has exactly once; Via: at least once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `Content-Length`, `l`.
    ContentLength,
    /// `From`, `f`.
    From,
    /// `To`, `t`.
    To,
    /// `Call-ID`, `i`.
    CallId,
    /// `CSeq`.
    CSeq,
    /// `Via`, `v`.
    Via,
}

impl Error {
    pub(crate) const MORE: Self = Self::Incomplete(NonZeroUsize::MIN);
}

impl Invalid {
    pub(crate) fn new(reason: Reason, offset: usize) -> Self {
        Self { reason, offset }
    }

    /// The status that says this to the sender, none for what is never answered. Whether the head
    /// holds enough for an answer is known to [`Answer::to`](crate::Answer::to).
    pub fn status(&self) -> Option<Status> {
        match self.reason {
            Reason::Response | Reason::Request => None,
            Reason::Version => Some(Status::VERSION_NOT_SUPPORTED),
            Reason::HeadTooLarge | Reason::BodyTooLarge => Some(Status::MESSAGE_TOO_LARGE),
            Reason::NoDomain => Some(Status::NOT_FOUND),
            _ => Some(Status::BAD_REQUEST),
        }
    }
}

pub(crate) fn invalid(reason: Reason, offset: usize) -> Error {
    Error::Invalid(Invalid::new(reason, offset))
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete(_) => f.write_str("the head of the SIP message is not complete"),
            Self::Invalid(invalid) => invalid.fmt(f),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (octet {})", self.reason, self.offset)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartLine => "the first line is not that of a SIP message",
            Self::Version => "the message is of another SIP version than 2.0",
            Self::Response => "a response came where a request was expected",
            Self::Request => "a request came where a response was expected",
            Self::LineEnd => "a line of the head does not end with CR LF",
            Self::HeaderName => "a line of the head has no header name followed by a colon",
            Self::HeadTooLarge => "the head of the message is larger than allowed",
            Self::Missing(field) => return write!(f, "the message has no {field} field"),
            Self::Repeated(field) => return write!(f, "the message has more than one {field} field"),
            Self::BadContentLength => "Content-Length is not a number",
            Self::BodyTooLarge => "the body of the message is larger than allowed",
            Self::BadFrom => "From does not hold one valid SIP address",
            Self::BadTo => "To does not hold one valid address",
            Self::BadCSeq => "CSeq is not a number followed by a method",
            Self::NoDomain => "From is a telephone number without a domain",
            Self::UnsupportedScheme => "From is neither a SIP nor a SIPS address",
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ContentLength => "Content-Length",
            Self::From => "From",
            Self::To => "To",
            Self::CallId => "Call-ID",
            Self::CSeq => "CSeq",
            Self::Via => "Via",
        })
    }
}

impl core::error::Error for Error {}
impl core::error::Error for Invalid {}
