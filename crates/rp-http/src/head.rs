//! The head of a request: request line and fields (RFC 9112 2 to 5).

use core::fmt;

use crate::{
    Connection, Error, Fields, Framing, Host, Invalid, Reason, Scheme, Target,
    fields::{self, Field},
    framing::FramingFields,
    octets::{Cursor, METHOD, TEXT, TOKEN, elements, is, run},
    target::{self, Origin},
};

/// The longest head that is read, empty line included.
pub const MAX_HEAD: usize = 32 * 1024;

/// Longer methods are not known.
const MAX_METHOD: usize = 32;

/// A request head at the front of some octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// Its length with the empty line; behind it the body begins.
    pub head_len: usize,
    /// What it says.
    pub head: Head<'a>,
}

/// What a request head says. There is none that was not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head<'a> {
    /// `[A-Z][A-Z-]{0,31}`; neither CONNECT nor TRACE.
    pub method: &'a [u8],
    /// The version that the client speaks.
    pub version: Version,
    /// The host asked: the authority of an absolute target, otherwise the Host field.
    pub host: Host<'a>,
    /// What is asked for.
    pub target: Target<'a>,
    /// The scheme of an absolute target. Refuse the request (400) unless it is that of the connection.
    pub absolute_scheme: Option<Scheme>,
    /// How the body ends.
    pub framing: Framing,
    /// What concerns this connection only.
    pub connection: Connection,
    /// All fields as received.
    pub fields: Fields<'a>,
    websocket: bool,
}

/// A version of HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// Reads the request head at the front of `input`. One empty line before it is skipped and counted in
/// `head_len`. What stands behind the head does not matter.
///
/// # Errors
/// [`Error::Incomplete`] until the head is whole, [`Error::Invalid`] as soon as no continuation can make it one
/// with a single meaning.
pub fn extract(input: &[u8]) -> Result<Key<'_>, Error> {
    within_limit(input, read)
}

impl Head<'_> {
    /// The request asks for a WebSocket (RFC 6455 4.1): HTTP/1.1, GET, no body, `upgrade` in Connection and
    /// `websocket` in Upgrade. Any other Upgrade is as if it were not there (RFC 9110 7.8).
    pub fn is_websocket(&self) -> bool {
        self.websocket
    }

    /// The client lets the connection stay open (RFC 9112 9.3). With HTTP/1.0 the answer must have a length too.
    pub fn keeps_alive(&self) -> bool {
        self.connection.keeps_alive(self.version)
    }

    /// The client waits for an interim answer before it sends the body (RFC 9110 10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.version == Version::Http11
            && self.fields.all(b"expect").flat_map(elements).any(|e| e.eq_ignore_ascii_case(b"100-continue"))
    }
}

/// Method, host and path; no query, which may hold secrets.
impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = &self.head;
        write!(f, "{} {} ", head.method.escape_ascii(), head.host)?;
        match head.target {
            Target::Path { path, .. } => path.escape_ascii().fmt(f),
            Target::Asterisk => f.write_str("*"),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        })
    }
}

/// Tells when it is time to read a head that comes in pieces.
///
/// Reading starts over each time, so a head that dribbles in octet by octet would cost the square of its length.
/// This looks at each octet once.
///
/// ```
/// let mut end = rp_http::HeadEnd::default();
/// assert!(end.is_due(b"G"), "the first octets may already show another protocol");
/// assert!(!end.is_due(b"GET / HTTP/1.1\r"));
/// assert!(end.is_due(b"GET / HTTP/1.1\r\n"), "a line has ended");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadEnd {
    seen: usize,
}

impl HeadEnd {
    /// Whether reading `received`, all octets since the start of the head, can bring a decision that the last
    /// call did not: on the first octets, when a line has ended, with an octet that no head may contain, and
    /// when the limit is reached.
    pub fn is_due(&mut self, received: &[u8]) -> bool {
        let new = received.get(self.seen..).unwrap_or_default();
        let first = self.seen == 0 && !new.is_empty();
        self.seen = received.len();
        first || received.len() >= MAX_HEAD || new.iter().any(|&octet| !is(TEXT, octet) && octet != b'\r')
    }
}

/// Reads a head within its limit: the reader does not see what lies behind, so that a decision does not depend
/// on how much has arrived.
pub(crate) fn within_limit<'a, T>(
    input: &'a [u8],
    read: impl FnOnce(&mut Cursor<'a>) -> Result<T, Error>,
) -> Result<T, Error> {
    let Some(window) = input.get(..MAX_HEAD) else {
        return read(&mut Cursor::new(input));
    };
    read(&mut Cursor::new(window)).map_err(|error| match error {
        Error::Invalid(_) => error,
        Error::Incomplete(_) => {
            let line_has_ended = window.iter().skip(2).any(|&octet| octet == b'\n');
            let reason = if line_has_ended { Reason::HeadTooLong } else { Reason::RequestLineTooLong };
            Invalid::new(reason, MAX_HEAD).into()
        }
    })
}

fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Key<'a>, Error> {
    skip_empty_line(cursor)?;
    let method = read_method(cursor)?;
    let (origin, target) = target::read(cursor, method)?;
    let version = read_version(cursor)?;
    let mut met = Met::default();
    let fields = fields::read(cursor, |field| met.take(&field, version))?;
    let head_len = cursor.offset();
    let head = met
        .into_head(method, version, origin, target, fields)
        .map_err(|reason| Invalid::new(reason, head_len))?;
    Ok(Key { head_len, head })
}

