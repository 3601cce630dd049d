//! What is spoken on a listener for every protocol: whatever the first octets can still be.
//!
//! An extractor says `Invalid` at the first octet that rules its protocol out, and never takes that back. So each is
//! asked, and the one that is left is spoken. H.323 and LDAP differ from the others in their first octets; SIP and HTTP
//! both begin with a word and a blank, and part in the first line.

use std::num::NonZeroUsize;

use super::{
    Session, close,
    head::{Deadlines, Framing, Head, Reading},
};
use crate::{
    outcome::{End, Reason, Refusal},
    protocol::Protocol,
};

/// Reads until one protocol is left.
///
/// # Errors
/// How the connection ended without one: there is nobody to be answered in words that he would understand.
pub(super) async fn protocol(session: &Session, mut head: Head) -> Result<(Protocol, Head), End> {
    let deadlines = Deadlines::of(&session.facts, &session.state().config.limits);
    let reading = Reading { framing: Framing::Lines, largest: LARGEST, deadlines, cancel: &session.cancel };
    loop {
        match sniff(&head.octets) {
            Sniffed::Spoken(protocol) => return Ok((protocol, head)),
            Sniffed::Unfinished(missing) => reading.more(&mut head, missing).await?,
            nothing => {
                close::with_answer(head.stream, &[]).await;
                return Err(not_spoken(nothing).into());
            }
        }
    }
}

/// Why octets that tell no protocol are refused.
pub(super) fn not_spoken(sniffed: Sniffed) -> Refusal {
    match sniffed {
        Sniffed::Stun => Refusal::new(Reason::Stun),
        _ => Refusal::because(Reason::Malformed, "none of H.323, SIP, LDAP, HTTP and TLS"),
    }
}

/// Whether somebody looks for a STUN or TURN server (RFC 8489 5): requests of all methods that exist begin with a zero
/// octet, and they have the magic cookie.
pub(super) fn is_stun(octets: &[u8]) -> bool {
    octets.len() >= STUN_FRONT && may_be_stun(octets)
}

/// What the first octets of a connection tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sniffed {
    Spoken(Protocol),
    /// At least so many octets more are needed.
    Unfinished(NonZeroUsize),
    Stun,
    Nothing,
}

/// Judges them as if they had come one by one, however they came.
pub(super) fn sniff(octets: &[u8]) -> Sniffed {
    let mut left = Protocol::ALL.into_iter().filter(|protocol| !is_ruled_out(*protocol, octets));
    match (left.next(), left.next()) {
        (Some(protocol), None) => Sniffed::Spoken(protocol),
        (Some(_), Some(_)) => Sniffed::Unfinished(NonZeroUsize::MIN),
        (None, _) => match last_left(octets) {
            Some(protocol) => Sniffed::Spoken(protocol),
            None if is_stun(octets) => Sniffed::Stun,
            None if may_be_stun(octets) => {
                let more = NonZeroUsize::new(STUN_FRONT.saturating_sub(octets.len()));
                Sniffed::Unfinished(more.unwrap_or(NonZeroUsize::MIN))
            }
            None => Sniffed::Nothing,
        },
    }
}

fn is_ruled_out(protocol: Protocol, octets: &[u8]) -> bool {
    match protocol {
        Protocol::H323 => matches!(rp_h323::extract(octets), Err(rp_h323::Error::Invalid(_))),
        Protocol::Sip => matches!(rp_sip::extract(octets), Err(rp_sip::Error::Invalid(_))),
        Protocol::Ldap => matches!(rp_ldap::extract(octets), Err(rp_ldap::Error::Invalid(_))),
        Protocol::Http => matches!(rp_http::extract(octets), Err(rp_http::Error::Invalid(_))),
    }
}

/// Of protocols that are all ruled out, the one that was so after the others: what has come at once may be a message with
/// a fault, whose sender wants to hear of it.
fn last_left(octets: &[u8]) -> Option<Protocol> {
    let lengths = Protocol::ALL.map(|protocol| possible(protocol, octets));
    let longest = lengths.into_iter().max()?;
    let mut last = Protocol::ALL.into_iter().zip(lengths).filter(|(_, length)| *length == longest);
    let (protocol, _) = last.next()?;
    last.next().is_none().then_some(protocol)
}

/// Up to how many octets the protocol, which all of them rule out, was possible.
fn possible(protocol: Protocol, octets: &[u8]) -> usize {
    let (mut possible, mut ruled_out) = (0, octets.len());
    while ruled_out - possible > 1 {
        let middle = possible.midpoint(ruled_out);
        if is_ruled_out(protocol, &octets[..middle]) {
            ruled_out = middle;
        } else {
            possible = middle;
        }
    }
    possible
}

