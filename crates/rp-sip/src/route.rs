//! Record-Route and Route towards one side: the phone learns to send the requests of a dialog through the
//! proxy, the service never sees it.
//!
//! ```
//! use rp_sip::{Head, Limits, route::{self, Listener, Token}};
//!
//! let listener = Listener { addresses: &["rp.example.com:5061"], tls: true };
//! let token = Token::new(0x0123_4567_89ab_cdef);
//!
//! let call = b"INVITE sip:101@192.0.2.7 SIP/2.0\r\nContent-Length: 0\r\n\r\n";
//! let head = Head::parse(call, &Limits::default())?;
//! let down = route::down(&head, &listener, &token).pieces().flatten().copied().collect::<Vec<u8>>();
//! assert_eq!(down, b"INVITE sip:101@192.0.2.7 SIP/2.0\r\n\
//!     Record-Route: <sip:rpd-0123456789abcdef@rp.example.com:5061;transport=tls;lr>\r\n\
//!     Content-Length: 0\r\n\r\n");
//!
//! let bye = b"BYE sip:200@10.0.0.5 SIP/2.0\r\n\
//!     Route: <sip:rpd-0123456789abcdef@RP.example.com;transport=tls;lr>, <sip:10.0.0.5;lr>\r\n\
//!     Content-Length: 0\r\n\r\n";
//! let head = Head::parse(bye, &Limits::default())?;
//! let up = route::up(&head, &listener);
//! assert_eq!(up.token, Some(token));
//! let up = up.pieces().flatten().copied().collect::<Vec<u8>>();
//! assert_eq!(up, b"BYE sip:200@10.0.0.5 SIP/2.0\r\nRoute: <sip:10.0.0.5;lr>\r\nContent-Length: 0\r\n\r\n");
//! # Ok::<(), rp_sip::Error>(())
//! ```

use core::{fmt, iter, ops::Range};

use memchr::{memchr, memrchr};

use crate::{
    Head, Request, Response, SipUri, Span,
    grammar::{number, offset, split},
    header::{Lines, Name, Values},
    uri::Address,
};

/// How the phone reaches the proxy.
#[derive(Clone, Copy, Debug)]
pub struct Listener<'a> {
    /// Every `host:port` that is the proxy's, an IPv6 address in brackets. The first is announced. None of
    /// them may be one that a service puts into Record-Route without a user.
    pub addresses: &'a [&'a str],
    /// Whether the phone's connection is TLS.
    pub tls: bool,
}

/// The name of a leg in a URI: `rpd-` and 16 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token([u8; 20]);

/// A head as it leaves.
#[derive(Clone, Copy, Debug)]
pub struct Rewritten<'a> {
    /// The token in what was taken out: of a Route, the leg that the phone means.
    pub token: Option<Token>,
    pieces: [&'a [u8]; 7],
}

/// A head on its way up: without the values that name the proxy, which are those of the topmost Route (16.4)
/// and of Record-Route in an answer.
pub fn up<'a>(head: &Head<'a>, listener: &Listener<'_>) -> Rewritten<'a> {
    match head {
        Head::Request(request) => request_up(request, listener),
        Head::Response(response) => response_up(response, listener),
    }
}

/// A head on its way down: with a Record-Route of the proxy's, if it forms a dialog.
pub fn down<'a>(head: &Head<'a>, listener: &Listener<'a>, token: &'a Token) -> Rewritten<'a> {
    let place = match head {
        Head::Request(request) => place_in_request(request),
        Head::Response(response) => place_in_response(response),
    };
    match (place, listener.addresses) {
        (Some(Place { at, secure }), [announced, ..]) => {
            let (front, rest) = head.octets().split_at_checked(at).unwrap_or((head.octets(), &[]));
            let (scheme, end) = match (secure, listener.tls) {
                (true, _) => ("Record-Route: <sips:", ";lr>\r\n"),
                (false, true) => ("Record-Route: <sip:", ";transport=tls;lr>\r\n"),
                (false, false) => ("Record-Route: <sip:", ";transport=tcp;lr>\r\n"),
            };
            let [scheme, announced, end] = [scheme, announced, end].map(str::as_bytes);
            Rewritten { token: None, pieces: [front, scheme, &token.0, b"@", announced, end, rest] }
        }
        _ => Rewritten::unchanged(head.octets()),
    }
}

