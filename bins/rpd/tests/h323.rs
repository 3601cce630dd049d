//! H.323 beyond the first message: who may register on a living connection, what the gatekeeper's answers mean, and
//! which leg a certificate opens.

mod common;

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread::{self, JoinHandle},
};

use common::{Connection, Proxy, certificates, connect, key, patient};
use rcgen::DnType;
use rp_h323::{
    Answer, AnswerKind, Error, Key, Kind, RegistrationRejectReason, ReleaseCompleteReason, extract,
    messages::{
        AliasName, GatekeeperRequest, Ras, RegistrationConfirm, RegistrationReject, RegistrationRequest,
        ReleaseComplete, Sender, facility,
    },
};
use rpd::tls;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned, sign::CertifiedKey};

/// What a gatekeeper has got: from which port, and the request in words.
type Seen = Receiver<(&'static str, String)>;

/// A gatekeeper on a TCP and a TLS port. It confirms every registration, but rejects those whose alias names a
/// reason, and answers calls with ReleaseComplete.
fn gatekeeper(folder: &Path) -> ([u16; 2], Seen) {
    let (told, seen) = channel();
    let key = key(folder, "service");
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
    let config = Arc::new(config);
    let ports = ["tcp", "tls"].map(|leg| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (told, config) = (told.clone(), config.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (told, config) = (told.clone(), config.clone());
                thread::spawn(move || {
                    let tell = |what: String| drop(told.send((leg, what)));
                    // A proxy that goes away is no fault of the gatekeeper's.
                    let _ = if leg == "tcp" {
                        serve(stream, tell)
                    } else {
                        let connection = rustls::ServerConnection::new(config).expect("a server");
                        serve(StreamOwned::new(connection, stream), tell)
                    };
                });
            }
        });
        port
    });
    (ports, seen)
}

fn serve(mut stream: impl Read + Write, tell: impl Fn(String)) -> io::Result<()> {
    let mut received = Vec::new();
    loop {
        let (used, answer) = match extract(&received) {
            Ok(key) if is_called(&key, "long") => {
                stream.write_all(&reply(&key))?;
                // Half of a long message, and the rest when the phone says something.
                let long = long_message();
                stream.write_all(&long[..LONG / 2])?;
                stream.flush()?;
                let n = stream.read(&mut [0; 4096])?;
                tell(format!("{n} octets"));
                (key.len, long[LONG / 2..].to_vec())
            }
            Ok(key) => {
                tell(key.to_string());
                (key.len, reply(&key))
            }
            Err(Error::Incomplete(_)) => {
                let mut octets = [0; 4096];
                match stream.read(&mut octets)? {
                    0 => return Ok(()),
                    n => received.extend_from_slice(&octets[..n]),
                }
                continue;
            }
            Err(Error::Invalid(invalid)) => panic!("the gatekeeper got {invalid}"),
        };
        stream.write_all(&answer)?;
        stream.flush()?;
        received.drain(..used);
    }
}

fn is_called(key: &Key<'_>, name: &str) -> bool {
    key.aliases().next().is_some_and(|alias| alias.to_string() == name)
}

/// An Information message full of Display elements.
fn long_message() -> Vec<u8> {
    let mut octets = vec![3, 0, 0, 0, 8, 2, 0x80, 1, 0x7b];
    while octets.len() < LONG {
        let len = (LONG - octets.len() - 2).min(80);
        octets.extend([0x28, u8::try_from(len).expect("a short element")]);
        octets.resize(octets.len() + len, b'x');
    }
    octets[2..4].copy_from_slice(&u16::try_from(LONG).expect("a TPKT").to_be_bytes());
    octets
}

const LONG: usize = 60_000;

