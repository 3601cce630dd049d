//! Route and Record-Route: what leaves, octet by octet.

mod common;

use common::{cases, latin1, mutated};
use proptest::prelude::*;
use rp_sip::{
    Follower, Head, Limits, Step,
    route::{self, Listener, Rewritten, Token},
};
use rp_testkit::{
    chunks,
    corpus::{self, Case},
};

const ADDRESSES: &[&str] = &["rp.example.com:5061", "192.0.2.10:5061", "[2001:db8::10]:5061"];
const LISTENER: Listener<'_> = Listener { addresses: ADDRESSES, tls: true };
const OURS: &str = "<sip:rpd-0123456789abcdef@rp.example.com:5061;transport=tls;lr>";

fn token() -> Token {
    Token::new(0x0123_4567_89ab_cdef)
}

fn written(rewritten: &Rewritten<'_>) -> Vec<u8> {
    rewritten.pieces().flatten().copied().collect()
}

/// Everything that leaves when a stream comes in these pieces.
fn relayed(pieces: &[&[u8]], rewrite: impl for<'a> Fn(&Head<'a>) -> Vec<u8>) -> Vec<u8> {
    let mut follower = Follower::new(Limits::default());
    let (mut kept, mut left) = (Vec::new(), Vec::new());
    for piece in pieces {
        kept.extend_from_slice(piece);
        loop {
            let step = follower.step(&kept).unwrap();
            match &step {
                Step::Look(head) => left.extend(rewrite(head)),
                Step::Pass(octets) => left.extend_from_slice(&kept[..*octets]),
                Step::Crlf | Step::Ping => {}
                Step::More => break,
            }
            let octets = step.octets();
            kept.drain(..octets);
        }
    }
    left
}

fn rewritten(case: &Case, head: &Head<'_>) -> Vec<u8> {
    let rewrite = &case.expected["rewrite"];
    let own: Vec<&str> = rewrite["own"].as_array().unwrap().iter().map(|own| own.as_str().unwrap()).collect();
    let listener = Listener { addresses: &own, tls: rewrite["transport"] == "tls" };
    let token = Token::parse(rewrite["token"].as_str().unwrap().as_bytes()).unwrap();
    match rewrite["direction"].as_str() {
        Some("up") => written(&route::up(head, &listener)),
        Some("down") => written(&route::down(head, &listener, &token)),
        other => panic!("{}: {other:?}", case.name),
    }
}

