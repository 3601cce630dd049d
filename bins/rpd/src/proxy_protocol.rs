//! The PROXY protocol, versions 1 and 2: how a proxy tells the next one whom it speaks for.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>; its sections stand at the rules. Octets in, values
//! out; only [`receive`] knows a socket.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::{io::AsyncReadExt, net::TcpStream};

/// Which of the two headers.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// The two ends of a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub source: SocketAddr,
    /// Where it came in.
    pub destination: SocketAddr,
}

/// What stands before the first octet of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whom the proxy speaks for; none: for itself (a health check), or for somebody who has no such address.
    pub addresses: Option<Addresses>,
    /// Octets of the header.
    pub length: usize,
}

/// Why there is no header yet, or never will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// More is missing.
    Incomplete,
    /// This is no header, whatever follows.
    Invalid(&'static str),
}

/// Reads the header at the front of `octets`.
///
/// # Errors
/// It is not whole, or not one.
pub fn parse(octets: &[u8]) -> Result<Header, Error> {
    match octets.first() {
        None => Err(Error::Incomplete),
        Some(b'P') => parse_line(octets),
        Some(&first) if SIGNATURE.starts_with(&[first]) => parse_binary(octets),
        Some(_) => Err(Error::Invalid("no PROXY header")),
    }
}

/// The header that says `addresses`.
pub fn write(version: Version, addresses: &Addresses) -> Vec<u8> {
    match (version, families(addresses)) {
        (Version::V1, Families::V4(source, destination)) => line("TCP4", source, destination, addresses),
        (Version::V1, Families::V6(source, destination)) => line("TCP6", source, destination, addresses),
        (Version::V2, Families::V4(source, destination)) => {
            binary(TCP4, &[source.octets(), destination.octets()].concat(), addresses)
        }
        (Version::V2, Families::V6(source, destination)) => {
            binary(TCP6, &[source.octets(), destination.octets()].concat(), addresses)
        }
    }
}

/// Takes the header off the front of a connection, and nothing behind it: that may be TLS.
///
/// # Errors
/// What is wrong with the header, or the socket's error.
pub async fn receive(socket: &mut TcpStream) -> io::Result<Header> {
    let mut octets = Vec::new();
    loop {
        let had = octets.len();
        octets.resize(LONGEST, 0);
        let seen = socket.peek(&mut octets[had..]).await?;
        octets.truncate(had + seen);
        let (taken, decided) = match parse(&octets) {
            Ok(header) => (header.length, Some(header)),
            Err(Error::Incomplete) if seen == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            // All of it is header, so it is taken: peeking at it again would not wait.
            Err(Error::Incomplete) => (octets.len(), None),
            Err(Error::Invalid(why)) => return Err(io::Error::new(io::ErrorKind::InvalidData, why)),
        };
        socket.read_exact(&mut octets[had..taken]).await?;
        if let Some(header) = decided {
            return Ok(header);
        }
    }
}

// ----- version 1, section 2.1

fn parse_line(octets: &[u8]) -> Result<Header, Error> {
    let known = octets.len().min(PREFIX.len());
    if octets[..known] != PREFIX[..known] {
        return Err(Error::Invalid("no PROXY header"));
    }
    let line = octets.get(..LONGEST_LINE).unwrap_or(octets);
    let Some(end) = line.iter().position(|&octet| octet == b'\n') else {
        let full = line.len() == LONGEST_LINE;
        return Err(if full { Error::Invalid("a line of more than 107 octets") } else { Error::Incomplete });
    };
    let text = line[..end].strip_suffix(b"\r").and_then(|line| str::from_utf8(line).ok());
    let text = text.ok_or(Error::Invalid("a line that is no text, or does not end in CR LF"))?;
    let fields: Vec<&str> = text.split(' ').skip(1).collect();
    let addresses = match fields[..] {
        // What follows is to be ignored; haproxy's health checks look like this.
        ["UNKNOWN", ..] => None,
        ["TCP4", source, destination, from, to] => {
            Some(ends::<Ipv4Addr>([source, destination], [from, to]).ok_or(BAD_ADDRESS)?)
        }
        ["TCP6", source, destination, from, to] => {
            Some(ends::<Ipv6Addr>([source, destination], [from, to]).ok_or(BAD_ADDRESS)?)
        }
        _ => return Err(Error::Invalid("a line without TCP4, TCP6 or UNKNOWN and their fields")),
    };
    Ok(Header { addresses, length: end + 1 })
}

