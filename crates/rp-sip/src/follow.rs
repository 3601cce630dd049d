//! Following a connection message by message, without keeping an octet of it.

use crate::{
    Error, Head, Invalid, Limits, Reason,
    framing::Frame,
    grammar::{behind, is_lws, is_token, offset},
    start_line::{self, VERSION},
};

/// Follows one direction of a connection. It keeps no octet: what cannot be decided yet, which is never more
/// than one head, stays with the caller.
///
/// However the stream is cut, the same heads are shown and the same octets pass, and a head that comes octet
/// by octet costs no more than a few times what it costs in one piece.
///
/// ```
/// use rp_sip::{Follower, Head, Limits, Step};
///
/// // A ping, a message of which the body is not all there, and later the rest.
/// let received = b"\r\n\r\nMESSAGE sip:a@example.com SIP/2.0\r\nContent-Length: 5\r\n\r\nhel";
/// let more = b"lo";
///
/// let mut follower = Follower::new(Limits::default());
/// let mut rest = &received[..];
/// assert_eq!(follower.step(rest)?, Step::Crlf);
/// rest = &rest[2..];
/// assert_eq!(follower.step(rest)?, Step::Ping);
/// rest = &rest[2..];
/// let Step::Look(Head::Request(request)) = follower.step(rest)? else { panic!("a request") };
/// assert_eq!((request.method, request.body_len), ("MESSAGE", 5));
/// rest = &rest[request.head_len..];
/// assert_eq!(follower.step(rest)?, Step::Pass(3));
/// assert_eq!(follower.step(more)?, Step::Pass(2));
/// assert_eq!(follower.step(&[])?, Step::More);
/// # Ok::<(), rp_sip::Invalid>(())
/// ```
#[derive(Clone, Debug)]
pub struct Follower {
    limits: Limits,
    /// Octets of the body that are still to pass.
    body: usize,
    /// The octets before were a CR LF, which another one makes a ping.
    half_ping: bool,
    search: Search,
}

/// What the input begins with. The next step wants the octets behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "it lives on the stack, for the time of one decision")]
pub enum Step<'a> {
    /// A CR LF between messages: a pong, the first half of a ping, or nothing. It is not to be passed on.
    Crlf,
    /// The CR LF that completes a ping, to be answered by one CR LF (RFC 5626 3.5.1). It is not to be passed
    /// on. What answers the caller's own pings can look like one: two pongs are the same four octets.
    Ping,
    /// So many octets of the body.
    Pass(usize),
    /// A whole head. The steps that follow are about its body.
    Look(Head<'a>),
    /// Nothing that is whole. The next step wants these octets again, with more behind them.
    More,
}

impl Step<'_> {
    /// How many octets of the input this is about.
    pub fn octets(&self) -> usize {
        match self {
            Self::Crlf | Self::Ping => 2,
            Self::Pass(octets) => *octets,
            Self::Look(head) => head.octets().len(),
            Self::More => 0,
        }
    }
}

impl Follower {
    /// At the beginning of a connection.
    pub fn new(limits: Limits) -> Self {
        let limits = Limits { head: limits.head.min(Limits::MAX_HEAD), ..limits };
        Self { limits, body: 0, half_ping: false, search: Search::default() }
    }

    /// Looks at `input`: the octets behind those of the steps before.
    ///
    /// # Errors
    /// The stream is broken here, and nothing behind it can be told apart. The offset counts from the
    /// beginning of `input`.
    pub fn step<'a>(&mut self, input: &'a [u8]) -> Result<Step<'a>, Invalid> {
        match input {
            [] => Ok(Step::More),
            _ if self.body > 0 => Ok(self.pass(input.len())),
            [b'\r', b'\n', ..] => Ok(self.crlf()),
            [b'\r'] => Ok(Step::More),
            [b'\r', ..] => Err(Invalid::new(Reason::LineEnd, 1)),
            _ => self.look(input),
        }
    }

    /// Whether all octets of the steps so far are whole messages: something else may be put between.
    pub fn is_between_messages(&self) -> bool {
        self.body == 0
    }

    fn pass(&mut self, available: usize) -> Step<'static> {
        let octets = self.body.min(available);
        self.body = self.body.saturating_sub(octets);
        Step::Pass(octets)
    }

    fn crlf(&mut self) -> Step<'static> {
        self.half_ping = !self.half_ping;
        if self.half_ping { Step::Crlf } else { Step::Ping }
    }

    fn look<'a>(&mut self, input: &'a [u8]) -> Result<Step<'a>, Invalid> {
        self.half_ping = false;
        if self.is_due(input) { self.read(input) } else { Ok(Step::More) }
    }

    /// Not inlined, because most steps of a head that dribbles in do not come here and need little stack.
    #[inline(never)]
    fn read<'a>(&mut self, input: &'a [u8]) -> Result<Step<'a>, Invalid> {
        match Frame::read(input, 0, &self.limits) {
            Ok(frame) => {
                self.search = Search::default();
                self.body = frame.body_len;
                Ok(Step::Look(Head::read(&frame)))
            }
            Err(Error::Invalid(invalid)) => Err(invalid),
            Err(Error::Incomplete(_)) => {
                self.search.decides(input, self.limits.head);
                Ok(Step::More)
            }
        }
    }

    /// Whether the head is to be read. Most heads come in one piece, so that is tried at once; again only
    /// when the search says so.
    fn is_due(&mut self, input: &[u8]) -> bool {
        !self.search.has_begun() || self.search.decides(input, self.limits.head)
    }
}