/// RFC 9112 2.2: one empty line before a request is ignored; some clients send one behind a body.
fn skip_empty_line(cursor: &mut Cursor<'_>) -> Result<(), Error> {
    if !matches!(cursor.peek()?, b'\r' | b'\n') {
        return Ok(());
    }
    cursor.line_end(Reason::NotARequest)?;
    match cursor.peek()? {
        b'\r' | b'\n' => Err(cursor.refuse(Reason::EmptyLine)),
        _ => Ok(()),
    }
}

/// `method = token` (RFC 9110 9.1) and one space.
fn read_method<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Error> {
    let start = *cursor;
    if !cursor.peek()?.is_ascii_alphabetic() {
        return Err(start.refuse(Reason::NotARequest));
    }
    let method = cursor.take(run(TOKEN, cursor.rest()));
    if method.len() > MAX_METHOD {
        return Err(start.refuse(Reason::MethodUnknown));
    }
    cursor.expect(b' ', Reason::MethodOctet)?;
    match method {
        b"CONNECT" | b"TRACE" => Err(start.refuse(Reason::MethodForbidden)),
        // RFC 9113 3.4: the preface of HTTP/2 without negotiation.
        b"PRI" => Err(start.refuse(Reason::VersionUnsupported)),
        // Methods are case-sensitive; servers that do not know it would read `get` as GET.
        [b'A'..=b'Z', ..] if run(METHOD, method) == method.len() => Ok(method),
        _ => Err(start.refuse(Reason::MethodUnknown)),
    }
}

/// `HTTP-version = "HTTP/" DIGIT "." DIGIT` (RFC 9112 2.3) and the end of the line.
fn read_version(cursor: &mut Cursor<'_>) -> Result<Version, Error> {
    let start = *cursor;
    for wanted in b"HTTP/" {
        cursor.expect(*wanted, Reason::VersionSyntax)?;
    }
    let major = read_digit(cursor, Reason::VersionSyntax)?;
    cursor.expect(b'.', Reason::VersionSyntax)?;
    let minor = read_digit(cursor, Reason::VersionSyntax)?;
    cursor.line_end(Reason::VersionSyntax)?;
    match (major, minor) {
        (1, 1) => Ok(Version::Http11),
        (1, 0) => Ok(Version::Http10),
        // RFC 9110 15.6.6.
        _ => Err(start.refuse(Reason::VersionUnsupported)),
    }
}

pub(crate) fn read_digit(cursor: &mut Cursor<'_>, otherwise: Reason) -> Result<u8, Error> {
    let digit = cursor.peek()?.checked_sub(b'0').filter(|&digit| digit <= 9);
    let digit = digit.ok_or_else(|| cursor.refuse(otherwise))?;
    cursor.take(1);
    Ok(digit)
}

/// What has been met in the fields that route, frame or concern the connection.
#[derive(Default)]
struct Met<'a> {
    host: Option<Host<'a>>,
    framing: FramingFields,
    connection: Connection,
    upgrade_to_websocket: bool,
}

impl<'a> Met<'a> {
    fn take(&mut self, field: &Field<'a>, version: Version) -> Result<(), Error> {
        let is = |name: &[u8]| field.name.eq_ignore_ascii_case(name);
        let value = field.value;
        let taken = match field.name.len() {
            4 if is(b"host") => self.host(value),
            7 if is(b"upgrade") => {
                self.upgrade_to_websocket |= names_websocket(value);
                Ok(())
            }
            10 if is(b"connection") => self.connection.read(value),
            14 if is(b"content-length") => self.framing.content_length(value),
            17 if is(b"transfer-encoding") => self.framing.transfer_encoding(value, version),
            _ => Ok(()),
        };
        taken.map_err(|reason| Invalid::new(reason, field.offset).into())
    }

    /// RFC 9112 3.2: exactly one Host.
    fn host(&mut self, value: &'a [u8]) -> Result<(), Reason> {
        if self.host.is_some() {
            return Err(Reason::HostRepeated);
        }
        self.host = Some(Host::parse(value).ok_or(Reason::HostSyntax)?);
        Ok(())
    }

    /// The rules that need the whole head.
    fn into_head(
        self,
        method: &'a [u8],
        version: Version,
        origin: Option<Origin<'a>>,
        target: Target<'a>,
        fields: Fields<'a>,
    ) -> Result<Head<'a>, Reason> {
        // Of HTTP/1.0 too: there would be no name to pass on.
        let named = self.host.ok_or(Reason::HostMissing)?;
        // RFC 9112 3.2.2: the target counts, not the field. Where they differ, somebody behind would not know.
        if origin.is_some_and(|origin| !origin.host.is_same(&named)) {
            return Err(Reason::HostMismatch);
        }
        let framing = self.framing.of_request();
        let websocket = self.upgrade_to_websocket && self.connection.upgrade && version == Version::Http11;
        if websocket && (method != b"GET" || framing != Framing::None) {
            return Err(Reason::WebSocketRequest);
        }
        Ok(Head {
            method,
            version,
            host: origin.map_or(named, |origin| origin.host),
            target,
            absolute_scheme: origin.map(|origin| origin.scheme),
            framing,
            connection: self.connection,
            fields,
            websocket,
        })
    }
}

/// `websocket` is among the protocols of an Upgrade field (RFC 9110 7.8).
pub(crate) fn names_websocket(value: &[u8]) -> bool {
    elements(value).any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}
