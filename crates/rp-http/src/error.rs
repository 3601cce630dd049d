//! Why a message cannot be taken.

use core::{fmt, num::NonZeroUsize};

/// Why there is no head, no answer or no next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// At least so many more octets are needed.
    Incomplete(NonZeroUsize),
    /// No continuation can help.
    Invalid(Invalid),
}

impl Error {
    /// One more octet: always right, and the end of a head cannot be foreseen.
    pub(crate) const MORE: Self = Self::Incomplete(NonZeroUsize::MIN);
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete(n) => write!(f, "at least {n} more octets are needed"),
            Self::Invalid(invalid) => invalid.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

/// What is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invalid {
    /// What is wrong.
    pub reason: Reason,
    /// Where: octets before the offending one, counted from the start of the head, or of the body.
    pub offset: u64,
}

impl Invalid {
    pub(crate) fn new(reason: Reason, offset: usize) -> Self {
        // A `usize` has at most 64 bits on every target there is.
        Self { reason, offset: u64::try_from(offset).unwrap_or(u64::MAX) }
    }

    /// The same, `octets` further from the start.
    pub(crate) fn behind(self, octets: usize) -> Self {
        let moved = Self::new(self.reason, octets);
        Self { offset: self.offset.saturating_add(moved.offset), ..self }
    }

    /// The status that a client is answered with. What a service sent wrongly is always a 502 to the client.
    pub fn status(&self) -> u16 {
        self.reason.status()
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at octet {})", self.reason.words(), self.offset)
    }
}

impl core::error::Error for Invalid {}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The first octet begins no method: a TLS hello, a TPKT, a BER sequence.
    NotARequest,
    /// More than the one empty line that may stand before a request, or any before an answer.
    EmptyLine,
    /// A line feed without a carriage return before it.
    BareLf,
    /// A carriage return without a line feed after it.
    BareCr,
    /// The method contains an octet that no token may contain.
    MethodOctet,
    /// A well-formed token, but none of `[A-Z][A-Z-]*` with at most 32 octets.
    MethodUnknown,
    /// CONNECT or TRACE.
    MethodForbidden,
    /// The target is neither a path nor an absolute `http` URI, nor `*` of OPTIONS.
    TargetForm,
    /// The target contains an octet that a URI must encode.
    TargetOctet,
    /// A `%` of the path is not followed by two hex digits.
    PercentEncoding,
    /// The path hides a control octet (`%00` to `%1f`, `%7f`).
    EncodedControl,
    /// The path hides a backslash (`%5c`).
    EncodedBackslash,
    /// The path spells a character with more octets than it needs.
    OverlongUtf8,
    /// A segment of the path is `.` or `..`, however it is spelled.
    DotSegment,
    /// The version is no `HTTP/d.d` at the end of its line.
    VersionSyntax,
    /// A version other than 1.0 and 1.1, or the preface of HTTP/2.
    VersionUnsupported,
    /// A line begins with a space or a tab.
    Folded,
    /// A field name is empty, no token, or not followed by a colon at once.
    FieldName,
    /// A field value contains a control octet.
    FieldValue,
    /// More than 100 fields, or more than 100 options in the Connection fields.
    TooManyFields,
    /// The first line has not ended within the limit of the head.
    StartLineTooLong,
    /// The head is longer than 32 KiB.
    HeadTooLong,
    /// No Host field.
    HostMissing,
    /// More than one Host field, equal or not.
    HostRepeated,
    /// Host, or the authority of the target, is no name or address with an optional port.
    HostSyntax,
    /// The authority of an absolute target is not the host of the Host field.
    HostMismatch,
    /// More than one Content-Length field, equal or not.
    ContentLengthRepeated,
    /// Content-Length is no decimal number of at most 18 digits.
    ContentLengthSyntax,
    /// More than one Transfer-Encoding field.
    TransferEncodingRepeated,
    /// Transfer-Encoding is malformed, or `chunked` is not last or not alone in its kind.
    TransferEncodingSyntax,
    /// Transfer-Encoding in HTTP/1.0.
    TransferEncodingIn10,
    /// A transfer coding other than `chunked`.
    TransferCodingUnknown,
    /// Both Content-Length and Transfer-Encoding.
    TwoFramings,
    /// Connection names Host, Content-Length or Transfer-Encoding.
    ConnectionNamesFraming,
    /// A WebSocket is asked for with another method than GET, or with a body.
    WebSocketRequest,
    /// A chunk size is not 1 to 15 hex digits followed by CRLF or an extension.
    ChunkSize,
    /// A chunk extension is malformed.
    ChunkExtension,
    /// The extensions of a chunk have more than 256 octets, or those of a message more than 16 KiB.
    ChunkExtensionTooLong,
    /// The data of a chunk is not followed by CRLF.
    ChunkEnd,
    /// The trailers have more than 8 KiB.
    TrailersTooLong,
    /// The input ended before the body did.
    BodyCut,
    /// The answer begins with no well-formed status line.
    StatusLine,
    /// 101 to a request that asked for no WebSocket, or a switch to something else.
    SwitchUnasked,
}

