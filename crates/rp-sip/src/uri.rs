//! Addresses: the values of From and To, and the SIP URI in them.

use core::{fmt, net::Ipv6Addr};

use memchr::memchr;

use crate::{
    Reason,
    grammar::{
        before, behind, behind_quote, is_label, is_lws, is_param_end, is_token, is_uri_end, is_user, split,
        text, trim, trim_start,
    },
};

/// A `sip:` or `sips:` URI without its password, parameters and headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipUri<'a> {
    /// `sip` or `sips`.
    pub scheme: Scheme,
    /// The user as on the wire, escapes and all; none without `@`.
    pub user: Option<&'a [u8]>,
    /// The host as on the wire; an IPv6 address with its brackets.
    pub host: &'a str,
    /// The port, if one is written.
    pub port: Option<u16>,
}

/// The scheme of a [`SipUri`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`, over TLS on every hop
    Sips,
}

impl<'a> SipUri<'a> {
    /// The host without a trailing dot: what a message is routed by. The case is as sent, and is to be
    /// ignored (19.1.4).
    pub fn domain(&self) -> &'a str {
        self.host.strip_suffix('.').unwrap_or(self.host)
    }

    /// Whether the user is `name`. Escapes of the user are undone, case counts (19.1.4), and a NUL is
    /// an octet like others: `101%00.evil` is not `101`.
    pub fn user_is(&self, name: &str) -> bool {
        user_is(self.user, name)
    }

    pub(crate) fn parse(uri: &'a [u8]) -> Result<Self, Reason> {
        let (scheme, rest) = scheme(uri)?;
        let (user, rest) = split_user(rest)?;
        let (host, port) = host_port(rest).ok_or(Reason::BadFrom)?;
        Ok(Self { scheme, user, host: text(host), port })
    }

    /// The port, or the one that stands for none (19.1.2). `uri` is what this was parsed from.
    pub(crate) fn port_or_default(&self, uri: &[u8]) -> u16 {
        let secure = || self.scheme == Scheme::Sips || has_transport_tls(uri);
        self.port.unwrap_or_else(|| if secure() { 5061 } else { 5060 })
    }
}

/// Whether a URI is of the scheme `sips`.
pub(crate) fn is_secure(uri: &[u8]) -> bool {
    uri.get(..5).is_some_and(|front| front.eq_ignore_ascii_case(b"sips:"))
}

/// 19.1.1: whether one of the parameters is `transport=tls`. They stand behind user and host, and before the
/// headers.
fn has_transport_tls(uri: &[u8]) -> bool {
    let host = memchr(b'@', uri).and_then(|at| uri.get(at..)).unwrap_or(uri);
    let (front, _headers) = split(host, |octet| octet != b'?');
    Params { rest: behind(front, |octet| octet != b';') }
        .filter_map(|param| param.value_of(b"transport"))
        .any(|transport| transport.eq_ignore_ascii_case(b"tls"))
}

/// The user of a URI, if [`SipUri::parse`] takes that.
pub(crate) fn sound_user(uri: &[u8]) -> Option<&[u8]> {
    let (_, rest) = scheme(uri).ok()?;
    let (user, rest) = split_user(rest).ok()?;
    host_port(rest).and(user)
}

impl fmt::Display for SipUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.scheme {
            Scheme::Sip => "sip:",
            Scheme::Sips => "sips:",
        })?;
        if let Some(user) = self.user {
            write!(f, "{}@", user.escape_ascii())?;
        }
        f.write_str(self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Whether a user as on the wire is `name` once its escapes are undone.
pub(crate) fn user_is(user: Option<&[u8]>, name: &str) -> bool {
    let Some(mut user) = user else { return false };
    for &wanted in name.as_bytes() {
        let (octet, rest) = match user {
            [b'%', high, low, rest @ ..] => (escaped(*high, *low), rest),
            [octet, rest @ ..] => (Some(*octet), rest),
            [] => return false,
        };
        if octet != Some(wanted) {
            return false;
        }
        user = rest;
    }
    user.is_empty()
}

/// 25.1 escaped = "%" HEXDIG HEXDIG
fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    u8::try_from(digit(high)?.checked_mul(16)?.checked_add(digit(low)?)?).ok()
}

