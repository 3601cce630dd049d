//! SIP beyond the first message: which leg a message takes.

mod common;

use common::{
    Log,
    sip::{KINDS, Stage, Wire, register, register_at, request, response},
};

#[test]
fn a_phone_with_accounts_on_two_hosts_has_a_leg_to_each() {
    for kind in KINDS {
        let stage = Stage::set();
        let (mut phone, mut one) = stage.registered(kind);
        let mut two = register_at(&mut phone, &stage.two, "two.example");
        let invite = request("INVITE", "sip:55@TWO.example.", "sip:9@two.example", "i", "", "v=0");
        phone.send(&invite);
        assert_eq!(two.text_message(), invite);
        // CANCEL has the From of its INVITE, and so finds the same leg.
        let cancel = request("CANCEL", "sip:55@two.example", "sip:9@two.example", "i", "", "");
        phone.send(&cancel);
        assert_eq!(two.text_message(), cancel);
        let again = register("101", "one.example", "again");
        phone.send(&again);
        assert_eq!(one.text_message(), again);
        assert!(stage.is_alone());
        Log::of(phone.address()).wait_for(&["forwarded", "two.example"]);
    }
}

#[test]
fn a_request_for_an_unknown_host_is_refused_and_the_leg_lives_on() {
    for kind in KINDS {
        let stage = Stage::set();
        let (mut phone, mut line) = stage.registered(kind);
        phone.send(request("INVITE", "sip:101@three.example", "sip:9@three.example", "x", "", "v=0\r\n"));
        let refusal = phone.text_message();
        assert!(refusal.starts_with("SIP/2.0 404 Not Found\r\n"), "{refusal}");
        let refused =
            ["refused", "reason=unknown-host", "name=three.example", "INVITE from sip:101@three.example"];
        Log::of(phone.address()).wait_for(&refused);

        // The ACK to our own refusal ends here.
        let to = refusal.lines().find_map(|line| line.strip_prefix("To: ")).expect("a To");
        let ack = request("ACK", "sip:101@three.example", "sip:9@three.example", "x", "", "");
        phone.send(ack.replace("To: <sip:9@three.example>", &format!("To: {to}")));
        let again = register("101", "one.example", "again");
        phone.send(&again);
        assert_eq!(line.text_message(), again);
        assert_eq!(Log::of(phone.address()).count(&["refused"]), 1);
        assert!(stage.is_alone());
    }
}

#[test]
fn who_withholds_his_name_goes_by_the_leg_that_he_has() {
    let stage = Stage::set();
    let (mut phone, mut line) = stage.registered("sip");
    let _two = register_at(&mut phone, &stage.two, "two.example");
    for (at, from) in ["sip:anonymous@anonymous.invalid", "tel:+49301234"].into_iter().enumerate() {
        let invite = request("INVITE", from, "sip:9@two.example", &format!("i{at}"), "", "");
        phone.send(&invite);
        assert_eq!(line.text_message(), invite);
    }
    for from in ["sip:anonymous@anonymous.invalid", "tel:+49301234"] {
        let mut nobody = stage.phone("sip");
        nobody.send(request("INVITE", from, "sip:9@one.example", "i", "", ""));
        assert!(nobody.rest().starts_with("SIP/2.0 404 "), "{from}");
        Log::of(nobody.address()).wait_for(&["refused", "reason=no-name"]);
    }
    assert!(stage.is_alone());
}

#[test]
fn a_first_request_of_any_method_opens_the_leg_of_its_host() {
    let stage = Stage::set();
    let mut phone = stage.phone("sip");
    let options = request("OPTIONS", "sip:101@two.example", "sip:one.example", "o", "", "");
    phone.send(&options);
    assert_eq!(stage.two.tcp_line().text_message(), options);
    assert!(stage.is_alone());
}

#[test]
fn within_a_dialog_the_token_counts_then_from_then_the_first_leg() {
    let stage = Stage::set();
    let (mut phone, one) = stage.registered("sip");
    let mut two = register_at(&mut phone, &stage.two, "two.example");
    let uri = announced(&mut two, &mut phone);
    let mut legs = [one, two];
    let own = phone.peer();
    for (from, route, leg) in [
        ("sip:x@one.example", format!("Route: {uri}\r\n"), 1),
        ("sip:x@two.example", String::new(), 1),
        ("sip:x@10.0.0.5", String::new(), 0),
        // The token of an earlier connection names no leg of this one, but it is taken out.
        ("sip:x@10.0.0.5", format!("Route: <sip:rpd-0123456789abcdef@{own};lr>\r\n"), 0),
        ("sip:what is this", String::new(), 0),
    ] {
        let bye = |route: &str| {
            request("BYE", from, "sip:9@10.0.0.5", "b", route, "")
                .replace("To: <sip:9@10.0.0.5>", "To: <sip:9@10.0.0.5>;tag=p")
        };
        phone.send(bye(&route));
        assert_eq!(legs[leg].text_message(), bye(""), "{from} {route}");
    }
    assert!(stage.is_alone());
}