fn ends<A: FromStr + Into<IpAddr>>(addresses: [&str; 2], ports: [&str; 2]) -> Option<Addresses> {
    let end =
        |address: &str, number: &str| Some(SocketAddr::new(address.parse::<A>().ok()?.into(), port(number)?));
    Some(Addresses { source: end(addresses[0], ports[0])?, destination: end(addresses[1], ports[1])? })
}

/// Decimal, without a sign and without zeros in front.
fn port(text: &str) -> Option<u16> {
    let canonical = text == "0" || text.starts_with(|c: char| matches!(c, '1'..='9'));
    text.parse().ok().filter(|_| canonical)
}

fn line(
    family: &str,
    source: impl Into<IpAddr>,
    destination: impl Into<IpAddr>,
    ends: &Addresses,
) -> Vec<u8> {
    let (source, destination): (IpAddr, IpAddr) = (source.into(), destination.into());
    let (from, to) = (ends.source.port(), ends.destination.port());
    format!("PROXY {family} {source} {destination} {from} {to}\r\n").into_bytes()
}

const PREFIX: &[u8] = b"PROXY ";
/// With CR LF; the longest that can be, so says the standard.
const LONGEST_LINE: usize = 107;
const BAD_ADDRESS: Error = Error::Invalid("an address or port that is none");

// ----- version 2, section 2.2