fn reply(key: &Key<'_>) -> Vec<u8> {
    if key.kind == Kind::Setup {
        let reason = ReleaseCompleteReason::CALLED_PARTY_NOT_REGISTERED;
        let call_identifier = key.call_identifier();
        let words = ReleaseComplete {
            sender: Sender::Gatekeeper,
            call_reference: key.call_reference,
            call_identifier,
            reason,
        };
        return words.to_vec().expect("a ReleaseComplete");
    }
    let alias = key.aliases().next().map(|alias| alias.to_string()).unwrap_or_default();
    let reject = |reason| {
        Ras::RegistrationReject(RegistrationReject {
            request_seq_num: key.request_seq_num,
            gatekeeper_id: None,
            reason,
            aliases: &[],
        })
    };
    if alias == "called" {
        // A call to the phone comes down its own connection.
        let mut octets = facility(Sender::Gatekeeper, &[confirm(key)]).expect("an RCF");
        octets.extend_from_slice(SETUP);
        return octets;
    }
    if alias == "redirected" {
        return REDIRECT.to_vec();
    }
    let answer = match alias.as_str() {
        "denied" => reject(RegistrationRejectReason::SECURITY_DENIAL),
        "restarted" => reject(RegistrationRejectReason::FULL_REGISTRATION_REQUIRED),
        _ => confirm(key),
    };
    facility(Sender::Gatekeeper, &[answer]).expect("an answer")
}

fn confirm(key: &Key<'_>) -> Ras<'static> {
    Ras::RegistrationConfirm(RegistrationConfirm {
        request_seq_num: key.request_seq_num,
        gatekeeper_id: None,
        endpoint_id: "e1",
        time_to_live: Some(60),
        ..RegistrationConfirm::default()
    })
}

/// A client certificate for `name` by the test's authority, or by itself.
fn phone(folder: &Path, name: &str) -> Arc<CertifiedKey> {
    common::client_certificate(folder, name)
}

/// `one.example` with Check Certificate, `two.example` without; both at the same gatekeeper.
fn proxy(folder: &Path, [tcp, tls]: [u16; 2], check: &str) -> Proxy {
    let text = format!(
        r#"
[listen]
h323 = "127.0.0.1:0"
h323s = "127.0.0.1:0"

[tls]
trust-list = ["ca.pem"]
[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"

[[host]]
names = ["one.example"]
target = "127.0.0.1"
h323 = {{ {check} tls = {tls}, check-certificate = true }}
tls = {{ verify = "trust-list", trust = ["ca.pem"] }}

[[host]]
names = ["two.example"]
target = "127.0.0.1"
h323 = {{ tcp = {tcp} }}
"#
    );
    Proxy::start(folder, &text)
}

/// A phone: messages out, answers in.
struct Phone {
    stream: Box<dyn Connection>,
    received: Vec<u8>,
}

impl Phone {
    fn tcp(proxy: &Proxy) -> Self {
        Self::at(proxy.address("h323"))
    }

    fn at(address: SocketAddr) -> Self {
        let socket = connect(address);
        Self { stream: Box::new(socket), received: Vec::new() }
    }

    fn tls(proxy: &Proxy, certificate: Option<&Arc<CertifiedKey>>) -> Self {
        let config = Arc::new(tls::client_config_with(tls::accept_any(), certificate));
        Self::session(proxy, &config, HandshakeKind::Full)
    }

    /// A TLS session that begins anew, or goes on with what `config` knows of an earlier one.
    fn session(proxy: &Proxy, config: &Arc<ClientConfig>, kind: HandshakeKind) -> Self {
        let mut socket = proxy.connect("h323s");
        let name = "example.com".try_into().expect("a name");
        let mut connection = ClientConnection::new(config.clone(), name).expect("a client");
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).expect("a handshake");
        }
        assert_eq!(connection.handshake_kind(), Some(kind));
        Self { stream: Box::new(StreamOwned::new(connection, socket)), received: Vec::new() }
    }

    fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).expect("the proxy reads");
        self.stream.flush().expect("the proxy reads");
    }

    /// The next answer in words; none when the proxy has closed.
    fn answer(&mut self) -> Option<String> {
        loop {
            match Answer::parse(&self.received) {
                Ok(answer) => {
                    let (words, len) = (answer.to_string(), answer.len);
                    let words = words.split(',').next().unwrap_or_default().to_owned();
                    assert!(
                        answer.request_seq_num > 0 || matches!(answer.kind, AnswerKind::ReleaseComplete(_))
                    );
                    self.received.drain(..len);
                    return Some(words);
                }
                Err(Error::Incomplete(_)) => {}
                Err(Error::Invalid(invalid)) => panic!("{invalid}"),
            }
            let mut octets = [0; 4096];
            match self.stream.read(&mut octets) {
                Ok(0) => return None,
                Ok(n) => self.received.extend_from_slice(&octets[..n]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Reads until so many octets are there.
    fn read_at_least(&mut self, len: usize) {
        let mut octets = [0; 4096];
        while self.received.len() < len {
            let n = self.stream.read(&mut octets).expect("more octets");
            assert!(n > 0, "closed after {} octets", self.received.len());
            self.received.extend_from_slice(&octets[..n]);
        }
    }

    fn ask(&mut self, octets: &[u8]) -> Option<String> {
        self.send(octets);
        self.answer()
    }
}

fn registration<'a>(id: Option<&'a str>, aliases: &'a [AliasName<'a>]) -> RegistrationRequest<'a> {
    RegistrationRequest { request_seq_num: 7, gatekeeper_id: id, aliases, ..RegistrationRequest::default() }
}