#[test]
fn every_case_leaves_as_said_however_it_is_cut() {
    let outputs = corpus::load(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus"), "out");
    for output in &outputs {
        let case = cases().into_iter().find(|case| case.name == output.name).unwrap();
        let dribbled = vec![1; case.bytes.len()];
        let cuts = (1..case.bytes.len()).map(|at| vec![at, case.bytes.len() - at]);
        for sizes in cuts.chain([dribbled, vec![case.bytes.len()]]) {
            let left = relayed(&chunks::cut(&case.bytes, &sizes), |head| rewritten(&case, head));
            assert_eq!(latin1(&left), latin1(&output.bytes), "{}", case.name);
        }
    }
    assert_eq!(outputs.len(), 25);
}

#[test]
fn the_requests_of_a_call_name_their_leg() {
    let case = cases().into_iter().find(|case| case.name == "dialog-call-with-token-routes").unwrap();
    let mut tokens = Vec::new();
    let mut follower = Follower::new(Limits::default());
    let mut rest = &case.bytes[..];
    while !rest.is_empty() {
        let step = follower.step(rest).unwrap();
        if let Step::Look(head) = &step {
            tokens.push(route::up(head, &LISTENER).token);
        }
        rest = &rest[step.octets()..];
    }
    assert_eq!(tokens, [None, Some(token()), Some(token())]);
}

fn request(lines: &str) -> String {
    format!("BYE sip:a SIP/2.0\r\nVia: x\r\n{lines}Content-Length: 0\r\n\r\n")
}

fn response(lines: &str) -> String {
    format!("SIP/2.0 200 OK\r\nVia: x\r\n{lines}CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
}

fn up(head: &str) -> (String, Option<Token>) {
    let head = Head::parse(head.as_bytes(), &Limits::default()).unwrap();
    let rewritten = route::up(&head, &LISTENER);
    (String::from_utf8(written(&rewritten)).unwrap(), rewritten.token)
}

#[test]
fn what_names_the_proxy_is_taken_off_the_top_of_route() {
    let plain = "<sip:192.0.2.10:5061>";
    for (route, left) in [
        (format!("Route: {plain},\r\n\t{OURS} , <sip:b>\r\n"), "Route: <sip:b>\r\n"),
        (format!("Route: {plain},{OURS}\r\nroute :<sip:b>\r\n"), "route :<sip:b>\r\n"),
        (format!("Route: {plain}\r\nX: y\r\nRoute: {OURS}, <sip:b>\r\n"), "X: y\r\nRoute: <sip:b>\r\n"),
        // Two are taken, not three.
        (format!("Route: {plain}, {OURS}, {plain}\r\n"), "Route: <sip:192.0.2.10:5061>\r\n"),
        (
            format!("Route: {plain}\r\nRoute: {OURS}\r\nRoute: {plain}\r\n"),
            "Route: <sip:192.0.2.10:5061>\r\n",
        ),
        (format!("Route:{OURS};a=\"b,c\",<sip:b;x=1>\r\n"), "Route:<sip:b;x=1>\r\n"),
    ] {
        assert_eq!(up(&request(&route)), (request(left), Some(token())), "{route}");
    }
}

#[test]
fn a_route_names_the_proxy_by_address_and_by_token_or_no_user() {
    let ours = [
        "<sip:rp.example.com:5061>",
        "<sip:RP.EXAMPLE.COM.:5061;lr>",
        "<sips:rp.example.com>",
        "<sip:rp.example.com;TRANSPORT=TLS>",
        "\"a, b\" <sips:192.0.2.10;lr>",
        "<sips:[2001:DB8::10]>",
        "sip:rp.example.com:5061;lr",
        "<sips:rpd-ffffffffffffffff@rp.example.com;lr>",
    ];
    for value in ours {
        assert_eq!(up(&request(&format!("Route: {value}\r\n"))).0, request(""), "{value}");
    }
    let others = [
        "<sip:rp.example.com>",
        "<sip:rp.example.com;transport=tcp>",
        "<sip:rp.example.com;x=transport=tls>",
        "<sip:rp.example.com?transport=tls>",
        "<sip:rp.example.com?a=b;transport=tls>",
        "<sip:rp.example.com:05061x>",
        "<sip:rp.example.com.evil.example:5061>",
        "<sip:bob@rp.example.com:5061>",
        "<sip:rpd-0123456789abcdeF@rp.example.com:5061>",
        "<sip:rpd-0123456789abcde@rp.example.com:5061>",
        "<sip:rpd-0123456789abcdef0@rp.example.com:5061>",
        "<tel:5061>",
        "<sip:rp.example.com:5061",
        "",
        ", <sip:rp.example.com:5061>",
    ];
    for value in others {
        let head = request(&format!("Route: {value}\r\n"));
        assert_eq!(up(&head), (head, None), "{value}");
    }
}

#[test]
fn in_record_route_only_a_token_names_the_proxy() {
    for (lines, left) in [
        ("Record-Route: <sip:b>\r\nRecord-Route: OURS\r\n", "Record-Route: <sip:b>\r\n"),
        ("Record-Route: <sip:b> , OURS\r\n", "Record-Route: <sip:b>\r\n"),
        ("record-route:OURS,\r\n <sip:b>,<sip:c>\r\n", "record-route:<sip:b>,<sip:c>\r\n"),
        ("Record-Route: <sips:rp.example.com>, OURS\r\n", "Record-Route: <sips:rp.example.com>\r\n"),
        // The first that is ours, and no other.
        ("Record-Route: OURS, OURS\r\n", "Record-Route: OURS\r\n"),
        ("Record-Route: \"OURS\" <sip:b>\r\n", "Record-Route: \"OURS\" <sip:b>\r\n"),
        ("Route: OURS\r\n", "Route: OURS\r\n"),
    ] {
        let (lines, left) = (lines.replace("OURS", OURS), left.replace("OURS", OURS));
        assert_eq!(up(&response(&lines)).0, response(&left), "{lines}");
    }
    // A request's Record-Route is that of the phone's side.
    let head = request(&format!("Record-Route: {OURS}\r\n"));
    assert_eq!(up(&head), (head, None));
}

/// A start line may look like a header line.
#[test]
fn a_method_named_route_is_not_a_route() {
    let head = format!("Route :{OURS} SIP/2.0\r\nRoute: <sip:b>\r\nl: 0\r\n\r\n");
    assert_eq!(up(&head), (head, None));
}

#[test]
fn a_token_is_what_it_is_written_as() {
    assert_eq!(token().to_string(), "rpd-0123456789abcdef");
    assert_eq!(Token::parse(token().as_bytes()), Some(token()));
    assert_eq!(Token::new(u64::MAX).as_bytes(), b"rpd-ffffffffffffffff");
    for text in [
        "",
        "rpd-",
        "rpd-0123456789abcde",
        "rpd-0123456789abcdef0",
        "RPD-0123456789abcdef",
        "rpd-0123456789ABCDEF",
    ] {
        assert_eq!(Token::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn what_forms_a_dialog_is_announced() {
    let announced = |head: String| {
        let head = Head::parse(head.as_bytes(), &Limits::default()).unwrap();
        written(&route::down(&head, &LISTENER, &token())) != head.octets()
    };
    let status = |status: u16, method: &str| {
        announced(format!("SIP/2.0 {status} x\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"))
    };
    for (method, forms) in [
        ("INVITE", true),
        ("SUBSCRIBE", true),
        ("REFER", true),
        ("NOTIFY", true),
        ("invite", false),
        ("REGISTER", false),
        ("MESSAGE", false),
        ("ACK", false),
    ] {
        let request = |to: &str| format!("{method} sip:a SIP/2.0\r\nTo: {to}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(announced(request("<sip:a>")), forms, "{method}");
        assert!(!announced(request("<sip:a>;tag=1")), "{method}");
        // Who cannot read To cannot say that the request is within a dialog.
        assert_eq!(announced(request("<sip:a")), forms, "{method}");
        for (code, may) in
            [(100, false), (101, true), (199, true), (200, true), (299, true), (300, false), (486, false)]
        {
            assert_eq!(status(code, method), forms && may, "{code} {method}");
        }
    }
}

/// Without an address there is nothing to announce.
#[test]
fn a_listener_without_addresses_announces_nothing() {
    let head = response("");
    let head = Head::parse(head.as_bytes(), &Limits::default()).unwrap();
    let nameless = Listener { addresses: &[], tls: false };
    assert_eq!(written(&route::down(&head, &nameless, &token())), head.octets());
}

/// The values of a made-up list: how each is written, and whether it names the proxy, with a token or without.
const VALUES: &[(&str, bool, bool)] = &[
    (OURS, true, true),
    ("\"a,b\\\"\" <sip:rpd-ffffffffffffffff@192.0.2.10:5061>;x=\",\"", true, true),
    ("<sip:rp.example.com:5061;lr>", true, false),
    ("<sip:10.0.0.5;lr>", false, false),
    ("\"<sip:rp.example.com:5061>, \" <sip:b,c@10.0.0.6>", false, false),
    ("<sip:rpd-0123456789abcdef@10.0.0.5:5061>", false, false),
];

type Lines = Vec<Vec<usize>>;

fn lists() -> impl Strategy<Value = (Lines, Vec<&'static str>)> {
    let line = prop::collection::vec(0..VALUES.len(), 1..4);
    let comma = prop::sample::select(vec![",", ", ", " ,\t", ",\r\n ", "\r\n , "]);
    (prop::collection::vec(line, 0..4), prop::collection::vec(comma, 16))
}

fn write_lists(name: &str, lines: &Lines, commas: &[&str]) -> String {
    let mut commas = commas.iter();
    let mut text = String::new();
    for (line, other) in lines.iter().zip(["X: 1\r\n", "", "v: Route\r\n", ""]) {
        text += &format!("{name}: {}", VALUES[line[0]].0);
        for value in &line[1..] {
            text += &format!("{}{}", commas.next().unwrap(), VALUES[*value].0);
        }
        text += &format!("\r\n{other}");
    }
    text
}

/// All values of the lines of a name, the slow way.
fn values(head: &str, name: &str) -> Vec<String> {
    let unfolded = head.replace("\r\n ", "  ");
    let lists = unfolded.split("\r\n").filter_map(|line| line.strip_prefix(&format!("{name}: ")));
    let mut all = Vec::new();
    for list in lists {
        let (mut value, mut quoted, mut bracketed, mut escaped) = (String::new(), false, false, false);
        for letter in list.chars() {
            let separates = letter == ',' && !quoted && !bracketed;
            if separates {
                all.push(std::mem::take(&mut value));
                continue;
            }
            match letter {
                '"' if !escaped => quoted = !quoted,
                '<' | '>' if !quoted => bracketed = letter == '<',
                _ => {}
            }
            escaped = quoted && letter == '\\' && !escaped;
            value.push(letter);
        }
        all.push(value);
    }
    all.iter().map(|value| value.trim().to_owned()).collect()
}

fn without(head: &str, name: &str) -> String {
    let unfolded = head.replace("\r\n ", "  ");
    unfolded.split("\r\n").filter(|line| !line.starts_with(&format!("{name}: "))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

    #[test]
    fn up_to_two_values_go_from_the_top_of_route((lines, commas) in lists()) {
        let head = request(&write_lists("Route", &lines, &commas));
        let mut wanted: Vec<usize> = lines.concat();
        let taken = wanted.iter().take(2).take_while(|&&value| VALUES[value].1).count();
        let token = wanted.iter().take(taken).find(|&&value| VALUES[value].2);
        let token = token.and_then(|&value| VALUES[value].0.split_once("sip:")).map(|(_, uri)| &uri[..20]);
        wanted.drain(..taken);
        let (left, found) = up(&head);
        let wanted: Vec<&str> = wanted.into_iter().map(|value| VALUES[value].0).collect();
        prop_assert_eq!(values(&left, "Route"), wanted);
        prop_assert_eq!(without(&left, "Route"), without(&head, "Route"));
        prop_assert_eq!(found.map(|token| token.to_string()), token.map(String::from));
    }

    #[test]
    fn one_value_goes_from_record_route((lines, commas) in lists()) {
        let head = response(&write_lists("Record-Route", &lines, &commas));
        let mut wanted: Vec<usize> = lines.concat();
        if let Some(at) = wanted.iter().position(|&value| VALUES[value].2) {
            wanted.remove(at);
        }
        let (left, _) = up(&head);
        let wanted: Vec<&str> = wanted.into_iter().map(|value| VALUES[value].0).collect();
        prop_assert_eq!(values(&left, "Record-Route"), wanted);
        prop_assert_eq!(without(&left, "Record-Route"), without(&head, "Record-Route"));
    }

    /// What the phone is told comes back from it, and is taken out again to the octet.
    #[test]
    fn what_is_announced_never_reaches_the_service(input in mutated()) {
        let limits = Limits::default();
        let fresh = Token::new(0x5eed_5eed_5eed_5eed);
        let start = input.len() - input.iter().skip_while(|octet| b"\r\n".contains(octet)).count();
        let Ok(head) = Head::parse(&input[start..], &limits) else { return Ok(()) };
        let down = written(&route::down(&head, &LISTENER, &fresh));
        let (told, plain) = match head {
            Head::Request(_) => (answered(&down), answered(head.octets())),
            Head::Response(_) => (down, head.octets().to_vec()),
        };
        let back = Head::parse(&told, &limits).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let back = route::up(&back, &LISTENER);
        if told == plain {
            return Ok(());
        }
        if back.token == Some(fresh) {
            prop_assert_eq!(written(&back), plain);
        } else {
            // Another token stood before it, and only one goes.
            prop_assert!(String::from_utf8_lossy(&plain).contains("rpd-"));
        }
    }
}

/// The answer of a phone to a request, with all its header lines.
fn answered(request: &[u8]) -> Vec<u8> {
    let line = request.iter().position(|&octet| octet == b'\r').unwrap();
    [b"SIP/2.0 200 OK", &request[line..]].concat()
}
