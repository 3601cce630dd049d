//! `rpd probe`: what it makes of the certificate that it is shown, and what it prints.

mod common;

use std::path::Path;

use common::{Finished, Proxy, certificates, run, stand_in};
use rpd::{cli::demo::stand_in::StandIn, config::Config, tls};
use tempfile::TempDir;

#[test]
fn pin_prints_a_line_that_the_configuration_takes() {
    let stage = Stage::new();
    let said = stage.probe(&["--pin"]).ok();
    let line = said.lines().find(|line| line.starts_with("tls = ")).expect("a line to paste");
    assert_eq!(
        line,
        format!("tls = {{ verify = \"fingerprint\", fingerprints = [\"{}\"] }}", stage.fingerprint)
    );
    let text = format!(
        "[listen]\nhttp = 8080\n[[host]]\nnames = [\"a.example\"]\ntarget = \"10.0.0.1\"\nhttp = {{ tls = 443 }}\n{line}\n"
    );
    assert!(Config::parse(&text, Path::new("rpd.toml")).is_ok());
    assert!(!said.contains("sent "), "without a name there is nothing to ask: {said}");
}

#[test]
fn with_the_certificate_that_is_expected_it_asks() {
    let stage = Stage::new();
    let said = stage.probe(&["--expect", &stage.fingerprint, "--name", "hq.example.com"]).ok();
    assert!(said.contains("nothing on the way opens TLS") && said.contains("from       hq"), "{said}");
}

#[test]
fn with_another_certificate_it_sends_nothing() {
    let stage = Stage::new();
    let other = format!("sha256:{}", "6f".repeat(32));
    let refused = stage.probe(&["--expect", &other, "--name", "hq.example.com"]).expect(1);
    assert!(refused.out.contains("something on the way opens TLS"), "{}", refused.out);
    assert!(refused.out.contains(&stage.fingerprint) && !refused.out.contains("sent "), "{}", refused.out);
}

#[test]
fn over_tls_it_wants_to_know_how_to_judge() {
    let refused = Stage::new().probe(&["--tls", "--name", "hq.example.com"]).expect(3);
    assert!(refused.err.contains("--ca FILE or --expect FINGERPRINT"), "{}", refused.err);
}

#[test]
fn json_has_what_the_lines_say() {
    let stage = Stage::new();
    let said = stage
        .probe(&[
            "--insecure",
            "--name",
            "hq.example.com",
            "--json",
            "--repeat",
            "2",
            "--source",
            "127.0.0.1",
        ])
        .ok();
    let lines: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["tls"]["fingerprint"], stage.fingerprint.as_str(), "{said}");
    assert_eq!(lines[0]["tls"]["names"][0], "example.com");
    assert_eq!(lines[0]["reply"]["server"], "hq");
    assert_eq!(lines[1]["reply"]["served"], true);
}

#[test]
fn it_notices_who_asks_for_a_certificate() {
    let asked = Stage::with("[\"https\"]").probe(&["--insecure", "--json"]);
    let asked: serde_json::Value = serde_json::from_str(&asked.expect(2).out).unwrap_or_default();
    assert!(asked.is_null(), "without a name, --pin or --expect there is nothing to do");
    for (listeners, wanted) in [("[\"https\"]", true), ("[]", false)] {
        let said = Stage::with(listeners).probe(&["--pin", "--json"]).ok();
        let found: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(found["tls"]["asks_for_certificate"], wanted, "{said}");
    }
}

/// A proxy with one stand-in behind it.
struct Stage {
    fingerprint: String,
    proxy: Proxy,
    _stand_in: StandIn,
    _folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        Self::with("[]")
    }

    fn with(asked: &str) -> Self {
        let folder = certificates();
        let at = |file: &str| folder.path().join(file);
        let stand_in = stand_in("hq", &folder);
        let port = stand_in.ports.of(rpd::protocol::Kind {
            protocol: rpd::protocol::Protocol::Http,
            transport: rp_route::leg::Transport::Tcp,
        });
        let text = format!(
            "[listen]\nhttps = \"127.0.0.1:0\"\n[tls]\nrequest-client-certificate = {asked}\n[[tls.certificate]]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n[[host]]\nnames = [\"hq.example.com\"]\ntarget = \"127.0.0.1\"\nhttp = {{ tcp = {port} }}\n"
        );
        let fingerprint =
            tls::fingerprint(&tls::read_certificates(&at("proxy.pem")).expect("a certificate")[0]);
        let proxy = Proxy::start(folder.path(), &text);
        Self { fingerprint: fingerprint.to_string(), proxy, _stand_in: stand_in, _folder: folder }
    }

    fn probe(&self, arguments: &[&str]) -> Finished {
        let address = self.proxy.address("https").to_string();
        run(env!("CARGO_BIN_EXE_rpd"), [&["probe", "http", &address], arguments].concat())
    }
}
