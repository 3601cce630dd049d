//! The PROXY protocol, versions 1 and 2: how a proxy tells the next one whom it speaks for.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>; its sections stand at the rules. Octets in, values
//! out; only [`receive`] knows a socket.

mod v1;
mod v2;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
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
        Some(b'P') => v1::parse(octets),
        Some(&first) if v2::SIGNATURE.starts_with(&[first]) => v2::parse(octets),
        Some(_) => Err(Error::Invalid("no PROXY header")),
    }
}

/// The header that says `addresses`.
pub fn write(version: Version, addresses: &Addresses) -> Vec<u8> {
    match (version, families(addresses)) {
        (Version::V1, Families::V4(source, destination)) => v1::write("TCP4", source, destination, addresses),
        (Version::V1, Families::V6(source, destination)) => v1::write("TCP6", source, destination, addresses),
        (Version::V2, Families::V4(source, destination)) => {
            v2::write(v2::TCP4, &[source.octets(), destination.octets()].concat(), addresses)
        }
        (Version::V2, Families::V6(source, destination)) => {
            v2::write(v2::TCP6, &[source.octets(), destination.octets()].concat(), addresses)
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
        octets.resize(v2::LONGEST, 0);
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

    use super::{
        v1,
        v2::{LOCAL, PROXY, SIGNATURE, TCP4, TCP6, UNIX, UNSPECIFIED},
        *,
    };

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
        assert_eq!((longest.len(), read(&longest)), (v1::LONGEST, None));
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
            start in prop::sample::select(vec![&b""[..], v1::PREFIX, b"PROXY TCP4 1.2.3.4 ", SIGNATURE, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"]),
            octets in prop::collection::vec(prop_oneof![any::<u8>(), Just(b' '), Just(b'\r'), Just(b'\n'), Just(b'1')], 0..600),
        ) {
            laws::check(&[start, &octets].concat(), decision);
        }
    }
}