fn scheme(uri: &[u8]) -> Result<(Scheme, &[u8]), Reason> {
    let is = |scheme: &[u8]| uri.get(..scheme.len()).is_some_and(|front| front.eq_ignore_ascii_case(scheme));
    if is(b"sip:") {
        return Ok((Scheme::Sip, uri.get(4..).unwrap_or_default()));
    }
    if is(b"sips:") {
        return Ok((Scheme::Sips, uri.get(5..).unwrap_or_default()));
    }
    if is(b"tel:") {
        return Err(Reason::NoDomain);
    }
    // 25.1 scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )
    let (name, rest) = split(uri, |octet| octet != b':');
    let named = name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(octet));
    Err(if named && !rest.is_empty() { Reason::UnsupportedScheme } else { Reason::BadFrom })
}

/// 25.1 userinfo = ( user / telephone-subscriber ) [ ":" password ] "@". The user, and what stands behind
/// the `@`.
fn split_user(octets: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Reason> {
    let rest = behind_user(octets);
    let user = before(octets, rest);
    let host = match rest {
        [b'@', host @ ..] => host,
        _ => match (rest, memchr(b'@', rest).and_then(|at| rest.split_at_checked(at))) {
            (_, None) => return Ok((None, octets)),
            ([b':', ..], Some((_password, [_, host @ ..]))) => host,
            _ => return Err(Reason::BadFrom),
        },
    };
    if user.is_empty() { Err(Reason::BadFrom) } else { Ok((Some(user), host)) }
}

fn behind_user(octets: &[u8]) -> &[u8] {
    let mut rest = behind(octets, is_user);
    // 25.1 escaped = "%" HEXDIG HEXDIG
    while let [b'%', high, low, more @ ..] = rest
        && high.is_ascii_hexdigit()
        && low.is_ascii_hexdigit()
    {
        rest = behind(more, is_user);
    }
    rest
}

/// Host and port, if nothing but parameters and headers stands behind them. 25.1 has no bare `@` there:
/// two readers could cut at different ones.
fn host_port(octets: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let (host, rest) = host(octets)?;
    let (port, rest) = port(rest)?;
    match rest {
        [] => Some((host, port)),
        [b';' | b'?', ..] if memchr(b'@', rest).is_none() => Some((host, port)),
        _ => None,
    }
}

/// 25.1 host = hostname / IPv4address / IPv6reference, and what stands behind it.
fn host(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    if let [b'[', address @ ..] = octets {
        let (address, rest) = split(address, |octet| octet != b']');
        text(address).parse::<Ipv6Addr>().ok()?;
        let [_, rest @ ..] = rest else { return None };
        return Some((before(octets, rest), rest));
    }
    // 25.1 hostname = *( domainlabel "." ) toplabel [ "." ]. What is no label behind a dot is not part of
    // the host, so that nothing but a port, parameters or headers may begin there.
    let mut rest = behind_label(octets)?;
    while let [b'.', more @ ..] = rest {
        rest = behind_label(more).unwrap_or(more);
        if rest.len() == more.len() {
            break;
        }
    }
    Some((before(octets, rest), rest))
}

/// 25.1 domainlabel = alphanum / alphanum *( alphanum / "-" ) alphanum
fn behind_label(octets: &[u8]) -> Option<&[u8]> {
    match split(octets, is_label) {
        ([] | [b'-', ..] | [.., b'-'], _) => None,
        (_, rest) => Some(rest),
    }
}

/// 25.1 port = 1*DIGIT, and what stands behind it; here 1 to 65,535 in at most five digits.
fn port(octets: &[u8]) -> Option<(Option<u16>, &[u8])> {
    let [b':', digits @ ..] = octets else { return Some((None, octets)) };
    let (mut rest, mut port) = (digits, 0_u16);
    while let [digit @ b'0'..=b'9', more @ ..] = rest {
        port = port.checked_mul(10)?.checked_add(u16::from(digit & 0x0f))?;
        rest = more;
    }
    (port > 0 && before(digits, rest).len() <= 5).then_some((Some(port), rest))
}

/// The value of From or To: `name-addr / addr-spec`, and the parameters of the field behind it.
#[derive(Clone, Copy)]
pub(crate) struct Address<'a> {
    pub(crate) uri: &'a [u8],
    params: &'a [u8],
}

