//! sipvicious's svcrack, shut out at the threshold and not before. It speaks UDP alone, so socat gives it a TCP
//! connection.
//!
//! Debian packages: sipvicious, socat, kamailio, kamailio-tls-modules.
//! `cargo test -p rpd --test peers_guard -- --ignored`

mod common;
#[path = "peers/sip/mod.rs"]
mod sip;

use std::time::Instant;

use common::{
    Port, Program, Proxy, certificates,
    guarded::{counted, is_banned, read_to_end, wait_until},
    run,
};
use rpd::outcome::Reason;
use sip::{Pbx, host};

const HERE: &str = "127.0.0.1";

#[test]
#[ignore = "needs sipvicious, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn a_cracker_of_passwords_is_shut_out_at_the_threshold_and_not_before() {
    let folder = certificates();
    let branch = Pbx::start("branch", &folder, &[]);
    // svcrack calls who it cracks by the name of its address.
    let hosts = host(&[&branch.domain(), HERE], &format!("tcp = {}", branch.tcp));
    let proxy = Proxy::start(folder.path(), &format!("[listen]\nsip = \"127.0.0.1:0\"\n{hosts}"));
    let gate = proxy.gate();

    // Sixteen wrong passwords, whatever svcrack repeats of them.
    let few = Bridge::to(&proxy);
    run("svcrack", few.arguments("-r3000-3015"));
    drop(few);
    wait_until("the count", || counted(&gate, HERE).is_some_and(|(count, _)| count >= 10));
    assert!(!is_banned(&gate, HERE), "{:?}", counted(&gate, HERE));
    assert_eq!(counted(&gate, HERE).map(|(_, reason)| reason), Some(Reason::Refused));
    let tried = branch.requests().len();

    let many = Bridge::to(&proxy);
    let _cracker = Program::start("svcrack", many.arguments("-r4000-4999"));
    wait_until("the ban", || is_banned(&gate, HERE));
    let entries = gate.guard.entries(&rp_guard::Filter::default(), Instant::now());
    assert_eq!((entries[0].count, entries[0].network.to_string()), (21, "127.0.0.1/32".to_owned()));
    let passed = branch.requests().len() - tried;
    assert!(passed < 100, "{passed} tries got through after the threshold of 21 in all");
    let mut refused = proxy.connect("sip");
    assert_eq!(read_to_end(&mut refused), b"");
}

/// TCP for a client that has none: all that comes from one UDP port becomes one connection to the proxy.
struct Bridge {
    _socat: Program,
    port: Port,
}

impl Bridge {
    fn to(proxy: &Proxy) -> Self {
        let port = Port::reserve();
        let from = format!("UDP4-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr");
        let socat = Program::start("socat", ["-d", "-d", &from, &format!("TCP4:{}", proxy.address("sip"))]);
        socat.wait_for("listening on UDP");
        Self { _socat: socat, port }
    }

    fn arguments(&self, passwords: &str) -> Vec<String> {
        let port = self.port.to_string();
        let fixed = ["-p", &port, "-t", "0.05", "-b", HERE, "-x", HERE, "-u101", passwords, HERE];
        fixed.map(str::to_owned).to_vec()
    }
}
