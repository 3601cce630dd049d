//! SIP and SIPS with sipp as the phones and two kamailios as the registrars. sipp speaks no TLS in Debian, so
//! socat does it for it.
//!
//! Debian packages: sip-tester, socat, kamailio, kamailio-tls-modules.
//! `cargo test -p rpd --test peers_sip -- --ignored`

mod common;

use std::{fs, net::SocketAddr};

use common::{Finished, Port, Program, Proxy, SERVICE_NAME, certificates, fill, run, write};
use tempfile::TempDir;

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

fn phones_register_with_the_registrar_of_their_domain(kind: &str) {
    let stage = Stage::set(kind);
    for name in NAMES {
        stage.register(name, "alice-pw", 200, PHONES).ok();
    }
    let transport = if kind == "sips" { "tls" } else { "tcp" };
    for (name, registrar) in NAMES.into_iter().zip(stage.registrars) {
        let log = registrar.end();
        let count = |what: &str| {
            let line = format!("{name} {transport} {what} sip:alice@{name}.example.com");
            log.iter().filter(|said| said.contains(&line)).count()
        };
        assert_eq!((count("challenges"), count("registers")), (PHONES, PHONES), "{log:#?}");
        assert_eq!(requests(&log), 2 * PHONES, "{log:#?}");
    }
}

#[test]
#[ignore = "needs sip-tester, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sip_a_registrar_refuses_passwords_and_the_proxy_domains() {
    a_registrar_refuses_passwords_and_the_proxy_domains("sip");
}

#[test]
#[ignore = "needs sip-tester, socat, kamailio, kamailio-tls-modules (Debian packages)"]
fn over_sips_a_registrar_refuses_passwords_and_the_proxy_domains() {
    a_registrar_refuses_passwords_and_the_proxy_domains("sips");
}

fn a_registrar_refuses_passwords_and_the_proxy_domains(kind: &str) {
    let stage = Stage::set(kind);
    stage.register("branch", "wrong", 401, 1).ok();
    stage.refused("other.example.com").ok();
    let logs: Vec<Vec<String>> = stage.registrars.into_iter().map(Program::end).collect();
    let [hq, branch] = &logs[..] else { panic!("two registrars") };
    assert_eq!((requests(hq), requests(branch)), (0, 2), "{logs:#?}");
    assert!(branch.iter().any(|line| line.contains("credentials alice")), "{branch:#?}");
    assert!(!branch.iter().any(|line| line.contains(" registers ")), "{branch:#?}");
}

/// The requests in a registrar's log, whoever sent them.
fn requests(log: &[String]) -> usize {
    log.iter().filter(|line| line.contains(" sip:")).count()
}

/// The proxy in front of two registrars.
struct Stage {
    // In this order: what connects to another goes before it.
    tunnel: Option<Tunnel>,
    proxy: Proxy,
    registrars: Vec<Program>,
    folder: TempDir,
}

const NAMES: [&str; 2] = ["hq", "branch"];

/// So many register one after the other, each by a connection of its own.
const PHONES: usize = 10;

impl Stage {
    fn set(kind: &str) -> Self {
        let folder = certificates();
        let mut registrars = Vec::new();
        let mut text = String::from(
            r#"
[listen]
sip = "127.0.0.1:0"
sips = "127.0.0.1:0"

[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"
"#,
        );
        for name in NAMES {
            let [tcp, tls] = [(); 2].map(|()| Port::reserve());
            registrars.push(registrar(name, &folder, [&tcp, &tls]));
            text.push_str(&format!(
                r#"
[[host]]
names = ["{name}.example.com"]
target = "127.0.0.1"
sip = {{ tcp = {tcp}, tls = {tls} }}
tls = {{ verify = "trust-list", trust = ["ca.pem"], server-name = "{SERVICE_NAME}" }}
"#
            ));
        }
        let proxy = Proxy::start(folder.path(), &text);
        let tunnel = (kind == "sips").then(|| Tunnel::to(proxy.address(kind), &folder));
        Self { tunnel, proxy, registrars, folder }
    }

    /// sipp as so many phones of the host's domain, which expect this answer to their passwords.
    fn register(&self, name: &str, password: &str, status: u16, phones: usize) -> Finished {
        let domain = format!("{name}.example.com");
        let scenario = fill(
            include_str!("peers/sip/register.xml"),
            &[("NAME", &name), ("DOMAIN", &domain), ("PASSWORD", &password), ("STATUS", &status)],
        );
        self.sipp(&scenario, phones)
    }

    /// sipp as one phone of a domain that nobody has.
    fn refused(&self, domain: &str) -> Finished {
        self.sipp(&fill(include_str!("peers/sip/refused.xml"), &[("DOMAIN", &domain)]), 1)
    }

    fn sipp(&self, scenario: &str, phones: usize) -> Finished {
        let scenario = write(self.folder.path(), "scenario.xml", scenario).display().to_string();
        let proxy = match &self.tunnel {
            Some(tunnel) => format!("127.0.0.1:{}", tunnel.port),
            None => self.proxy.address("sip").to_string(),
        };
        let phones = phones.to_string();
        let limits = ["-m", &phones, "-l", "1", "-timeout", "20s", "-timeout_error", "-max_socket", "100"];
        let fixed = [
            "-sf",
            &scenario,
            "-t",
            "tn",
            "-i",
            "127.0.0.1",
            "-nostdin",
            "-trace_err",
            "-error_file",
            "/dev/stderr",
            &proxy,
        ];
        run("sipp", fixed.iter().chain(&limits))
    }
}

/// TLS for a client that has none: every connection to `port` becomes one of its own to the proxy.
struct Tunnel {
    _socat: Program,
    port: Port,
}

impl Tunnel {
    fn to(proxy: SocketAddr, folder: &TempDir) -> Self {
        let port = Port::reserve();
        let ca = folder.path().join("ca.pem");
        let from = format!("TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork");
        let to =
            format!("OPENSSL:{proxy},cafile={},snihost=example.com,commonname=example.com", ca.display());
        Self { _socat: Program::start("socat", [from, to]).listening(port.number()), port }
    }
}

fn registrar(name: &str, folder: &TempDir, [tcp, tls]: [&Port; 2]) -> Program {
    let dir = folder.path().join(name);
    fs::create_dir(&dir).expect("a folder");
    let [certificate, key] = ["service.pem", "service.key"].map(|file| folder.path().join(file));
    let tls_configuration = fill(
        include_str!("peers/sip/tls.cfg"),
        &[("CERTIFICATE", &certificate.display()), ("KEY", &key.display())],
    );
    write(&dir, "tls.cfg", &tls_configuration);
    let configuration = fill(
        include_str!("peers/sip/kamailio.cfg"),
        &[("DIR", &dir.display()), ("NAME", &name), ("TCP", tcp), ("TLS", tls)],
    );
    let configuration = write(&dir, "kamailio.cfg", &configuration).display().to_string();
    let dir = dir.display().to_string();
    let kamailio = ["-f", &configuration, "-DD", "-E", "-m", "32", "-M", "4", "-Y", &dir, "-w", &dir];
    Program::start("kamailio", kamailio).listening(tcp.number()).listening(tls.number())
}
