//! Damaged and generated messages.

use proptest::{prelude::*, sample};
use rp_http::{
    Body, Error, Invalid, Reason, ResponseFraming, Scheme, Step, Version, extract,
    forward::{self, Client, Forwarding},
    response::{self, Asked},
};
use rp_testkit::{Decision, chunks, corpus, laws};

const FORWARDING: Forwarding<'_> = Forwarding {
    client: "198.51.100.7",
    scheme: Scheme::Http,
    trusted: true,
    own_address: Some("10.0.0.1"),
    forwarded: true,
    via: Some("edge"),
};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_requests_keep_the_laws(request in damaged(requests())) {
        laws::check(&request, |input| match extract(input) {
            Ok(key) => Decision::key(key),
            Err(Error::Incomplete(n)) => Decision::Incomplete(n.get()),
            Err(Error::Invalid(invalid)) => Decision::invalid(invalid),
        });
    }

    #[test]
    fn damaged_requests_leave_in_a_form_that_is_read_in_the_same_way(request in damaged(requests())) {
        if let Ok(key) = extract(&request) {
            let once = written(&key.head);
            assert_is_clean(&once);
            let again = extract(&once).expect("what was written").head;
            prop_assert_eq!((again.method, again.host, again.target), (key.head.method, key.head.host, key.head.target));
            prop_assert_eq!((again.framing, again.is_websocket()), (key.head.framing, key.head.is_websocket()));
            prop_assert_eq!(again.version, Version::Http11);
        }
    }

    #[test]
    fn damaged_answers_leave_in_a_form_that_is_read_in_the_same_way(
        answer in damaged(answers()),
        head_only: bool,
        close: bool,
    ) {
        let asked = Asked { head_only, websocket: false };
        if let Ok(response) = response::extract(&answer, asked) {
            let client = Client { version: Version::Http11, close };
            let (mut once, mut twice) = (Vec::new(), Vec::new());
            let framing = forward::response(&response, client, &mut |slice| once.extend_from_slice(slice));
            assert_is_clean(&once);
            let again = response::extract(&once, asked).expect("what was written");
            prop_assert_eq!((again.status, again.reason), (response.status, response.reason));
            prop_assert_eq!(again.framing, framing);
            prop_assert_eq!(again.keeps_alive(), !close);
            forward::response(&again, client, &mut |slice| twice.extend_from_slice(slice));
            prop_assert_eq!(once, twice);
        }
    }

    #[test]
    fn a_body_passes_in_the_same_way_however_it_is_cut(body in chunked(), framing in framing()) {
        let whole = follow(&[&body], framing);
        for sizes in chunks::sizes(body.len()) {
            prop_assert_eq!(&follow(&chunks::cut(&body, &sizes), framing), &whole, "cut as {:?}", sizes);
        }
    }

    #[test]
    fn chunks_are_decoded_as_the_naive_decoder_does(body in chunked()) {
        let (content, end) = follow(&[&body], ResponseFraming::Chunked);
        match (naive(&body), end) {
            (Some((wanted, len)), Ok(left)) => {
                prop_assert_eq!(content, wanted);
                prop_assert_eq!(body.len() - left, len);
            }
            (wanted, end) => prop_assert!(wanted.is_none() && end.is_err(), "{:?} {:?}", wanted, end),
        }
    }
}

