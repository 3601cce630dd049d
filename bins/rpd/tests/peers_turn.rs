//! STUN and TURN beside the proxy: coturn with the configuration of dist/, on the same machine.
//!
//! Debian package: coturn. `cargo test -p rpd --test peers_turn -- --ignored`

mod common;

use std::{
    fs,
    io::{Read, Write},
    path::Path,
};

use common::{Finished, Port, Process, Program, connect, run, write};

#[test]
#[ignore = "needs coturn (Debian package)"]
fn over_udp_media_are_relayed_and_nothing_reaches_the_proxy() {
    media_are_relayed(&[]);
}

#[test]
#[ignore = "needs coturn (Debian package)"]
fn over_tcp_media_are_relayed_and_nothing_reaches_the_proxy() {
    media_are_relayed(&["-t"]);
}

fn media_are_relayed(transport: &[&str]) {
    let stage = Stage::new();
    let said = stage.client(transport, "CHANGE-this-password", "127.0.0.1").ok();
    assert!(said.contains("Total lost packets 0 "), "{said}");
    assert!(said.contains("tot_send_msgs=5, tot_recv_msgs=5"), "{said}");
    stage.nothing_reached_the_proxy();
}

#[test]
#[ignore = "needs coturn (Debian package)"]
fn who_has_no_account_gets_no_relay() {
    let stage = Stage::new();
    let refused = stage.client(&[], "wrong", "127.0.0.1");
    assert!(refused.code != Some(0) || !refused.out.contains("Total lost packets 0 "), "{}", refused.out);
}

#[test]
#[ignore = "needs coturn (Debian package)"]
fn nothing_is_relayed_to_other_private_networks() {
    let refused = Stage::new().client(&[], "CHANGE-this-password", "10.1.2.3");
    assert!(refused.out.contains("error 403"), "{}{}", refused.out, refused.err);
}

#[test]
#[ignore = "needs coturn (Debian package)"]
fn stun_says_where_a_client_is_seen() {
    let stage = Stage::new();
    let said = run("turnutils_stunclient", ["-p", &stage.port.to_string(), "127.0.0.1"]).ok();
    assert!(said.contains("UDP reflexive addr: 127.0.0.1:"), "{said}");
    stage.nothing_reached_the_proxy();
}

/// The proxy, the TURN server, and somebody who sends media back.
struct Stage {
    proxy: Process,
    port: Port,
    peer: Port,
    _server: Program,
    _peer: Program,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = write(
            folder.path(),
            "rpd.toml",
            "[listen]\nhttp = \"127.0.0.1:0\"\n[[host]]\nnames = [\"a.example\"]\ntarget = \"127.0.0.2\"\nhttp = { tcp = 80 }\n",
        );
        let proxy = Process::start(&config);
        let [port, peer] = [(); 2].map(|()| Port::reserve());
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/coturn/turnserver.conf");
        // As it is shipped, but for the port, and the log where the test can see it.
        let text =
            fs::read_to_string(own).expect("the configuration").replace("\nsyslog\n", "\nlog-file=stdout\n");
        let text = text.replace("listening-port=3478", &format!("listening-port={port}"));
        let file = write(folder.path(), "turnserver.conf", &text).display().to_string();
        let pid = folder.path().join("pid").display().to_string();
        // The peer of the test is on loopback, where no peer of a real one may be.
        let arguments = ["-c", &file, "-L", "127.0.0.1", "--allow-loopback-peers", "--pidfile", &pid];
        let server = Program::start("turnserver", arguments).listening(port.number());
        let peer_program = Program::start("turnutils_peer", ["-L", "127.0.0.1", "-p", &peer.to_string()]);
        Self { proxy, port, peer, _server: server, _peer: peer_program, _folder: folder }
    }

    fn client(&self, transport: &[&str], password: &str, to: &str) -> Finished {
        let (port, peer) = (self.port.to_string(), self.peer.to_string());
        let fixed = ["-u", "phones", "-w", password, "-p", &port, "-e", to, "-r", &peer, "-n", "5", "-c"];
        run("turnutils_uclient", [&fixed, transport, &["127.0.0.1"]].concat())
    }

    /// The first that the proxy has refused is what is sent to it now.
    fn nothing_reached_the_proxy(mut self) {
        let mut client = connect(self.proxy.address("http"));
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: nobody.example\r\nConnection: close\r\n\r\n")
            .expect("the proxy reads");
        let _ = client.read_to_end(&mut Vec::new());
        let line = self.proxy.line("refused");
        assert!(line.contains("nobody.example"), "{line}");
    }
}