fn rrq(id: &str, alias: &str) -> Vec<u8> {
    facility(
        Sender::Endpoint,
        &[Ras::RegistrationRequest(registration(Some(id), &[AliasName::H323Id(alias)]))],
    )
    .expect("an RRQ")
}

/// A light-weight registration.
fn refresh(id: Option<&str>) -> Vec<u8> {
    let request = RegistrationRequest { keep_alive: true, endpoint_id: Some("e1"), ..registration(id, &[]) };
    facility(Sender::Endpoint, &[Ras::RegistrationRequest(request)]).expect("an RRQ")
}

fn grq(id: &str, alias: &str) -> Vec<u8> {
    let request = GatekeeperRequest {
        request_seq_num: 6,
        gatekeeper_id: Some(id),
        aliases: &[AliasName::H323Id(alias)],
    };
    facility(Sender::Endpoint, &[Ras::GatekeeperRequest(request)]).expect("a GRQ")
}

fn drain(seen: &Seen) -> Vec<&'static str> {
    seen.try_iter().map(|(leg, _)| leg).collect()
}

const SETUP: &[u8] = include_bytes!("../../../crates/rp-h323/tests/corpus/setup_h323id.bin");
/// RRJ securityDenial that names other gatekeepers.
const REDIRECT: &[u8] = include_bytes!("../../../crates/rp-h323/tests/corpus/rrj_altgk_securityDenial.bin");
const KEEP_ALIVE: &[u8] = &[3, 0, 0, 4];

#[test]
fn a_registration_lives_on_its_connection() {
    let folder = certificates();
    let (ports, seen) = gatekeeper(folder.path());
    let proxy = proxy(folder.path(), ports, &format!("tcp = {},", ports[0]));
    for mut phone in [Phone::tcp(&proxy), Phone::tls(&proxy, None)] {
        // A keep-alive before the first message is passed on with it.
        phone.send(KEEP_ALIVE);
        assert_eq!(phone.ask(&grq("two.example", "hq")).as_deref(), Some("RCF"));
        assert_eq!(phone.ask(&rrq("two.example", "hq")).as_deref(), Some("RCF"));
        assert_eq!(phone.ask(&refresh(Some("two.example"))).as_deref(), Some("RCF"));
        assert_eq!(phone.ask(&refresh(None)).as_deref(), Some("RCF"));
        // Registered: where calls go is the gatekeeper's business.
        assert_eq!(phone.ask(SETUP).as_deref(), Some("ReleaseComplete calledPartyNotRegistered"));
        assert_eq!(drain(&seen), ["tcp"; 5]);
    }
}

#[test]
fn several_messages_in_one_segment_and_one_in_many_are_the_same() {
    let folder = certificates();
    let (ports, seen) = gatekeeper(folder.path());
    let proxy = proxy(folder.path(), ports, &format!("tcp = {},", ports[0]));
    let all =
        [rrq("two.example", "hq"), KEEP_ALIVE.to_vec(), refresh(None), refresh(Some("two.example"))].concat();
    let mut whole = Phone::tcp(&proxy);
    whole.send(&all);
    let mut pieces = Phone::tcp(&proxy);
    all.iter().for_each(|octet| pieces.send(&[*octet]));
    for phone in [&mut whole, &mut pieces] {
        for _ in 0..3 {
            assert_eq!(phone.answer().as_deref(), Some("RCF"));
        }
    }
    assert_eq!(drain(&seen).len(), 6);
}

