//! The head of an answer (RFC 9112 4).

use crate::{
    Connection, Error, Fields, Head, Reason, ResponseFraming, Version,
    connection::Hop,
    fields,
    head::{read_digit, within_limit},
    octets::{Cursor, text_run},
};

/// What must be known of a request to read its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The method was HEAD: there is no body, whatever the fields say.
    pub head_only: bool,
    /// A WebSocket was asked for: 101 may come.
    pub websocket: bool,
}

impl From<&Head<'_>> for Asked {
    fn from(head: &Head<'_>) -> Self {
        Self { head_only: head.method == b"HEAD", websocket: head.is_websocket() }
    }
}

/// The head of an answer at the front of some octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response<'a> {
    /// Its length with the empty line; behind it the body begins.
    pub head_len: usize,
    /// The version that the service speaks.
    pub version: Version,
    /// 100 to 999.
    pub status: u16,
    /// The words behind the status, perhaps none.
    pub reason: &'a [u8],
    /// How the body ends.
    pub framing: ResponseFraming,
    /// The value of Content-Length, also where it frames nothing (HEAD, 204, 304).
    pub content_length: Option<u64>,
    /// What concerns this connection only.
    pub connection: Connection,
    /// All fields as received.
    pub fields: Fields<'a>,
}

/// Reads the head of an answer at the front of `input`.
///
/// # Errors
/// [`Error::Incomplete`] until the head is whole, [`Error::Invalid`] as soon as no continuation can make it
/// one with a single meaning. The client then gets a 502, whatever the reason.
pub fn extract(input: &[u8], asked: Asked) -> Result<Response<'_>, Error> {
    within_limit(input, |cursor| read(cursor, asked))
}

impl Response<'_> {
    /// Another answer follows (RFC 9110 15.2). 101 is none of these: nothing of HTTP follows it.
    pub fn is_interim(&self) -> bool {
        matches!(self.status, 100..=199) && !self.switches()
    }

    /// The connection is a WebSocket from here on.
    pub fn switches(&self) -> bool {
        self.status == 101
    }

    /// The service lets the connection stay open for another request (RFC 9112 9.3).
    pub fn keeps_alive(&self) -> bool {
        self.framing != ResponseFraming::UntilClose
            && !self.switches()
            && self.connection.keeps_alive(self.version)
    }
}

fn read<'a>(cursor: &mut Cursor<'a>, asked: Asked) -> Result<Response<'a>, Error> {
    let (version, status, reason) = read_status_line(cursor)?;
    let mut hop = Hop::default();
    let fields = fields::read(cursor, |field| hop.take(field, version))?;
    // RFC 9110 7.8: a service switches only to what was asked for.
    if status == 101 && !(asked.websocket && hop.upgrades_to_websocket(version)) {
        return Err(cursor.refuse(Reason::SwitchUnasked));
    }
    let framing = hop.framing.of_response().map_err(|reason| cursor.refuse(reason))?;
    // RFC 9112 6.3 item 1.
    let has_no_body = asked.head_only || matches!(status, 100..=199 | 204 | 304);
    Ok(Response {
        head_len: cursor.offset(),
        version,
        status,
        reason,
        framing: if has_no_body { ResponseFraming::None } else { framing },
        content_length: hop.framing.length(),
        connection: hop.connection,
        fields,
    })
}

/// `status-line = HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112 4).
fn read_status_line<'a>(cursor: &mut Cursor<'a>) -> Result<(Version, u16, &'a [u8]), Error> {
    if matches!(cursor.peek()?, b'\r' | b'\n') {
        return Err(cursor.refuse(Reason::EmptyLine));
    }
    for wanted in b"HTTP/1." {
        cursor.expect(*wanted, Reason::StatusLine)?;
    }
    let version = match cursor.peek()? {
        b'0' => Version::Http10,
        b'1' => Version::Http11,
        _ => return Err(cursor.refuse(Reason::StatusLine)),
    };
    cursor.take(1);
    cursor.expect(b' ', Reason::StatusLine)?;
    let mut status = 0_u16;
    for _ in 0..3 {
        // Below 100 is no class that RFC 9110 15 knows.
        if status == 0 && cursor.peek()? == b'0' {
            return Err(cursor.refuse(Reason::StatusLine));
        }
        let digit = read_digit(cursor, Reason::StatusLine)?;
        status = status.saturating_mul(10).saturating_add(u16::from(digit));
    }
    cursor.expect(b' ', Reason::StatusLine)?;
    let reason = cursor.take(text_run(cursor.rest()));
    cursor.line_end(Reason::StatusLine)?;
    Ok((version, status, reason))
}
