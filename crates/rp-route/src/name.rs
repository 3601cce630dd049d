//! The names that a host is given in the configuration.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A configured name, in the one form in which names are compared: ASCII letters lower-case, no trailing
/// dot, an IPv6 address in its canonical spelling.
///
/// | written | stands for |
/// |---|---|
/// | `pbx.example.com` | itself |
/// | `*.example.com` | one or more labels left of `.example.com` |
/// | `192.0.2.10`, `[2001:db8::10]` | the address, however it is spelt |
/// | `example.com/branch` | the gatekeeper id with a registration location |
///
/// Labels hold letters, digits, `-` and `_`. Letters beyond ASCII are allowed, because a gatekeeper id may
/// have them; they are compared as they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    text: Box<str>,
    address: Option<IpAddr>,
}

impl Name {
    /// The longest name in octets (RFC 1035, section 2.3.4, as text without the trailing dot).
    pub const LONGEST: usize = 253;

    /// Reads a name as an administrator writes it.
    ///
    /// # Errors
    /// The reason, and where it can be told what to write instead:
    ///
    /// ```
    /// let error = rp_route::name::Name::parse("hq@example.com").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the physical location is dropped before comparing; write `example.com`"
    /// );
    /// ```
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check(text).map_err(|reason| NameError {
            reason,
            write: instead(reason, text).and_then(|text| check(&text).ok()),
        })
    }

    /// The name as it is compared.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address, if the name is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// What must stand right of the star, with its dot, if this is a wildcard.
    pub fn wildcard_tail(&self) -> Option<&str> {
        self.text.strip_prefix('*')
    }

    /// Whether the name begins with a star.
    pub fn is_wildcard(&self) -> bool {
        self.wildcard_tail().is_some()
    }

    /// Whether the name is a gatekeeper id with a registration location.
    pub fn is_gatekeeper_location(&self) -> bool {
        self.text.contains('/')
    }

    /// Whether DNS could know the name and a certificate could hold it, wildcards included.
    pub fn is_dns(&self) -> bool {
        self.address.is_none() && !self.is_gatekeeper_location() && self.text.is_ascii()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    /// What is wrong.
    pub reason: Reason,
    /// What was probably meant. It is always a good name.
    pub write: Option<Name>,
}

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing, or only a dot.
    Empty,
    /// More octets than [`Name::LONGEST`].
    TooLong,
    /// `https://` or `sip:` in front.
    Scheme,
    /// `location@` in front.
    PhysicalLocation,
    /// `:5060` behind.
    Port,
    /// An IPv6 address without brackets.
    NoBrackets,
    /// Something other than an IPv6 address in brackets.
    Brackets,
    /// A star alone.
    LoneStar,
    /// A star elsewhere than as the leftmost label.
    Star,
    /// More than one `/`, or nothing on one side of it.
    Slash,
    /// Two dots in a row, or one at the start.
    EmptyLabel,
    /// More than 63 octets between two dots (RFC 1035, section 2.3.4).
    LongLabel,
    /// White space at an end of the registration location.
    OuterSpace,
    /// A character that no name holds.
    Character(char),
}

impl core::error::Error for NameError {}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        match &self.write {
            Some(name) => write!(f, "; write `{name}`"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the name is empty; write what clients ask for, for example `pbx.example.com`",
            Self::TooLong => "the name has more than 253 octets, and no client can ask for it",
            Self::Scheme => "a name stands without a scheme",
            Self::PhysicalLocation => "the physical location is dropped before comparing",
            Self::Port => "a name stands without a port: the listener and the target have theirs",
            Self::NoBrackets => "an IPv6 address stands in brackets",
            Self::Brackets => "only an IPv6 address, without a zone, stands in brackets",
            Self::LoneStar => "`*` alone is no name; give the host `default` to take what no other takes",
            Self::Star => "a star is the leftmost label and stands alone in it",
            Self::Slash => {
                "`/` stands once, between a gatekeeper id and a registration location; URLs go to `urls`"
            }
            Self::EmptyLabel => "a dot stands first, or next to another dot",
            Self::LongLabel => "there are more than 63 octets between two dots",
            Self::OuterSpace => "a registration location neither begins nor ends with a space",
            Self::Character(character) => {
                return write!(f, "a name cannot hold {character:?}");
            }
        })
    }
}

