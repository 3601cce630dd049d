//! Both directions of a connection, however they are cut, as the twins see them whole.

mod follow;
mod support;

use follow::{Answers, Opened, Requests, naive};
use proptest::prelude::*;
use rp_testkit::chunks;
use serde_json::Value;
use support::tlv;

#[test]
fn every_case_is_followed_the_same_however_it_is_cut() {
    for case in support::corpus(false) {
        check_requests(&case.bytes);
    }
    for case in support::corpus(true) {
        for sasl in [false, true] {
            check_answers(&case.bytes, &[opened(0, 1, sasl), opened(1, 2, sasl)]);
        }
    }
}

#[test]
fn captured_connections_are_followed_to_their_end() {
    for case in support::corpus(false) {
        let Some(frames) = case.expected["frames"].as_array() else { continue };
        let seen = check_requests(&case.bytes);
        assert_eq!((seen.passed, seen.broken), (case.bytes.len(), None), "{}", case.name);
        let of_kind = |op: &str| -> Vec<usize> {
            frames.iter().filter(|frame| frame["op"] == op).map(|frame| number(&frame["offset"])).collect()
        };
        let decided: Vec<usize> = seen.decided.iter().map(|(at, _)| *at).collect();
        assert_eq!(decided, of_kind("bindRequest"), "{}", case.name);
        assert_eq!(seen.opaque_from, opaque(frames), "{}", case.name);
    }
    for case in support::corpus(true) {
        let Some(frames) = case.expected["frames"].as_array() else { continue };
        let binds: Vec<Opened> = frames
            .iter()
            .enumerate()
            .filter(|(_, frame)| frame["op"] == "bindResponse")
            .map(|(at, frame)| opened(at, i32::try_from(number(&frame["message_id"])).unwrap(), true))
            .collect();
        let seen = check_answers(&case.bytes, &binds);
        let clear = frames.iter().filter(|frame| frame["kind"] != "opaque");
        let ends: Vec<usize> = clear.map(|frame| number(&frame["offset"]) + number(&frame["len"])).collect();
        assert_eq!(seen.ends, ends, "{}", case.name);
        assert_eq!(seen.events.len(), binds.len(), "{}", case.name);
        assert_eq!((seen.opaque_from, seen.broken), (opaque(frames), None), "{}", case.name);
    }
}

#[test]
fn every_refusal_of_the_corpus_is_told() {
    let mut told = 0;
    for case in support::corpus(true) {
        let Some(code) = case.expected["expect"]["result"].as_i64() else { continue };
        let id = i32::try_from(number(&case.expected["expect"]["message_id"])).unwrap();
        let seen = follow::answers(&[&case.bytes], &[opened(0, id, false)]);
        let event = seen.events.first().map(|(_, event)| format!("{event:?}"));
        let said = match case.expected["expect"]["kind"].as_str() {
            Some("bind_response") => {
                format!("Bind(BindAnswer {{ message_id: {id}, code: ResultCode({code}), sasl: false }})")
            }
            Some("extended_response") => format!("Unsolicited(ResultCode({code}))"),
            _ => continue,
        };
        assert_eq!(event.as_deref(), Some(said.as_str()), "{}", case.name);
        told += 1;
    }
    assert!(told > 20, "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn any_requests_are_followed_as_the_twin_sees_them(
        frames in prop::collection::vec(request(), 1..8),
        changes in changes(),
        pieces in prop::collection::vec(1..40_usize, 0..60),
    ) {
        let stream = changed(frames.concat(), &changes);
        let whole = naive::requests(&stream);
        for pieces in [vec![&stream[..]], cut(&stream, &pieces), stream.chunks(1).collect()] {
            prop_assert_eq!(&follow::requests(&pieces), &whole);
        }
    }

    #[test]
    fn any_answers_are_followed_as_the_twin_sees_them(
        frames in prop::collection::vec(answer(), 1..12),
        binds in prop::collection::vec((0..10_usize, 1..5_i32, any::<bool>()), 0..12),
        changes in changes(),
        pieces in prop::collection::vec(1..40_usize, 0..60),
    ) {
        let stream = changed(frames.concat(), &changes);
        let binds: Vec<Opened> = binds.into_iter().map(|(at, id, sasl)| opened(at, id, sasl)).collect();
        let whole = naive::answers(&stream, &binds);
        for pieces in [vec![&stream[..]], cut(&stream, &pieces), stream.chunks(1).collect()] {
            prop_assert_eq!(&follow::answers(&pieces, &binds), &whole);
        }
    }
}

/// Follows a stream cut in every way; all must see what the twin sees.
fn check_requests(stream: &[u8]) -> Requests {
    let whole = naive::requests(stream);
    for sizes in chunks::sizes(stream.len()) {
        assert_eq!(follow::requests(&chunks::cut(stream, &sizes)), whole, "cut as {sizes:?}");
    }
    whole
}

