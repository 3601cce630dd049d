//! Heads as they leave: canonical, whatever they looked like when they came.
//!
//! What frames or routes is written from the parsed value, never copied. Everything is handed to a sink in
//! slices, so nothing is allocated here.

use crate::{Fields, Framing, Head, Host, Response, ResponseFraming, Scheme, Target, Version};

/// What the service is told of the client.
#[derive(Clone, Copy, Debug)]
pub struct Forwarding<'a> {
    /// The client's address as text: IPv6 without brackets, an IPv4 address not mapped into IPv6.
    pub client: &'a str,
    /// How the client reached us.
    pub scheme: Scheme,
    /// The client is a proxy whose forwarding fields are believed. Those of others are dropped.
    pub trusted: bool,
    /// Append this address, our own, to X-Forwarded-For.
    pub own_address: Option<&'a str>,
    /// Send Forwarded (RFC 7239) too.
    pub forwarded: bool,
    /// Send Via (RFC 9110 7.6.3) with this name.
    pub via: Option<&'a str>,
}

/// Whom an answer goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// What the client speaks: HTTP/1.0 knows no chunks.
    pub version: Version,
    /// The connection is closed behind this answer.
    pub close: bool,
}

/// An answer of our own.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Its status; the reason phrase is the one of RFC 9110.
    pub status: u16,
    /// A few words for the reader, without line end.
    pub text: &'a str,
    /// The time, as RFC 9110 5.6.7 spells it.
    pub date: &'a str,
    /// The request was HEAD: the text is announced and not sent.
    pub head_only: bool,
    /// Further fields: name, and the pieces of the value.
    pub fields: &'a [(&'a str, &'a [&'a [u8]])],
}

/// Writes the head of a request as it goes to the service; `close` if the connection is not used again.
pub fn request(head: &Head<'_>, forwarding: &Forwarding<'_>, close: bool, sink: &mut impl FnMut(&[u8])) {
    request_line(head, sink);
    field("Host", &[head.host.as_bytes()], sink);
    let drops_expect = head.version == Version::Http10;
    for (name, value) in head.fields {
        // RFC 9110 10.1.1: an expectation in HTTP/1.0 is ignored.
        let dropped = is_own_in_requests(name)
            || drops_expect && name.eq_ignore_ascii_case(b"expect")
            || head.connection.names(head.fields, name);
        if !dropped {
            line(name, value, sink);
        }
    }
    match head.framing {
        Framing::None => {}
        Framing::Length(length) => field("Content-Length", &[Decimal::new(length).as_bytes()], sink),
        Framing::Chunked => field("Transfer-Encoding", &[b"chunked"], sink),
    }
    if head.is_websocket() {
        sink(b"Connection: Upgrade\r\nUpgrade: websocket\r\n");
    } else if close {
        sink(b"Connection: close\r\n");
    }
    forwarding_fields(head, forwarding, sink);
    sink(b"\r\n");
}

/// Writes the head of a final answer as it goes to the client, and returns how its body has to leave.
pub fn response(response: &Response<'_>, client: Client, sink: &mut impl FnMut(&[u8])) -> ResponseFraming {
    let framing = response.framing.towards(client.version);
    status_line(response.status, response.reason, sink);
    end_to_end(response, sink);
    match (framing, response.content_length) {
        (ResponseFraming::Length(length), _) => content_length(length, sink),
        // RFC 9110 8.6: what GET would have brought; never in 204.
        (ResponseFraming::None, Some(length)) if response.status != 204 => content_length(length, sink),
        (ResponseFraming::Chunked, _) => field("Transfer-Encoding", &[b"chunked"], sink),
        _ => {}
    }
    let close = client.close || framing == ResponseFraming::UntilClose;
    persistence(Client { close, ..client }, sink);
    sink(b"\r\n");
    framing
}

/// Writes an interim answer (RFC 9110 15.2). HTTP/1.0 clients must not get one.
pub fn interim(response: &Response<'_>, sink: &mut impl FnMut(&[u8])) {
    status_line(response.status, response.reason, sink);
    end_to_end(response, sink);
    sink(b"\r\n");
}