#[test]
fn limits_of_chunks_hold_to_the_octet() {
    let follow = |body: String| follow(&[body.as_bytes()], ResponseFraming::Chunked).1.map_err(|i| i.reason);
    let extended = |len: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(len - 1));
    assert_eq!(follow(extended(256)), Ok(0));
    assert_eq!(follow(extended(257)), Err(Reason::ChunkExtensionTooLong));
    let many =
        |chunks: usize| format!("{}0\r\n\r\n", format!("1;{}\r\na\r\n", "x".repeat(255)).repeat(chunks));
    assert_eq!(follow(many(64)), Ok(0));
    assert_eq!(follow(many(65)), Err(Reason::ChunkExtensionTooLong));
    let trailer = |len: usize| format!("0\r\nX:{}\r\n\r\n", "x".repeat(len - 6));
    assert_eq!(follow(trailer(8 * 1024)), Ok(0));
    assert_eq!(follow(trailer(8 * 1024 + 1)), Err(Reason::TrailersTooLong));
    assert_eq!(follow("000000000000001\r\na\r\n0\r\n\r\n".to_owned()), Ok(0));
    assert_eq!(follow("0000000000000001\r\na\r\n0\r\n\r\n".to_owned()), Err(Reason::ChunkSize));
    assert_eq!(follow("fffffffffffffff\r\na".to_owned()), Err(Reason::BodyCut));
}

#[test]
fn a_broken_body_stays_broken() {
    let mut body = Body::from(ResponseFraming::Chunked);
    let broken = body.step(b"5;a\nphone").unwrap_err();
    assert_eq!((broken.reason, broken.offset), (Reason::BareLf, 3));
    assert_eq!(body.step(b"0\r\n\r\n"), Err(broken));
    assert_eq!(body.end_of_input(), Err(broken));
}

/// What passes, and then the octets left over, or what is wrong.
fn follow(pieces: &[&[u8]], framing: ResponseFraming) -> (Vec<u8>, Result<usize, Invalid>) {
    let (mut body, mut content) = (Body::from(framing), Vec::new());
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut taken = 0;
    for mut piece in pieces.iter().copied() {
        loop {
            let n = match body.step(piece) {
                Ok(Step::End) => return (content, Ok(total - taken)),
                Ok(Step::More) => break,
                Ok(Step::Skip(n) | Step::Trailer(n)) => n,
                Ok(Step::Pass(n)) => {
                    content.extend_from_slice(&piece[..n]);
                    n
                }
                Err(invalid) => return (content, Err(invalid)),
            };
            taken += n;
            piece = &piece[n..];
        }
    }
    (content, body.end_of_input().map(|()| total - taken))
}

/// Decodes a chunked body line by line: content and length on the wire.
fn naive(input: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut content, mut rest) = (Vec::new(), input);
    loop {
        let (line, behind) = naive_line(rest)?;
        let digits = line.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
        let (size, extensions) = line.split_at(digits);
        if !(1..=15).contains(&digits) || !naive_extensions(extensions) {
            return None;
        }
        let size = usize::from_str_radix(std::str::from_utf8(size).unwrap(), 16).unwrap();
        rest = behind;
        if size == 0 {
            break;
        }
        content.extend_from_slice(rest.get(..size)?);
        rest = rest[size..].strip_prefix(b"\r\n")?;
    }
    loop {
        let (line, behind) = naive_line(rest)?;
        rest = behind;
        if line.is_empty() {
            return Some((content, input.len() - rest.len()));
        }
        let colon = line.iter().position(|&octet| octet == b':')?;
        if colon == 0 || !line[..colon].iter().all(|&octet| naive_token(octet)) {
            return None;
        }
    }
}

/// Up to the first CRLF; no other control octet but tab.
fn naive_line(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = input.windows(2).position(|two| two == b"\r\n")?;
    let line = &input[..end];
    let plain = line.iter().all(|&octet| octet == b'\t' || (octet >= b' ' && octet != 0x7f));
    plain.then_some((line, &input[end + 2..]))
}

fn naive_extensions(mut text: &[u8]) -> bool {
    let blanks = |text: &mut &[u8]| {
        while let [b' ' | b'\t', rest @ ..] = *text {
            *text = rest;
        }
    };
    let token = |text: &mut &[u8]| {
        let len = text.iter().take_while(|&&octet| naive_token(octet)).count();
        *text = &text[len..];
        len > 0
    };
    let mut first = true;
    while !text.is_empty() {
        // No white space behind the size.
        if !first {
            blanks(&mut text);
        }
        first = false;
        let [b';', rest @ ..] = text else { return false };
        text = rest;
        blanks(&mut text);
        if !token(&mut text) {
            return false;
        }
        let mut value = text;
        blanks(&mut value);
        let [b'=', rest @ ..] = value else { continue };
        text = rest;
        blanks(&mut text);
        if let [b'"', rest @ ..] = text {
            text = rest;
            loop {
                text = match text {
                    [b'\\', _, rest @ ..] => rest,
                    [b'"', ..] => break,
                    [_, rest @ ..] => rest,
                    [] => return false,
                };
            }
            text = &text[1..];
        } else if !token(&mut text) {
            return false;
        }
    }
    true
}

