//! Mutations of the corpus, and requests made up with what must be read from them.

mod common;

use common::{decide, mutated};
use proptest::prelude::*;
use rp_sip::{Answer, Error, Response, Status, extract};
use rp_testkit::laws;

fn written(input: &[u8]) -> Option<Vec<u8>> {
    let answer = Answer::to(input)?;
    let mut written = Vec::new();
    answer.write(Status::BAD_REQUEST, 7, Some(10), &mut |piece| written.extend_from_slice(piece));
    Some(written)
}

/// A blank as the grammar allows it between words.
fn lws() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", " ", "\t", "  ", "\r\n ", " \r\n\t "])
}

/// The fields of a made-up request, and what must be read from it.
#[derive(Clone, Debug)]
struct Made {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    display: String,
    tag: Option<String>,
    branch: String,
    call_id: String,
    number: String,
    blanks: [&'static str; 6],
    compact: bool,
    rotation: usize,
    pings: usize,
    body: Vec<u8>,
}

fn made() -> impl Strategy<Value = Made> {
    let identity = (
        prop::option::of("[A-Za-z0-9_.!~*'()&=+$,;?/#-]{1,12}(%[0-9A-Fa-f]{2})?"),
        "([a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?\\.){0,3}[a-z]{1,6}",
        prop::option::of(1..=u16::MAX),
        prop_oneof![
            Just(String::new()),
            "([a-zA-Z0-9.!%*_+`'~-]{1,5} ){0,3}",
            "\"([^\"\\\\\r\n\0]|\\\\[\"\\\\<@]){0,10}\""
        ],
    );
    let dialog = (
        prop::option::of("[a-z0-9]{1,8}"),
        "z9hG4bK[a-zA-Z0-9.]{1,10}",
        "[a-zA-Z0-9@.<\"?-]{1,16}",
        "[0-9]{1,25}",
    );
    let layout = (
        [lws(), lws(), lws(), lws(), lws(), lws()],
        any::<bool>(),
        0..7_usize,
        0..3_usize,
        prop::collection::vec(any::<u8>(), 0..40),
    );
    (identity, dialog, layout).prop_map(
        |(
            (user, host, port, display),
            (tag, branch, call_id, number),
            (blanks, compact, rotation, pings, body),
        )| {
            Made {
                user,
                host,
                port,
                display,
                tag,
                branch,
                call_id,
                number,
                blanks,
                compact,
                rotation,
                pings,
                body,
            }
        },
    )
}

impl Made {
    fn octets(&self) -> Vec<u8> {
        let [a, b, c, d, e, f] = self.blanks;
        let user = self.user.as_ref().map_or(String::new(), |user| format!("{user}@"));
        let port = self.port.map_or(String::new(), |port| format!(":{port}"));
        let uri = format!("sip:{user}{}{port};x=y", self.host);
        let tag = self.tag.as_ref().map_or(String::new(), |tag| format!("{b};{c}tAg{d}={e}{tag}{f}"));
        let name = |long: &'static str, short: &'static str| if self.compact { short } else { long };
        let mut lines = [
            format!("{}:{a}SIP/2.0/TCP h{b};{c}branch{d}={e}{}{f}", name("Via", "v"), self.branch),
            format!("{}:{a}{}{b}<{uri}>{c};tag=f", name("From", "F"), self.display),
            format!("{}:{f}{}<{uri}>{tag}", name("To", "t"), self.display),
            format!("{}:{d}{}{e}", name("Call-ID", "i"), self.call_id),
            format!("CSEQ:{e}{} {f}INVITE", self.number),
            format!("{}:{b}{}{c}", name("Content-Length", "l"), self.body.len()),
            format!("X-Other:{c}From: <sip:x@evil.example>{d}"),
        ];
        lines.rotate_left(self.rotation);
        let head =
            format!("{}INVITE sip:a SIP/2.0\r\n{}\r\n\r\n", "\r\n".repeat(self.pings), lines.join("\r\n"));
        [head.as_bytes(), &self.body].concat()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn mutated_messages_keep_the_laws(input in mutated()) {
        laws::check(&input, decide);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn a_made_up_request_is_read_as_it_was_meant(made in made()) {
        let input = made.octets();
        let key = extract(&input).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(key.from.user, made.user.as_ref().map(String::as_bytes));
        prop_assert_eq!(key.from.host, &made.host);
        prop_assert_eq!(key.from.port, made.port);
        prop_assert_eq!(key.to.user, key.from.user);
        prop_assert_eq!(key.to.tag, made.tag.as_ref().map(String::as_bytes));
        prop_assert_eq!(key.branch, Some(made.branch.as_bytes()));
        prop_assert_eq!(key.call_id, made.call_id.as_bytes());
        prop_assert_eq!((key.cseq.number, key.cseq.method), (made.number.as_bytes(), &b"INVITE"[..]));
        prop_assert_eq!(key.start, 2 * made.pings);
        prop_assert_eq!(key.start + key.head_len + key.body_len, input.len());
        prop_assert!(input[..input.len() - made.body.len()].ends_with(b"\r\n\r\n"));
        // One octet less and there is no key.
        let whole = key.start + key.head_len;
        prop_assert!(matches!(extract(&input[..whole - 1]), Err(Error::Incomplete(_))));
    }

    #[test]
    fn an_answer_is_a_response_whose_lines_are_those_of_the_request(input in mutated()) {
        if let Some(written) = written(&input) {
            // A line of a refused request may itself be broken; that of an accepted one cannot.
            let (Ok(key), response) = (extract(&input), Response::parse(&written)) else { return Ok(()) };
            let response = response.map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(response.head_len, written.len());
            prop_assert_eq!(response.headers("Call-ID").collect::<Vec<_>>(), vec![key.call_id]);
            let behind = written.iter().position(|&octet| octet == b'\r').unwrap();
            let again = [b"OPTIONS x SIP/2.0", &written[behind..]].concat();
            let again = extract(&again).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!((again.branch, again.from, again.cseq), (key.branch, key.from, key.cseq));
            prop_assert_eq!(again.to.tag, key.to.tag.or(Some(b"rpd-0000000000000007")));
        } else if let Ok(key) = extract(&input) {
            prop_assert_eq!(key.method, "ACK");
        }
    }
}
