//! What is accepted here, hyper and httparse accept too, and understand in the same way. Not the other way
//! round: both are laxer.

mod agreement;

use agreement::agrees;
use proptest::prelude::*;
use rp_http::{Error, extract};
use rp_testkit::corpus;

#[test]
fn hyper_reads_the_requests_of_the_corpus_in_the_same_way() {
    let accepted = corpus::load("tests/corpus", "http").iter().filter(|case| agrees(&case.bytes)).count();
    assert!(accepted > 60, "{accepted} accepted");
}

#[test]
fn any_octet_anywhere_is_refused_or_read_in_the_same_way() {
    let mut accepted = 0;
    for request in [
        &b"PUT /a%20b?c=d HTTP/1.1\r\nHost: a.b:80\r\nContent-Length: 2\r\n\r\nab"[..],
        b"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\"b\"\r\nab\r\n0\r\nX: y\r\n\r\n",
    ] {
        assert!(agrees(request));
        for at in 0..request.len() {
            for octet in 0..=255 {
                let mut replaced = request.to_vec();
                replaced[at] = octet;
                accepted += usize::from(agrees(&replaced));
                let mut inserted = request.to_vec();
                inserted.insert(at, octet);
                accepted += usize::from(agrees(&inserted));
            }
        }
    }
    assert!(accepted > 10_000, "{accepted} accepted");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hyper_reads_generated_requests_in_the_same_way(request in request()) {
        agrees(&request);
    }

    #[test]
    fn hyper_reads_damaged_requests_in_the_same_way(
        mut request in request(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), damage()), 1..4),
    ) {
        for (at, octet) in damage {
            let at = at.index(request.len());
            request[at] = octet;
        }
        agrees(&request);
    }
}

/// Requests near the rules: most are accepted, the others nearly.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let method = prop::sample::select(vec!["GET", "POST", "PUT", "OPTIONS", "M-SEARCH", "get"]);
    let target = prop_oneof![
        "/[a-zA-Z0-9._~!$&'()*+,;=:@/-]{0,20}",
        "/[a-z/.%]{0,8}(%[0-9a-fA-F]{2}|\\.|;){0,3}(\\?[a-z/%?|^{}`\\\\\\[\\]]{0,10})?",
        "https?://(pbx|PBX)\\.example\\.com(:80)?(/[a-z]{0,5})?(\\?[a-z])?",
    ];
    let host = prop_oneof![
        6 => Just("pbx.example.com".to_owned()),
        1 => "[a-z0-9._-]{1,12}(:[0-9]{0,5})?",
        1 => "\\[[0-9a-f:]{2,20}\\](:[0-9]{0,5})?",
    ];
    let field = prop_oneof![
        "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}:[ \t]{0,2}[!-~]{0,10}[ \t]{0,2}",
        "Connection: (close|keep-alive|upgrade|te|x-a)(, ?(close|X-B))?",
        "(Upgrade: (websocket|h2c)|Expect: 100-continue|TE: trailers|X-Forwarded-For: [0-9.]{7,15})",
    ];
    let body = prop_oneof![
        Just((String::new(), Vec::new())),
        prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|body| (format!("Content-Length: {:02}\r\n", body.len()), body)),
        prop::collection::vec(chunk(), 0..4).prop_map(|chunks| {
            let body = [chunks.concat(), b"0\r\n\r\n".to_vec()].concat();
            ("Transfer-Encoding: Chunked\r\n".to_owned(), body)
        }),
    ];
    (method, target, host, prop::collection::vec(field, 0..5), body, 0..2_u8).prop_map(
        |(method, target, host, fields, (framing, body), version)| {
            let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
            let head = format!("{method} {target} HTTP/1.{version}\r\nHost: {host}\r\n{fields}{framing}\r\n");
            [head.into_bytes(), body].concat()
        },
    )
}

fn chunk() -> impl Strategy<Value = Vec<u8>> {
    let extension = prop_oneof![3 => Just(String::new()), 1 => "; ?[a-z]{1,3}( ?= ?([a-z]{1,3}|\"[ -~&&[^\"\\\\]]{0,5}\"))?"];
    (prop::collection::vec(any::<u8>(), 1..20), extension).prop_map(|(data, extension)| {
        [format!("{:03X}{extension}\r\n", data.len()).into_bytes(), data, b"\r\n".to_vec()].concat()
    })
}

/// Octets where parsers disagree.
fn damage() -> impl Strategy<Value = u8> {
    prop_oneof![
        any::<u8>(),
        prop::sample::select(b"\0\t\n\x0b\r ,:;=.%/\\\"#?@[]_-0\x7f\x80\xa0\xff".to_vec())
    ]
}

/// A decision taken here is the same for a request alone and one that others follow.
#[test]
fn what_follows_a_request_is_not_read() {
    let alone = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let followed = [&alone[..], b"\0\r\nHost: b\r\n\r\n"].concat();
    assert_eq!(extract(alone), extract(&followed));
    assert_eq!(extract(&alone[..20]), Err(Error::Incomplete(1.try_into().unwrap())));
}