impl<'a> Rewritten<'a> {
    /// The octets that leave, in order. The body follows them.
    pub fn pieces(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.pieces.into_iter().filter(|piece| !piece.is_empty())
    }

    fn unchanged(head: &'a [u8]) -> Self {
        Self { token: None, pieces: [head, &[], &[], &[], &[], &[], &[]] }
    }

    /// The head without two pieces of it, each of which may be empty.
    fn without(head: &'a [u8], [first, second]: [Range<usize>; 2]) -> Self {
        if first.is_empty() && second.is_empty() {
            return Self::unchanged(head);
        }
        let piece = |range: Range<usize>| head.get(range).unwrap_or_default();
        let pieces = [piece(0..first.start), piece(first.end..second.start), piece(second.end..head.len())];
        let [a, b, c] = pieces;
        Self { token: None, pieces: [a, b, c, &[], &[], &[], &[]] }
    }
}

impl Token {
    /// The token of these bits, which ought to be random and never used before.
    pub fn new(bits: u64) -> Self {
        let mut text = *b"rpd-0000000000000000";
        let nibbles = bits.to_be_bytes().into_iter().flat_map(|octet| [octet >> 4, octet & 0x0f]);
        for (digit, nibble) in text.iter_mut().skip(4).zip(nibbles) {
            *digit = b"0123456789abcdef".get(usize::from(nibble)).copied().unwrap_or_default();
        }
        Self(text)
    }

    /// Reads a token as it is written: of a user, or of a tag.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(b"rpd-")?;
        let digit = |octet: &u8| matches!(octet, b'0'..=b'9' | b'a'..=b'f');
        digits.iter().all(digit).then_some(Self(text.try_into().ok()?))
    }

    /// The token as it is written.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({self})")
    }
}

impl Listener<'_> {
    /// The URI of a Route or Record-Route value that names the proxy: by address, and by no user or a token.
    /// Without a user it is what a phone puts on top that has the proxy as its outbound proxy.
    fn named_by<'v>(&self, value: &'v [u8]) -> Option<SipUri<'v>> {
        let text = Address::parse(value)?.uri;
        let uri = SipUri::parse(text).ok()?;
        let port = uri.port_or_default(text);
        let ours = self.addresses.iter().any(|address| is_address(address, uri.domain(), port));
        let token = uri.user.is_none_or(|user| Token::parse(user).is_some());
        (ours && token).then_some(uri)
    }
}

fn is_address(address: &str, host: &str, port: u16) -> bool {
    let parts = memrchr(b':', address.as_bytes()).and_then(|colon| address.split_at_checked(colon));
    parts.is_some_and(|(own_host, own_port)| {
        own_host.eq_ignore_ascii_case(host)
            && number(own_port.trim_start_matches(':').as_bytes()) == usize::from(port)
    })
}

/// Where a Record-Route line is put, and whether it has to be of a `sips:` URI (16.6 step 4).
struct Place {
    at: usize,
    secure: bool,
}

/// The methods whose requests form a dialog (RFC 3261 12.1, RFC 6665 4.1.1, RFC 3515 2.4.4).
fn forms_dialog(method: &[u8]) -> bool {
    matches!(method, b"INVITE" | b"SUBSCRIBE" | b"REFER" | b"NOTIFY")
}

/// 16.6 step 4: the first line, because the callee takes the list as it stands (12.1.1).
fn place_in_request(request: &Request<'_>) -> Option<Place> {
    let forms = forms_dialog(request.method.as_bytes()) && !request.is_in_dialog();
    forms.then(|| Place { at: behind_start_line(request.octets()), secure: request.secure_uri })
}

