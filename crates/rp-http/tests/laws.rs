//! The laws of extractors, on every request and every answer of the corpus.

use rp_http::{Error, Fields, Reason, extract, response};
use rp_testkit::{Decision, corpus, laws};

#[test]
fn requests_keep_the_laws() {
    for case in corpus::load("tests/corpus", "http") {
        laws::check(&case.bytes, request);
    }
}

#[test]
fn heads_at_the_limit_keep_the_laws() {
    const LIMIT: usize = rp_http::head::MAX_HEAD;
    assert!(extract(&head_of(LIMIT)).is_ok());
    assert!(extract(&head_of(LIMIT + 1)).is_err());
    laws::check(&head_of(LIMIT + 1), request);
}

fn head_of(length: usize) -> Vec<u8> {
    let start = "GET / HTTP/1.1\r\nHost: pbx.example.com\r\nX: ";
    format!("{start}{}\r\n\r\n", "a".repeat(length - start.len() - 4)).into_bytes()
}

#[test]
fn answers_keep_the_laws() {
    for case in corpus::load("tests/corpus", "http") {
        for reply in case.expected["reply"].as_array().into_iter().flatten() {
            let Some(reply) = reply.as_str() else { continue };
            for (head_only, websocket) in [(false, false), (false, true), (true, false)] {
                let asked = response::Asked { head_only, websocket };
                laws::check(reply.as_bytes(), |input| answer(input, asked));
            }
        }
    }
}

#[test]
fn other_protocols_are_told_apart_by_their_first_octets() {
    for (input, decided_at) in [
        (&b"\x16\x03\x01\x02\0\x01\0"[..], 1),            // TLS
        (b"\x03\0\0\x10\x08", 1),                         // TPKT
        (b"0\x0c\x02\x01\x01`\x07\x02\x01\x03\x04\0", 1), // LDAP
        (b"INVITE sip:a@pbx.example.com SIP/2.0\r\n", 8), // SIP
        (b"OPTIONS sip:pbx.example.com SIP/2.0\r\n", 9),  // SIP
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", 7),   // PROXY protocol
    ] {
        for len in 0..input.len() {
            assert_eq!(
                request(&input[..len]).is_open(),
                len < decided_at,
                "{} at {len}",
                input.escape_ascii()
            );
        }
    }
    assert!(matches!(extract(b"0\x0c"), Err(Error::Invalid(i)) if i.reason == Reason::NotARequest));
}

/// Everything that a head says; its `Debug` text hides values.
fn request(input: &[u8]) -> Decision {
    decision(extract(input).map(|key| (key, values(key.head.fields))))
}

fn answer(input: &[u8], asked: response::Asked) -> Decision {
    decision(response::extract(input, asked).map(|response| (response, values(response.fields))))
}

fn values(fields: Fields<'_>) -> Vec<String> {
    fields.iter().map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii())).collect()
}

fn decision(result: Result<impl std::fmt::Debug, Error>) -> Decision {
    match result {
        Ok(found) => Decision::key(found),
        Err(Error::Incomplete(n)) => Decision::Incomplete(n.get()),
        Err(Error::Invalid(invalid)) => Decision::invalid(invalid),
    }
}
