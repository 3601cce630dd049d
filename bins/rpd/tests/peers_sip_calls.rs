//! Calls through the proxy: baresip as bob, who has registered; sipp as alice; and kamailio, which tells by which
//! connection each request came. A phone that finds its way to the PBX past the proxy would do so on this machine,
//! and nowhere else; so no other connection to the PBX may be there.
//!
//! Debian packages: sip-tester, baresip-core, socat, kamailio, kamailio-tls-modules.
//! `cargo test -p rpd --test peers_sip_calls -- --ignored`

mod common;
#[path = "peers/sip/mod.rs"]
mod sip;

use std::{collections::BTreeSet, thread};

use common::{Port, certificates};
use sip::{Baresip, CALLEE_HANGS_UP, CALLER_HANGS_UP, IS_HUNG_UP, Pbx, Request, Router, Stage, host};

#[test]
#[ignore = "needs sip-tester, baresip-core, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sip_every_request_of_a_call_comes_by_the_connection_of_its_phone() {
    calls_in_both_directions_hung_up_by_either_side("sip");
}

#[test]
#[ignore = "needs sip-tester, baresip-core, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sips_every_request_of_a_call_comes_by_the_connection_of_its_phone() {
    calls_in_both_directions_hung_up_by_either_side("sips");
}

fn calls_in_both_directions_hung_up_by_either_side(kind: &'static str) {
    let mut stage = Stage::set(kind);
    let mut bob = Baresip::start(&stage);
    stage.branch.wait_for_registrations("bob", 1);
    let bobs_port = port_of("bob", &stage.branch.requests());
    let mut ports = BTreeSet::from([bobs_port]);

    // alice calls, and hangs up.
    let before = stage.branch.requests().len();
    stage.call(CALLER_HANGS_UP).ok();
    bob.wait_for("CALL_CLOSED");
    let call = Call::since(before, &stage.branch);
    assert_eq!(call.sent_by("alice"), ["INVITE", "INVITE", "ACK", "BYE"]);
    assert_eq!(call.sent_by("bob"), [""; 0]);
    ports.insert(call.port_of("alice"));

    // alice calls, and bob hangs up.
    let before = stage.branch.requests().len();
    thread::scope(|scope| {
        let alice = scope.spawn(|| stage.call(IS_HUNG_UP));
        bob.wait_for("CALL_ESTABLISHED");
        bob.tell("hangup", "");
        alice.join().expect("no panic").ok();
    });
    let call = Call::since(before, &stage.branch);
    assert_eq!(call.sent_by("alice"), ["INVITE", "INVITE", "ACK"]);
    assert_eq!(call.sent_by("bob"), ["BYE"]);
    assert_eq!(call.port_of("bob"), bobs_port);
    ports.insert(call.port_of("alice"));

    // bob calls alice, who has registered, and hangs up.
    let alice = stage.answer(IS_HUNG_UP);
    stage.branch.wait_for_registrations("alice", 1);
    let before = stage.branch.requests().len();
    bob.tell("dial", &format!("sip:alice@{}", stage.branch.domain()));
    bob.wait_for("CALL_ESTABLISHED");
    stage.branch.wait_until("get the ACK", |requests| methods("bob", &requests[before..]).len() >= 3);
    bob.tell("hangup", "");
    stage.branch.wait_until("get the BYE", |requests| methods("bob", &requests[before..]).len() >= 4);
    let call = Call::since(before, &stage.branch);
    assert_eq!(call.sent_by("bob"), ["INVITE", "INVITE", "ACK", "BYE"]);
    assert_eq!(call.sent_by("alice"), [""; 0]);
    assert_eq!(call.port_of("bob"), bobs_port);
    drop(alice);

    // bob calls alice, who hangs up.
    let before = stage.branch.requests().len();
    let alice = stage.answer(CALLEE_HANGS_UP);
    stage.branch.wait_for_registrations("alice", 2);
    bob.tell("dial", &format!("sip:alice@{}", stage.branch.domain()));
    stage
        .branch
        .wait_until("get the BYE", |requests| requests.last().is_some_and(|last| last.method == "BYE"));
    let call = Call::since(before, &stage.branch);
    assert_eq!(call.sent_by("bob"), ["INVITE", "INVITE", "ACK"]);
    assert_eq!(call.sent_by("alice"), ["REGISTER", "REGISTER", "BYE"]);
    assert_eq!(call.port_of("bob"), bobs_port);
    call.port_of("alice");
    drop(alice);
    let requests = stage.branch.requests();
    ports.extend(requests.iter().filter(|request| request.from == "alice").map(|request| request.port));

    assert_eq!(stage.branch.clients(), ports, "{requests:#?}");
    assert!(requests.iter().all(|request| request.transport == stage.transport()), "{requests:#?}");
    assert_eq!((stage.hq.requests(), stage.hq.clients()), (vec![], BTreeSet::new()));
    assert_eq!(stage.end().refused(""), [""; 0]);
}

