//! Version 2, binary (section 2.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Addresses, Error, Header};

pub(super) fn parse(octets: &[u8]) -> Result<Header, Error> {
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

pub(super) fn write(family: u8, addresses: &[u8], ends: &Addresses) -> Vec<u8> {
    // Twelve or thirty-six.
    let length = u8::try_from(addresses.len() + 4).unwrap_or_default();
    let ports = [ends.source.port().to_be_bytes(), ends.destination.port().to_be_bytes()].concat();
    [SIGNATURE, &[PROXY, family, 0, length], addresses, &ports].concat()
}

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// What stands before the addresses.
const FIXED: usize = 16;
/// 2.2: a header fits into the smallest segment that every host takes.
pub(super) const LONGEST: usize = 536;
pub(super) const LOCAL: u8 = 0x20;
pub(super) const PROXY: u8 = 0x21;
pub(super) const UNSPECIFIED: u8 = 0x00;
pub(super) const TCP4: u8 = 0x11;
pub(super) const TCP6: u8 = 0x21;
pub(super) const UNIX: u8 = 0x31;