fn check(text: &str) -> Result<Name, Reason> {
    let text = without_dot(text);
    if text.is_empty() {
        return Err(Reason::Empty);
    }
    if text.len() > Name::LONGEST {
        return Err(Reason::TooLong);
    }
    if text.contains("://") {
        return Err(Reason::Scheme);
    }
    if text.contains('@') {
        return Err(Reason::PhysicalLocation);
    }
    if let Some(address) = address(text)? {
        return Ok(Name { text: canonical(address), address: Some(address) });
    }
    check_parts(text)?;
    Ok(Name { text: text.to_ascii_lowercase().into(), address: None })
}

/// The address that `text` is, or the reason why its colons and brackets do not belong there.
fn address(text: &str) -> Result<Option<IpAddr>, Reason> {
    if text.starts_with('[') {
        return match ipv6_literal(text) {
            Some(address) => Ok(Some(address.into())),
            None if cut_port(text).and_then(ipv6_literal).is_some() => Err(Reason::Port),
            None => Err(Reason::Brackets),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(Reason::NoBrackets);
    }
    if cut_port(text).is_some() {
        return Err(Reason::Port);
    }
    if text.contains(':') {
        return Err(Reason::Scheme);
    }
    Ok(text.parse::<Ipv4Addr>().ok().map(IpAddr::V4))
}

/// `[*.]label.label…[/location]`.
fn check_parts(text: &str) -> Result<(), Reason> {
    let (id, location) = text.split_once('/').map_or((text, None), |(id, rest)| (id, Some(rest)));
    let labels = id.strip_prefix("*.").unwrap_or(id);
    if text == "*" {
        return Err(Reason::LoneStar);
    }
    if labels.contains('*') {
        return Err(Reason::Star);
    }
    if id.is_empty() {
        return Err(Reason::Slash);
    }
    labels.split('.').try_for_each(check_label)?;
    location.map_or(Ok(()), check_location)
}

fn check_label(label: &str) -> Result<(), Reason> {
    if let Some(other) = label.chars().find(|&c| !(c.is_alphanumeric() || c == '-' || c == '_')) {
        return Err(Reason::Character(other));
    }
    match label.len() {
        0 => Err(Reason::EmptyLabel),
        1..=63 => Ok(()),
        _ => Err(Reason::LongLabel),
    }
}

/// The name of a PBX may hold what no label may, spaces for one.
fn check_location(location: &str) -> Result<(), Reason> {
    if location.is_empty() || location.contains('/') {
        return Err(Reason::Slash);
    }
    if location.ends_with('.') {
        return Err(Reason::EmptyLabel);
    }
    if location.trim() != location {
        return Err(Reason::OuterSpace);
    }
    let foreign = location.chars().find(|&c| c.is_control() || matches!(c, '\\' | '*'));
    foreign.map_or(Ok(()), |c| Err(Reason::Character(c)))
}

/// What was probably meant, if that can be told.
fn instead(reason: Reason, text: &str) -> Option<String> {
    let text = without_dot(text);
    match reason {
        Reason::Scheme | Reason::PhysicalLocation | Reason::Port => Some(bare(text).to_string()),
        Reason::NoBrackets => Some(format!("[{text}]")),
        Reason::Star => {
            let (_, behind) = text.rsplit_once('*')?;
            Some(format!("*.{}", behind.trim_start_matches('.')))
        }
        Reason::OuterSpace => text.split_once('/').map(|(id, location)| format!("{id}/{}", location.trim())),
        _ => None,
    }
}

/// The name in `https://name:8080/path`, `sip:user@name` and the like.
fn bare(text: &str) -> &str {
    let text = match text.split_once("://") {
        Some((_, rest)) => rest.split('/').next().unwrap_or_default(),
        None => text,
    };
    let text = text.split_once('@').map_or(text, |(_, id)| id);
    let text = cut_port(text).unwrap_or(text);
    match text.split_once(':') {
        Some((_, rest)) if !text.starts_with('[') && text.parse::<Ipv6Addr>().is_err() => rest,
        _ => text,
    }
}

fn cut_port(text: &str) -> Option<&str> {
    text.rsplit_once(':').filter(|(_, port)| port.bytes().all(|c| c.is_ascii_digit())).map(|(name, _)| name)
}

/// One trailing dot makes no difference (RFC 1034, section 3.1: it only says that the name is complete).
pub(crate) fn without_dot(text: &str) -> &str {
    text.strip_suffix('.').unwrap_or(text)
}

/// `"[" IPv6address "]"` (RFC 3986, section 3.2.2), without a zone.
pub(crate) fn ipv6_literal(text: &str) -> Option<Ipv6Addr> {
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

fn canonical(address: IpAddr) -> Box<str> {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
    .into()
}
