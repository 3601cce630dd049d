//! The http cases: a request head beside httparse, which checks no host, target, framing or line ends.

use std::{hint::black_box, mem::MaybeUninit};

use rp_http::{
    Body, Framing, Scheme, Step, extract,
    forward::{self, Forwarding},
    response::{self, Asked},
};

use crate::Case;

/// A request of a browser, 400 octets, 8 fields.
const REQUEST: &[u8] = include_bytes!("../../crates/rp-http/tests/corpus/get-400.raw");
/// A short answer.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/javascript\r\n\
    Cache-Control: max-age=3600\r\nContent-Length: 1024\r\n\r\n";
/// Four chunks of eight octets.
const CHUNKS: &[u8] = b"8\r\n01234567\r\n8\r\n01234567\r\n8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n";

const FORWARDING: Forwarding<'_> = Forwarding {
    client: "198.51.100.7",
    scheme: Scheme::Https,
    trusted: false,
    own_address: None,
    forwarded: false,
    via: None,
};

/// The cases of this protocol.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new("http/request/rp-http", || {
            black_box(extract(black_box(REQUEST)).is_ok());
        }),
        Case::new("http/request/httparse", || {
            let mut slots = [const { MaybeUninit::uninit() }; 100];
            let mut request = httparse::Request::new(&mut []);
            black_box(request.parse_with_uninit_headers(black_box(REQUEST), &mut slots).is_ok());
            black_box(&request);
        }),
        Case::new("http/request/httparse-zeroed", || {
            let mut slots = [httparse::EMPTY_HEADER; 100];
            let mut request = httparse::Request::new(&mut slots);
            black_box(request.parse(black_box(REQUEST)).is_ok());
            black_box(&request);
        }),
        Case::new("http/answer/rp-http", || {
            black_box(response::extract(black_box(ANSWER), Asked::default()).is_ok());
        }),
        Case::new("http/answer/httparse", || {
            let mut slots = [const { MaybeUninit::uninit() }; 100];
            let mut response = httparse::Response::new(&mut []);
            let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
                &mut response,
                black_box(ANSWER),
                &mut slots,
            );
            black_box(parsed.is_ok());
            black_box(&response);
        }),
        Case::new("http/forward/rp-http", {
            let mut out = Vec::with_capacity(2 * REQUEST.len());
            move || {
                out.clear();
                let key = extract(black_box(REQUEST)).expect("a good request");
                forward::request(&key.head, &FORWARDING, false, &mut |slice| out.extend_from_slice(slice));
                black_box(&out);
            }
        }),
        Case::new("http/chunks/rp-http", || {
            let (mut body, mut input) = (Body::from(Framing::Chunked), black_box(CHUNKS));
            while let Ok(Step::Skip(n) | Step::Pass(n)) = body.step(input) {
                input = input.get(n..).unwrap_or_default();
            }
            black_box(body.is_over());
        }),
    ]
}
