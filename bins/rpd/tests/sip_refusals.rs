//! Every way in which the proxy says no to a phone, at first and in band, and the limits.

mod common;

use std::io::Write;

use common::{
    Log,
    sip::{KINDS, Stage, register, request},
};

/// `private.example` is for a network that no test comes from, `web.example` has no SIP.
const MORE: &str = r#"
[limits]
sip-head = "4KiB"
sip-body = "64KiB"
first-byte = "10s"
first-message = "10s"
[[host]]
names = ["private.example"]
target = "127.0.0.2"
sip = { tcp = 1, networks = ["192.0.2.0/24"] }
[[host]]
names = ["web.example"]
target = "127.0.0.2"
http = { tcp = 1 }
"#;

#[test]
fn whoever_may_not_go_where_he_wants_hears_the_same_and_the_log_knows_why() {
    let stage = Stage::with(MORE, "");
    for (domain, reason) in [
        ("three.example", "unknown-host"),
        ("private.example", "network-not-allowed"),
        ("web.example", "not-forwarded"),
    ] {
        for kind in KINDS {
            let mut phone = stage.phone(kind);
            phone.send(register("101", domain, "r1"));
            let answer = phone.rest();
            assert_eq!(answer, expected("404 Not Found", domain, &answer), "{domain}");
            Log::of(phone.address()).wait_for(&["refused", &format!("reason={reason}"), domain]);

            let (mut phone, mut line) = stage.registered(kind);
            // Its body is read and dropped.
            phone.send(register("101", domain, "r1").replace("Length: 0\r\n\r\n", "Length: 4\r\n\r\nbody"));
            let answer = phone.text_message();
            assert_eq!(answer, expected("404 Not Found", domain, &answer), "{domain}");
            Log::of(phone.address()).wait_for(&["refused", &format!("reason={reason}"), domain]);
            phone.send(register("101", "one.example", "again"));
            assert_eq!(line.text_message(), register("101", "one.example", "again"));
        }
    }
    assert!(stage.is_alone());
}

