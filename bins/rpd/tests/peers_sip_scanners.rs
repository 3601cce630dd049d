//! The scanners of sipvicious. They speak UDP alone, so socat gives them a TCP connection, on which all that a scan
//! sends is pipelined.
//!
//! Debian packages: sipvicious, socat, kamailio, kamailio-tls-modules.
//! `cargo test -p rpd --test peers_sip_scanners -- --ignored`

mod common;
#[path = "peers/sip/mod.rs"]
mod sip;

use std::net::SocketAddr;

use common::{Port, Program, certificates, run};
use sip::{Pbx, Stage, host};

#[test]
#[ignore = "needs sipvicious, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn a_scan_for_accounts_is_seen_in_the_answers_to_its_registrations() {
    let scanned = Scan::of("svwar", &["-e100-106", "--domain=branch.example.com"]);
    // 101 is there, and is only asked for a password. The scan begins with an account that nobody has.
    let mut refused = scanned.refused_by_the_registrar("sip 404 REGISTER");
    refused.retain(|user| user.len() == 3);
    assert_eq!(refused, ["100", "102", "103", "104", "105", "106"]);
    assert!(scanned.said.contains("101"), "{}", scanned.said);
}

#[test]
#[ignore = "needs sipvicious, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn a_scan_for_accounts_is_seen_in_the_answers_to_its_calls() {
    let scanned = Scan::of("svwar", &["-m", "INVITE", "-e100-106", "--domain=branch.example.com"]);
    let mut refused = scanned.refused_by_the_registrar("sip 404 INVITE");
    refused.retain(|user| user.len() == 3);
    assert_eq!(refused, ["100", "102", "103", "104", "105", "106"]);
}

#[test]
#[ignore = "needs sipvicious, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn a_scan_for_passwords_is_seen_in_the_answers_to_its_registrations() {
    let scanned = Scan::of("svcrack", &["-u101", "-r1230-1236"]);
    assert!(scanned.said.contains("1234"), "{}", scanned.said);
    // All tries have the same Call-ID and CSeq, and are wrong until one is right. The first request is without any.
    let wrong = scanned.refused_by_the_registrar("sip 401 REGISTER").len();
    assert!((4..=scanned.requests - 2).contains(&wrong), "{wrong} of {}", scanned.requests);
}

/// The branch is also what goes by the name of its address: that is how svcrack calls who it cracks.
fn scanned() -> Stage {
    let folder = certificates();
    let [hq, branch] = ["hq", "branch"].map(|name| Pbx::start(name, &folder, &[]));
    let hosts = [
        host(&[&hq.domain()], &format!("tcp = {}", hq.tcp)),
        host(&[&branch.domain(), "127.0.0.1"], &format!("tcp = {}", branch.tcp)),
    ];
    Stage::with("sip", folder, [hq, branch], &hosts.concat())
}

/// What came of a scan.
struct Scan {
    said: String,
    /// So many requests reached the registrar.
    requests: usize,
    refused: Vec<String>,
}

impl Scan {
    fn of(program: &str, arguments: &[&str]) -> Self {
        let stage = scanned();
        let bridge = Bridge::to(stage.proxy.sip);
        let port = bridge.port.to_string();
        let fixed = ["-p", &port, "-t", "0.1", "-b", "127.0.0.1", "-x", "127.0.0.1"];
        let finished = run(program, fixed.iter().chain(arguments).chain(&["127.0.0.1"]));
        let said = [finished.out, finished.err].concat();
        drop(bridge);
        let requests = stage.branch.requests().len();
        Self { said, requests, refused: stage.end().refused("refused") }
    }

    /// The users in the requests that the registrar refused so.
    fn refused_by_the_registrar(&self, detail: &str) -> Vec<String> {
        let detail = format!("detail=\"{detail}\"");
        let lines = self.refused.iter().filter(|line| line.contains(&detail));
        let user = |line: &String| Some(line.split_once("sip:")?.1.split_once('@')?.0.to_owned());
        lines.map(|line| user(line).unwrap_or_else(|| line.clone())).collect()
    }
}

/// TCP for a client that has none: all that comes from one UDP port becomes one connection to the proxy.
struct Bridge {
    _socat: Program,
    port: Port,
}

impl Bridge {
    fn to(proxy: SocketAddr) -> Self {
        let port = Port::reserve();
        let from = format!("UDP4-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr");
        let socat = Program::start("socat", ["-d", "-d", &from, &format!("TCP4:{proxy}")]);
        socat.wait_for("listening on UDP");
        Self { _socat: socat, port }
    }
}
