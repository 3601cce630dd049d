//! Host (RFC 9110 7.2): which name a request is for.

use core::{fmt, net::IpAddr};

use crate::octets::NAME;

/// The host and port that a request names, as received: `PBX.example.com:8080`.
///
/// It is `[A-Za-z0-9._-]+` or an IPv6 address in brackets, then perhaps `:` and a port. RFC 3986 3.2.2 would
/// allow more, which no client sends and servers read differently.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Host<'a> {
    bytes: &'a [u8],
    name_len: usize,
}

impl<'a> Host<'a> {
    /// Reads the value of a Host field, or of an authority: `None` if it is not well-formed.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (name, port) = split_port(value)?;
        let well_formed = match name {
            [b'[', address @ .., b']'] => is_ipv6(address),
            name => !name.is_empty(),
        };
        (well_formed && is_port(port)).then_some(Self { bytes: value, name_len: name.len() })
    }

    /// The octets as received, with port and closing dot: what is forwarded.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What is looked up, without regard to letter case: the port is dropped (it belongs to the listener, and
    /// behind NAT clients do not see the real one), and so is one dot at the end. An IPv6 address keeps its
    /// brackets.
    pub fn name(&self) -> &'a [u8] {
        match self.bytes.get(..self.name_len).unwrap_or_default() {
            [name @ .., b'.'] => name,
            name => name,
        }
    }

    /// The port, if one was sent and is not empty.
    pub fn port(&self) -> Option<u16> {
        let port = self.bytes.get(self.name_len..)?.strip_prefix(b":")?;
        core::str::from_utf8(port).ok()?.parse().ok()
    }

    /// The address, if the host is a literal one.
    pub fn address(&self) -> Option<IpAddr> {
        let text = match self.name() {
            [b'[', address @ .., b']'] => address,
            name => name,
        };
        core::str::from_utf8(text).ok()?.parse().ok()
    }

    /// Both are the same host: ports and letter case do not matter, and two spellings of an address are
    /// equal.
    pub fn is_same(&self, other: &Host<'_>) -> bool {
        self.name().eq_ignore_ascii_case(other.name())
            || self.address().is_some_and(|address| other.address() == Some(address))
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.escape_ascii().fmt(f)
    }
}

impl fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({self})")
    }
}

/// Splits behind the name. A bare IPv6 address thus has a malformed port.
fn split_port(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let name_len = match value {
        [b'[', ..] => value.iter().position(|&octet| octet == b']')?.saturating_add(1),
        _ => NAME.run(value),
    };
    value.split_at_checked(name_len)
}

/// `[ ":" port ]`, where RFC 3986 3.2.3 lets the port be empty.
fn is_port(text: &[u8]) -> bool {
    let [b':', digits @ ..] = text else { return text.is_empty() };
    digits.len() <= 5
        && digits.iter().all(u8::is_ascii_digit)
        && digits.iter().fold(0, |port: u32, digit| {
            port.saturating_mul(10).saturating_add(u32::from(digit.saturating_sub(b'0')))
        }) <= 0xffff
}

/// An address without zone (RFC 6874's zones are for the machine that sends them).
fn is_ipv6(text: &[u8]) -> bool {
    core::str::from_utf8(text).is_ok_and(|text| text.parse::<core::net::Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_ports_are_read() {
        for (value, name, port) in [
            ("pbx.example.com", "pbx.example.com", None),
            ("PBX.Example.com.:8080", "PBX.Example.com", Some(8080)),
            ("pbx:", "pbx", None),
            ("a..", "a.", None),
            (".", "", None),
            ("192.0.2.10:65535", "192.0.2.10", Some(65535)),
            ("[2001:db8::10]", "[2001:db8::10]", None),
            ("[::ffff:192.0.2.1]:00080", "[::ffff:192.0.2.1]", Some(80)),
            ("0300.0.2.012", "0300.0.2.012", None),
        ] {
            let host = Host::parse(value.as_bytes()).unwrap_or_else(|| panic!("{value}"));
            assert_eq!((host.name(), host.port()), (name.as_bytes(), port), "{value}");
            assert_eq!(host.as_bytes(), value.as_bytes());
        }
    }

    #[test]
    fn anything_else_is_no_host() {
        for value in [
            "",
            ":80",
            "a b",
            "a,b",
            "user@a",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "a;b",
            "a%2eb",
            "\"a\"",
            "a\u{e4}",
            "a:80x",
            "a:80:80",
            "a:65536",
            "a:99999",
            "a:123456",
            "a:+80",
            "[2001:db8::10",
            "2001:db8::10",
            "[]",
            "[::1]a",
            "[::1]]",
            "[::1%eth0]",
            "[v1.a]",
            "[192.0.2.1]",
            "[[::1]",
            "[::1]:8x",
            "a[::1]",
        ] {
            assert_eq!(Host::parse(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn addresses_are_compared_as_addresses() {
        let same = |a: &str, b: &str| {
            Host::parse(a.as_bytes()).unwrap().is_same(&Host::parse(b.as_bytes()).unwrap())
        };
        assert!(same("[2001:db8::10]", "[2001:DB8:0:0::10]:80"));
        assert!(same("PBX.example.com.:80", "pbx.example.com"));
        assert!(!same("pbx.example.com", "apps.example.com"));
        assert!(!same("192.0.2.1", "192.0.2.01"));
    }
}
