//! Record-Route towards the phone, and what becomes of it on the way back.

mod common;

use common::sip::{KINDS, Stage, Wire, request, response};

/// What the PBX has in its own Record-Route.
const PBX: &str = "Record-Route: <sip:10.0.0.5;lr>\r\n";

fn invite(lines: &str) -> String {
    request("INVITE", "sip:200@10.0.0.5", "sip:101@one.example", "i1", lines, "v=0\r\n")
}

#[test]
fn a_call_into_a_phone_comes_with_a_route_that_leads_back_through_the_proxy() {
    for (kind, transport) in KINDS.into_iter().zip(["tcp", "tls"]) {
        let stage = Stage::set();
        let (mut phone, mut line) = stage.registered(kind);
        line.send(invite(PBX));
        let called = phone.text_message();
        let (route, uri) = first_route(&called);
        assert_eq!(called.replacen(&route, "", 1), invite(PBX), "only one line is new");
        let token = uri.strip_prefix("<sip:").and_then(|uri| uri.split_once('@')).expect("a user").0;
        assert_eq!(uri, format!("<sip:{token}@{};transport={transport};lr>", phone.peer()));

        // The phone repeats the list, and hangs up by it; the PBX sees nothing of us.
        let ok = response(called.as_bytes(), "200 OK", &format!("{route}{PBX}"));
        phone.send(&ok);
        assert_eq!(line.text_message(), ok.replace(&route, ""));
        let bye = |routes: &str| {
            request("BYE", "sip:101@10.0.0.9", "sip:200@10.0.0.5", "b1", routes, "")
                .replace("5>\r\nCall", "5>;tag=p\r\nCall")
        };
        phone.send(bye(&format!("Route: {uri},\r\n <sip:10.0.0.5;lr>\r\n")));
        assert_eq!(line.text_message(), bye("Route: <sip:10.0.0.5;lr>\r\n"));
        assert!(stage.is_alone());
    }
}

/// The first line behind the start line, and the URI in it.
fn first_route(message: &str) -> (String, String) {
    let line = message.lines().nth(1).expect("a second line");
    let uri = line.strip_prefix("Record-Route: ").expect("a Record-Route behind the start line");
    (format!("{line}\r\n"), uri.to_owned())
}

#[test]
fn the_answer_to_a_call_of_the_phone_has_our_route_last() {
    let stage = Stage::set();
    let (mut phone, mut line) = stage.registered("sips");
    phone.send(request("INVITE", "sip:101@one.example", "sip:9@one.example", "i2", "", ""));
    let asked = line.message();
    for status in ["183 Session Progress", "200 OK"] {
        let answer = response(&asked, status, PBX);
        line.send(&answer);
        let heard = phone.text_message();
        let (before, behind) = heard.split_once(PBX).expect("the PBX's own line");
        let (ours, rest) = behind.split_once("\r\n").expect("our line");
        assert!(
            ours.starts_with("Record-Route: <sip:rpd-") && ours.ends_with(";transport=tls;lr>"),
            "{heard}"
        );
        assert_eq!(format!("{before}{PBX}{rest}"), answer);
    }
    let ringing = response(&asked, "100 Trying", PBX);
    line.send(&ringing);
    assert_eq!(phone.text_message(), ringing);
}

#[test]
fn the_public_address_is_announced_and_known_again() {
    let tables = "[sip]\npublic-address = { tcp = \"198.51.100.1:5070\", tls = \"rp.example.com\" }";
    for (keys, tcp, tls) in [
        ("", "198.51.100.1:5070", "rp.example.com:PORT"),
        ("public-address = \"other.example.com:5062\"", "other.example.com:5062", "other.example.com:5062"),
    ] {
        let stage = Stage::with(tables, keys);
        for (kind, public) in KINDS.into_iter().zip([tcp, tls]) {
            let (mut phone, mut line) = stage.registered(kind);
            let port = stage.proxy.address(kind).port().to_string();
            let public = public.replace("PORT", &port);
            line.send(invite(""));
            let (_, uri) = first_route(&phone.text_message());
            assert!(uri.contains(&format!("@{public};")), "{uri}");
            // What a phone with an outbound proxy puts on top of everything: without it the PBX would send it back.
            let register = |route: &str| {
                request("REGISTER", "sip:101@one.example", "sip:101@one.example", "r", route, "")
            };
            let general =
                if kind == "sip" { "198.51.100.1:5070".to_owned() } else { format!("RP.example.com:{port}") };
            for ours in [&public, &phone.peer(), &general] {
                phone.send(register(&format!("Route: <sip:{ours};lr>\r\nRoute: <sip:one.example;lr>\r\n")));
                assert_eq!(line.text_message(), register("Route: <sip:one.example;lr>\r\n"), "{ours}");
            }
        }
    }
}

#[test]
fn the_first_request_already_loses_the_route_to_us() {
    let stage = Stage::set();
    let mut phone = stage.phone("sip");
    let register =
        |route: &str| request("REGISTER", "sip:101@one.example", "sip:101@one.example", "r", route, "");
    phone.send(register(&format!("Route: <sip:{};lr>\r\n", phone.peer())));
    assert_eq!(stage.one.tcp_line().text_message(), register(""));
}

#[test]
fn without_record_route_nothing_is_inserted_or_taken_out() {
    let general = Stage::with("[sip]\nrecord-route = false", "");
    let of_the_host = Stage::with("", "record-route = false");
    let not_of_the_host = Stage::with("[sip]\nrecord-route = false", "record-route = true");
    for (stage, transparent) in [(&general, true), (&of_the_host, true), (&not_of_the_host, false)] {
        let (mut phone, mut line) = stage.registered("sip");
        line.send(invite(PBX));
        assert_eq!(phone.text_message() == invite(PBX), transparent);
        let own = format!("Route: <sip:{};lr>\r\n", phone.peer());
        let options =
            |route: &str| request("OPTIONS", "sip:101@one.example", "sip:one.example", "o", route, "");
        phone.send(options(&own));
        assert_eq!(line.text_message(), options(if transparent { &own } else { "" }));
    }
}

#[test]
fn a_sips_call_is_answered_by_sips() {
    let stage = Stage::set();
    let (mut phone, mut line): (Wire, Wire) = stage.registered("sips");
    line.send(invite("").replacen("sip:callee", "sips:callee", 1));
    let (_, uri) = first_route(&phone.text_message());
    assert!(uri.starts_with("<sips:rpd-") && uri.ends_with(&format!("@{};lr>", phone.peer())), "{uri}");
}