/// The last line, because the caller reverses the list (12.1.2).
fn place_in_response(response: &Response<'_>) -> Option<Place> {
    let forms = (101..300).contains(&response.status.code())
        && response.cseq.is_ok_and(|cseq| forms_dialog(cseq.method));
    forms.then(|| Place {
        at: match response.record_route {
            Some(lines) => lines.end.saturating_sub(response.start),
            None => behind_start_line(response.octets()),
        },
        secure: response.has_secure_contact(),
    })
}

fn behind_start_line(head: &[u8]) -> usize {
    memchr(b'\n', head).map_or(head.len(), |end| end.saturating_add(1))
}

/// 16.4: the topmost Route value is taken out if it names the proxy, and the next one if that does too.
fn request_up<'a>(request: &Request<'a>, listener: &Listener<'_>) -> Rewritten<'a> {
    let head = request.octets();
    let mut cuts = [head.len()..head.len(), head.len()..head.len()];
    let (mut left, mut token) = (cuts.len(), None);
    let lines = request.route.into_iter().flat_map(|span| lines(head, span, request.start, Name::Route));
    for (cut, line) in cuts.iter_mut().zip(lines) {
        let mut values = line.values();
        let first = values.next();
        let mut topmost = first.clone();
        while left > 0
            && let Some(value) = topmost.clone().and_then(|value| head.get(value))
            && let Some(uri) = listener.named_by(value)
        {
            token = token.or(uri.user.and_then(Token::parse));
            left = left.saturating_sub(1);
            topmost = values.next();
        }
        match (first, topmost) {
            (Some(first), Some(topmost)) => {
                *cut = first.start..topmost.start;
                break;
            }
            _ => *cut = line.range(),
        }
    }
    Rewritten { token, ..Rewritten::without(head, cuts) }
}

/// The first Record-Route value that names the proxy by a token is taken out: it is what [`down`] put into the
/// request, and the service must not send by it.
fn response_up<'a>(response: &Response<'a>, listener: &Listener<'_>) -> Rewritten<'a> {
    let head = response.octets();
    let span = response.record_route.into_iter();
    for line in span.flat_map(|span| lines(head, span, response.start, Name::RecordRoute)) {
        let (mut values, mut before) = (line.values().peekable(), None);
        while let Some(value) = values.next() {
            let uri = head.get(value.clone()).and_then(|value| listener.named_by(value));
            if let Some(token) = uri.and_then(|uri| Token::parse(uri.user?)) {
                let cut = match (before, values.peek()) {
                    (None, None) => line.range(),
                    (None, Some(next)) => value.start..next.start,
                    (Some(before), _) => before..value.end,
                };
                let end = head.len();
                return Rewritten { token: Some(token), ..Rewritten::without(head, [cut, end..end]) };
            }
            before = Some(value.end);
        }
    }
    Rewritten::unchanged(head)
}

/// A header line whose value is a list, and where in the head it stands.
struct ListLine<'a> {
    start: usize,
    whole: &'a [u8],
}

/// The lines of a name, from the span of the input on in which they stand.
fn lines(head: &[u8], span: Span, head_start: usize, name: Name) -> impl Iterator<Item = ListLine<'_>> {
    let mut lines = Lines::of(head.get(span.start.saturating_sub(head_start)..).unwrap_or_default());
    iter::from_fn(move || {
        loop {
            let start = offset(head, lines.rest());
            let line = lines.next()?;
            if Name::of(line.name) == name {
                return Some(ListLine { start, whole: line.whole });
            }
        }
    })
}

impl ListLine<'_> {
    fn range(&self) -> Range<usize> {
        self.start..self.start.saturating_add(self.whole.len())
    }

    /// The values, as ranges of the head.
    fn values(&self) -> impl Iterator<Item = Range<usize>> {
        let (_, list) = split(self.whole, |octet| octet != b':');
        let list = list.get(1..).unwrap_or_default();
        let start = self.start.saturating_add(offset(self.whole, list));
        Values::of(list).map(move |value| start.saturating_add(value.start)..start.saturating_add(value.end))
    }
}