#[test]
fn another_host_on_a_living_connection_is_refused_once_registered_and_hung_up_on_before() {
    let folder = certificates();
    let (ports, seen) = gatekeeper(folder.path());
    let proxy = proxy(folder.path(), ports, &format!("tcp = {},", ports[0]));
    let mut phone = Phone::tcp(&proxy);
    assert_eq!(phone.ask(&rrq("two.example", "hq")).as_deref(), Some("RCF"));
    assert_eq!(phone.ask(&rrq("one.example", "hq")).as_deref(), Some("RRJ securityDenial"));
    assert_eq!(phone.ask(&grq("one.example", "hq")).as_deref(), Some("GRJ terminalExcluded"));
    assert_eq!(phone.ask(&rrq("unknown.example", "hq")).as_deref(), Some("RRJ securityDenial"));
    // The connection lives.
    assert_eq!(phone.ask(&refresh(None)).as_deref(), Some("RCF"));
    assert_eq!(drain(&seen).len(), 2);

    let mut redirected = Phone::tcp(&proxy);
    assert_eq!(
        redirected.ask(&rrq("two.example", "restarted")).as_deref(),
        Some("RRJ fullRegistrationRequired")
    );
    assert_eq!(redirected.ask(&rrq("one.example", "hq")), None);
    assert_eq!(drain(&seen).len(), 1);
}

#[test]
fn a_call_before_a_registration_may_only_go_to_the_host_of_the_connection() {
    let folder = certificates();
    let (ports, seen) = gatekeeper(folder.path());
    let proxy = proxy(folder.path(), ports, &format!("tcp = {},", ports[0]));
    let mut phone = Phone::tcp(&proxy);
    assert_eq!(phone.ask(&rrq("two.example", "restarted")).as_deref(), Some("RRJ fullRegistrationRequired"));
    // The Setup of the corpus calls example.com.
    assert_eq!(phone.ask(SETUP).as_deref(), Some("ReleaseComplete noPermission"));
    assert_eq!(drain(&seen).len(), 1);
}

#[test]
fn one_bad_request_in_a_bundle_keeps_all_of_it_here() {
    let folder = certificates();
    let (ports, seen) = gatekeeper(folder.path());
    let proxy = proxy(folder.path(), ports, &format!("tcp = {},", ports[0]));
    let mut phone = Phone::tcp(&proxy);
    assert_eq!(phone.ask(&rrq("two.example", "hq")).as_deref(), Some("RCF"));
    let good = registration(Some("two.example"), &[AliasName::H323Id("hq")]);
    let bad = RegistrationRequest {
        request_seq_num: 8,
        ..registration(Some("unknown.example"), &[AliasName::H323Id("hq")])
    };
    let bundle = facility(Sender::Endpoint, &[Ras::RegistrationRequest(good), Ras::RegistrationRequest(bad)]);
    assert_eq!(phone.ask(&bundle.expect("a bundle")).as_deref(), Some("RRJ securityDenial"));
    assert_eq!(phone.ask(&refresh(None)).as_deref(), Some("RCF"));
    assert_eq!(drain(&seen).len(), 2);
}

#[test]
fn sixteen_refusals_end_the_connection() {
    let folder = certificates();
    let (ports, _seen) = gatekeeper(folder.path());
    let proxy = proxy(folder.path(), ports, &format!("tcp = {},", ports[0]));
    let mut phone = Phone::tcp(&proxy);
    assert_eq!(phone.ask(&rrq("two.example", "hq")).as_deref(), Some("RCF"));
    let mut refused = 0;
    while phone.ask(&rrq("unknown.example", "hq")).is_some() {
        refused += 1;
        assert!(refused <= 16);
    }
    assert_eq!(refused, 16);
}