fn naive_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

fn written(head: &rp_http::Head<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    forward::request(head, &FORWARDING, false, &mut |slice| out.extend_from_slice(slice));
    out
}

/// CRLF ends each line, and there is no other control octet but tab.
fn assert_is_clean(head: &[u8]) {
    let text = String::from_utf8_lossy(head).replace("\r\n", "");
    assert!(!text.chars().any(|c| c.is_ascii_control() && c != '\t'), "{}", head.escape_ascii());
}

fn requests() -> Vec<Vec<u8>> {
    let cases = corpus::load("tests/corpus", "http").into_iter().map(|case| case.bytes);
    cases.filter(|request| request.len() < 600).collect()
}

fn answers() -> Vec<Vec<u8>> {
    let more = [
        "HTTP/1.0 200 OK\r\nConnection: keep-alive, X-A\r\nX-A: b\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 304 \r\nContent-Length: 7\r\nETag: \"a\"\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nAlt-Svc: h3\r\n\r\n",
    ];
    corpus::load("tests/corpus", "http")
        .iter()
        .flat_map(|case| case.expected["reply"].as_array().cloned().unwrap_or_default())
        .filter_map(|reply| reply.as_str().map(|reply| reply.as_bytes().to_vec()))
        .chain(more.map(|reply| reply.as_bytes().to_vec()))
        .collect()
}

/// One of the messages with some octets replaced, removed or inserted.
fn damaged(messages: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![any::<u8>(), sample::select(b"\0\t\n\x0b\r ,:;=.%/\"#@_-0\x7f\xff".to_vec())];
    let damage = prop::collection::vec((any::<sample::Index>(), 0..3_u8, octet), 0..4);
    (sample::select(messages), damage).prop_map(|(mut message, damage)| {
        for (at, how, octet) in damage {
            let at = at.index(message.len());
            match how {
                0 => message[at] = octet,
                1 => message.insert(at, octet),
                _ => drop(message.remove(at)),
            }
            if message.is_empty() {
                message.push(octet);
            }
        }
        message
    })
}

/// Near the grammar of chunked bodies.
fn chunked() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        12 => ("[0-9a-f]{0,1}[0-3]", "( ?; ?[a-z=\" \\\\;]{0,6}| ?; ?a ?= ?(b|\"[a-z;\\\\ ]{0,4}\"))?")
            .prop_flat_map(|(size, extension)| {
                let len = usize::from_str_radix(&size, 16).unwrap_or(0);
                prop::collection::vec(any::<u8>(), len).prop_map(move |data| {
                    [format!("{size}{extension}\r\n").as_bytes(), &data, b"\r\n"].concat()
                })
            }),
        1 => prop::collection::vec(sample::select(b"05af;=\"\\ \t\r\n:xX".to_vec()), 0..4),
    ];
    let trailers = "([a-zA-Z-]{0,4}:?[ -~]{0,6}\r\n){0,2}";
    (prop::collection::vec(piece, 0..4), trailers).prop_map(|(pieces, trailers)| {
        [pieces.concat(), format!("0\r\n{trailers}\r\nnext").into_bytes()].concat()
    })
}

fn framing() -> impl Strategy<Value = ResponseFraming> {
    prop_oneof![
        4 => Just(ResponseFraming::Chunked),
        1 => (0..60_u64).prop_map(ResponseFraming::Length),
        1 => Just(ResponseFraming::UntilClose),
        1 => Just(ResponseFraming::None),
    ]
}
