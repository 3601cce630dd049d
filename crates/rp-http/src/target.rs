//! The request target (RFC 9112 3.2) and what a path must not hide.

use crate::{
    Error, Host, Invalid, Reason,
    octets::{Cursor, NAME, PATH, QUERY},
};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A path, as it was sent: it is matched and passed on raw.
    Path {
        /// Begins with `/`.
        path: &'a [u8],
        /// What stands behind the first `?`; never judged.
        query: Option<&'a [u8]>,
        /// The path contains `%2f` or `%2F`, which some servers read as `/` and others do not.
        encoded_slash: bool,
    },
    /// `*`: the server as a whole, OPTIONS only.
    Asterisk,
}

/// How a target can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Scheme and authority of an absolute target (RFC 9112 3.2.2).
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host<'a>,
}

/// Reads the target and the space behind it.
pub(crate) fn read<'a>(
    cursor: &mut Cursor<'a>,
    method: &[u8],
) -> Result<(Option<Origin<'a>>, Target<'a>), Error> {
    match cursor.peek()? {
        b'/' => Ok((None, read_path(cursor)?)),
        b'h' | b'H' => {
            let origin = read_origin(cursor)?;
            let target = match (cursor.peek()?, method) {
                // RFC 9112 3.2.4: this is how a client writes `OPTIONS *` to a proxy.
                (b' ', b"OPTIONS") => read_asterisk(cursor)?,
                _ => read_path(cursor)?,
            };
            Ok((Some(origin), target))
        }
        b'*' if method == b"OPTIONS" => {
            cursor.take(1);
            Ok((None, read_asterisk(cursor)?))
        }
        // The authority of CONNECT, the URI of SIP, a path without a slash.
        _ => Err(cursor.refuse(Reason::TargetForm)),
    }
}

fn read_asterisk<'a>(cursor: &mut Cursor<'a>) -> Result<Target<'a>, Error> {
    cursor.expect(b' ', Reason::TargetForm)?;
    Ok(Target::Asterisk)
}

/// `absolute-path [ "?" query ]` (RFC 9112 3.2.1). A fragment is refused, not cut off: `#` is in neither class.
fn read_path<'a>(cursor: &mut Cursor<'a>) -> Result<Target<'a>, Error> {
    let start = cursor.offset();
    let path = cursor.take(PATH.run(cursor.rest()));
    let query = match cursor.peek()? {
        b'?' => {
            cursor.take(1);
            Some(cursor.take(QUERY.run(cursor.rest())))
        }
        _ => None,
    };
    cursor.expect(b' ', Reason::TargetOctet)?;
    let encoded_slash = check_path(path).map_err(|found| found.behind(start))?;
    // RFC 9112 3.2.1: the empty path of an absolute target is `/`.
    let path = if path.is_empty() { b"/" } else { path };
    Ok(Target::Path { path, query, encoded_slash })
}

/// `http://authority` up to the path (RFC 9110 4.2). Userinfo is refused (RFC 9110 4.2.4): it makes hosts look
/// like others.
fn read_origin<'a>(cursor: &mut Cursor<'a>) -> Result<Origin<'a>, Error> {
    for wanted in b"http" {
        if cursor.peek()?.to_ascii_lowercase() != *wanted {
            return Err(cursor.refuse(Reason::TargetForm));
        }
        cursor.take(1);
    }
    let scheme = if matches!(cursor.peek()?, b's' | b'S') {
        cursor.take(1);
        Scheme::Https
    } else {
        Scheme::Http
    };
    for wanted in b"://" {
        cursor.expect(*wanted, Reason::TargetForm)?;
    }
    let start = *cursor;
    let in_authority = |octet: &u8| NAME.has(*octet) || matches!(octet, b':' | b'[' | b']');
    let authority = cursor.take(cursor.rest().iter().take_while(|octet| in_authority(octet)).count());
    if !matches!(cursor.peek()?, b'/' | b'?' | b' ') {
        return Err(cursor.refuse(Reason::HostSyntax));
    }
    let host = Host::parse(authority).ok_or_else(|| start.refuse(Reason::HostSyntax))?;
    Ok(Origin { scheme, host })
}

/// Checks that no server can read `path` as another one than it seems; nothing is normalised. Returns whether
/// there is an encoded slash. Any path can be checked, but [`extract`](crate::extract) has done it for those
/// of requests.
///
/// # Errors
/// What is wrong; the offset counts from the start of the path.
pub fn check_path(path: &[u8]) -> Result<bool, Invalid> {
    let mut encoded_slash = false;
    let mut segment = Segment::default();
    let mut rest = path;
    loop {
        if let Segment::Name = segment {
            rest = behind_name(rest);
        }
        let at = path.len().saturating_sub(rest.len());
        let Some((&first, behind)) = rest.split_first() else {
            segment.end(at)?;
            return Ok(encoded_slash);
        };
        let octet = if first == b'%' { decode(behind, at)? } else { first };
        rest = if first == b'%' { behind.get(2..).unwrap_or_default() } else { behind };
        if octet == b'/' {
            encoded_slash |= first == b'%';
            segment.end(at)?;
            segment = Segment::default();
        } else {
            segment.push(octet);
        }
    }
}

