//! The head of a request: request line and fields (RFC 9112 2 to 5).

use core::fmt;

use crate::{
    Connection, Error, Fields, Framing, Host, Invalid, Reason, Scheme, Target,
    connection::Hop,
    fields,
    octets::{Cursor, TOKEN, elements, is_text},
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
/// [`Error::Incomplete`] until the head is whole, [`Error::Invalid`] as soon as no continuation can make it
/// one with a single meaning.
pub fn extract(input: &[u8]) -> Result<Key<'_>, Error> {
    within_limit(input, read)
}

/// Whether a request with this method can be read: `[A-Z][A-Z-]{0,31}`, and neither CONNECT, TRACE nor PRI.
pub fn is_method(method: &[u8]) -> bool {
    let forbidden = matches!(method, b"CONNECT" | b"TRACE" | b"PRI");
    let [b'A'..=b'Z', others @ ..] = method else { return false };
    !forbidden && method.len() <= MAX_METHOD && others.iter().all(|octet| matches!(octet, b'A'..=b'Z' | b'-'))
}

impl Head<'_> {
    /// The request asks for a WebSocket (RFC 6455 4.1): HTTP/1.1, GET, no body, `upgrade` in Connection and
    /// `websocket` in Upgrade. Any other Upgrade is as if it were not there (RFC 9110 7.8).
    pub fn is_websocket(&self) -> bool {
        self.websocket
    }

    /// The client lets the connection stay open (RFC 9112 9.3). With HTTP/1.0 the answer must have a length
    /// too.
    pub fn keeps_alive(&self) -> bool {
        self.connection.keeps_alive(self.version)
    }

    /// The client takes trailers behind a chunked body (RFC 9110 10.1.4).
    pub fn takes_trailers(&self) -> bool {
        self.version == Version::Http11
            && self.fields.all(b"te").flat_map(elements).any(|e| e.eq_ignore_ascii_case(b"trailers"))
    }

    /// The client waits for an interim answer before it sends the body (RFC 9110 10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.version == Version::Http11
            && self.fields.all(b"expect").flat_map(elements).any(|e| e.eq_ignore_ascii_case(b"100-continue"))
    }
}

impl<'a> Key<'a> {
    /// Method, host and path; no query, which may hold secrets.
    pub fn words(&self) -> [&'a str; 3] {
        let path = match self.head.target {
            Target::Path { path, .. } => path,
            Target::Asterisk => b"*",
        };
        [self.head.method, self.head.host.as_bytes(), path].map(printable)
    }
}

/// Its [words](Key::words).
impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [method, host, path] = self.words();
        write!(f, "{method} {host} {path}")
    }
}

/// Method, host and path consist of printable ASCII alone, or they would not have been read.
fn printable(octets: &[u8]) -> &str {
    core::str::from_utf8(octets).unwrap_or_default()
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
/// Reading starts over each time, so a head that dribbles in octet by octet would cost the square of its
/// length. This looks at each octet once.
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
        first || received.len() >= MAX_HEAD || new.iter().any(|&octet| !is_text(octet) && octet != b'\r')
    }
}

/// Reads a head within its limit: the reader does not see what lies behind, so that a decision does not
/// depend on how much has arrived.
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
            let reason = if line_has_ended { Reason::HeadTooLong } else { Reason::StartLineTooLong };
            Invalid::new(reason, MAX_HEAD).into()
        }
    })
}

fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Key<'a>, Error> {
    skip_empty_line(cursor)?;
    let method = read_method(cursor)?;
    let (origin, target) = target::read(cursor, method)?;
    let version = read_version(cursor)?;
    let (mut host, mut hop) = (None, Hop::default());
    let fields = fields::read(cursor, |field| {
        if field.name.eq_ignore_ascii_case(b"host") {
            take_host(&mut host, field.value)
        } else {
            hop.take(field, version)
        }
    })?;
    let framing = hop.framing.of_request().map_err(|reason| cursor.refuse(reason))?;
    let websocket = hop.upgrades_to_websocket(version);
    if websocket && (method != b"GET" || framing != Framing::None) {
        return Err(cursor.refuse(Reason::WebSocketRequest));
    }
    let head = Head {
        method,
        version,
        host: agree(origin, host).map_err(|reason| cursor.refuse(reason))?,
        target,
        absolute_scheme: origin.map(|origin| origin.scheme),
        framing,
        connection: hop.connection,
        fields,
        websocket,
    };
    Ok(Key { head_len: cursor.offset(), head })
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
    let method = cursor.take(TOKEN.run(cursor.rest()));
    if method.len() > MAX_METHOD {
        return Err(start.refuse(Reason::MethodUnknown));
    }
    cursor.expect(b' ', Reason::MethodOctet)?;
    match method {
        b"CONNECT" | b"TRACE" => Err(start.refuse(Reason::MethodForbidden)),
        // RFC 9113 3.4: the preface of HTTP/2 without negotiation.
        b"PRI" => Err(start.refuse(Reason::VersionUnsupported)),
        // Methods are case-sensitive; servers that do not know it would read `get` as GET.
        _ if is_method(method) => Ok(method),
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

/// RFC 9112 3.2: exactly one Host.
fn take_host<'a>(host: &mut Option<Host<'a>>, value: &'a [u8]) -> Result<(), Reason> {
    if host.is_some() {
        return Err(Reason::HostRepeated);
    }
    *host = Some(Host::parse(value).ok_or(Reason::HostSyntax)?);
    Ok(())
}

/// RFC 9112 3.2.2: of two names that of the target counts. Where they differ, somebody behind would take the
/// other.
fn agree<'a>(origin: Option<Origin<'a>>, named: Option<Host<'a>>) -> Result<Host<'a>, Reason> {
    // Of HTTP/1.0 too: there would be no name to pass on.
    let named = named.ok_or(Reason::HostMissing)?;
    match origin {
        None => Ok(named),
        Some(origin) if origin.host.is_same(&named) => Ok(origin.host),
        Some(_) => Err(Reason::HostMismatch),
    }
}