impl<'a> Address<'a> {
    /// None if two readers could take different addresses from it.
    pub(crate) fn parse(value: &'a [u8]) -> Option<Self> {
        let value = trim(value);
        // A quoted NUL is within the grammar, but what is behind it does not exist for some readers.
        if memchr(0, value).is_some() {
            return None;
        }
        let (uri, params) = match value {
            [b'"', quoted @ ..] => bracketed(trim_start(behind_quote(quoted)?))?,
            _ => match behind(value, |octet| is_token(octet) || is_lws(octet)) {
                name_addr @ [b'<', ..] => bracketed(name_addr)?,
                _ => bare(value)?,
            },
        };
        is_params(params).then_some(Self { uri, params })
    }

    /// The value of the parameter `name`, empty for one without a value.
    pub(crate) fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        Params { rest: self.params }.find_map(|param| param.value_of(name))
    }
}

/// Whether nothing but parameters stands behind an address: a second address must not pass as one.
fn is_params(octets: &[u8]) -> bool {
    let mut params = Params { rest: octets };
    params.by_ref().for_each(drop);
    params.rest.is_empty()
}

/// 20: without brackets, whatever is behind the first `;` belongs to the field, not to the URI, and a
/// comma, question mark or blank needs brackets.
fn bare(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let (uri, params) = split(value, |octet| octet != b';');
    let uri = trim(uri);
    let odd = |octet: &u8| is_uri_end(*octet) || matches!(octet, b',' | b'?');
    (!uri.is_empty() && !uri.iter().any(odd)).then_some((uri, params))
}

/// `"<" addr-spec ">"` and the parameters behind it.
fn bracketed(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let [b'<', rest @ ..] = octets else { return None };
    let (uri, [b'>', rest @ ..]) = split(rest, |octet| !is_uri_end(octet)) else { return None };
    Some((uri, trim_start(rest)))
}

/// `branch` of the topmost of the values of a Via line (20.42). The bare cookie identifies nothing
/// (8.1.1.7), so it counts as none.
pub(crate) fn branch(via: &[u8]) -> Option<&[u8]> {
    let params = behind(via, |octet| !is_param_end(octet));
    let branch = Params { rest: params }.find_map(|param| param.value_of(b"branch"))?;
    (!branch.is_empty() && branch != b"z9hG4bK").then_some(branch)
}

/// `*( SEMI generic-param )`. Stops before what is not a parameter, a comma for one.
struct Params<'a> {
    rest: &'a [u8],
}

/// 25.1 generic-param = token [ EQUAL gen-value ]
struct Param<'a> {
    octets: &'a [u8],
}

impl<'a> Param<'a> {
    /// The value, if this is the parameter `name`; empty for one without a value.
    fn value_of(&self, name: &[u8]) -> Option<&'a [u8]> {
        let (front, rest) = trim_start(self.octets).split_at_checked(name.len())?;
        if !front.eq_ignore_ascii_case(name) {
            return None;
        }
        match trim_start(rest) {
            [] => Some(&[]),
            [b'=', value @ ..] => Some(trim(value)),
            _ => None,
        }
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        let [b';', octets @ ..] = self.rest else { return None };
        let mut rest = behind(octets, |octet| !is_param_end(octet));
        while let [b'"', quoted @ ..] = rest {
            rest = behind(behind_quote(quoted)?, |octet| !is_param_end(octet));
        }
        self.rest = rest;
        Some(Param { octets: before(octets, rest) })
    }
}
