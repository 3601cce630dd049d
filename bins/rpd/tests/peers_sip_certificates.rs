//! Phones with certificates of their own, in front of PBXs that trust the proxy with them: what comes to such a PBX
//! over TLS is who it says it is. The phones are baresip, and sipp, for which socat shows the certificate.
//!
//! Debian packages: sip-tester, baresip-core, socat, kamailio, kamailio-tls-modules.
//! `cargo test -p rpd --test peers_sip_certificates -- --ignored`

mod common;
#[path = "peers/sip/mod.rs"]
mod sip;

use std::collections::BTreeSet;

use common::{certificates, client_certificate_file};
use sip::{Baresip, Pbx, Stage, Tunnel, host};

#[test]
#[ignore = "needs sip-tester, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn a_phone_registers_without_a_password_as_what_its_certificate_says() {
    let stage = checked();
    let alice = alice(&stage);
    stage.register_as(&[("branch", "alice", "alice", 200)], &alice.address()).ok();
    stage.register_as(&[("hq", "alice", "alice", 200)], &alice.address()).ok();
    for pbx in [&stage.hq, &stage.branch] {
        assert_eq!(seen(pbx), ["tls alice alice"]);
    }
    assert_eq!(stage.end().refused(""), [""; 0]);
}

#[test]
#[ignore = "needs sip-tester, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn who_is_not_what_the_certificate_says_is_asked_for_a_password() {
    let stage = checked();
    let alice = alice(&stage);
    stage.register_as(&[("branch", "alice", "bob", 401)], &alice.address()).ok();
    stage.register_as(&[("branch", "bob", "alice", 401)], &alice.address()).ok();
    stage.register_as(&[("branch", "bob", "bob", 401)], &alice.address()).ok();
    let nobody = Tunnel::to(stage.proxy.sips, &stage.folder, "");
    stage.register_as(&[("branch", "alice", "alice", 401)], &nobody.address()).ok();
    stage.register_as(&[("branch", "alice", "alice", 401)], &stage.proxy.sip.to_string()).ok();
    assert_eq!(
        seen(&stage.branch),
        ["tcp alice bob", "tcp bob alice", "tcp bob bob", "tcp alice alice", "tcp alice alice"]
    );
}

#[test]
#[ignore = "needs sip-tester, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn who_is_not_what_the_certificate_says_is_refused_where_nobody_asks_for_passwords() {
    let stage = checked();
    let alice = alice(&stage);
    stage.register_as(&[("hq", "alice", "bob", 403)], &alice.address()).ok();
    stage.register_as(&[("hq", "alice", "alice", 403)], &stage.proxy.sip.to_string()).ok();
    assert_eq!((seen(&stage.hq), stage.hq.clients()), (vec![], BTreeSet::new()));
    let log = stage.end();
    let refused = log.refused("certificate");
    assert_eq!((refused.len(), log.refused("").len()), (2, 2), "{refused:#?}");
    assert!(refused[0].contains("alice") && refused[0].contains("bob"), "{refused:#?}");
}

#[test]
#[ignore = "needs sip-tester, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn a_certificate_is_asked_again_at_every_registration() {
    let stage = checked();
    let alice = alice(&stage);
    let steps = [
        ("branch", "alice", "alice", 200),
        ("branch", "alice", "bob", 403),
        ("branch", "bob", "bob", 403),
        ("branch", "alice", "alice", 200),
    ];
    stage.register_as(&steps, &alice.address()).ok();
    assert_eq!(seen(&stage.branch), ["tls alice alice", "tls alice alice"]);
    assert_eq!(stage.branch.clients().len(), 1, "the connection lives on");
    let log = stage.end();
    assert_eq!((log.refused("certificate").len(), log.refused("").len()), (2, 2));
}

#[test]
#[ignore = "needs baresip-core, kamailio, kamailio-tls-modules (Debian packages)"]
fn a_phone_with_tls_of_its_own_registers_by_its_certificate() {
    let mut stage = checked();
    let _bob = Baresip::start(&stage);
    stage.branch.wait_for_registrations("bob", 1);
    assert_eq!(seen(&stage.branch), ["tls bob bob"]);
}

/// hq takes phones with certificates alone, the branch also asks for passwords.
fn checked() -> Stage {
    let folder = certificates();
    let [hq, branch] = ["hq", "branch"].map(|name| Pbx::start(name, &folder, &["ASSUME_TLS"]));
    let hosts = [
        host(&[&hq.domain()], &format!("tls = {}, check-certificate = true", hq.tls)),
        host(
            &[&branch.domain()],
            &format!("tcp = {}, tls = {}, check-certificate = true", branch.tcp, branch.tls),
        ),
    ];
    Stage::with("sips", folder, [hq, branch], &hosts.concat())
}

/// Connections with the certificate of alice.
fn alice(stage: &Stage) -> Tunnel {
    let certificate = client_certificate_file(stage.folder.path(), "alice");
    Tunnel::to(stage.proxy.sips, &stage.folder, &format!(",cert={}", certificate.display()))
}

/// The requests of a PBX: by what they came, From and To.
fn seen(pbx: &Pbx) -> Vec<String> {
    let text = |request: sip::Request| format!("{} {} {}", request.transport, request.from, request.to);
    pbx.requests().into_iter().map(text).collect()
}