fn may_be_stun(octets: &[u8]) -> bool {
    let front = octets.first().is_none_or(|first| *first == 0);
    front && octets.iter().skip(STUN_FRONT - MAGIC_COOKIE.len()).zip(MAGIC_COOKIE).all(|(a, b)| *a == b)
}

/// RFC 8489 5.
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Type, length, and the cookie.
const STUN_FRONT: usize = 8;

/// The longest first line that any of them can have is shorter.
const LARGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// The corpora of the parsers: what is meant as a protocol, good or broken.
    fn corpora() -> Vec<(Protocol, String, Vec<u8>)> {
        let folders = [
            (Protocol::H323, "rp-h323", "bin"),
            (Protocol::Sip, "rp-sip", "sip"),
            (Protocol::Ldap, "rp-ldap", "ber"),
            (Protocol::Http, "rp-http", "http"),
        ];
        let load = |(protocol, krate, extension): (Protocol, &str, &str)| {
            let folder = format!("{}/../../crates/{krate}/tests/corpus", env!("CARGO_MANIFEST_DIR"));
            rp_testkit::corpus::load(folder, extension)
                .into_iter()
                .map(move |case| (protocol, case.name, case.bytes))
        };
        folders.into_iter().flat_map(load).collect()
    }

    fn takes(protocol: Protocol, octets: &[u8]) -> bool {
        match protocol {
            Protocol::H323 => rp_h323::extract(octets).is_ok(),
            Protocol::Sip => rp_sip::extract(octets).is_ok(),
            Protocol::Ldap => rp_ldap::extract(octets).is_ok(),
            Protocol::Http => rp_http::extract(octets).is_ok(),
        }
    }

    #[test]
    fn what_an_extractor_takes_is_spoken_and_known_in_the_first_line() {
        let mut seen = 0;
        for (protocol, name, octets) in corpora() {
            if !takes(protocol, &octets) {
                continue;
            }
            seen += 1;
            // Line ends may come before it.
            let begin = octets.iter().position(|octet| !b"\r\n".contains(octet)).unwrap_or(0);
            let end = octets[begin..].iter().position(|octet| *octet == b'\n');
            let line = end.map_or(octets.len(), |end| begin + end + 1);
            assert_eq!(sniff(&octets), Sniffed::Spoken(protocol), "{name}");
            assert_eq!(sniff(&octets[..line]), Sniffed::Spoken(protocol), "{name}");
        }
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn what_is_decided_stands_however_the_octets_come() {
        for (_, name, octets) in corpora() {
            let octets = &octets[..octets.len().min(600)];
            let mut decided = None;
            for length in 1..=octets.len() {
                let now = sniff(&octets[..length]);
                match decided {
                    None if matches!(now, Sniffed::Unfinished(_)) => {}
                    None => decided = Some(now),
                    Some(before) => assert_eq!(now, before, "{name} at {length}"),
                }
            }
        }
    }

    #[test]
    fn hostile_octets_are_nothing_at_once() {
        for octets in
            [&b"\xff"[..], b"\x80\x00", b"\x04\x01\x00\x50\x00", b"\x05\x00\x00\x08junk", b"\0\0\0\0\0\0\0\0"]
        {
            assert_eq!(sniff(octets), Sniffed::Nothing, "{octets:?}");
        }
    }

    #[test]
    fn stun_is_known_by_its_cookie() {
        let binding = b"\x00\x01\x00\x00\x21\x12\xa4\x42";
        for length in 1..8 {
            let more = NonZeroUsize::new(8 - length).expect("some");
            assert_eq!(sniff(&binding[..length]), Sniffed::Unfinished(more));
            assert!(!is_stun(&binding[..length]));
        }
        assert_eq!(sniff(binding), Sniffed::Stun);
        assert!(!is_stun(b"\x40\x01\x00\x00\x21\x12\xa4\x42"));
    }

    /// TLS begins with this octet, and nothing else that is listened for.
    #[test]
    fn no_protocol_begins_like_tls() {
        assert_eq!(sniff(&[super::super::TLS_HANDSHAKE]), Sniffed::Nothing);
        for protocol in Protocol::ALL {
            assert!(is_ruled_out(protocol, &[super::super::TLS_HANDSHAKE]), "{protocol}");
        }
    }
}
