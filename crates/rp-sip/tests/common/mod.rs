//! The corpus, and what the other implementations say of it.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod sipx;

use std::sync::LazyLock;

use proptest::{prelude::*, sample::Index};
use rp_sip::{Error, extract};
use rp_testkit::{
    Decision,
    corpus::{self, Case},
};
use serde_json::Value;

/// All cases whose octets are kept as files; the one of 1 MiB is generated where it is needed.
pub(crate) fn cases() -> Vec<Case> {
    corpus::load(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus"), "sip")
}

/// The names in one section of the lists of what rsip and sipx-sip say.
pub(crate) fn oracle(section: &str) -> Vec<&'static str> {
    let lines = include_str!("../oracles.txt").lines().map(|line| line.split('#').next().unwrap().trim());
    let names: Vec<&str> = lines
        .skip_while(|line| *line != format!("[{section}]"))
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty())
        .collect();
    assert!(!names.is_empty(), "no section {section}");
    names
}

/// The first message of a case; none if it does not begin with one that can be framed.
pub(crate) fn first_message(case: &Case) -> Option<&Value> {
    case.expected["events"].as_array().unwrap().iter().find(|event| event["type"] == "message")
}

/// Octets as the corpus writes them: each octet a character.
pub(crate) fn latin1(octets: &[u8]) -> String {
    octets.iter().map(|&octet| char::from(octet)).collect()
}

/// `%XX` undone, the slow way.
pub(crate) fn unescape(octets: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut at = 0;
    while at < octets.len() {
        let escape = octets.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (octets[at], escape.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(octet)) => {
                plain.push(octet);
                at += 3;
            }
            (octet, _) => {
                plain.push(octet);
                at += 1;
            }
        }
    }
    plain
}

/// What `extract` says, for the checker of the laws.
pub(crate) fn decide(input: &[u8]) -> Decision {
    match extract(input) {
        Ok(key) => Decision::key(key),
        Err(Error::Incomplete(more)) => Decision::Incomplete(more.get()),
        Err(Error::Invalid(invalid)) => Decision::invalid(invalid),
    }
}

/// A head that never ends, of 1 MiB.
pub(crate) fn endless_head() -> Vec<u8> {
    let mut input = b"REGISTER sip:pbx.example.com SIP/2.0\r\n\
        Via: SIP/2.0/TCP 10.1.2.3:49152;branch=z9hG4bK-a1b2;rport\r\n\
        From: <sip:101@pbx.example.com>;tag=1\r\n\
        To: <sip:101@pbx.example.com>\r\n\
        Call-ID: c-1@10.1.2.3\r\n\
        CSeq: 1 REGISTER\r\n\
        Content-Length: 0\r\n\
        X-Pad: "
        .to_vec();
    input.resize(1 << 20, b'y');
    input
}

static SMALL_CASES: LazyLock<Vec<Case>> =
    LazyLock::new(|| cases().into_iter().filter(|case| case.bytes.len() < 2_000).collect());

/// Octets that mean something, more often than others.
fn octet() -> impl Strategy<Value = u8> {
    prop_oneof![prop::sample::select(&b"\r\n \t:;,<>\"\\@=%\0[].-0zA/"[..]), any::<u8>()]
}

#[derive(Clone, Debug)]
enum Edit {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Repeat(Index, Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<Index>(), octet()).prop_map(|(at, octet)| Edit::Replace(at, octet)),
        (any::<Index>(), octet()).prop_map(|(at, octet)| Edit::Insert(at, octet)),
        any::<Index>().prop_map(Edit::Remove),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Edit::Repeat(from, to)),
    ]
}

/// Cases of the corpus with a few octets changed.
pub(crate) fn mutated() -> impl Strategy<Value = Vec<u8>> {
    (any::<Index>(), prop::collection::vec(edit(), 1..4)).prop_map(|(case, edits)| {
        let mut octets = case.get(&SMALL_CASES).bytes.clone();
        for edit in edits {
            let len = octets.len();
            match edit {
                Edit::Replace(at, octet) => octets[at.index(len)] = octet,
                Edit::Insert(at, octet) => octets.insert(at.index(len + 1), octet),
                Edit::Remove(at) if len > 1 => drop(octets.remove(at.index(len))),
                Edit::Remove(_) => {}
                Edit::Repeat(from, to) => {
                    let (from, to) = (from.index(len).min(to.index(len)), from.index(len).max(to.index(len)));
                    let piece = octets[from..to].to_vec();
                    octets.splice(from..from, piece);
                }
            }
        }
        octets
    })
}