/// Skips what can change nothing about a name: all up to the next `/` or `%`.
fn behind_name(mut rest: &[u8]) -> &[u8] {
    while let [octet, behind @ ..] = rest
        && !matches!(octet, b'/' | b'%')
    {
        rest = behind;
    }
    rest
}

/// What a `%` of the path stands for. Decoded once only: `%252e` is a name with a percent sign.
fn decode(behind: &[u8], at: usize) -> Result<u8, Invalid> {
    let octet = hex_pair(behind).ok_or(Invalid::new(Reason::PercentEncoding, at))?;
    let next = match behind.get(2..) {
        Some([b'%', next @ ..]) => hex_pair(next),
        _ => None,
    };
    match (octet, next) {
        (0x00..=0x1f | 0x7f, _) => Err(Invalid::new(Reason::EncodedControl, at)),
        (b'\\', _) => Err(Invalid::new(Reason::EncodedBackslash, at)),
        // RFC 3629 3: forms that decoders of old read as `/` or `.`. Other octets that are no UTF-8 pass,
        // since there are names in Latin-1.
        (0xc0 | 0xc1, _) | (0xe0, Some(0x80..=0x9f)) | (0xf0, Some(0x80..=0x8f)) => {
            Err(Invalid::new(Reason::OverlongUtf8, at))
        }
        _ => Ok(octet),
    }
}

fn hex_pair(text: &[u8]) -> Option<u8> {
    let [high, low, ..] = text else { return None };
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(*high)?.checked_shl(4)? | digit(*low)?)
}

/// Whether a segment is `.` or `..` for somebody: decoded, cut at its first `;` (servlets take the rest for
/// parameters) and without spaces at its end (Windows drops them).
#[derive(Clone, Copy, Default)]
enum Segment {
    #[default]
    Empty,
    /// One dot or two.
    Dots {
        two: bool,
    },
    /// Dots, then spaces.
    Spaces,
    /// Dots, perhaps spaces, then `;`: whatever follows, it stays a dot segment.
    Cut,
    Name,
}

impl Segment {
    fn push(&mut self, octet: u8) {
        *self = match (*self, octet) {
            (Self::Empty, b'.') => Self::Dots { two: false },
            (Self::Dots { two: false }, b'.') => Self::Dots { two: true },
            (Self::Dots { .. } | Self::Spaces, b' ') => Self::Spaces,
            (Self::Dots { .. } | Self::Spaces, b';') | (Self::Cut, _) => Self::Cut,
            _ => Self::Name,
        }
    }

    fn end(self, at: usize) -> Result<(), Invalid> {
        match self {
            Self::Empty | Self::Name => Ok(()),
            Self::Dots { .. } | Self::Spaces | Self::Cut => Err(Invalid::new(Reason::DotSegment, at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_segments_are_found_in_every_spelling() {
        for path in [
            "/.",
            "/..",
            "/a/../b",
            "/a/./b",
            "/%2e%2e/a",
            "/.%2E/a",
            "/%2E",
            "/..;/a",
            "/..;x=1/a",
            "/..%3b/a",
            "/..%3B",
            "/..%20",
            "/..%20%20/a",
            "/.%20;a/b",
            "/..%2fa",
            "/a%2F..",
            "/a%2f.%2fb",
            "/.;",
            "/..;..a",
        ] {
            assert!(
                matches!(check_path(path.as_bytes()), Err(Invalid { reason: Reason::DotSegment, .. })),
                "{path}"
            );
        }
    }

    #[test]
    fn names_with_dots_are_names() {
        for path in [
            "/",
            "//",
            "/...",
            "/a..b",
            "/..a",
            "/.well-known/x",
            "/a.",
            "/a..",
            "/%20..",
            "/..%20a",
            "/;..",
            "/a;..",
            "/..%252f",
            "/%252e%252e%252fa",
            "/%2e%2e%2e",
            "/%e4%f6",
            "/%e2%82%ac",
            "/%e0%a0%80",
            "/a;v=1/b%20c",
        ] {
            assert_eq!(check_path(path.as_bytes()), Ok(false), "{path}");
        }
        assert_eq!(check_path(b"/a%2fb"), Ok(true));
        assert_eq!(check_path(b"/a%2Fb"), Ok(true));
    }

    #[test]
    fn other_readings_of_a_path_are_refused_where_they_are() {
        for (path, reason, at) in [
            ("/a%zz", Reason::PercentEncoding, 2),
            ("/a%2", Reason::PercentEncoding, 2),
            ("/%", Reason::PercentEncoding, 1),
            ("/%00", Reason::EncodedControl, 1),
            ("/%1f", Reason::EncodedControl, 1),
            ("/%7F", Reason::EncodedControl, 1),
            ("/..%5ca", Reason::EncodedBackslash, 3),
            ("/%c0%ae", Reason::OverlongUtf8, 1),
            ("/%C1%9c", Reason::OverlongUtf8, 1),
            ("/%e0%80%af", Reason::OverlongUtf8, 1),
            ("/%F0%8f%80%80", Reason::OverlongUtf8, 1),
        ] {
            assert_eq!(check_path(path.as_bytes()), Err(Invalid::new(reason, at)), "{path}");
        }
    }
}