/// Writes the answer that makes the connection a WebSocket (RFC 6455 4.2.2).
pub fn switching(response: &Response<'_>, sink: &mut impl FnMut(&[u8])) {
    sink(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
    for (name, value) in response.fields {
        if has_prefix(name, b"sec-websocket-") {
            line(name, value, sink);
        }
    }
    sink(b"\r\n");
}

/// Writes the end of a chunked body with those of these trailers, lines as [`Step::Trailer`](crate::Step::Trailer)
/// gave them, that may still say something behind the body (RFC 9110 6.5.1).
pub fn trailers(lines: &[u8], sink: &mut impl FnMut(&[u8])) {
    sink(b"0\r\n");
    for (name, value) in Fields::new(lines) {
        if may_trail(name) {
            line(name, value, sink);
        }
    }
    sink(b"\r\n");
}

/// Writes an answer of our own, with its text.
pub fn answer(answer: &Answer<'_>, client: Client, sink: &mut impl FnMut(&[u8])) {
    status_line(answer.status, reason_phrase(answer.status).as_bytes(), sink);
    field("Date", &[answer.date.as_bytes()], sink);
    for (name, value) in answer.fields {
        field(name, value, sink);
    }
    sink(b"Content-Type: text/plain\r\n");
    let length = answer.text.len().saturating_add(1);
    content_length(u64::try_from(length).unwrap_or(u64::MAX), sink);
    persistence(client, sink);
    sink(b"\r\n");
    if !answer.head_only {
        sink(answer.text.as_bytes());
        sink(b"\n");
    }
}

/// The reason phrase (RFC 9110 15) of a status that a proxy answers with itself; of others none, which is
/// allowed.
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

impl ResponseFraming {
    /// How a body that comes like this goes to a client: chunks and bodies without a length go to HTTP/1.1 as
    /// chunks, to HTTP/1.0 until close (RFC 9112 6.1).
    pub fn towards(self, version: Version) -> Self {
        match (self, version) {
            (Self::Chunked | Self::UntilClose, Version::Http11) => Self::Chunked,
            (Self::Chunked | Self::UntilClose, Version::Http10) => Self::UntilClose,
            (framing, _) => framing,
        }
    }
}

fn request_line(head: &Head<'_>, sink: &mut impl FnMut(&[u8])) {
    sink(head.method);
    sink(b" ");
    match head.target {
        Target::Asterisk => sink(b"*"),
        Target::Path { path, query, .. } => {
            sink(path);
            if let Some(query) = query {
                sink(b"?");
                sink(query);
            }
        }
    }
    sink(b" HTTP/1.1\r\n");
}

fn status_line(status: u16, reason: &[u8], sink: &mut impl FnMut(&[u8])) {
    sink(b"HTTP/1.1 ");
    sink(Decimal::new(status.into()).as_bytes());
    sink(b" ");
    sink(reason);
    sink(b"\r\n");
}

/// The fields of an answer that concern the client.
fn end_to_end(response: &Response<'_>, sink: &mut impl FnMut(&[u8])) {
    for (name, value) in response.fields {
        if !is_own_in_responses(name) && !response.connection.names(response.fields, name) {
            line(name, value, sink);
        }
    }
}

/// RFC 9112 9.3: HTTP/1.1 stays open without a word, HTTP/1.0 only with one.
fn persistence(client: Client, sink: &mut impl FnMut(&[u8])) {
    match client {
        Client { close: true, .. } => sink(b"Connection: close\r\n"),
        Client { version: Version::Http10, .. } => sink(b"Connection: keep-alive\r\n"),
        Client { version: Version::Http11, .. } => {}
    }
}

/// What the service reads as the client's address, scheme and host. Many take the first element of
/// X-Forwarded-For, so what a client sends there must not get through.
fn forwarding_fields(head: &Head<'_>, forwarding: &Forwarding<'_>, sink: &mut impl FnMut(&[u8])) {
    let believed = |name: &[u8]| if forwarding.trusted { single(head.fields, name) } else { None };
    sink(b"X-Forwarded-For: ");
    if forwarding.trusted {
        for list in head.fields.all(b"x-forwarded-for").filter(|list| !list.is_empty()) {
            sink(list);
            sink(b", ");
        }
    }
    sink(forwarding.client.as_bytes());
    if let Some(own) = forwarding.own_address {
        sink(b", ");
        sink(own.as_bytes());
    }
    sink(b"\r\n");
    let proto = believed(b"x-forwarded-proto").filter(|proto| matches!(*proto, b"http" | b"https"));
    field("X-Forwarded-Proto", &[proto.unwrap_or(forwarding.scheme.as_str().as_bytes())], sink);
    let host = believed(b"x-forwarded-host").filter(|host| Host::parse(host).is_some());
    field("X-Forwarded-Host", &[host.unwrap_or(head.host.as_bytes())], sink);
    if forwarding.forwarded {
        forwarded(head, forwarding, sink);
    }
    if let Some(name) = forwarding.via {
        let version: &[u8] = if head.version == Version::Http10 { b"1.0 " } else { b"1.1 " };
        field("Via", &[version, name.as_bytes()], sink);
    }
}

/// RFC 7239 4: IPv6 addresses need brackets and quotes (section 6), hosts with a port need quotes.
fn forwarded(head: &Head<'_>, forwarding: &Forwarding<'_>, sink: &mut impl FnMut(&[u8])) {
    let (open, close): (&[u8], &[u8]) =
        if forwarding.client.contains(':') { (b"for=\"[", b"]\"") } else { (b"for=", b"") };
    let host = head.host.as_bytes();
    let proto = forwarding.scheme.as_str().as_bytes();
    let client = forwarding.client.as_bytes();
    field("Forwarded", &[open, client, close, b";host=\"", host, b"\";proto=", proto], sink);
}

/// The value of the only field of this name.
fn single<'a>(fields: Fields<'a>, name: &[u8]) -> Option<&'a [u8]> {
    let mut values = fields.all(name);
    values.next().filter(|_| values.next().is_none())
}

