//! H.323 and H.323 over TLS: endpoints that register over H.460.17 with messages by pycrate and by rasn, two
//! gatekeepers, and tshark, which must understand every message on both sides of the proxy and find no fault in it.
//!
//! Debian packages: tshark, socat, python3; PyPI: pycrate 0.8.1 in the `python3` of the PATH. Capturing needs root.
//! `cargo test -p rpd --test peers_h323 -- --ignored`

mod common;

use std::{
    fs::File,
    io::{Read, Write},
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use common::{
    Capture, Connection, Port, Program, Proxy, SERVICE_NAME, certificates, connect, run_with, service_files,
    stand_in,
};
use rp_h323::{
    Answer, AnswerKind, Error, RegistrationRejectReason,
    messages::{AliasName, Ras, RegistrationRequest, Sender, facility},
};
use rp_route::leg::Transport;
use rpd::{
    cli::demo::stand_in::StandIn,
    protocol::{Kind, Protocol},
};
use rustls::{ClientConfig, ClientConnection, KeyLog, RootCertStore, StreamOwned, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tempfile::TempDir;

#[test]
#[ignore = "needs tshark, python3 (Debian packages), pycrate 0.8.1 (PyPI), and root to capture"]
fn over_h323_registrations_by_pycrate_pass_as_they_are() {
    Stage::set("h323").registrations_pass_as_they_are(Stage::register_by_pycrate);
}

#[test]
#[ignore = "needs tshark, socat, python3 (Debian packages), pycrate 0.8.1 (PyPI), and root to capture"]
fn over_h323s_registrations_by_pycrate_pass_as_they_are() {
    Stage::set("h323s").registrations_pass_as_they_are(Stage::register_by_pycrate);
}

#[test]
#[ignore = "needs tshark (Debian package), and root to capture"]
fn over_h323_registrations_by_rasn_pass_as_they_are() {
    Stage::set("h323").registrations_pass_as_they_are(Stage::register_by_rasn);
}

#[test]
#[ignore = "needs tshark, socat (Debian packages), and root to capture"]
fn over_h323s_registrations_by_rasn_pass_as_they_are() {
    Stage::set("h323s").registrations_pass_as_they_are(Stage::register_by_rasn);
}

/// The proxy in front of two gatekeepers, and a capture of both its sides.
struct Stage {
    kind: &'static str,
    capture: Capture,
    proxy: Proxy,
    hq: u16,
    branch: u16,
    _tunnels: Vec<Program>,
    _stand_ins: [StandIn; 2],
    folder: TempDir,
}

/// What tshark says of a segment that ends a stream.
const THE_END: &str = "|Connection finish (FIN),This frame initiates the connection closing";

const HQ: &str = "example.com";
const BRANCH: &str = "example.com/branch";
const UNKNOWN: &str = "unknown.example";

impl Stage {
    fn set(kind: &'static str) -> Self {
        let folder = certificates();
        let stand_ins = ["hq", "branch"].map(|name| stand_in(name, &folder));
        let in_clear = Kind { protocol: Protocol::H323, transport: Transport::Tcp };
        let [hq, branch] = [0, 1].map(|at| stand_ins[at].ports.of(in_clear));
        let mut tunnels = Vec::new();
        let mut row = |id: &str, port: u16| {
            let (key, port) = match kind {
                "h323s" => {
                    let tls = Port::reserve();
                    tunnels.push(tunnel(&tls, port, &folder));
                    ("tls", tls.number())
                }
                _ => ("tcp", port),
            };
            format!(
                r#"
[[host]]
names = ["{id}"]
target = "127.0.0.1"
h323 = {{ {key} = {port} }}
tls = {{ verify = "trust-list", trust = ["ca.pem"], server-name = "{SERVICE_NAME}" }}
"#
            )
        };
        let rows = [row(HQ, hq), row(BRANCH, branch)].concat();
        let text = format!(
            r#"
[listen]
{kind} = "127.0.0.1:0"

[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"
{rows}"#
        );
        let proxy = Proxy::start(folder.path(), &text);
        let capture = Capture::start(folder.path(), &[proxy.address(kind).port(), hq, branch]);
        Self { kind, capture, proxy, hq, branch, _tunnels: tunnels, _stand_ins: stand_ins, folder }
    }

    fn registrations_pass_as_they_are(self, register: impl Fn(&Self, &str) -> Registered) {
        assert_eq!(register(&self, HQ), Registered::By("hq".to_owned()));
        assert_eq!(register(&self, BRANCH), Registered::By("branch".to_owned()));
        assert_eq!(register(&self, UNKNOWN), Registered::Not);
        let mut seen = self.dissected();
        // What is said last comes with the end, and tshark tells of that, too.
        if let Some(last) = seen.last_mut() {
            *last = last.replace(THE_END, "");
        }
        let expected = [
            "to proxy|RRQ|example.com",
            "to hq|RRQ|example.com",
            "from hq|RCF|hq",
            "from proxy|RCF|hq",
            "to proxy|RRQ|example.com/branch",
            "to branch|RRQ|example.com/branch",
            "from branch|RCF|branch",
            "from proxy|RCF|branch",
            "to proxy|RRQ|unknown.example",
            "from proxy|RRJ|unknown.example",
        ];
        assert_eq!(seen, expected);
    }

    /// pycrate registers at the proxy for this identifier, in a Python process.
    fn register_by_pycrate(&self, id: &str) -> Registered {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/rp-h323/tests/pycrate/register.py");
        let port = self.proxy.address(self.kind).port().to_string();
        let mut arguments = vec![
            script,
            "--host",
            "127.0.0.1",
            "--port",
            &port,
            "--gatekeeper-id",
            id,
            "--alias",
            "phone",
            "--seq",
            "7",
        ];
        if self.kind == "h323s" {
            arguments.push("--tls");
        }
        let (ca, keys) = (self.folder.path().join("ca.pem"), self.key_log());
        let environment = [("SSL_CERT_FILE", ca.as_os_str()), ("SSLKEYLOGFILE", keys.as_os_str())];
        let finished = run_with("python3", arguments, &environment);
        let words: Vec<&str> = finished.out.split_whitespace().collect();
        let field = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        match (finished.code, words.first(), field("gatekeeperIdentifier"), field("rejectReason")) {
            (Some(0), Some(&"registrationConfirm"), Some(by), None) => Registered::By(by.to_owned()),
            (Some(1), Some(&"registrationReject"), _, Some("securityDenial")) => Registered::Not,
            _ => panic!("{finished:?}"),
        }
    }

    /// rasn registers, from here.
    fn register_by_rasn(&self, id: &str) -> Registered {
        let request = RegistrationRequest {
            request_seq_num: 7,
            gatekeeper_id: Some(id),
            aliases: &[AliasName::H323Id("phone")],
            ..RegistrationRequest::default()
        };
        let octets = facility(Sender::Endpoint, &[Ras::RegistrationRequest(request)]).expect("a message");
        let address = self.proxy.address(self.kind);
        let mut stream =
            if self.kind == "h323s" { self.connect_tls(address) } else { Box::new(connect(address)) };
        stream.write_all(&octets).expect("the proxy reads");
        let mut received = Vec::new();
        loop {
            match Answer::parse(&received) {
                Ok(answer) => return Registered::read(&answer),
                Err(Error::Incomplete(_)) => read_more(&mut stream, &mut received).expect("an answer"),
                Err(Error::Invalid(invalid)) => panic!("{invalid}"),
            }
        }
    }

    fn connect_tls(&self, address: SocketAddr) -> Box<dyn Connection> {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(self.folder.path().join("ca.pem")).expect("a certificate");
        roots.add(ca).expect("an authority");
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let file = File::options().create(true).append(true).open(self.key_log()).expect("a file");
        config.key_log = Arc::new(KeyLogTo(Mutex::new(file)));
        let name = ServerName::try_from("example.com").expect("a name");
        let client = ClientConnection::new(Arc::new(config), name).expect("a client");
        Box::new(StreamOwned::new(client, connect(address)))
    }

    /// Every message that tshark saw: between whom, its kind and its gatekeeper identifier, and behind that what
    /// tshark has to say against it.
    fn dissected(self) -> Vec<String> {
        let proxy = self.proxy.address(self.kind).port();
        let ports = [(proxy, "proxy"), (self.hq, "hq"), (self.branch, "branch")];
        // In clear tshark finds H.323 by itself, on any port.
        let mut options = Vec::new();
        if self.kind == "h323s" {
            let keys = format!("tls.keylog_file:{}", self.key_log().display());
            let [outside, inside] = [format!("tcp.port=={proxy},tls"), format!("tls.port=={proxy},q931")];
            options.extend(["-o".to_owned(), keys, "-d".to_owned(), outside, "-d".to_owned(), inside]);
        }
        let fields = [
            "tcp.dstport",
            "tcp.srcport",
            "h225.RasMessage",
            "h225.gatekeeperIdentifier",
            "_ws.malformed",
            "per.encoding_error",
            "_ws.expert.message",
        ];
        let lines = self.capture.fields(&options, "q931 || tpkt || _ws.malformed", &fields);
        let named = |line: &String| {
            let fields: Vec<&str> = line.split('|').collect();
            let [to, from, message, id, complaints @ ..] = &fields[..] else { panic!("{line}") };
            let whose =
                |port: &str| ports.iter().find(|(number, _)| number.to_string() == port).map(|(_, who)| *who);
            let between = match (whose(to), whose(from)) {
                (Some(who), None) => format!("to {who}"),
                (None, Some(who)) => format!("from {who}"),
                _ => panic!("{line}"),
            };
            // The alternatives of RasMessage, H.225.0 annex H.
            let message = match *message {
                "3" => "RRQ",
                "4" => "RCF",
                "5" => "RRJ",
                other => other,
            };
            let complaints = complaints.concat();
            let separator = if complaints.is_empty() { "" } else { "|" };
            format!("{between}|{message}|{id}{separator}{complaints}")
        };
        lines.iter().map(named).collect()
    }

    /// The secrets of the clients' TLS connections, for tshark.
    fn key_log(&self) -> PathBuf {
        self.folder.path().join("keys.log")
    }
}

/// What an endpoint was told.
#[derive(Debug, PartialEq, Eq)]
enum Registered {
    /// This gatekeeper took it.
    By(String),
    /// No gatekeeper did, for a reason of security.
    Not,
}

impl Registered {
    fn read(answer: &Answer<'_>) -> Self {
        assert_eq!(answer.request_seq_num, 7);
        match answer.kind {
            AnswerKind::RegistrationConfirm => {
                Self::By(answer.gatekeeper_id.map(|id| id.to_string()).unwrap_or_default())
            }
            AnswerKind::RegistrationReject(RegistrationRejectReason::SECURITY_DENIAL) => Self::Not,
            other => panic!("{other:?}"),
        }
    }
}

/// TLS in front of a gatekeeper: socat takes it off, so that what the proxy has sent can be captured in clear.
fn tunnel(tls: &Port, gatekeeper: u16, folder: &TempDir) -> Program {
    let [certificate, key] = service_files(folder);
    let from = format!(
        "OPENSSL-LISTEN:{tls},bind=127.0.0.1,reuseaddr,fork,certificate={},key={},verify=0",
        certificate.display(),
        key.display()
    );
    Program::start("socat", [from, format!("TCP4:127.0.0.1:{gatekeeper}")]).listening(tls.number())
}

fn read_more(stream: &mut impl Read, received: &mut Vec<u8>) -> std::io::Result<()> {
    let mut octets = [0; 4096];
    match stream.read(&mut octets)? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        count => {
            received.extend_from_slice(&octets[..count]);
            Ok(())
        }
    }
}

/// Writes secrets as NSS does, which tshark reads.
#[derive(Debug)]
struct KeyLogTo(Mutex<File>);

impl KeyLog for KeyLogTo {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        self.0.lock().expect("no panic before").write_all(line.as_bytes()).expect("a file");
    }
}

#[test]
#[ignore = "needs tshark with text2pcap (Debian package)"]
fn every_message_that_is_built_is_sound_for_tshark() {
    // The vectors are what the crate builds, and what pycrate makes of the same: a name, and the octets in hex.
    let vectors = include_str!("../../../crates/rp-h323/tests/pycrate/vectors.txt");
    let folder = tempfile::tempdir().expect("a folder");
    let octets = |line: &str| {
        let hex = line.split_whitespace().last().expect("octets").as_bytes();
        let pairs: Vec<_> = hex.chunks(2).map(String::from_utf8_lossy).collect();
        format!("000000 {}\n\n", pairs.join(" "))
    };
    let dump = common::write(folder.path(), "vectors.txt", &vectors.lines().map(octets).collect::<String>());
    let capture = folder.path().join("vectors.pcap");
    let run = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output().expect("a Debian package");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let [dump, capture] = [&dump, &capture].map(|path| path.to_str().expect("a plain path"));
    run("text2pcap", &["-q", "-T", "40000,1720", dump, capture]);
    let fields = ["_ws.col.Info", "_ws.malformed", "_ws.expert.message"].map(|field| ["-e", field]).concat();
    let dissected = run("tshark", &[&["-r", capture, "-T", "fields"][..], &fields].concat());
    let kinds =
        [("RRJ", "registrationReject"), ("GRJ", "gatekeeperReject"), ("ReleaseComplete", "releaseComplete")];
    let mut seen = 0;
    for (vector, line) in vectors.lines().zip(dissected.lines()) {
        let [info, faults @ ..] = &line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(faults.iter().all(|fault| fault.is_empty()), "{vector}: {faults:?}");
        for (name, shown) in kinds.iter().filter(|(name, _)| vector.starts_with(name)) {
            assert!(info.contains(shown), "{name}: {info}");
        }
        seen += 1;
    }
    assert_eq!(seen, vectors.lines().count());
    assert!(seen >= 50);
}
