//! What is accepted here, hyper and httparse accept too, and understand in the same way: as it was received, and as it
//! is forwarded.

mod hyper_server;

use hyper_server::{Body as Seen, Request, serve};
use rp_http::{
    Body, Framing, Key, Scheme, Step, Target, extract,
    forward::{self, Forwarding},
};

/// Checks the request at the front of `input` against hyper and httparse; false if it is not accepted here.
///
/// # Panics
/// They do not agree.
pub(crate) fn agrees(input: &[u8]) -> bool {
    let Ok(key) = extract(input) else { return false };
    agrees_with_httparse(input, &key);
    let Some((body, end, trailers)) = body(&input[key.head_len..], key.head.framing) else { return false };
    // hyper takes no more than a hundred fields, in either place.
    if trailers > MOST_FIELDS {
        return true;
    }
    let request = &input[..key.head_len + end];
    let Target::Path { path, query, .. } = key.head.target else { return true };
    let target = [path, &query.map_or(Vec::new(), |query| [b"?", query].concat())].concat();
    let wanted = Request {
        method: key.head.method.to_vec(),
        path_and_query: target,
        host: key.head.host.as_bytes().to_vec(),
        framing: key.head.framing,
        body: Seen::Whole(body.clone()),
    };
    // hyper leaves the host of an absolute target where it is.
    if key.head.absolute_scheme.is_none() {
        assert_eq!(serve(request), wanted, "as received: {}", request.escape_ascii());
    }
    // Forwarding adds fields.
    if key.head.fields.iter().count() > MOST_FIELDS {
        return true;
    }
    let mut forwarded = Vec::new();
    forward::request(&key.head, &FORWARDING, false, &mut |slice| forwarded.extend_from_slice(slice));
    match key.head.framing {
        Framing::Chunked => {
            if !body.is_empty() {
                forwarded.extend_from_slice(rp_http::chunk::SizeLine::new(body.len()).as_bytes());
                forwarded.extend_from_slice(&body);
                forwarded.extend_from_slice(rp_http::chunk::DATA_END);
            }
            forwarded.extend_from_slice(rp_http::chunk::LAST_CHUNK);
        }
        _ => forwarded.extend_from_slice(&body),
    }
    assert_eq!(serve(&forwarded), wanted, "as forwarded: {}", forwarded.escape_ascii());
    true
}

fn agrees_with_httparse(input: &[u8], key: &Key<'_>) {
    let mut slots = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut slots);
    let length = parsed.parse(input);
    assert_eq!(length, Ok(httparse::Status::Complete(key.head_len)), "{}", input.escape_ascii());
    assert_eq!(parsed.method.map(str::as_bytes), Some(key.head.method));
    let fields: Vec<_> = parsed.headers.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
    assert_eq!(fields, key.head.fields.iter().collect::<Vec<_>>(), "{}", input.escape_ascii());
}

const MOST_FIELDS: usize = 90;

/// The decoded body, its length on the wire, and the number of its trailer fields, if it is whole and well-formed.
fn body(mut input: &[u8], framing: Framing) -> Option<(Vec<u8>, usize, usize)> {
    let (mut body, mut content, mut end, mut trailers) = (Body::from(framing), Vec::new(), 0, 0);
    loop {
        let n = match body.step(input).ok()? {
            Step::End => return Some((content, end, trailers)),
            Step::More => return None,
            Step::Skip(n) => n,
            Step::Trailer(n) => {
                trailers += input[..n].iter().filter(|octet| **octet == b'\n').count();
                n
            }
            Step::Pass(n) => {
                content.extend_from_slice(&input[..n]);
                n
            }
        };
        input = &input[n..];
        end += n;
    }
}

const FORWARDING: Forwarding<'_> = Forwarding {
    client: "2001:db8::7",
    scheme: Scheme::Http,
    trusted: true,
    own_address: None,
    forwarded: true,
    via: Some("edge"),
};