/// The URI by which a PBX's call tells the phone to send to it.
fn announced(line: &mut Wire, phone: &mut Wire) -> String {
    line.send(request("INVITE", "sip:9@10.0.0.5", "sip:101@10.0.0.5", "call", "", ""));
    let invite = phone.text_message();
    let uri = invite.lines().find_map(|line| line.strip_prefix("Record-Route: ")).expect("a Record-Route");
    phone.send(response(invite.as_bytes(), "603 Decline", ""));
    assert_eq!(line.start_line(), "SIP/2.0 603 Decline");
    uri.to_owned()
}

#[test]
fn without_a_leg_a_request_within_a_dialog_goes_by_from_or_nowhere() {
    let stage = Stage::set();
    let bye = |domain: &str| {
        request("BYE", &format!("sip:101@{domain}"), "sip:9@x.invalid", "b", "", "")
            .replace("x.invalid>", "x.invalid>;tag=p")
    };
    let mut phone = stage.phone("sip");
    phone.send(bye("one.example"));
    assert_eq!(stage.one.tcp_line().text_message(), bye("one.example"));
    let mut phone = stage.phone("sip");
    phone.send(bye("three.example"));
    assert!(phone.rest().starts_with("SIP/2.0 404 "));
    assert!(stage.is_alone());
}

#[test]
fn a_default_host_takes_what_names_no_other() {
    let stage = Stage::set();
    let text = format!(
        "[listen]\nsip = \"127.0.0.1:0\"\n[[host]]\nnames = [\"one.example\"]\ntarget = \"127.0.0.1\"\nsip = {{ tcp = {} }}\n\
         [[host]]\ntarget = \"127.0.0.1\"\nsip = {{ tcp = {} }}\ndefault = [\"sip\"]\n",
        stage.one.tcp, stage.two.tcp
    );
    let proxy = common::Proxy::start(stage.folder.path(), &text);
    let mut phone = Wire::phone(&proxy);
    phone.send(register("101", "three.example", "r"));
    let mut default = stage.two.tcp_line();
    assert_eq!(default.text_message(), register("101", "three.example", "r"));
    let _line = register_at(&mut phone, &stage.one, "one.example");
    assert!(stage.is_alone());
}

#[test]
fn the_phones_answers_go_where_they_were_asked_for() {
    let stage = Stage::set();
    let (mut phone, mut one) = stage.registered("sip");
    let mut two = register_at(&mut phone, &stage.two, "two.example");
    let ask = |branch: &str| request("OPTIONS", "sip:pbx@10.0.0.5", "sip:101@10.0.0.5", branch, "", "");
    one.send(ask("o1"));
    let to_one = response(&phone.message(), "200 OK", "");
    two.send(ask("o2"));
    let to_two = response(&phone.message(), "200 OK", "");
    // Nobody has asked for the first of these.
    phone.send(response(ask("o3").as_bytes(), "200 OK", ""));
    phone.send(&to_two);
    phone.send(&to_one);
    assert_eq!(two.text_message(), to_two);
    assert_eq!(one.text_message(), to_one);
    // Sent again, it has no place any more, which does not matter.
    phone.send(&to_one);
    phone.send(register("101", "one.example", "again"));
    assert_eq!(one.text_message(), register("101", "one.example", "again"));
}

#[test]
fn a_ninth_host_is_too_many_for_one_phone() {
    let stage = Stage::set();
    let hosts: Vec<String> = (1..=9)
        .map(|n| {
            format!(
                "[[host]]\nnames = [\"n{n}.example\"]\ntarget = \"127.0.0.1\"\nsip = {{ tcp = {} }}\n",
                stage.one.tcp
            )
        })
        .collect();
    let proxy = common::Proxy::start(
        stage.folder.path(),
        &format!("[listen]\nsip = \"127.0.0.1:0\"\n{}", hosts.concat()),
    );
    let mut phone = Wire::phone(&proxy);
    let lines: Vec<Wire> =
        (1..=8).map(|n| register_at(&mut phone, &stage.one, &format!("n{n}.example"))).collect();
    phone.send(register("101", "n9.example", "r9"));
    assert_eq!(phone.start_line(), "SIP/2.0 503 Service Unavailable");
    Log::of(phone.address()).wait_for(&["refused", "source-limit", "n9.example"]);
    phone.send(register("101", "n8.example", "again"));
    assert_eq!(
        lines.into_iter().last().expect("eight").text_message(),
        register("101", "n8.example", "again")
    );
    assert!(stage.is_alone());
}