#[test]
fn the_name_on_a_trusted_certificate_opens_the_tls_leg_and_nothing_else_does() {
    let folder = certificates();
    let folder = folder.path();
    let (ports, seen) = gatekeeper(folder);
    let proxy = proxy(folder, ports, &format!("tcp = {},", ports[0]));
    let alice = phone(folder, "alice");
    let stranger = common::self_signed("alice");
    for (certificate, alias, leg) in [
        (Some(&alice), "alice", "tls"),
        (Some(&alice), "ALICE", "tls"),
        (Some(&alice), "bob", "tcp"),
        (Some(&stranger), "alice", "tcp"),
        (None, "alice", "tcp"),
    ] {
        let mut phone = Phone::tls(&proxy, certificate);
        assert_eq!(phone.ask(&rrq("one.example", alias)).as_deref(), Some("RCF"), "{alias}");
        assert_eq!(drain(&seen), [leg], "{alias}");
    }
    // By TCP nothing is shown.
    assert_eq!(Phone::tcp(&proxy).ask(&rrq("one.example", "alice")).as_deref(), Some("RCF"));
    assert_eq!(drain(&seen), ["tcp"]);
}

#[test]
fn a_certificate_out_of_date_or_with_two_names_opens_nothing() {
    let folder = certificates();
    let folder = folder.path();
    let (ports, seen) = gatekeeper(folder);
    let proxy = proxy(folder, ports, &format!("tcp = {},", ports[0]));
    let expired = common::client_certificate_with(folder, "alice", |certificate| {
        certificate.not_before = rcgen::date_time_ymd(2020, 1, 1);
        certificate.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let two_names = common::client_certificate_with(folder, "alice", |certificate| {
        let common_name = DnType::CustomDnType(vec![2, 5, 4, 3]);
        certificate.distinguished_name.push(common_name, "bob");
    });
    for certificate in [expired, two_names] {
        for alias in ["alice", "bob"] {
            let mut phone = Phone::tls(&proxy, Some(&certificate));
            assert_eq!(phone.ask(&rrq("one.example", alias)).as_deref(), Some("RCF"));
            assert_eq!(drain(&seen), ["tcp"], "{alias}");
        }
    }
}

#[test]
fn a_resumed_session_is_worth_what_its_certificate_is_worth() {
    let folder = certificates();
    let folder = folder.path();
    let (ports, seen) = gatekeeper(folder);
    let proxy = proxy(folder, ports, &format!("tcp = {},", ports[0]));
    let alice = phone(folder, "alice");
    let config = Arc::new(tls::client_config_with(tls::accept_any(), Some(&alice)));
    for (kind, alias, leg) in [
        (HandshakeKind::Full, "alice", "tls"),
        (HandshakeKind::Resumed, "alice", "tls"),
        (HandshakeKind::Resumed, "bob", "tcp"),
    ] {
        let mut phone = Phone::session(&proxy, &config, kind);
        assert_eq!(phone.ask(&rrq("one.example", alias)).as_deref(), Some("RCF"));
        assert_eq!(drain(&seen), [leg], "{kind:?} {alias}");
    }
}

#[test]
fn a_serial_number_and_the_name_made_of_it_are_equal_only_where_the_host_says_so() {
    let folder = certificates();
    let folder = folder.path();
    let (ports, seen) = gatekeeper(folder);
    let device = phone(folder, "IP800-06-26-99");
    for (key, leg) in [("", "tcp"), ("serial-names = true,", "tls")] {
        let proxy = proxy(folder, ports, &format!("{key} tcp = {},", ports[0]));
        let mut phone = Phone::tls(&proxy, Some(&device));
        assert_eq!(phone.ask(&rrq("one.example", "009033062699")).as_deref(), Some("RCF"));
        assert_eq!(drain(&seen), [leg], "{key}");
    }
}

#[test]
fn without_a_tcp_port_a_phone_that_does_not_match_is_refused() {
    let folder = certificates();
    let folder = folder.path();
    let (ports, seen) = gatekeeper(folder);
    let proxy = proxy(folder, ports, "");
    assert_eq!(
        Phone::tls(&proxy, None).ask(&rrq("one.example", "alice")).as_deref(),
        Some("RRJ securityDenial")
    );
    assert_eq!(
        Phone::tls(&proxy, None).ask(&grq("one.example", "alice")).as_deref(),
        Some("GRJ securityDenial")
    );
    let alice = phone(folder, "alice");
    assert_eq!(Phone::tls(&proxy, Some(&alice)).ask(&rrq("one.example", "alice")).as_deref(), Some("RCF"));
    assert_eq!(drain(&seen), ["tls"]);
}

#[test]
fn on_a_checked_leg_nobody_else_can_register() {
    let folder = certificates();
    let folder = folder.path();
    let (ports, seen) = gatekeeper(folder);
    let proxy = proxy(folder, ports, &format!("tcp = {},", ports[0]));
    let alice = phone(folder, "alice");
    let mut phone = Phone::tls(&proxy, Some(&alice));
    assert_eq!(phone.ask(&rrq("one.example", "alice")).as_deref(), Some("RCF"));
    assert_eq!(phone.ask(&rrq("one.example", "bob")).as_deref(), Some("RRJ securityDenial"));
    assert_eq!(phone.ask(&grq("one.example", "bob")).as_deref(), Some("GRJ terminalExcluded"));
    // Without an alias only a refresh passes.
    let unnamed =
        facility(Sender::Endpoint, &[Ras::RegistrationRequest(registration(Some("one.example"), &[]))]);
    assert_eq!(phone.ask(&unnamed.expect("an RRQ")).as_deref(), Some("RRJ securityDenial"));
    assert_eq!(phone.ask(&refresh(None)).as_deref(), Some("RCF"));
    assert_eq!(phone.ask(&rrq("one.example", "alice")).as_deref(), Some("RCF"));
    assert_eq!(drain(&seen), ["tls"; 3]);
}

#[test]
fn a_message_with_two_readings_ends_the_connection_and_does_not_pass() {
    let folder = certificates();
    let (ports, seen) = gatekeeper(folder.path());
    let proxy = proxy(folder.path(), ports, &format!("tcp = {},", ports[0]));
    let mut phone = Phone::tcp(&proxy);
    assert_eq!(phone.ask(&rrq("two.example", "hq")).as_deref(), Some("RCF"));
    // A Facility whose user-user element is cut short.
    let mut broken = rrq("two.example", "hq");
    let len = broken.len();
    broken[len - 1..].fill(0);
    broken.truncate(len - 1);
    let total = u16::try_from(broken.len()).expect("a short message").to_be_bytes();
    broken[2..4].copy_from_slice(&total);
    assert_eq!(phone.ask(&broken), None);
    assert_eq!(drain(&seen).len(), 1);
}

#[test]
fn a_call_to_the_phone_comes_down_its_connection() {
    let folder = certificates();
    let (ports, seen) = gatekeeper(folder.path());
    let proxy = proxy(folder.path(), ports, &format!("tcp = {},", ports[0]));
    let mut phone = Phone::tcp(&proxy);
    assert_eq!(phone.ask(&rrq("two.example", "called")).as_deref(), Some("RCF"));
    phone.read_at_least(SETUP.len());
    assert_eq!(phone.received, SETUP);
    phone.received.clear();
    assert_eq!(phone.ask(&refresh(None)).as_deref(), Some("RCF"));
    assert_eq!(drain(&seen).len(), 2);
}

#[test]
fn an_answer_of_the_proxy_waits_for_the_end_of_the_services_message() {
    let folder = certificates();
    let (ports, _seen) = gatekeeper(folder.path());
    let proxy = proxy(folder.path(), ports, &format!("tcp = {},", ports[0]));
    let mut phone = Phone::tcp(&proxy);
    assert_eq!(phone.ask(&rrq("two.example", "long")).as_deref(), Some("RCF"));
    phone.read_at_least(LONG / 2);
    // Refused while the service is in the middle of its message; then something that passes lets it go on.
    phone.send(&rrq("unknown.example", "x"));
    phone.send(&[3, 0, 0, 9, 8, 2, 0, 1, 0x6e]);
    phone.read_at_least(LONG);
    assert!(phone.received.starts_with(&long_message()), "the message was torn apart");
    phone.received.drain(..LONG);
    assert_eq!(phone.answer().as_deref(), Some("RRJ securityDenial"));
}

#[test]
fn what_the_gatekeeper_refuses_is_told_and_what_it_only_wants_otherwise_is_not() {
    let folder = certificates();
    let (ports, _seen) = gatekeeper(folder.path());
    let text = format!(
        "[listen]\nh323 = \"127.0.0.1:0\"\n[[host]]\nnames = [\"two.example\"]\ntarget = \"127.0.0.1\"\nh323 = {{ tcp = {} }}\n",
        ports[0]
    );
    let file = common::write(folder.path(), "rpd.toml", &text);
    let mut proxy = common::Process::start(&file);
    let address = proxy.address("h323");
    let mut phone = Phone::at(address);
    assert_eq!(phone.ask(&rrq("two.example", "restarted")).as_deref(), Some("RRJ fullRegistrationRequired"));
    assert!(
        phone
            .ask(&rrq("two.example", "redirected"))
            .is_some_and(|words| words.starts_with("RRJ securityDenial"))
    );
    assert_eq!(phone.ask(&rrq("two.example", "denied")).as_deref(), Some("RRJ securityDenial"));
    assert_eq!(phone.ask(&rrq("unknown.example", "x")).as_deref(), Some("RRJ securityDenial"));
    // The first line is about the third request: a restart and a redirection are no offence.
    let line = proxy.line("refused");
    assert!(
        line.contains("reason=refused") && line.contains("RRJ securityDenial") && !line.contains("another"),
        "{line}"
    );
    let line = proxy.line("refused");
    assert!(line.contains("reason=unknown-host") && line.contains("name=unknown.example"), "{line}");
}

/// One gatekeeper for `example.com`, with this in its row, and one for everything below `example.net`.
fn proxy_with(folder: &Path, ports: [u16; 2], row: &str) -> Proxy {
    let tcp = ports[0];
    let text = format!(
        "[listen]\nh323 = \"127.0.0.1:0\"\n[[host]]\nnames = [\"example.com\"]\ntarget = \"127.0.0.1\"\n{row}\n\
         [[host]]\nnames = [\"*.example.net\"]\ntarget = \"127.0.0.1\"\nh323 = {{ tcp = {tcp} }}\n"
    );
    Proxy::start(folder, &text)
}

#[test]
fn a_call_by_somebody_who_has_not_registered_goes_to_the_domain_that_it_calls() {
    let folder = certificates();
    let (ports, seen) = gatekeeper(folder.path());
    let proxy = proxy_with(folder.path(), ports, &format!("h323 = {{ tcp = {} }}", ports[0]));
    let mut caller = Phone::tcp(&proxy);
    assert_eq!(caller.ask(SETUP).as_deref(), Some("ReleaseComplete calledPartyNotRegistered"));
    assert_eq!(drain(&seen).len(), 1);
    // A default host takes registrations, and no calls.
    let row = format!("h323 = {{ tcp = {} }}\ndefault = [\"h323\"]", ports[0]);
    let proxy = Proxy::start(
        folder.path(),
        &format!(
            "[listen]\nh323 = \"127.0.0.1:0\"\n[[host]]\nnames = [\"other.example\"]\ntarget = \"127.0.0.1\"\n{row}\n"
        ),
    );
    assert_eq!(Phone::tcp(&proxy).ask(SETUP).as_deref(), Some("ReleaseComplete noPermission"));
    assert_eq!(Phone::tcp(&proxy).ask(&rrq("anybody.example", "hq")).as_deref(), Some("RCF"));
    assert_eq!(Phone::tcp(&proxy).ask(&refresh(None)).as_deref(), Some("RCF"));
    assert_eq!(drain(&seen).len(), 2);
}

/// A caller whose call has come to a gatekeeper, which does `then` and waits for the end. Neither is registered, and no call
/// is silent for long.
fn called(then: fn(&mut TcpStream)) -> (Phone, JoinHandle<()>, Proxy) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let gatekeeper = thread::spawn(move || {
        let mut stream = patient(listener.accept().expect("the proxy connects").0);
        stream.read_exact(&mut vec![0; SETUP.len()]).expect("the call");
        then(&mut stream);
        stream.read_to_end(&mut Vec::new()).expect("the end");
    });
    let text = format!(
        "[listen]\nh323 = \"127.0.0.1:0\"\n[limits]\nidle = {{ h323 = \"300ms\" }}\n\
         [[host]]\nnames = [\"example.com\"]\ntarget = \"127.0.0.1\"\nh323 = {{ tcp = {port} }}\n"
    );
    let proxy = Proxy::start(Path::new("."), &text);
    let mut caller = Phone::tcp(&proxy);
    caller.send(SETUP);
    (caller, gatekeeper, proxy)
}

#[test]
fn who_has_hung_up_is_not_waited_for_as_if_he_still_talked() {
    let (mut caller, gatekeeper, _proxy) = called(|_| {});
    let release = ReleaseComplete {
        sender: Sender::Endpoint,
        call_reference: extract(SETUP).expect("a call").call_reference,
        call_identifier: None,
        reason: ReleaseCompleteReason::UNDEFINED_REASON,
    };
    caller.send(&release.to_vec().expect("a ReleaseComplete"));
    assert_eq!(caller.answer(), None);
    gatekeeper.join().expect("the gatekeeper");
}

#[test]
fn a_call_that_nobody_answers_is_not_waited_for_as_if_people_talked() {
    let (mut caller, gatekeeper, _proxy) = called(|_| {});
    assert_eq!(caller.answer(), None);
    gatekeeper.join().expect("the gatekeeper");
}

#[test]
fn a_call_that_the_gatekeeper_has_left_is_over() {
    let (mut caller, gatekeeper, _proxy) =
        called(|stream| stream.shutdown(Shutdown::Write).expect("a socket"));
    assert_eq!(caller.answer(), None);
    gatekeeper.join().expect("the gatekeeper");
}

#[test]
fn a_location_needs_a_row_of_its_own_unless_the_host_takes_any() {
    let folder = certificates();
    let (ports, seen) = gatekeeper(folder.path());
    for (row, answer) in [("", "RRJ securityDenial"), (", any-location = true", "RCF")] {
        let proxy = proxy_with(folder.path(), ports, &format!("h323 = {{ tcp = {}{row} }}", ports[0]));
        let asked = Phone::tcp(&proxy).ask(&rrq("example.com/branch", "hq"));
        assert_eq!(asked.as_deref(), Some(answer), "{row}");
        // What stands before the @ is not compared, and goes on as it is.
        assert_eq!(Phone::tcp(&proxy).ask(&rrq("desk@example.com", "hq")).as_deref(), Some("RCF"));
    }
    assert_eq!(drain(&seen).len(), 3);
}

#[test]
fn an_identifier_that_is_no_text_equals_nothing() {
    let folder = certificates();
    let (ports, seen) = gatekeeper(folder.path());
    let proxy = proxy_with(folder.path(), ports, &format!("h323 = {{ tcp = {} }}", ports[0]));
    let good = rrq("x.example.net", "hq");
    assert_eq!(Phone::tcp(&proxy).ask(&good).as_deref(), Some("RCF"));
    // Half of a surrogate pair in the place of the x.
    let at = good.windows(4).position(|octets| octets == b"\0x\0.").expect("the identifier");
    let mut bad = good.clone();
    bad[at..at + 2].copy_from_slice(&[0xd8, 0]);
    assert_eq!(Phone::tcp(&proxy).ask(&bad).as_deref(), Some("RRJ securityDenial"));
    assert_eq!(drain(&seen).len(), 1);
}

#[test]
fn requests_for_two_hosts_in_one_message_stay_here() {
    let folder = certificates();
    let (ports, seen) = gatekeeper(folder.path());
    let proxy = proxy_with(folder.path(), ports, &format!("h323 = {{ tcp = {} }}", ports[0]));
    let bundle = |ids: [&str; 2]| {
        let requests =
            ids.map(|id| Ras::RegistrationRequest(registration(Some(id), &[AliasName::H323Id("hq")])));
        facility(Sender::Endpoint, &requests).expect("a bundle")
    };
    let mut phone = Phone::tcp(&proxy);
    assert_eq!(phone.ask(&bundle(["example.com", "a.example.net"])).as_deref(), Some("RRJ securityDenial"));
    // The connection lives, and its host is that of the first request.
    assert_eq!(phone.ask(&rrq("example.com", "hq")).as_deref(), Some("RCF"));
    assert_eq!(drain(&seen).len(), 1);
}