/// How far a head was searched for the octet that decides, which either ends it or cannot stand there.
#[derive(Clone, Copy, Debug, Default)]
struct Search {
    searched: usize,
    /// What stands before the first octet that was not searched.
    behind: Part,
}

/// A part of a head, named by what has been seen of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Nothing,
    Method,
    MethodBlank,
    Uri,
    /// So many octets of the version.
    Version(u8),
    /// The same in a status line.
    StatusVersion(u8),
    StatusBlank,
    /// So many digits.
    Status(u8),
    Reason,
    StartLineCr,
    StartLine,
    Name,
    NameBlank,
    Value,
    ValueCr,
    Line,
    /// The CR of the blank line.
    LastCr,
}

impl Search {
    fn has_begun(&self) -> bool {
        self.searched > 0
    }

    /// Whether the head `input` is decided, by an octet that was not searched yet or by its length.
    fn decides(&mut self, input: &[u8], limit: usize) -> bool {
        let mut rest = input.get(self.searched..).unwrap_or_default();
        while let [octet, behind_octet @ ..] = rest {
            let Some(part) = self.behind.followed_by(*octet, input) else { break };
            self.behind = part;
            rest = match part {
                Part::Value => behind(behind_octet, |octet| !matches!(octet, b'\r' | b'\n')),
                _ => behind_octet,
            };
        }
        self.searched = offset(input, rest);
        !rest.is_empty() || self.searched >= limit
    }
}

impl Part {
    /// What the octet belongs to; none if it decides the head. All of this is the grammar that
    /// [`Frame::read`] holds the head to, which has the last word.
    fn followed_by(self, octet: u8, head: &[u8]) -> Option<Self> {
        Some(match (self, octet) {
            (Self::Nothing | Self::Method, _) if is_token(octet) => Self::Method,
            (Self::Method, b' ') => Self::MethodBlank,
            (Self::Method, b'/') if start_line::is_response(head) => Self::StatusVersion(4),
            (Self::MethodBlank | Self::Uri, _) if !is_lws(octet) => Self::Uri,
            (Self::Uri, b' ') => Self::Version(0),
            (Self::Version(7), b'\r') => Self::StartLineCr,
            (Self::Version(seen), _) if continues_version(seen, octet) => {
                Self::Version(seen.saturating_add(1))
            }
            (Self::StatusVersion(7), b' ') => Self::StatusBlank,
            (Self::StatusVersion(seen), _) if continues_version(seen, octet) => {
                Self::StatusVersion(seen.saturating_add(1))
            }
            (Self::StatusBlank, b'1'..=b'6') => Self::Status(1),
            (Self::Status(seen @ 1..=2), b'0'..=b'9') => Self::Status(seen.saturating_add(1)),
            (Self::Status(3), b' ') => Self::Reason,
            (Self::Status(3) | Self::Reason, b'\r') => Self::StartLineCr,
            (Self::Reason, _) if octet != b'\n' => Self::Reason,
            (Self::StartLineCr, b'\n') => Self::StartLine,
            (Self::StartLine | Self::Line | Self::Name, _) if is_token(octet) => Self::Name,
            (Self::StartLine | Self::Line, b'\r') => Self::LastCr,
            (Self::Name | Self::NameBlank, b' ' | b'\t') => Self::NameBlank,
            (Self::Name | Self::NameBlank, b':') => Self::Value,
            (Self::Value, b'\r') => Self::ValueCr,
            (Self::Value, _) if octet != b'\n' => Self::Value,
            (Self::ValueCr, b'\n') => Self::Line,
            (Self::Line, b' ' | b'\t') => Self::Value,
            _ => return None,
        })
    }
}

fn continues_version(seen: u8, octet: u8) -> bool {
    VERSION.get(usize::from(seen)).is_some_and(|expected| expected.eq_ignore_ascii_case(&octet))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    /// The octets that are looked at while a head comes octet by octet.
    fn looked_at(head: &[u8]) -> usize {
        let mut follower = Follower::new(Limits::default());
        let (mut read, mut searched) = (0, 0);
        for len in 1..=head.len() {
            if follower.is_due(&head[..len]) {
                read += len;
            }
            assert!(follower.search.searched >= searched, "searched again at {len}");
            searched = follower.search.searched;
            let whole = matches!(follower.step(&head[..len]), Ok(Step::Look(_)));
            assert_eq!(whole, len == head.len());
        }
        read + searched
    }

    #[test]
    fn a_head_that_comes_octet_by_octet_is_read_twice_and_searched_once() {
        let long = |front: &[u8], piece: &[u8], end: &[u8]| {
            let end = [end, b"\r\nContent-Length: 0\r\n\r\n"].concat();
            [front, &piece.repeat(16_384 / piece.len()), &end].concat()
        };
        let heads: [Vec<u8>; 9] = [
            long(b"", b"M", b" sip:a SIP/2.0"),
            long(b"OPTIONS ", b"/", b" SIP/2.0"),
            long(b"SIP/2.0 200 ", b"k ", b""),
            long(b"OPTIONS a SIP/2.0\r\n", b"N", b":"),
            long(b"OPTIONS a SIP/2.0\r\nN", b"\t", b":"),
            long(b"OPTIONS a SIP/2.0\r\nN:", b"v:", b""),
            long(b"OPTIONS a SIP/2.0\r\nN:", b"\r\n ", b""),
            long(b"OPTIONS a SIP/2.0", b"\r\nN:", b""),
            long(b"OPTIONS a SIP/2.0", b"\r\nVia: SIP/2.0/TCP a;branch=b", b""),
        ];
        for head in heads {
            assert!(looked_at(&head) <= 2 * head.len() + 1, "{}", looked_at(&head));
        }
    }
}