/// Fields of a request that are written anew or end here: what concerns the connection (RFC 9110 7.6.1), what
/// frames, what tells of the client, and what some servers take the path from instead of the target that was judged.
fn is_own_in_requests(name: &[u8]) -> bool {
    const OWN: [&[u8]; 6] =
        [b"host", b"proxy-authorization", b"forwarded", b"x-real-ip", b"x-original-url", b"x-rewrite-url"];
    is_hop_by_hop(name) || OWN.iter().any(|own| reads_as(name, own)) || has_prefix(name, b"x-forwarded-")
}

/// Fields of an answer that are written anew or end here. Alt-Svc would lead clients around the proxy.
fn is_own_in_responses(name: &[u8]) -> bool {
    is_hop_by_hop(name) || reads_as(name, b"alt-svc")
}

/// Whoever merges trailers into the head must not get anything that frames, routes, logs in, or tells of the client.
fn may_trail(name: &[u8]) -> bool {
    const NEVER: [&[u8]; 16] = [
        b"age",
        b"authentication-info",
        b"authorization",
        b"cache-control",
        b"cookie",
        b"date",
        b"expect",
        b"expires",
        b"location",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"set-cookie",
        b"set-cookie2",
        b"vary",
        b"via",
        b"www-authenticate",
    ];
    !is_own_in_requests(name)
        && !is_own_in_responses(name)
        && !has_prefix(name, b"content-")
        && !NEVER.iter().any(|never| reads_as(name, never))
}

fn is_hop_by_hop(name: &[u8]) -> bool {
    let candidates: &[&[u8]] = match name.len() {
        2 => &[b"te"],
        7 => &[b"upgrade", b"trailer"],
        10 => &[b"connection", b"keep-alive"],
        14 => &[b"content-length", b"http2-settings"],
        16 => &[b"proxy-connection"],
        17 => &[b"transfer-encoding"],
        _ => &[],
    };
    candidates.iter().any(|candidate| reads_as(name, candidate))
}

/// Servers of the CGI kind read `_` in a name as `-`: `Content_Length` must not get through either.
fn reads_as(name: &[u8], lower: &[u8]) -> bool {
    name.len() == lower.len() && has_prefix(name, lower)
}

fn has_prefix(name: &[u8], lower: &[u8]) -> bool {
    name.len() >= lower.len()
        && name
            .iter()
            .zip(lower)
            .all(|(&octet, &wanted)| octet.to_ascii_lowercase() == wanted || octet == b'_' && wanted == b'-')
}

fn line(name: &[u8], value: &[u8], sink: &mut impl FnMut(&[u8])) {
    sink(name);
    sink(b": ");
    sink(value);
    sink(b"\r\n");
}

fn field(name: &str, value: &[&[u8]], sink: &mut impl FnMut(&[u8])) {
    sink(name.as_bytes());
    sink(b": ");
    for piece in value {
        sink(piece);
    }
    sink(b"\r\n");
}

fn content_length(length: u64, sink: &mut impl FnMut(&[u8])) {
    field("Content-Length", &[Decimal::new(length).as_bytes()], sink);
}

/// A number as the shortest decimal text.
struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    fn new(mut number: u64) -> Self {
        let mut digits = [b'0'; 20];
        let mut start = 20;
        for (index, digit) in digits.iter_mut().enumerate().rev() {
            *digit |= (number % 10) as u8;
            start = index;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        Self { digits, start }
    }

    fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}
