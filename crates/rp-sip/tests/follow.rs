//! Every case of the corpus through the follower, whole and cut in every way.

mod common;

use common::{cases, endless_head, latin1, unescape};
use proptest::prelude::*;
use rp_sip::{Follower, Head, Invalid, Limits, Reason, Request, Response, Step, extract};
use rp_testkit::{chunks, corpus::Case};
use serde_json::{Value, json};

/// What a follower said of a stream, with offsets into the stream.
#[derive(Clone, Debug, PartialEq)]
struct Followed {
    events: Vec<Event>,
    end: End,
}

#[derive(Clone, Debug, PartialEq)]
enum Event {
    Crlf { at: usize },
    Ping { at: usize },
    Head { at: usize, octets: Vec<u8>, body: usize },
}

#[derive(Clone, Debug, PartialEq)]
enum End {
    /// All octets are of whole messages.
    Whole,
    /// So many octets of a head are left, or a body should go on.
    Within,
    Invalid {
        reason: Reason,
        at: usize,
    },
}

/// Feeds the pieces one by one, as a caller does that keeps an incomplete head and nothing else. `see` is
/// shown each head.
fn follow(pieces: &[&[u8]], limits: Limits, mut see: impl FnMut(&Head<'_>)) -> Followed {
    let mut follower = Follower::new(limits);
    let (mut events, mut kept, mut at, mut body_at) = (Vec::new(), Vec::new(), 0, 0);
    for piece in pieces {
        kept.extend_from_slice(piece);
        loop {
            let step = match follower.step(&kept) {
                Ok(step) => step,
                Err(Invalid { reason, offset, .. }) => {
                    return Followed { events, end: End::Invalid { reason, at: at + offset } };
                }
            };
            match &step {
                Step::Crlf => events.push(Event::Crlf { at }),
                Step::Ping => events.push(Event::Ping { at }),
                Step::Pass(octets) => {
                    assert!(*octets > 0, "a step that goes nowhere");
                    body_at += octets;
                }
                Step::Look(head) => {
                    see(head);
                    assert_eq!(head.octets(), &kept[..head.octets().len()]);
                    assert_eq!(Head::parse(head.octets(), &limits).as_ref(), Ok(head));
                    body_at = 0;
                    events.push(Event::Head { at, octets: head.octets().to_vec(), body: head.body_len() });
                }
                Step::More => break,
            }
            let octets = step.octets();
            at += octets;
            kept.drain(..octets);
        }
        assert!(kept.len() <= limits.head, "more than a head is kept");
    }
    let whole = kept.is_empty() && follower.is_between_messages();
    if let Some(Event::Head { body, .. }) = events.last() {
        assert_eq!(*body == body_at, follower.is_between_messages());
    }
    Followed { events, end: if whole { End::Whole } else { End::Within } }
}

fn follow_cut(input: &[u8], sizes: &[usize]) -> Followed {
    follow(&chunks::cut(input, sizes), Limits::default(), |_| {})
}

#[test]
fn every_case_is_followed_as_said() {
    let mut heads = 0;
    for case in cases() {
        let expected = case.expected["events"].as_array().unwrap();
        let messages: Vec<&Value> = expected.iter().filter(|event| event["type"] == "message").collect();
        let mut seen = 0;
        let followed = follow(&[&case.bytes], Limits::default(), |head| {
            assert_fields(&case, head, messages[seen]);
            seen += 1;
        });
        assert_eq!(seen, messages.len(), "{}", case.name);
        assert_eq!(as_expected(&followed.events), layout(expected), "{}", case.name);
        assert_end(&case, &followed.end);
        heads += seen;
    }
    assert!(heads > 200, "{heads}");
}

#[test]
fn no_case_depends_on_how_it_is_cut() {
    for case in cases() {
        let whole = follow_cut(&case.bytes, &[case.bytes.len()]);
        let dribbled = follow_cut(&case.bytes, &vec![1; case.bytes.len()]);
        assert_eq!(dribbled, whole, "{}: octet by octet", case.name);
        for at in 1..case.bytes.len().min(2_048) {
            let cut = follow_cut(&case.bytes, &[at, case.bytes.len() - at]);
            assert_eq!(cut, whole, "{}: cut at {at}", case.name);
        }
    }
}

/// What no continuation can help is refused with the octet that says so, here as in `extract`.
#[test]
fn every_case_is_refused_as_early_as_by_extract() {
    let mut refused = 0;
    for case in cases() {
        let mut follower = Follower::new(Limits::default());
        let mut from = 0;
        for len in 1..=case.bytes.len() {
            match follower.step(&case.bytes[from..len]) {
                Ok(Step::Look(_)) => break,
                Ok(step) => {
                    from += step.octets();
                    let decided = matches!(extract(&case.bytes[..len]), Err(rp_sip::Error::Invalid(i)) if i.reason != Reason::Response);
                    assert!(!decided, "{} at {len}", case.name);
                }
                Err(invalid) => {
                    refused += 1;
                    if let Err(rp_sip::Error::Invalid(by_extract)) = extract(&case.bytes[..len])
                        && by_extract.reason != Reason::Response
                    {
                        let here = (invalid.reason, invalid.offset + from);
                        assert_eq!(here, (by_extract.reason, by_extract.offset), "{}", case.name);
                    }
                    break;
                }
            }
        }
    }
    assert!(refused > 25, "{refused}");
}

#[test]
fn a_head_without_end_is_refused_at_the_limit() {
    let input = endless_head();
    let limits = Limits { head: 16_384, ..Limits::default() };
    let mut follower = Follower::new(limits);
    assert_eq!(follower.step(&input[..16_000]), Ok(Step::More));
    assert_eq!(follower.step(&input[..16_383]), Ok(Step::More));
    let too_large = follower.step(&input[..16_384]).unwrap_err();
    assert_eq!((too_large.reason, too_large.offset), (Reason::HeadTooLarge, 16_384));
    assert_eq!(Follower::new(limits).step(&input).unwrap_err(), too_large);
    // No limit of the caller's is above that of the crate.
    let mut follower = Follower::new(Limits { head: usize::MAX, ..limits });
    assert_eq!(follower.step(&input[..Limits::MAX_HEAD - 1]), Ok(Step::More));
    let too_large = follower.step(&input[..Limits::MAX_HEAD]).unwrap_err();
    assert_eq!((too_large.reason, too_large.offset), (Reason::HeadTooLarge, Limits::MAX_HEAD));
}

#[test]
fn a_ping_may_come_in_any_pieces() {
    let steps = |pieces: &[&[u8]]| {
        let followed = follow(pieces, Limits::default(), |_| {});
        (followed.events, followed.end)
    };
    let (ping, end) = steps(&[b"\r\n\r\n"]);
    assert_eq!(ping, [Event::Crlf { at: 0 }, Event::Ping { at: 2 }]);
    assert_eq!(end, End::Whole);
    for pieces in [&[&b"\r"[..], b"\n\r\n"][..], &[b"\r\n", b"\r\n"], &[b"\r\n\r", b"\n"]] {
        assert_eq!(steps(pieces), (ping.clone(), End::Whole));
    }
    assert_eq!(steps(&[b"\r\n\r\n\r\n"]).0.last(), Some(&Event::Crlf { at: 4 }));
    assert_eq!(steps(&[b"\r\n\r"]).1, End::Within);
    assert_eq!(steps(&[b"\r\n\r\r"]).1, End::Invalid { reason: Reason::LineEnd, at: 3 });
}

/// A CR LF, a message, a CR LF: that is no ping.
#[test]
fn a_message_ends_a_ping_that_has_begun() {
    let input = b"\r\nOPTIONS sip:a SIP/2.0\r\nl:0\r\n\r\n\r\n";
    let followed = follow(&[input], Limits::default(), |_| {});
    assert!(matches!(
        followed.events[..],
        [Event::Crlf { at: 0 }, Event::Head { at: 2, .. }, Event::Crlf { .. }]
    ));
}

#[test]
fn inside_a_dialog_a_from_without_a_domain_is_sound() {
    let request = |from: &str, cseq: &str| {
        format!(
            "BYE sip:a SIP/2.0\r\nv: SIP/2.0/TCP a;branch=b\r\n{from}t: <sip:a>;tag=1\r\ni: 1\r\n\
             CSeq: {cseq}\r\nl: 0\r\n\r\n"
        )
    };
    let judge = |from: &str, cseq: &str| {
        let octets = request(from, cseq);
        let Ok(Head::Request(request)) = Head::parse(octets.as_bytes(), &Limits::default()) else { panic!() };
        assert!(request.is_in_dialog());
        let reason = |result: Result<(), Invalid>| result.map_err(|invalid| invalid.reason);
        (reason(request.sound()), reason(request.key().map(drop)))
    };
    assert_eq!(judge("f: <sip:a@b.example>\r\n", "1 BYE"), (Ok(()), Ok(())));
    assert_eq!(judge("f: <tel:+491>\r\n", "1 BYE"), (Ok(()), Err(Reason::NoDomain)));
    assert_eq!(judge("f: <sip:a@10.0.0.5:x>\r\n", "1 BYE"), (Ok(()), Err(Reason::BadFrom)));
    assert_eq!(judge("f: <sip:a@10.0.0.5:x>\r\n", "x").0, Err(Reason::BadCSeq));
    let bad_to = request("f: <tel:1>\r\n", "1 BYE").replace("t: <sip:a>", "t: <sip:a");
    let Ok(Head::Request(bad_to)) = Head::parse(bad_to.as_bytes(), &Limits::default()) else { panic!() };
    assert_eq!(bad_to.sound().unwrap_err().reason, Reason::BadTo);
    assert_eq!(judge("", "1 BYE").0, Err(Reason::Missing(rp_sip::Field::From)));
    let twice = "f: <sip:a@b.example>\r\nFrom: <sip:a@b.example>\r\n";
    assert_eq!(judge(twice, "1 BYE").0, Err(Reason::Repeated(rp_sip::Field::From)));
}

#[test]
fn a_challenge_is_stale_when_it_says_so() {
    let stale = |challenge: &str| {
        let octets = format!("SIP/2.0 401 Unauthorized\r\nl: 0\r\n{challenge}\r\n\r\n");
        Response::parse(octets.as_bytes()).unwrap().is_stale()
    };
    assert!(stale("WWW-Authenticate: Digest realm=\"a\", nonce=\"b\", stale=true"));
    assert!(stale("proxy-authenticate:Digest stale = \"TRUE\",realm=\"a\""));
    assert!(stale("WWW-Authenticate: Digest\r\n STALE=True , realm=a"));
    assert!(stale("WWW-Authenticate: Digest realm=a\r\nWWW-Authenticate: Digest realm=a,stale=true"));
    assert!(!stale("WWW-Authenticate: Digest realm=\"a\", stale=false"));
    assert!(!stale("WWW-Authenticate: Digest realm=\"stale=true\", nonce=\",stale=true\""));
    assert!(!stale("WWW-Authenticate: Digest xstale=true, realm=a"));
    assert!(!stale("X: Digest stale=true"));
}

#[test]
fn a_contact_is_secure_by_its_first_address() {
    let secure = |contact: &str| {
        let octets = format!("SIP/2.0 200 OK\r\nl: 0\r\n{contact}\r\n\r\n");
        Response::parse(octets.as_bytes()).unwrap().has_secure_contact()
    };
    assert!(secure("Contact: <sips:a@b>"));
    assert!(secure("m: \"a, <sip:b>\" <SIPS:a@b>;expires=1, <sip:a@b>"));
    assert!(secure("m: sips:a@b"));
    assert!(!secure("m: <sip:a@b>, <sips:a@b>"));
    assert!(!secure("m: *"));
    assert!(!secure("X: 1"));
}

/// Heads and bodies as a naive reader finds them that has everything in one buffer.
fn naive(input: &[u8]) -> Followed {
    let (mut events, mut at, mut half_ping) = (Vec::new(), 0, false);
    loop {
        let rest = &input[at..];
        if rest.is_empty() {
            return Followed { events, end: End::Whole };
        }
        if rest.starts_with(b"\r\n") {
            events.push(if half_ping { Event::Ping { at } } else { Event::Crlf { at } });
            half_ping = !half_ping;
            at += 2;
            continue;
        }
        if let [b'\r', behind @ ..] = rest {
            let stray = End::Invalid { reason: Reason::LineEnd, at: at + 1 };
            return Followed { events, end: if behind.is_empty() { End::Within } else { stray } };
        }
        // The shortest prefix that is decided, found by trying each.
        let decided = (1..=rest.len())
            .map(|len| (len, Head::parse(&rest[..len], &Limits::default())))
            .find(|(_, result)| !matches!(result, Err(rp_sip::Error::Incomplete(_))));
        half_ping = false;
        match decided {
            None => return Followed { events, end: End::Within },
            Some((_, Err(rp_sip::Error::Invalid(invalid)))) => {
                let end = End::Invalid { reason: invalid.reason, at: at + invalid.offset };
                return Followed { events, end };
            }
            Some((len, Ok(head))) => {
                let body = head.body_len();
                events.push(Event::Head { at, octets: rest[..len].to_vec(), body });
                if rest.len() - len < body {
                    return Followed { events, end: End::Within };
                }
                at += len + body;
            }
            Some((_, Err(_))) => unreachable!(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_naive_reader_of_the_whole_finds_the_same(
        first in common::mutated(),
        second in common::mutated(),
        sizes in prop::collection::vec(1..40_usize, 1..200),
    ) {
        let input = [first, second].concat();
        let expected = naive(&input);
        prop_assert_eq!(&follow_cut(&input, &[input.len()]), &expected);
        prop_assert_eq!(&follow_cut(&input, &vec![1; input.len()]), &expected);
        let mut left = input.len();
        let mut pieces: Vec<usize> = sizes.into_iter().cycle().map_while(|size| {
            let size = size.min(left);
            left -= size;
            (size > 0).then_some(size)
        }).collect();
        prop_assert_eq!(&follow_cut(&input, &pieces), &expected);
        pieces.reverse();
        prop_assert_eq!(&follow_cut(&input, &pieces), &expected);
    }
}

/// Pings as two halves, messages by where they stand.
fn layout(expected: &[Value]) -> Vec<(&str, u64, u64, u64)> {
    let mut all = Vec::new();
    for event in expected {
        let number = |name: &str| event[name].as_u64().unwrap();
        match event["type"].as_str().unwrap() {
            "ping" => all.extend([("crlf", number("offset"), 2, 0), ("ping", number("offset") + 2, 2, 0)]),
            "crlf" => all.push(("crlf", number("offset"), 2, 0)),
            _ => all.push(("head", number("offset"), number("head_len"), number("body_len"))),
        }
    }
    all
}

fn as_expected(events: &[Event]) -> Vec<(&'static str, u64, u64, u64)> {
    let place = |event: &Event| match event {
        Event::Crlf { at } => ("crlf", *at as u64, 2, 0),
        Event::Ping { at } => ("ping", *at as u64, 2, 0),
        Event::Head { at, octets, body } => ("head", *at as u64, octets.len() as u64, *body as u64),
    };
    events.iter().map(place).collect()
}

fn assert_end(case: &Case, end: &End) {
    let expected = case.expected["end"].as_str().unwrap();
    let fits = match (expected, end) {
        ("complete", End::Whole) | ("incomplete", End::Within) => true,
        (_, End::Invalid { reason, .. }) => match expected {
            "error:bare_cr_lf" => matches!(reason, Reason::LineEnd | Reason::StartLine),
            "error:bad_start_line" => *reason == Reason::StartLine,
            "error:bad_version" => *reason == Reason::Version,
            "error:bad_header" => matches!(reason, Reason::HeaderName | Reason::StartLine),
            "error:missing_content_length" => *reason == Reason::Missing(rp_sip::Field::ContentLength),
            "error:duplicate_content_length" => *reason == Reason::Repeated(rp_sip::Field::ContentLength),
            "error:bad_content_length" => *reason == Reason::BadContentLength,
            "error:body_too_large" => *reason == Reason::BodyTooLarge,
            "error:head_too_large" => *reason == Reason::HeadTooLarge,
            _ => false,
        },
        _ => false,
    };
    assert!(fits, "{}: {expected}, not {end:?}", case.name);
}

fn assert_fields(case: &Case, head: &Head<'_>, message: &Value) {
    let refusable = case.expected["verdict"] == "either";
    match head {
        Head::Request(request) => assert_request(case, request, message, refusable),
        Head::Response(response) => {
            assert_eq!(
                (&message["kind"], &message["status"]),
                (&json!("response"), &json!(response.status.code()))
            );
            assert_eq!(
                found(response.branch, latin1_or_null),
                wanted(message, "via_branch"),
                "{}",
                case.name
            );
            assert_eq!(found(response.cseq, cseq), wanted(message, "cseq"), "{}", case.name);
            assert_eq!(
                found(response.call_id, |id| json!(latin1(id))),
                wanted(message, "call_id"),
                "{}",
                case.name
            );
            assert_eq!(response.record_route.is_some(), message["record_routes"].is_array(), "{}", case.name);
        }
    }
}

fn assert_request(case: &Case, request: &Request<'_>, message: &Value, refusable: bool) {
    let name = &case.name;
    assert_eq!((&message["kind"], &message["method"]), (&json!("request"), &json!(request.method)), "{name}");
    let from = found(request.from, |from| {
        json!({
            "scheme": format!("{:?}", from.scheme).to_lowercase(),
            "user": latin1_or_null(from.user),
            "user_decoded": latin1_or_null(from.user.map(unescape).as_deref()),
            "host": from.host,
            "domain": from.domain().to_lowercase(),
            "port": from.port,
        })
    });
    if !(refusable && from.is_err()) {
        assert_eq!(from, wanted(message, "from"), "{name}");
    }
    let to = found(request.to, |to| {
        json!({
            "user": latin1_or_null(to.user),
            "user_decoded": latin1_or_null(to.user.map(unescape).as_deref()),
            "tag": to.tag.is_some(),
        })
    });
    if !(refusable && to.is_err()) {
        assert_eq!(to, wanted(message, "to"), "{name}");
    }
    assert_eq!(found(request.branch, latin1_or_null), wanted(message, "via_branch"), "{name}");
    assert_eq!(found(request.cseq, cseq), wanted(message, "cseq"), "{name}");
    assert_eq!(found(request.call_id, |id| json!(latin1(id))), wanted(message, "call_id"), "{name}");
    assert_eq!(json!(request.credentials), message["authorization"], "{name}");
    assert_eq!(request.route.is_some(), message["routes"].is_array(), "{name}");
    assert_eq!(request.record_route.is_some(), message["record_routes"].is_array(), "{name}");
}

fn latin1_or_null(octets: Option<&[u8]>) -> Value {
    octets.map_or(Value::Null, |octets| json!(latin1(octets)))
}

fn cseq(cseq: rp_sip::CSeq<'_>) -> Value {
    json!([latin1(cseq.number), latin1(cseq.method)])
}

/// A field as the corpus writes it, or what is wrong with it.
fn found<T>(field: Result<T, Invalid>, write: impl Fn(T) -> Value) -> Result<Value, &'static str> {
    field.map(write).map_err(|invalid| match invalid.reason {
        Reason::Missing(_) => "missing",
        Reason::Repeated(_) => "duplicate",
        Reason::NoDomain => "no_domain",
        Reason::UnsupportedScheme => "unsupported_scheme",
        _ => "bad",
    })
}

fn wanted(message: &Value, field: &str) -> Result<Value, &'static str> {
    match message[format!("{field}_error")].as_str() {
        None => Ok(message[field].clone()),
        Some(error) => Err(["missing", "duplicate", "no_domain", "unsupported_scheme", "bad"]
            .into_iter()
            .find(|kind| error.starts_with(kind))
            .unwrap()),
    }
}
