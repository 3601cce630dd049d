//! Whoever is not let through gets an answer in his own protocol, and then the end of the connection.

mod common;

use std::{
    io::{Read, Write},
    path::Path,
};

use common::Proxy;
use rp_h323::{
    Answer, AnswerKind, GatekeeperRejectReason, RegistrationRejectReason,
    messages::{AliasName, GatekeeperRequest, Ras, RegistrationRequest, Sender, facility},
};
use rp_ldap::messages;

/// `example.com` is only for a network that no test comes from; `down.example.com` has nothing behind it;
/// `web.example.com` is forwarded by HTTP alone.
const CONFIGURATION: &str = r#"
[listen]
h323 = "127.0.0.1:0"
sip  = "127.0.0.1:0"
ldap = "127.0.0.1:0"
http = "127.0.0.1:0"

[limits]
connect = "5s"

[[host]]
names  = ["example.com"]
target = "127.0.0.2"
h323   = { tcp = 1, networks = ["192.0.2.0/24"] }
sip    = { tcp = 1, networks = ["192.0.2.0/24"] }
ldap   = { tcp = 1, networks = ["192.0.2.0/24"] }
http   = { tcp = 1, networks = ["192.0.2.0/24"] }

[[host]]
names  = ["down.example.com"]
target = "127.0.0.2"
h323   = { tcp = 1 }
sip    = { tcp = 1 }
ldap   = { tcp = 1 }
http   = { tcp = 1, urls = ["/allowed", "/folder/"] }

[[host]]
names  = ["web.example.com"]
target = "127.0.0.2"
http   = { tcp = 1 }
"#;

fn proxy() -> Proxy {
    Proxy::start(Path::new("."), CONFIGURATION)
}

/// Sends `request`, and reads until the proxy closes.
fn answer(proxy: &Proxy, listener: &str, request: &[u8]) -> Vec<u8> {
    let mut stream = proxy.connect(listener);
    stream.write_all(request).expect("the proxy reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer and an end, no reset");
    answer
}

fn grq(name: &str) -> Vec<u8> {
    let request = GatekeeperRequest { request_seq_num: 77, gatekeeper_id: Some(name), aliases: &[] };
    facility(Sender::Endpoint, &[Ras::GatekeeperRequest(request)]).expect("a GRQ")
}

fn rrq(name: &str) -> Vec<u8> {
    let request = RegistrationRequest {
        request_seq_num: 78,
        gatekeeper_id: Some(name),
        aliases: &[AliasName::H323Id("phone")],
        ..RegistrationRequest::default()
    };
    facility(Sender::Endpoint, &[Ras::RegistrationRequest(request)]).expect("an RRQ")
}

