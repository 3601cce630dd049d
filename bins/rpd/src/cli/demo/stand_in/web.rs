//! Answers every request with a page that says whose it is and what arrived.

use rp_http::{Body, Error, Step, extract, forward};

use super::Reply;

pub(super) fn reply(name: &str, received: &[u8]) -> Reply {
    let key = match extract(received) {
        Ok(key) => key,
        Err(Error::Incomplete(_)) => return Reply::More,
        Err(Error::Invalid(_)) => return Reply::End,
    };
    let Some(body) = body_len(Body::from(key.head.framing), &received[key.head_len..]) else {
        return Reply::More;
    };
    let forwarded = key.head.fields.first(b"X-Forwarded-For").unwrap_or_default();
    let text = format!("{name} got {key} from {}", forwarded.escape_ascii());
    let mut answer = Vec::new();
    let words = forward::Answer {
        status: 200,
        text: &text,
        date: &httpdate::fmt_http_date(std::time::SystemTime::now()),
        head_only: key.head.method == b"HEAD",
        fields: &[("Server", &[name.as_bytes()])],
    };
    let client = forward::Client { version: key.head.version, close: !key.head.keeps_alive() };
    forward::answer(&words, client, &mut |slice: &[u8]| answer.extend_from_slice(slice));
    Reply::Send { used: key.head_len + body, answer }
}

/// The octets of a whole body at the front of `input`; none if it is not whole, or malformed.
fn body_len(mut body: Body, input: &[u8]) -> Option<usize> {
    let mut used = 0;
    loop {
        match body.step(input.get(used..)?) {
            Ok(Step::Skip(n) | Step::Pass(n) | Step::Trailer(n)) => used += n,
            Ok(Step::End) => return Some(used),
            Ok(Step::More) | Err(_) => return None,
        }
    }
}
