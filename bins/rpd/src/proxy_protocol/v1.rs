//! Version 1, a line of text (section 2.1).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use super::{Addresses, Error, Header};

pub(super) fn parse(octets: &[u8]) -> Result<Header, Error> {
    let known = octets.len().min(PREFIX.len());
    if octets[..known] != PREFIX[..known] {
        return Err(Error::Invalid("no PROXY header"));
    }
    let line = octets.get(..LONGEST).unwrap_or(octets);
    let Some(end) = line.iter().position(|&octet| octet == b'\n') else {
        let full = line.len() == LONGEST;
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

pub(super) fn write(
    family: &str,
    source: impl Into<IpAddr>,
    destination: impl Into<IpAddr>,
    ends: &Addresses,
) -> Vec<u8> {
    let (source, destination): (IpAddr, IpAddr) = (source.into(), destination.into());
    let (from, to) = (ends.source.port(), ends.destination.port());
    format!("PROXY {family} {source} {destination} {from} {to}\r\n").into_bytes()
}

pub(super) const PREFIX: &[u8] = b"PROXY ";
/// With CR LF; the longest that can be, so says the standard.
pub(super) const LONGEST: usize = 107;
const BAD_ADDRESS: Error = Error::Invalid("an address or port that is none");