fn parse_binary(octets: &[u8]) -> Result<Header, Error> {
    let known = octets.len().min(SIGNATURE.len());
    if octets[..known] != SIGNATURE[..known] {
        return Err(Error::Invalid("no PROXY header"));
    }
    let (command, family) = (octets.get(12), octets.get(13).copied());
    // Of LOCAL everything but the length is to be ignored.
    let local = command == Some(&LOCAL);
    if command.is_some_and(|&command| command != LOCAL && command != PROXY) {
        return Err(Error::Invalid("neither LOCAL nor PROXY of version 2"));
    }
    let needed = match family {
        None | Some(UNSPECIFIED) => 0,
        Some(_) if local => 0,
        Some(TCP4) => 12,
        Some(TCP6) => 36,
        Some(UNIX) => 216,
        Some(_) => return Err(Error::Invalid("neither TCP nor a UNIX stream")),
    };
    let (Some(family), Some(&[high, low])) = (family, octets.get(14..FIXED)) else {
        return Err(Error::Incomplete);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST - FIXED {
        return Err(Error::Invalid("a header of more than 536 octets"));
    }
    if length < needed {
        return Err(Error::Invalid("less than the addresses need"));
    }
    // Behind the addresses come extensions (2.2.1 on); none is of use here.
    let Some(block) = octets.get(FIXED..FIXED + length) else {
        return Err(Error::Incomplete);
    };
    let addresses = if local { None } else { block_of(family, block) };
    Ok(Header { addresses, length: FIXED + length })
}

fn block_of(family: u8, block: &[u8]) -> Option<Addresses> {
    match family {
        TCP4 => {
            let (source, rest) = block.split_first_chunk::<4>()?;
            let (destination, rest) = rest.split_first_chunk::<4>()?;
            with_ports(Ipv4Addr::from(*source).into(), Ipv4Addr::from(*destination).into(), rest)
        }
        TCP6 => {
            let (source, rest) = block.split_first_chunk::<16>()?;
            let (destination, rest) = rest.split_first_chunk::<16>()?;
            with_ports(Ipv6Addr::from(*source).into(), Ipv6Addr::from(*destination).into(), rest)
        }
        _ => None,
    }
}

fn with_ports(source: IpAddr, destination: IpAddr, rest: &[u8]) -> Option<Addresses> {
    let &[a, b, c, d] = rest.first_chunk()?;
    let (from, to) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    Some(Addresses { source: (source, from).into(), destination: (destination, to).into() })
}

fn binary(family: u8, addresses: &[u8], ends: &Addresses) -> Vec<u8> {
    // Twelve or thirty-six.
    let length = u8::try_from(addresses.len() + 4).unwrap_or_default();
    let ports = [ends.source.port().to_be_bytes(), ends.destination.port().to_be_bytes()].concat();
    [SIGNATURE, &[PROXY, family, 0, length], addresses, &ports].concat()
}

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// What stands before the addresses.
const FIXED: usize = 16;
/// 2.2: a header fits into the smallest segment that every host takes.
const LONGEST: usize = 536;
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const UNSPECIFIED: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const UNIX: u8 = 0x31;

// ----- both

enum Families {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
}

/// Both ends in one family: where they differ, IPv4 is mapped.
fn families(addresses: &Addresses) -> Families {
    let mapped = |ip| match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    match (addresses.source.ip(), addresses.destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => Families::V4(source, destination),
        (source, destination) => Families::V6(mapped(source), mapped(destination)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rp_testkit::{Decision, laws};

    use super::*;

    fn decision(octets: &[u8]) -> Decision {
        match parse(octets) {
            Ok(header) => Decision::key(header),
            Err(Error::Incomplete) => Decision::Incomplete(1),
            Err(Error::Invalid(why)) => Decision::invalid(why),
        }
    }

    /// The ends that a whole header names.
    #[track_caller]
    fn read(octets: &[u8]) -> Option<(String, String)> {
        laws::check(octets, decision);
        let header = parse(octets).expect("a header");
        header.addresses.map(|ends| (ends.source.to_string(), ends.destination.to_string()))
    }

    #[track_caller]
    fn refused(octets: &[u8]) -> &'static str {
        laws::check(octets, decision);
        match parse(octets) {
            Err(Error::Invalid(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    fn pair(source: &str, destination: &str) -> Option<(String, String)> {
        Some((source.to_owned(), destination.to_owned()))
    }

    #[test]
    fn a_line_names_both_ends_or_nobody() {
        let ends = pair("192.0.2.1:40000", "198.51.100.1:389");
        assert_eq!(read(b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 389\r\n0\x0c"), ends);
        let ends = pair("[2001:db8::1]:0", "[2001:db8::2]:65535");
        assert_eq!(read(b"PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n"), ends);
        assert_eq!(read(b"PROXY UNKNOWN\r\n"), None);
        assert_eq!(read(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\nPROXY"), None);
    }

    #[test]
    fn a_line_that_is_not_exactly_one_is_refused() {
        for line in [
            "GET / HTTP/1.1\r\n",
            "PROPFIND / HTTP/1.1\r\n",
            "PROXY\r\n",
            "PROXY \r\n",
            "PROXY TCP4\r\n",
            "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
            "PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
            "PROXY TCP4 192.0.2.1\t192.0.2.2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
            "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
            "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
            "PROXY TCP6 fe80::1%eth0 2001:db8::2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n",
        ] {
            refused(line.as_bytes());
        }
        assert_eq!(
            refused(&[b"PROXY UNKNOWN ".as_slice(), &[b' '; 100]].concat()),
            "a line of more than 107 octets"
        );
        let longest = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 91], b"\r\n"].concat();
        assert_eq!((longest.len(), read(&longest)), (LONGEST_LINE, None));
        refused(&[b"PROXY UNKNOWN ".as_slice(), &[b'x'; 92], b"\r\n"].concat());
    }

    /// Command, family and announced length, and the block behind them.
    fn block(command: u8, family: u8, length: u16, block: &[u8]) -> Vec<u8> {
        [SIGNATURE, &[command, family], &length.to_be_bytes(), block].concat()
    }

    #[test]
    fn a_block_names_both_ends_and_extensions_are_passed_over() {
        let four = b"\xc0\0\x02\x01\xc6\x33\x64\x01\x9c\x40\x01\x85";
        let ends = pair("192.0.2.1:40000", "198.51.100.1:389");
        assert_eq!(read(&block(PROXY, TCP4, 12, four)), ends);
        let extended = [four.as_slice(), b"\x04\0\x02ab and more"].concat();
        assert_eq!(read(&block(PROXY, TCP4, 17, &extended)), ends);
        assert_eq!(parse(&block(PROXY, TCP4, 17, &extended)).map(|header| header.length), Ok(33));
        let largest = [four.as_slice(), &[0; 508]].concat();
        assert_eq!(read(&block(PROXY, TCP4, 520, &largest)), ends);
    }

    #[test]
    fn a_health_check_and_families_without_addresses_name_nobody() {
        assert_eq!(read(&block(LOCAL, UNSPECIFIED, 0, b"0\x0c")), None);
        assert_eq!(read(&block(LOCAL, TCP4, 3, b"abc")), None);
        assert_eq!(read(&block(LOCAL, 0xff, 1, b"a")), None);
        assert_eq!(read(&block(PROXY, UNSPECIFIED, 0, b"")), None);
        assert_eq!(read(&block(PROXY, UNIX, 216, &[b'/'; 216])), None);
    }

    #[test]
    fn a_block_that_is_not_exactly_one_is_refused() {
        refused(b"\r\n\r\n\0\r\nQUIT\r");
        refused(b"\r\nGET");
        for (command, family, length) in [
            (0x11, TCP4, 12),
            (0x22, TCP4, 12),
            (0x31, TCP4, 12),
            (PROXY, 0x12, 12),
            (PROXY, 0x10, 12),
            (PROXY, 0x32, 216),
            (PROXY, 0x41, 12),
            (PROXY, TCP4, 11),
            (PROXY, TCP6, 35),
            (PROXY, UNIX, 215),
            (PROXY, TCP4, 521),
            (LOCAL, UNSPECIFIED, 0xffff),
        ] {
            refused(&block(command, family, length, &[0; 216]));
        }
    }

    fn ends() -> impl Strategy<Value = Addresses> {
        any::<(SocketAddr, SocketAddr)>().prop_map(|(source, destination)| {
            let plain = |end: SocketAddr| SocketAddr::new(end.ip(), end.port());
            Addresses { source: plain(source), destination: plain(destination) }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(ends in ends(), v2: bool, behind: Vec<u8>) {
            let mut octets = write(if v2 { Version::V2 } else { Version::V1 }, &ends);
            let length = octets.len();
            octets.extend(behind);
            let header = parse(&octets).expect("a header");
            let read = header.addresses.expect("addresses");
            let canonical = |end: SocketAddr| (end.ip().to_canonical(), end.port());
            prop_assert_eq!(canonical(read.source), canonical(ends.source));
            prop_assert_eq!(canonical(read.destination), canonical(ends.destination));
            prop_assert_eq!(header.length, length);
        }

        #[test]
        fn hostile_octets_keep_the_laws(
            start in prop::sample::select(vec![&b""[..], PREFIX, b"PROXY TCP4 1.2.3.4 ", SIGNATURE, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"]),
            octets in prop::collection::vec(prop_oneof![any::<u8>(), Just(b' '), Just(b'\r'), Just(b'\n'), Just(b'1')], 0..600),
        ) {
            laws::check(&[start, &octets].concat(), decision);
        }
    }
}
