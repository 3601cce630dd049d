//! What the tests share.

#![allow(dead_code, reason = "each test crate uses its part")]

use rp_ldap::Error;
use rp_testkit::{Decision, corpus::Case};

pub(crate) const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");

/// All cases that a client, or a service, sends.
pub(crate) fn corpus(of_service: bool) -> Vec<Case> {
    let mut cases = rp_testkit::corpus::load(CORPUS, "ber");
    cases.retain(|case| (case.name.starts_with("resp_") || case.name.ends_with("_s2c")) == of_service);
    cases
}

pub(crate) fn extract(input: &[u8]) -> Decision {
    decision(rp_ldap::extract(input))
}

pub(crate) fn answer(input: &[u8]) -> Decision {
    decision(rp_ldap::answer(input))
}

fn decision(read: Result<impl std::fmt::Debug, Error>) -> Decision {
    match read {
        Ok(key) => Decision::key(key),
        Err(Error::Incomplete(n)) => Decision::Incomplete(n.get()),
        Err(Error::Invalid(invalid)) => Decision::invalid(invalid),
    }
}

/// A bind request with a password, around `name`.
pub(crate) fn bind(name: &[u8]) -> Vec<u8> {
    let bind = [tlv(0x02, &[3]), tlv(0x04, name), tlv(0x80, b"secret123")].concat();
    message(&tlv(0x60, &bind))
}

/// A message with the id 1 around `operation`.
pub(crate) fn message(operation: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&[0x02, 0x01, 0x01], operation].concat())
}

/// An element with a length in one, three or five octets, whatever it needs.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = u32::try_from(content.len()).expect("a short content").to_be_bytes();
    let length = match len {
        [0, 0, 0, short @ 0..=0x7f] => vec![short],
        [0, 0, high, low] => vec![0x82, high, low],
        long => [&[0x84][..], &long].concat(),
    };
    [&[tag][..], &length, content].concat()
}

/// Writes all lengths of a message as Active Directory does: `84` and four octets.
///
/// What is constructed is told by its tag, so only well-formed messages survive.
pub(crate) fn long_form(mut octets: &[u8]) -> Vec<u8> {
    let mut long = Vec::new();
    while let Some((&tag, rest)) = octets.split_first() {
        let (content, behind) = content(rest);
        let content = if tag & 0x20 != 0 { long_form(content) } else { content.to_vec() };
        long.extend([tag, 0x84]);
        long.extend(u32::try_from(content.len()).expect("a short content").to_be_bytes());
        long.extend(content);
        octets = behind;
    }
    long
}

/// The content of an element from behind its tag, and what stands behind it.
fn content(octets: &[u8]) -> (&[u8], &[u8]) {
    let (&first, rest) = octets.split_first().expect("a length");
    let count = usize::from(first).saturating_sub(0x80);
    let (length, rest) = rest.split_at(count);
    let length = length.iter().fold(0, |value, &octet| (value << 8) | usize::from(octet));
    rest.split_at(if first < 0x80 { usize::from(first) } else { length })
}