fn check_answers(stream: &[u8], binds: &[Opened]) -> Answers {
    let whole = naive::answers(stream, binds);
    for sizes in chunks::sizes(stream.len()) {
        assert_eq!(follow::answers(&chunks::cut(stream, &sizes), binds), whole, "cut as {sizes:?}");
    }
    whole
}

fn opened(behind: usize, message_id: i32, sasl: bool) -> Opened {
    Opened { behind, message_id, sasl }
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a number")).expect("a small number")
}

fn opaque(frames: &[Value]) -> Option<usize> {
    frames.iter().find(|frame| frame["kind"] == "opaque").map(|frame| number(&frame["offset"]))
}

/// Pieces of these sizes, and then what is left.
fn cut<'a>(mut stream: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes {
        let (piece, rest) = stream.split_at((*size).min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces.push(stream);
    pieces
}

/// Few octets changed, in half of all streams none.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop_oneof![Just(Vec::new()), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3)]
}

fn changed(mut stream: Vec<u8>, changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (at, octet) in changes {
        let at = at.index(stream.len());
        stream[at] = *octet;
    }
    stream
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let oids = [&b"1.3.6.1.4.1.1466.20037"[..], b"1.3.6.1.4.1.4203.1.11.3", b"1.3.6.1.4.1.1466.20036", b""];
    let operation = prop_oneof![
        (prop::collection::vec(any::<u8>(), 0..30)).prop_map(|name| bind(&name, &tlv(0x80, b"secret"))),
        Just(bind(b"", &tlv(0xa3, &tlv(0x04, b"PLAIN")))),
        prop::sample::select(oids.to_vec())
            .prop_map(|oid| tlv(0x77, &[tlv(0x80, oid), tlv(0x81, b"more")].concat())),
        (0..300_usize).prop_map(|size| tlv(0x63, &vec![0x30; size])),
        Just(tlv(0x42, b"")),
        Just(tlv(0x50, b"\x01")),
        Just(tlv(0x6f, b"\x30\x84")),
    ];
    prop_oneof![15 => framed(1..200, operation), 1 => layer()]
}

fn answer() -> impl Strategy<Value = Vec<u8>> {
    let codes = [&b"\x00"[..], b"\x00", b"\x0e", b"\x31", b"\x50", b"\x00\x00\x00\x31", b"\x7f\xff\xff\xff"];
    let outcome = prop::sample::select(codes.to_vec())
        .prop_map(|code| [tlv(0x0a, code), tlv(0x04, b""), tlv(0x04, b"no")].concat());
    let operation = prop_oneof![
        3 => outcome.clone().prop_map(|outcome| tlv(0x61, &outcome)),
        1 => outcome.prop_map(|outcome| tlv(0x78, &outcome)),
        1 => (0..300_usize).prop_map(|size| tlv(0x64, &vec![0x30; size])),
        1 => Just(tlv(0x79, b"")),
    ];
    let notice = Just(tlv(0x78, &[tlv(0x0a, &[52]), tlv(0x04, b""), tlv(0x04, b"")].concat()));
    prop_oneof![15 => framed(1..5, operation), 1 => framed(0..1, notice), 1 => layer()]
}

fn bind(name: &[u8], auth: &[u8]) -> Vec<u8> {
    tlv(0x60, &[&tlv(0x02, &[3])[..], &tlv(0x04, name), auth].concat())
}

/// A message around the operation, in half of all cases with the longest lengths.
fn framed(
    ids: std::ops::Range<i32>,
    operation: impl Strategy<Value = Vec<u8>>,
) -> impl Strategy<Value = Vec<u8>> {
    (ids, operation, any::<bool>()).prop_map(|(id, operation, long)| {
        let id = if long { id.to_be_bytes().to_vec() } else { tlv_number(id) };
        let message = tlv(0x30, &[tlv(0x02, &id), operation].concat());
        if long { lengthened(&message) } else { message }
    })
}

fn tlv_number(id: i32) -> Vec<u8> {
    let octets = id.to_be_bytes();
    octets[if id < 128 { 3 } else { 2 }..].to_vec()
}

/// The message with the outer length and those of its two elements in five octets.
fn lengthened(message: &[u8]) -> Vec<u8> {
    let header = |octets: &[u8]| if octets[1] < 0x80 { 2 } else { 2 + usize::from(octets[1] & 0x7f) };
    let id = &message[header(message)..];
    let (id, operation) = id.split_at(2 + usize::from(id[1]));
    let long = |tag: u8, content: &[u8]| {
        let length = u32::try_from(content.len()).expect("a short content").to_be_bytes();
        [&[tag, 0x84][..], &length, content].concat()
    };
    let content = &operation[header(operation)..];
    long(0x30, &[long(0x02, &id[2..]), long(operation[0], content)].concat())
}

/// What begins a security layer: the length of the first buffer.
fn layer() -> impl Strategy<Value = Vec<u8>> {
    Just(b"\x00\x00\x00\x05\xd1\x0f\x30\x02\x7c".to_vec())
}