/// The answer to [`register`], with the tag that it has.
fn expected(status: &str, domain: &str, answer: &str) -> String {
    let tag =
        answer.split_once(";tag=rpd-").and_then(|(_, tag)| tag.split_once("\r\n")).expect("a tag of ours").0;
    format!(
        "SIP/2.0 {status}\r\nVia: SIP/2.0/TCP phone.invalid;branch=z9hG4bKr1\r\nFrom: <sip:101@{domain}>;tag=f\r\n\
         To: <sip:101@{domain}>;tag=rpd-{tag}\r\nCall-ID: call-r1\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn what_cannot_be_read_ends_the_connection_at_first_and_later() {
    let good = register("101", "one.example", "r1");
    let large = good.replace("Content-Length", &format!("X: {}\r\nContent-Length", "x".repeat(4096)));
    let endless = large[..4096].to_owned();
    let cases = [
        (good.replace("From: ", "f: <sip:x@y.example>\r\nFrom: "), "SIP/2.0 400 ", "malformed"),
        (good.replace("Call-ID", "X-Call-ID"), "", "malformed"),
        (good.replace("To: <sip:101@one.example>", "To: <sip:101@one.example"), "SIP/2.0 400 ", "malformed"),
        (
            good.replace("From: <sip:101@one.example>", "From: <mailto:101@one.example>"),
            "SIP/2.0 400 ",
            "malformed",
        ),
        (good.replace("Content-Length: 0", "Content-Length: +0"), "SIP/2.0 400 ", "malformed"),
        (
            good.replace(
                "REGISTER sip:callee@pbx.invalid SIP/2.0",
                "REGISTER sip:callee@pbx.invalid SIP/3.0",
            ),
            "SIP/2.0 505 ",
            "malformed",
        ),
        (good.replace("Content-Length: 0", "Content-Length: 65537"), "SIP/2.0 513 ", "too-large"),
        (format!("GET / HTTP/1.1\r\n\r\n{good}"), "", "malformed"),
        (large, "SIP/2.0 513 ", "too-large"),
        (endless, "", "too-large"),
    ];
    let stage = Stage::with(MORE, "");
    for (octets, answer, reason) in cases {
        for is_first in [true, false] {
            let (mut phone, line) = match is_first {
                true => (stage.phone("sip"), None),
                false => {
                    let (phone, line) = stage.registered("sip");
                    (phone, Some(line))
                }
            };
            phone.send(&octets);
            let said = phone.rest();
            assert!(said.starts_with(answer) && said.is_empty() == answer.is_empty(), "{octets}\n{said}");
            Log::of(phone.address()).wait_for(&["refused", &format!("reason={reason}")]);
            if let Some(mut line) = line {
                assert_eq!(line.rest(), "", "nothing of it goes on");
            }
        }
    }
    assert!(stage.is_alone());
}

#[test]
fn a_response_is_no_first_message_and_gets_no_answer() {
    let stage = Stage::set();
    let mut phone = stage.phone("sip");
    phone.send("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(phone.rest(), "");
    Log::of(phone.address()).wait_for(&["refused", "reason=malformed"]);
}

#[test]
fn a_version_or_a_fault_behind_a_good_request_does_not_take_that_back() {
    let stage = Stage::set();
    let mut phone = stage.phone("sip");
    let good = register("101", "one.example", "r1");
    phone.send(format!("{good}{}", good.replace("Content-Length: 0\r\n", "")));
    assert!(phone.rest().starts_with("SIP/2.0 400 "));
    let mut line = stage.one.tcp_line();
    assert_eq!(line.text_message(), good);
    assert_eq!(line.rest(), "");
}

#[test]
fn sixteen_refusals_end_the_connection() {
    let stage = Stage::set();
    let (mut phone, mut line) = stage.registered("sip");
    for n in 0..17 {
        phone.send(register("101", "three.example", &format!("r{n}")));
    }
    assert_eq!(phone.rest().matches("SIP/2.0 404 Not Found\r\n").count(), 16);
    assert_eq!(line.rest(), "");
    Log::of(phone.address()).wait_for(&["refused", "call-r15"]);
    assert_eq!(Log::of(phone.address()).count(&["refused", "reason=unknown-host"]), 16);
}

#[test]
fn a_body_comes_at_its_own_pace_and_a_message_may_be_as_large_as_the_limits_say() {
    let stage = Stage::with(MORE, "");
    let (mut phone, mut line) = stage.registered("sip");
    let empty = request("MESSAGE", "sip:101@one.example", "sip:9@one.example", "m", "", "");
    let padding = 4096 - empty.len() - "X: \r\n".len() - "65536".len() + "0".len();
    let large = request(
        "MESSAGE",
        "sip:101@one.example",
        "sip:9@one.example",
        "m",
        &format!("X: {}\r\n", "x".repeat(padding)),
        &"b".repeat(65_536),
    );
    assert_eq!(large.find("\r\n\r\n").expect("a head") + 4, 4096);
    for piece in large.as_bytes().chunks(1_000) {
        phone.send(piece);
    }
    assert_eq!(line.text_message(), large);
}

/// More than the table of open requests holds: the last ones wait until the PBX has answered others.
#[test]
fn with_sixty_four_requests_open_the_next_one_waits_and_none_is_lost() {
    let stage = Stage::set();
    let (mut phone, mut line) = stage.registered("sip");
    let all: String = (0..70)
        .map(|n| request("OPTIONS", "sip:101@one.example", "sip:9@one.example", &format!("o{n}"), "", ""))
        .collect();
    phone.send(&all);
    let mut arrived: Vec<Vec<u8>> = (0..64).map(|_| line.message()).collect();
    // A message of the PBX arrives all the same, and no 65th request before an answer.
    let options = request("OPTIONS", "sip:pbx@one.example", "sip:101@one.example", "o", "", "");
    line.send(&options);
    assert_eq!(phone.text_message(), options);
    for n in 0..6 {
        let answer = common::sip::response(&arrived[n], "200 OK", "");
        line.send(&answer);
        assert_eq!(phone.text_message(), answer);
        arrived.push(line.message());
    }
    assert_eq!(String::from_utf8(arrived.concat()).expect("text"), all);
}

#[test]
fn a_head_that_never_ends_and_pings_alone_are_closed_in_time() {
    let stage = Stage::with("[limits]\nfirst-byte = \"200ms\"\nfirst-message = \"400ms\"", "");
    for (octets, reason, answer) in [
        ("", "silent", ""),
        ("\r\n\r\n", "first-message-timeout", "\r\n"),
        ("REGISTER sip:one.example SIP/2.0\r\nVia:", "first-message-timeout", ""),
    ] {
        let mut phone = stage.phone("sip");
        phone.send(octets);
        assert_eq!(phone.rest(), answer);
        Log::of(phone.address()).wait_for(&["refused", &format!("reason={reason}")]);
    }
    // One octet after the other, for ever.
    let mut dribble = stage.proxy.connect("sip");
    let address = dribble.local_addr().expect("an address");
    while dribble.write_all(b"X").is_ok() {
        if Log::of(address).count(&["refused", "reason=first-message-timeout"]) > 0 {
            break;
        }
    }
    Log::of(address).wait_for(&["refused"]);
    assert!(stage.is_alone());
}