fn register(domain: &str) -> String {
    format!(
        "REGISTER sip:{domain} SIP/2.0\r\nVia: SIP/2.0/TCP phone.invalid;branch=z9hG4bK-1\r\nv: SIP/2.0/TCP inner.invalid\r\n\
         From: \"A\" <sip:101@{domain}>;tag=1\r\nTo: <sip:101@{domain}>\r\nCall-ID: c1\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn h323_answers_with_a_reject_that_repeats_the_sequence_number() {
    let proxy = proxy();
    for (name, gatekeeper, registration) in [
        (
            "unknown.example",
            GatekeeperRejectReason::TERMINAL_EXCLUDED,
            RegistrationRejectReason::SECURITY_DENIAL,
        ),
        // The same for a name that exists, but not for this source, and for one without H.323.
        ("example.com", GatekeeperRejectReason::TERMINAL_EXCLUDED, RegistrationRejectReason::SECURITY_DENIAL),
        (
            "web.example.com",
            GatekeeperRejectReason::TERMINAL_EXCLUDED,
            RegistrationRejectReason::SECURITY_DENIAL,
        ),
        (
            "down.example.com",
            GatekeeperRejectReason::RESOURCE_UNAVAILABLE,
            RegistrationRejectReason::RESOURCE_UNAVAILABLE,
        ),
    ] {
        let octets = answer(&proxy, "h323", &grq(name));
        let reject = Answer::parse(&octets).expect("an answer");
        assert_eq!(
            (reject.kind, reject.request_seq_num),
            (AnswerKind::GatekeeperReject(gatekeeper), 77),
            "{name}"
        );
        assert_eq!(reject.len, octets.len());
        let octets = answer(&proxy, "h323", &rrq(name));
        let reject = Answer::parse(&octets).expect("an answer");
        assert_eq!(
            (reject.kind, reject.request_seq_num),
            (AnswerKind::RegistrationReject(registration), 78),
            "{name}"
        );
        assert!(reject.gatekeeper_id.is_some_and(|id| id.eq_ignore_ascii_case(name)));
    }
}

#[test]
fn what_is_not_h323_is_closed_without_a_word() {
    let proxy = proxy();
    assert_eq!(answer(&proxy, "h323", b"GET / HTTP/1.1\r\n\r\n"), b"");
    assert_eq!(answer(&proxy, "h323", &[3, 0, 0, 5, 8]), b"");
}

#[test]
fn sip_answers_with_the_lines_of_the_request() {
    let proxy = proxy();
    for (domain, status) in [
        ("unknown.example", "404 Not Found"),
        ("example.com", "404 Not Found"),
        ("web.example.com", "404 Not Found"),
        ("down.example.com", "503 Service Unavailable"),
    ] {
        let text = String::from_utf8(answer(&proxy, "sip", register(domain).as_bytes())).expect("text");
        assert!(text.starts_with(&format!("SIP/2.0 {status}\r\n")), "{domain}: {text}");
        for line in [
            "Via: SIP/2.0/TCP phone.invalid;branch=z9hG4bK-1\r\nv: SIP/2.0/TCP inner.invalid\r\n",
            "Call-ID: c1\r\n",
            "CSeq: 1 REGISTER\r\n",
        ] {
            assert!(text.contains(line), "{domain}: {line} is missing in {text}");
        }
        assert!(text.contains(">;tag=rpd-") && text.ends_with("Content-Length: 0\r\n\r\n"), "{text}");
        assert_eq!(text.contains("Retry-After: "), status.starts_with("503"), "{text}");
    }
}

#[test]
fn a_sip_message_that_cannot_be_read_gets_400_where_it_can() {
    let proxy = proxy();
    let twice =
        register("down.example.com").replace("Content-Length: 0", "Content-Length: 0\r\nContent-Length: 0");
    assert!(answer(&proxy, "sip", twice.as_bytes()).starts_with(b"SIP/2.0 400 Bad Request\r\n"));
    let version = register("down.example.com").replacen("SIP/2.0\r\n", "SIP/3.0\r\n", 1);
    assert!(answer(&proxy, "sip", version.as_bytes()).starts_with(b"SIP/2.0 505 "));
    assert_eq!(answer(&proxy, "sip", b"\x16\x03\x01"), b"");
}

#[test]
fn ldap_answers_49_whatever_the_reason_and_52_when_the_directory_is_down() {
    let proxy = proxy();
    for (domain, code) in
        [("unknown.example", 49), ("example.com", 49), ("web.example.com", 49), ("down.example.com", 52)]
    {
        // The connection stays, so goodbye is said at once.
        let bind = messages::simple_bind_request(7, &format!("{domain}\\user"), "secret");
        let octets = answer(&proxy, "ldap", &[bind, messages::unbind_request(8)].concat());
        let reply = rp_ldap::answer(&octets).expect("an answer");
        assert_eq!((reply.message_id, reply.frame_len), (7, octets.len()), "{domain}");
        assert_eq!(reply.result.map(|result| result.code.0), Some(code), "{domain}");
    }
}

#[test]
fn ldap_without_a_name_is_answered_and_the_next_bind_is_heard() {
    let proxy = proxy();
    let requests = [
        messages::simple_bind_request(1, "", ""),
        messages::search_request(2, "", messages::Scope::Base, messages::Filter::Present("objectClass")),
        messages::simple_bind_request(3, "unknown.example\\user", "x"),
        messages::unbind_request(4),
    ];
    let octets = answer(&proxy, "ldap", &requests.concat());
    let mut rest = &octets[..];
    let mut codes = Vec::new();
    while !rest.is_empty() {
        let reply = rp_ldap::answer(rest).expect("an answer");
        codes.push((reply.message_id, reply.result.map(|result| result.code.0)));
        rest = &rest[reply.frame_len..];
    }
    assert_eq!(codes, [(1, Some(48)), (2, Some(1)), (3, Some(49))]);
}

#[test]
fn an_unrouted_ldap_connection_is_not_answered_for_ever() {
    let proxy = proxy();
    let binds: Vec<u8> = (1..20).flat_map(|id| messages::simple_bind_request(id, "nobody", "x")).collect();
    let octets = answer(&proxy, "ldap", &binds);
    let each = rp_ldap::answer(&octets).expect("an answer").frame_len;
    assert_eq!(octets.len(), 8 * each);
}

#[test]
fn broken_ldap_gets_a_notice_and_other_protocols_nothing() {
    let proxy = proxy();
    // A bind whose version is no integer.
    let octets = answer(&proxy, "ldap", b"\x30\x0c\x02\x01\x01\x60\x07\x04\x01\x03\x04\x00\x80\x00");
    assert_eq!(octets, messages::notice_of_disconnection(rp_ldap::ResultCode::PROTOCOL_ERROR));
    assert_eq!(answer(&proxy, "ldap", b"GET / HTTP/1.1\r\n\r\n"), b"");
}

#[test]
fn http_answers_with_its_status() {
    let proxy = proxy();
    for (request, status) in [
        ("GET /allowed HTTP/1.1\r\nHost: unknown.example\r\n\r\n", "404"),
        ("GET /allowed HTTP/1.1\r\nHost: example.com\r\n\r\n", "404"),
        ("GET /allowed HTTP/1.1\r\nHost: down.example.com\r\nConnection: close\r\n\r\n", "502"),
        ("GET /other HTTP/1.1\r\nHost: down.example.com\r\nConnection: close\r\n\r\n", "403"),
        ("GET /folder/a/b HTTP/1.1\r\nHost: down.example.com\r\nConnection: close\r\n\r\n", "403"),
        ("GET /allowed HTTP/1.1\r\n\r\n", "400"),
        ("GET /allowed HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400"),
        ("GET /a%2fb HTTP/1.1\r\nHost: web.example.com\r\n\r\n", "400"),
        ("CONNECT down.example.com:443 HTTP/1.1\r\nHost: down.example.com\r\n\r\n", "405"),
        ("GET /allowed HTTP/2.0\r\nHost: down.example.com\r\n\r\n", "505"),
        ("\x16\x03\x01\x02\0", "400"),
    ] {
        let text = String::from_utf8(answer(&proxy, "http", request.as_bytes())).expect("text");
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {text}");
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
    }
}

#[test]
fn an_url_that_is_not_allowed_leaves_the_connection_open() {
    let proxy = proxy();
    let no = "GET /other HTTP/1.1\r\nHost: down.example.com\r\n\r\n";
    let last = "GET /other HTTP/1.1\r\nHost: down.example.com\r\nConnection: close\r\n\r\n";
    let text = String::from_utf8(answer(&proxy, "http", format!("{no}{no}{last}").as_bytes())).expect("text");
    assert_eq!(text.matches("HTTP/1.1 403 ").count(), 3, "{text}");
}

#[test]
fn requests_without_an_answer_are_not_for_nothing_either() {
    let proxy = proxy();
    // AbandonRequest has no answer (RFC 4511 4.11).
    let abandons = b"\x30\x06\x02\x01\x01\x50\x01\x01".repeat(20);
    assert_eq!(answer(&proxy, "ldap", &abandons), b"");
}
