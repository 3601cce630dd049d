//! Addresses: the values of From and To, and the SIP URI in them.

use core::{fmt, net::Ipv6Addr};

use memchr::memchr;

use crate::{
    Reason,
    grammar::{is_host, is_lws, is_token, is_user, span, split_before, text, trim, trim_start},
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
        let (user, rest) = match memchr(b'@', rest).and_then(|at| rest.split_at_checked(at)) {
            None => (None, rest),
            Some((userinfo, rest)) => (Some(user(userinfo)?), rest.get(1..).unwrap_or_default()),
        };
        // 25.1: nothing in host, parameters or headers is a bare `@`, so two readers could cut here.
        if user.is_some() && memchr(b'@', rest).is_some() {
            return Err(Reason::BadFrom);
        }
        let (host, rest) = host(rest).ok_or(Reason::BadFrom)?;
        let (port, rest) = port(rest).ok_or(Reason::BadFrom)?;
        match rest {
            [] | [b';' | b'?', ..] => Ok(Self { scheme, user, host: text(host), port }),
            _ => Err(Reason::BadFrom),
        }
    }
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
    let (name, rest) = split_before(uri, |octet| octet == b':');
    let named = name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(octet));
    Err(if named && !rest.is_empty() { Reason::UnsupportedScheme } else { Reason::BadFrom })
}

/// 25.1 userinfo = ( user / telephone-subscriber ) [ ":" password ] "@"
fn user(userinfo: &[u8]) -> Result<&[u8], Reason> {
    let (user, _password) = split_before(userinfo, |octet| octet == b':');
    let mut rest = user;
    while let Some(escape) = memchr(b'%', rest) {
        match rest.get(escape..) {
            Some([_, high, low, behind @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = behind;
            }
            _ => return Err(Reason::BadFrom),
        }
    }
    if user.is_empty() || span(user, is_user) != user.len() {
        return Err(Reason::BadFrom);
    }
    Ok(user)
}

/// 25.1 host = hostname / IPv4address / IPv6reference, and what stands behind it.
fn host(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    if let [b'[', rest @ ..] = octets {
        let length = memchr(b']', rest)?;
        text(rest.get(..length)?).parse::<Ipv6Addr>().ok()?;
        return octets.split_at_checked(length.checked_add(2)?);
    }
    let (host, rest) = octets.split_at_checked(span(octets, is_host))?;
    let labels = host.strip_suffix(b".").unwrap_or(host);
    let sound = |label: &[u8]| !matches!(label, [] | [b'-', ..] | [.., b'-']);
    labels.split(|&octet| octet == b'.').all(sound).then_some((host, rest))
}

fn port(octets: &[u8]) -> Option<(Option<u16>, &[u8])> {
    let [b':', rest @ ..] = octets else { return Some((None, octets)) };
    let (digits, rest) = rest.split_at_checked(span(rest, |octet| octet.is_ascii_digit()))?;
    if digits.len() > 5 {
        return None;
    }
    let port = text(digits).parse::<u16>().ok().filter(|&port| port > 0)?;
    Some((Some(port), rest))
}

/// The value of From or To: `name-addr / addr-spec`, and the parameters of the field behind it.
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
            _ => match value.get(span(value, |octet| is_token(octet) || is_lws(octet))..)? {
                name_addr @ [b'<', ..] => bracketed(name_addr)?,
                _ => bare(value)?,
            },
        };
        Some(Self { uri, params })
    }

    /// The value of the parameter `name`, empty for one without a value. An error if what stands
    /// behind the address is not parameters only: a second address must not pass as one.
    pub(crate) fn param(&self, name: &[u8]) -> Result<Option<&'a [u8]>, ()> {
        let mut params = Params { rest: self.params };
        let found = params.by_ref().filter(|param| param.is(name)).map(|param| param.value).next();
        params.by_ref().for_each(drop);
        if params.rest.is_empty() { Ok(found) } else { Err(()) }
    }
}

/// 20: without brackets, whatever is behind the first `;` belongs to the field, not to the URI, and a
/// comma, question mark or blank needs brackets.
fn bare(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let (uri, params) = split_before(value, |octet| octet == b';');
    let uri = trim(uri);
    let odd = |octet: &u8| is_lws(*octet) || matches!(octet, b'"' | b',' | b'?' | b'<' | b'>');
    (!uri.is_empty() && !uri.iter().any(odd)).then_some((uri, params))
}

/// `"<" addr-spec ">"` and the parameters behind it.
fn bracketed(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let [b'<', rest @ ..] = octets else { return None };
    let odd = |octet: u8| is_lws(octet) || matches!(octet, b'<' | b'>' | b'"');
    let (uri, [b'>', rest @ ..]) = split_before(rest, odd) else { return None };
    Some((uri, trim_start(rest)))
}

/// 25.1 quoted-string: what stands behind the closing quote. A `\` takes the next octet with it.
fn behind_quote(mut octets: &[u8]) -> Option<&[u8]> {
    loop {
        octets = match split_before(octets, |octet| matches!(octet, b'"' | b'\\')).1 {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', _, rest @ ..] => rest,
            _ => return None,
        };
    }
}

/// `branch` of the topmost of the values of a Via line (20.42). The bare cookie identifies nothing
/// (8.1.1.7), so it counts as none.
pub(crate) fn branch(via: &[u8]) -> Option<&[u8]> {
    let (_sent_by, params) = split_before(via, |octet| matches!(octet, b';' | b',' | b'"'));
    let param = Params { rest: params }.find(|param| param.is(b"branch"))?;
    (!param.value.is_empty() && param.value != b"z9hG4bK").then_some(param.value)
}

/// `*( SEMI generic-param )`. Stops before what is not a parameter, a comma for one.
struct Params<'a> {
    rest: &'a [u8],
}

struct Param<'a> {
    name: &'a [u8],
    value: &'a [u8],
}

impl Param<'_> {
    fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        let [b';', rest @ ..] = self.rest else { return None };
        let mut behind = rest;
        loop {
            behind = match split_before(behind, |octet| matches!(octet, b';' | b',' | b'"')).1 {
                [b'"', quoted @ ..] => behind_quote(quoted)?,
                end => {
                    self.rest = end;
                    break;
                }
            };
        }
        let (param, _) = rest.split_at_checked(rest.len().checked_sub(self.rest.len())?)?;
        let (name, value) = split_before(param, |octet| octet == b'=');
        Some(Param { name: trim(name), value: trim(value.get(1..).unwrap_or_default()) })
    }
}