impl Reason {
    /// The status of the answer to a request that is refused for this.
    pub const fn status(self) -> u16 {
        match self {
            Self::MethodForbidden => 405,
            Self::StartLineTooLong => 414,
            Self::TooManyFields | Self::HeadTooLong => 431,
            Self::MethodUnknown | Self::TransferCodingUnknown => 501,
            Self::StatusLine | Self::SwitchUnasked => 502,
            Self::VersionUnsupported => 505,
            _ => 400,
        }
    }

    /// The reason in words, without capital and full stop.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotARequest => "this is no HTTP request",
            Self::EmptyLine => "an empty line stands before the message",
            Self::BareLf => "a line ends with LF instead of CRLF",
            Self::BareCr => "a carriage return is not followed by a line feed",
            Self::MethodOctet => "the method is no token followed by one space",
            Self::MethodUnknown => "the method is not known",
            Self::MethodForbidden => "the method is not allowed through a proxy",
            Self::TargetForm => "the request target is no path, no http URI and not the asterisk of OPTIONS",
            Self::TargetOctet => "the request target contains an octet that is not allowed there",
            Self::PercentEncoding => "a percent sign in the path is not followed by two hex digits",
            Self::EncodedControl => "the path contains an encoded control octet",
            Self::EncodedBackslash => "the path contains an encoded backslash",
            Self::OverlongUtf8 => "the path contains overlong UTF-8",
            Self::DotSegment => "a segment of the path is \".\" or \"..\"",
            Self::VersionSyntax => "the protocol version is malformed",
            Self::VersionUnsupported => "the protocol version is not supported",
            Self::Folded => "a field line begins with a space or a tab",
            Self::FieldName => "a field name is no token followed by a colon",
            Self::FieldValue => "a field value contains a control octet",
            Self::TooManyFields => "the head has too many fields or connection options",
            Self::StartLineTooLong => "the first line is too long",
            Self::HeadTooLong => "the head is too long",
            Self::HostMissing => "the Host field is missing",
            Self::HostRepeated => "there is more than one Host field",
            Self::HostSyntax => "the host is no name or address with an optional port",
            Self::HostMismatch => "the target and the Host field name different hosts",
            Self::ContentLengthRepeated => "there is more than one Content-Length field",
            Self::ContentLengthSyntax => "Content-Length is no plain number",
            Self::TransferEncodingRepeated => "there is more than one Transfer-Encoding field",
            Self::TransferEncodingSyntax => "Transfer-Encoding is malformed",
            Self::TransferEncodingIn10 => "Transfer-Encoding in an HTTP/1.0 message",
            Self::TransferCodingUnknown => "the transfer coding is not known",
            Self::TwoFramings => "there are both Content-Length and Transfer-Encoding",
            Self::ConnectionNamesFraming => "the Connection field names a field that routes or frames",
            Self::WebSocketRequest => "a WebSocket is asked for with a method other than GET or with a body",
            Self::ChunkSize => "a chunk size is malformed",
            Self::ChunkExtension => "a chunk extension is malformed",
            Self::ChunkExtensionTooLong => "the chunk extensions are too long",
            Self::ChunkEnd => "the data of a chunk is not followed by CRLF",
            Self::TrailersTooLong => "the trailers are too long",
            Self::BodyCut => "the body ended early",
            Self::StatusLine => "the status line is malformed",
            Self::SwitchUnasked => "the service switches to a protocol that was not asked for",
        }
    }
}