#[test]
#[ignore = "needs sip-tester, baresip-core, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sip_a_phone_before_a_router_keeps_to_the_address_that_is_announced() {
    a_phone_before_a_router_keeps_to_the_address_that_is_announced("sip");
}

#[test]
#[ignore = "needs sip-tester, baresip-core, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sips_a_phone_before_a_router_keeps_to_the_address_that_is_announced() {
    a_phone_before_a_router_keeps_to_the_address_that_is_announced("sips");
}

/// The proxy knows of its own address only, which the phone cannot reach in earnest.
fn a_phone_before_a_router_keeps_to_the_address_that_is_announced(kind: &'static str) {
    let folder = certificates();
    let pbxs = ["hq", "branch"].map(|name| Pbx::start(name, &folder, &[]));
    let branch = host(&[&pbxs[1].domain()], &format!("tcp = {}, tls = {}", pbxs[1].tcp, pbxs[1].tls));
    let public = Port::reserve();
    let address = format!("127.0.0.1:{public}");
    let stage = format!("[sip]\npublic-address = \"{address}\"\n{branch}");
    let mut stage = Stage::with(kind, folder, pbxs, &stage);
    let proxy = if kind == "sips" { stage.proxy.sips } else { stage.proxy.sip };
    let _router = Router::from(public, proxy);
    let mut bob = Baresip::start_at(&stage, &address);
    stage.branch.wait_for_registrations("bob", 1);
    thread::scope(|scope| {
        let alice = scope.spawn(|| stage.call(IS_HUNG_UP));
        bob.wait_for("CALL_ESTABLISHED");
        bob.tell("hangup", "");
        alice.join().expect("no panic").ok();
    });
    let call = Call::since(0, &stage.branch);
    assert_eq!(call.sent_by("bob"), ["REGISTER", "REGISTER", "BYE"]);
    assert_eq!(stage.branch.clients(), BTreeSet::from(["alice", "bob"].map(|user| call.port_of(user))));
}

/// What came of one call.
struct Call(Vec<Request>);

impl Call {
    fn since(before: usize, pbx: &Pbx) -> Self {
        Self(pbx.requests().split_off(before))
    }

    fn sent_by(&self, user: &str) -> Vec<String> {
        methods(user, &self.0)
    }

    fn port_of(&self, user: &str) -> u16 {
        port_of(user, &self.0)
    }
}

fn methods(user: &str, requests: &[Request]) -> Vec<String> {
    requests.iter().filter(|request| request.from == user).map(|request| request.method.clone()).collect()
}

/// The one port that all requests of a user came from.
fn port_of(user: &str, requests: &[Request]) -> u16 {
    let mut ports = requests.iter().filter(|request| request.from == user).map(|request| request.port);
    let port = ports.next().expect("a request");
    assert!(ports.all(|other| other == port), "{requests:#?}");
    port
}
