//! `sip.check-certificate`: which leg a certificate opens, and who may register on it.

mod common;

use std::sync::Arc;

use common::{
    Log, client_certificate, self_signed,
    sip::{Stage, Wire, request, response},
};
use rustls::sign::CertifiedKey;

const TRUST: &str = "[tls]\ntrust-list = [\"ca.pem\"]";
const CHECKED: &str = "tcp = ONE_TCP, tls = ONE_TLS, check-certificate = true";
const CHECKED_ALONE: &str = "tls = ONE_TLS, check-certificate = true";

fn register(from: &str, to: &str, branch: &str) -> String {
    request("REGISTER", &format!("sip:{from}@one.example"), &format!("sip:{to}@one.example"), branch, "", "")
}

#[test]
fn only_a_trusted_certificate_of_from_and_to_opens_the_tls_leg() {
    let stage = Stage::with(TRUST, CHECKED);
    let alice = client_certificate(stage.folder.path(), "alice");
    let stranger = self_signed("alice");
    let invite = request("INVITE", "sip:alice@one.example", "sip:bob@one.example", "i", "", "");
    for (certificate, first, leg) in [
        (Some(&alice), register("alice", "alice", "r"), "tls"),
        (Some(&alice), register("%61lice", "alice", "r"), "tls"),
        (Some(&alice), invite, "tls"),
        (Some(&alice), register("alice", "bob", "r"), "tcp"),
        (Some(&alice), register("bob", "alice", "r"), "tcp"),
        (Some(&alice), register("Alice", "alice", "r"), "tcp"),
        (Some(&alice), register("alice%00", "alice", "r"), "tcp"),
        (Some(&stranger), register("alice", "alice", "r"), "tcp"),
        (None, register("alice", "alice", "r"), "tcp"),
    ] {
        let mut phone = Wire::secure_phone(&stage.proxy, certificate);
        phone.send(&first);
        let (kind, mut line) = stage.one.line();
        assert_eq!((kind, line.text_message()), (leg, first));
    }
    let mut in_clear = stage.phone("sip");
    in_clear.send(register("alice", "alice", "r"));
    assert_eq!(stage.one.line().0, "tcp");
    assert!(stage.is_alone());
}

#[test]
fn without_a_tcp_port_whoever_does_not_match_is_refused() {
    let stage = Stage::with(TRUST, CHECKED_ALONE);
    let alice = client_certificate(stage.folder.path(), "alice");
    let refused = |certificate: Option<&Arc<CertifiedKey>>, to: &str, why: &str| {
        let mut phone = Wire::secure_phone(&stage.proxy, certificate);
        phone.send(register("alice", to, "r"));
        assert!(phone.rest().starts_with("SIP/2.0 403 Forbidden\r\n"));
        Log::of(phone.address()).wait_for(&["refused", "reason=certificate", why]);
    };
    refused(None, "alice", "no client certificate");
    refused(Some(&alice), "bob", "client certificate 'alice', but From is of 'alice' and To of 'bob'");
    assert!(stage.is_alone());
}

#[test]
fn on_a_checked_leg_every_registration_has_to_match_and_nothing_else() {
    let stage = Stage::with(TRUST, CHECKED);
    let alice = client_certificate(stage.folder.path(), "alice");
    let mut phone = Wire::secure_phone(&stage.proxy, Some(&alice));
    phone.send(register("alice", "alice", "r1"));
    let (kind, mut line) = stage.one.line();
    assert_eq!((kind, line.text_message()), ("tls", register("alice", "alice", "r1")));
    for (from, to) in [("bob", "bob"), ("alice", "bob"), ("bob", "alice")] {
        phone.send(register(from, to, "r2"));
        assert_eq!(phone.start_line(), "SIP/2.0 403 Forbidden");
    }
    phone.send(register("alice", "bob", "r2").replace("REGISTER", "Register"));
    assert_eq!(phone.start_line(), "SIP/2.0 403 Forbidden");
    Log::of(phone.address()).wait_for(&[
        "refused",
        "reason=certificate",
        "REGISTER from sip:bob@one.example",
    ]);
    let anonymous = request("INVITE", "sip:0301234@one.example", "sip:9@one.example", "i", "", "");
    for allowed in [&anonymous, &register("alice", "alice", "r3")] {
        phone.send(allowed);
        assert_eq!(line.text_message(), *allowed);
    }
    assert!(stage.is_alone());
}

#[test]
fn on_a_tcp_leg_later_registrations_are_the_pbxs_business() {
    let stage = Stage::with(TRUST, CHECKED);
    let alice = client_certificate(stage.folder.path(), "alice");
    let mut phone = Wire::secure_phone(&stage.proxy, Some(&alice));
    phone.send(register("bob", "bob", "r1"));
    let (kind, mut line) = stage.one.line();
    let first = line.message();
    line.send(response(&first, "401 Unauthorized", ""));
    assert_eq!((kind, phone.start_line().as_str()), ("tcp", "SIP/2.0 401 Unauthorized"));
    phone.send(register("alice", "alice", "r2"));
    assert_eq!(line.text_message(), register("alice", "alice", "r2"));
    assert!(stage.is_alone());
}
