//! SIP and SIPS with sipp as the phones and two kamailios as the registrars. sipp speaks no TLS in Debian, so
//! socat does it for it.
//!
//! Debian packages: sip-tester, socat, kamailio, kamailio-tls-modules.
//! `cargo test -p rpd --test peers_sip -- --ignored`

mod common;
#[path = "peers/sip/mod.rs"]
mod sip;

use std::collections::BTreeSet;

use common::certificates;
use sip::{Pbx, Request, Stage, host};

#[test]
#[ignore = "needs sip-tester, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sip_phones_register_with_the_registrar_of_their_domain() {
    phones_register_with_the_registrar_of_their_domain("sip");
}

#[test]
#[ignore = "needs sip-tester, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sips_phones_register_with_the_registrar_of_their_domain() {
    phones_register_with_the_registrar_of_their_domain("sips");
}

fn phones_register_with_the_registrar_of_their_domain(kind: &'static str) {
    let mut stage = Stage::set(kind);
    for name in ["hq", "branch"] {
        stage.register(name, "alice-pw", 200, PHONES).ok();
    }
    let transport = stage.transport();
    for registrar in [&mut stage.hq, &mut stage.branch] {
        registrar.wait_for_registrations("alice", PHONES);
        let requests = registrar.requests();
        // The challenge makes it two.
        assert_eq!(requests.len(), 2 * PHONES, "{requests:#?}");
        let as_wanted = |(method, to): (&str, &str)| method == "REGISTER" && to == "alice";
        assert!(requests.iter().all(|request| as_wanted((&request.method, &request.to))), "{requests:#?}");
        assert!(requests.iter().all(|request| request.transport == transport), "{requests:#?}");
        assert_eq!(connections(&requests).len(), PHONES, "{requests:#?}");
        let ports: BTreeSet<u16> = requests.iter().map(|request| request.port).collect();
        assert_eq!(registrar.clients(), ports);
    }
    assert_eq!(stage.end().refused(""), [""; 0]);
}

/// So many register one after the other, each by a connection of its own.
const PHONES: usize = 10;

fn connections(requests: &[Request]) -> BTreeSet<u32> {
    requests.iter().map(|request| request.connection).collect()
}

#[test]
#[ignore = "needs sip-tester, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sip_accounts_of_two_domains_share_the_connection_of_their_phone() {
    accounts_of_two_domains_share_the_connection_of_their_phone("sip");
}

#[test]
#[ignore = "needs sip-tester, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sips_accounts_of_two_domains_share_the_connection_of_their_phone() {
    accounts_of_two_domains_share_the_connection_of_their_phone("sips");
}

fn accounts_of_two_domains_share_the_connection_of_their_phone(kind: &'static str) {
    let stage = Stage::set(kind);
    let steps = [("hq", "alice"), ("branch", "bob"), ("hq", "alice"), ("branch", "bob")];
    let steps = steps.map(|(name, user)| (name, user, user, 401));
    stage.register_as(&steps, &stage.address()).ok();
    for (registrar, user) in [(&stage.hq, "alice"), (&stage.branch, "bob")] {
        let users: Vec<String> = registrar.requests().into_iter().map(|request| request.from).collect();
        assert_eq!((users, registrar.clients().len()), (vec![user.to_owned(); 2], 1));
    }
    assert_eq!(stage.end().refused(""), [""; 0]);
}

#[test]
#[ignore = "needs sip-tester, kamailio, kamailio-tls-modules (Debian packages)"]
fn hundreds_of_phones_behind_one_address_register_at_once_and_are_no_attack() {
    let mut stage = Stage::set("sip");
    stage.register_at_once("branch", 500).ok();
    stage.branch.wait_for_registrations("alice", 500);
    let requests = stage.branch.requests();
    assert_eq!((requests.len(), connections(&requests).len()), (2 * 500, 500));
    assert_eq!(stage.end().refused(""), [""; 0]);
}

#[test]
#[ignore = "needs sip-tester, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sip_a_wrong_password_counts_once_and_its_challenge_not() {
    a_wrong_password_counts_once_and_its_challenge_not("sip");
}

#[test]
#[ignore = "needs sip-tester, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sips_a_wrong_password_counts_once_and_its_challenge_not() {
    a_wrong_password_counts_once_and_its_challenge_not("sips");
}

fn a_wrong_password_counts_once_and_its_challenge_not(kind: &'static str) {
    let stage = Stage::set(kind);
    stage.register("branch", "wrong", 401, 1).ok();
    stage.proxy.program.wait_for(REFUSED_BY_THE_REGISTRAR);
    // A good one beside it is not counted.
    stage.register("branch", "alice-pw", 200, 1).ok();
    assert_eq!((stage.hq.requests(), stage.branch.requests().len()), (vec![], 4));
    let refused = stage.end().refused("");
    let [line] = &refused[..] else { panic!("{refused:#?}") };
    assert!(line.contains(REFUSED_BY_THE_REGISTRAR) && line.contains("branch.example.com"), "{line}");
}

const REFUSED_BY_THE_REGISTRAR: &str = r#"reason=refused detail="sip 401 REGISTER""#;

#[test]
#[ignore = "needs sip-tester, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sip_no_registrar_sees_a_domain_that_nobody_has() {
    no_registrar_sees_a_domain_that_nobody_has("sip");
}

#[test]
#[ignore = "needs sip-tester, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sips_no_registrar_sees_a_domain_that_nobody_has() {
    no_registrar_sees_a_domain_that_nobody_has("sips");
}

fn no_registrar_sees_a_domain_that_nobody_has(kind: &'static str) {
    let stage = Stage::set(kind);
    stage.refused("other.example.com").ok();
    for registrar in [&stage.hq, &stage.branch] {
        assert_eq!((registrar.requests(), registrar.clients()), (vec![], BTreeSet::new()));
    }
    let refused = stage.end().refused("");
    assert!(matches!(&refused[..], [line] if line.contains("reason=unknown-host")), "{refused:#?}");
}

#[test]
#[ignore = "needs sip-tester, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sip_a_registrar_that_wants_to_knows_where_its_phones_are() {
    a_registrar_that_wants_to_knows_where_its_phones_are("sip");
}

#[test]
#[ignore = "needs sip-tester, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sips_a_registrar_that_wants_to_knows_where_its_phones_are() {
    a_registrar_that_wants_to_knows_where_its_phones_are("sips");
}

/// Only by version 1 of the PROXY protocol: kamailio 5.6 reads the ports of version 2 with their octets swapped.
fn a_registrar_that_wants_to_knows_where_its_phones_are(kind: &'static str) {
    let folder = certificates();
    let registrars = ["hq", "branch"].map(|name| Pbx::start(name, &folder, &["ACCEPT_PROXY"]));
    let [_, branch] = &registrars;
    let sip = format!("tcp = {}, tls = {}, send-proxy = \"v1\"", branch.tcp, branch.tls);
    let branch = host(&[&branch.domain()], &sip);
    let stage = Stage::with(kind, folder, registrars, &branch);
    stage.register("branch", "wrong", 401, 1).ok();
    let requests = stage.branch.requests();
    // A wrong password has a line in the log, and that tells the port of the phone.
    let refused = stage.end().refused("refused");
    let [line] = &refused[..] else { panic!("{refused:#?}") };
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert!(line.contains(&format!(" source=127.0.0.1:{} ", request.port)), "{line} {request:?}");
    }
}
