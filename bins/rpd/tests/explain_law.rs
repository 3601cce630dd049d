//! What `rpd explain` says of a message is what becomes of it on a connection.

mod common;

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use common::{
    Log, PATIENCE, Proxy, certificates, client_certificate,
    guarded::{bind, get, rrq},
    sip,
};
use rp_ldap::messages;
use rpd::{
    explain::{Explanation, Outcome, Question},
    protocol::ListenerKind,
    tls,
};
use rustls::{ClientConnection, StreamOwned, sign::CertifiedKey};
use tempfile::TempDir;

/// A proxy in front of a service that says nothing, and hears who is let through to it.
struct Stage {
    network: u8,
    proxy: Proxy,
    folder: TempDir,
    reached: Arc<Mutex<HashSet<IpAddr>>>,
    /// What lives as long as the test looks.
    open: Vec<Box<dyn Write>>,
    asked: Vec<Asked>,
}

/// A message that was sent, and what should become of it.
#[derive(Debug)]
#[allow(dead_code, reason = "shown where it comes out otherwise")]
struct Asked {
    what: String,
    source: IpAddr,
    told: Explanation,
}

impl Stage {
    /// In front of clients from addresses that begin with `198.` and this.
    fn set(network: u8) -> Self {
        Log::start();
        let folder = certificates();
        let reached = Arc::<Mutex<HashSet<IpAddr>>>::default();
        let port = service(reached.clone());
        let proxy = Proxy::start(folder.path(), &configuration(port));
        Self { network, proxy, folder, reached, open: Vec::new(), asked: Vec::new() }
    }

    /// Asks what becomes of this, and sends it from an address of its own.
    fn ask(&mut self, listener: &str, octets: &[u8], what: &str, client: &Client) {
        let number = self.asked.len();
        let [high, low] = u16::try_from(number).expect("fewer").to_be_bytes();
        let source = IpAddr::from([198, self.network, high, low]);
        let question = Question {
            listener: listener.parse().expect("a listener"),
            source,
            octets: octets.to_vec(),
            tls: client.tls,
            server_name: client.name.map(str::to_owned),
            certificates: client.key.iter().flat_map(|key| key.cert.clone()).collect(),
        };
        let told = question.answer(&self.proxy.control().state(), &self.proxy.gate());
        let told = told.unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut stream: Box<dyn Write> = client.connect(self.proxy.address(listener), source);
        // A refusal may come while this is still being sent.
        let _ = stream.write_all(octets).and_then(|()| stream.flush());
        self.open.push(stream);
        self.asked.push(Asked { what: format!("{what} on {listener}"), source, told });
    }

    /// Waits for what should have become of everything, and looks that nothing else has.
    fn hold(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut missing: Vec<&Asked> = self.asked.iter().collect();
        while !missing.is_empty() && Instant::now() < deadline {
            missing.retain(|asked| !self.has_come(asked));
            thread::sleep(Duration::from_millis(10));
        }
        assert!(missing.is_empty(), "{} have not come: {missing:#?}", missing.len());
        let other: Vec<&Asked> = self.asked.iter().filter(|asked| self.has_come_otherwise(asked)).collect();
        assert!(other.is_empty(), "{} have come otherwise: {other:#?}", other.len());
    }

    fn has_come(&self, Asked { source, told, .. }: &Asked) -> bool {
        match (told.outcome, &told.refusal) {
            (Outcome::Forwarded, _) => self.has_reached(*source),
            // A browser's spare connection just ends.
            (Outcome::Incomplete, Some(refusal)) if told.octets == 0 && !refusal.counted => true,
            (_, Some(refusal)) => {
                let counted = if refusal.counted { "counted=\"yes\"" } else { "counted=\"no\"" };
                let reason = format!("reason={} ", refusal.reason);
                log(*source).count(&["refused", &reason, counted]) > 0
            }
            (_, None) => true,
        }
    }

    fn has_come_otherwise(&self, Asked { source, told, .. }: &Asked) -> bool {
        let is_well = matches!(told.outcome, Outcome::Answered | Outcome::Closed);
        self.has_reached(*source) != (told.outcome == Outcome::Forwarded)
            || (is_well && log(*source).count(&["refused"]) > 0)
    }

    fn has_reached(&self, source: IpAddr) -> bool {
        self.reached.lock().expect("sources").contains(&source)
    }

    /// How many of those were asked have come out so.
    fn count(&self, outcome: Outcome) -> usize {
        self.asked.iter().filter(|asked| asked.told.outcome == outcome).count()
    }
}

fn log(source: IpAddr) -> Log {
    Log::of(SocketAddr::new(source, 40_000))
}

/// How a client comes.
#[derive(Default)]
struct Client {
    tls: bool,
    name: Option<&'static str>,
    key: Option<Arc<CertifiedKey>>,
}

impl Client {
    fn connect(&self, proxy: SocketAddr, source: IpAddr) -> Box<dyn Write> {
        let mut socket = TcpStream::connect(proxy).expect("the proxy listens");
        let header = format!("PROXY TCP4 {source} 198.51.100.1 40000 443\r\n");
        socket.write_all(header.as_bytes()).expect("the proxy reads");
        if !self.tls {
            return Box::new(socket);
        }
        let config = tls::client_config_with(tls::accept_any(), self.key.as_ref());
        let name = self.name.unwrap_or("127.0.0.1").try_into().expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
        Box::new(StreamOwned::new(connection, socket))
    }
}

/// Everything that is a message to one of the parsers, good or broken.
fn corpora() -> Vec<(&'static str, String, Vec<u8>)> {
    let folders = [
        ("h323", "rp-h323", "bin"),
        ("sip", "rp-sip", "sip"),
        ("ldap", "rp-ldap", "ber"),
        ("http", "rp-http", "http"),
    ];
    let load = |(listener, krate, extension): (&'static str, &str, &str)| {
        let folder = format!("{}/../../crates/{krate}/tests/corpus", env!("CARGO_MANIFEST_DIR"));
        let cases = rp_testkit::corpus::load(folder, extension).into_iter();
        cases.map(move |case| (listener, case.name, case.bytes))
    };
    folders.into_iter().flat_map(load).collect()
}

#[test]
fn every_message_of_the_corpora_comes_out_as_explained() {
    let mut stage = Stage::set(18);
    for (listener, name, octets) in corpora() {
        stage.ask(listener, &octets, &name, &Client::default());
    }
    stage.hold();
    let outcomes =
        [Outcome::Forwarded, Outcome::Refused, Outcome::Incomplete].map(|outcome| stage.count(outcome));
    assert!(outcomes.iter().all(|count| *count > 10), "{outcomes:?}");
}

#[test]
fn the_same_holds_where_every_protocol_is_spoken() {
    let mut stage = Stage::set(19);
    for (_, name, octets) in corpora() {
        // What is inside TLS is not seen from outside.
        if octets.first() != Some(&0x16) {
            stage.ask("any", &octets, &name, &Client::default());
        }
    }
    stage.hold();
}

#[test]
fn every_rule_comes_out_as_explained() {
    let mut stage = Stage::set(20);
    let register = |domain: &str| sip::register("phone", domain, "b1").into_bytes();
    let hidden = |request: &str| request.replace("@checked.example.com", "@anonymous.invalid").into_bytes();
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("h323", rrq("example.com", "phone")),
        ("h323", rrq("other.example", "phone")),
        ("h323", rrq("web.example.com", "phone")),
        ("h323", rrq("far.example.com", "phone")),
        ("h323", rrq("", "phone")),
        ("h323", rrq("checked.example.com", "phone")),
        ("h323", b"\x16\x03\x01\x00".to_vec()),
        ("h323", Vec::new()),
        ("sip", register("example.com")),
        ("sip", register("other.example")),
        ("sip", register("web.example.com")),
        ("sip", register("far.example.com")),
        ("sip", register("checked.example.com")),
        ("sip", hidden(&sip::register("phone", "checked.example.com", "b1"))),
        ("sip", sip::response(&register("example.com"), "200 OK", "").into_bytes()),
        ("sip", b"\r\n\r\n".to_vec()),
        ("sip", b"REGISTER sip:example.com SI".to_vec()),
        ("ldap", bind("example.com\\u")),
        ("ldap", bind("other.example\\u")),
        ("ldap", bind("web.example.com\\u")),
        ("ldap", bind("far.example.com\\u")),
        ("ldap", bind("")),
        ("ldap", [bind(""), bind("example.com\\u")].concat()),
        ("ldap", [bind(""), bind("other.example\\u")].concat()),
        ("ldap", [bind(""), messages::unbind_request(2)].concat()),
        ("ldap", messages::unbind_request(1)),
        ("ldap", messages::start_tls_request(1)),
        ("ldap", [messages::start_tls_request(1), bind("example.com\\u")].concat()),
        ("http", get("example.com", "/", "")),
        ("http", get("other.example", "/", "")),
        ("http", get("far.example.com", "/", "")),
        ("http", get("web.example.com", "/allowed", "")),
        ("http", get("web.example.com", "/forbidden", "")),
        ("http", get("web.example.com", "/allowed%2fthis", "")),
        ("http", get("web.example.com", "/allowed", "Content-Length: 11\r\n")),
        ("http", b"DELETE /allowed HTTP/1.1\r\nHost: web.example.com\r\nConnection: close\r\n\r\n".to_vec()),
        ("http", get("moved.example.com", "/", "")),
        ("http", Vec::new()),
        ("http", b"\x00\x01\x00\x00\x21\x12\xa4\x42".to_vec()),
        ("any", Vec::new()),
        ("any", b"\x00\x01\x00\x00\x21\x12\xa4\x42".to_vec()),
    ];
    for (listener, octets) in rows {
        let what = octets.escape_ascii().to_string();
        stage.ask(listener, &octets, &what, &Client::default());
    }
    for (listener, octets, name, key) in rows_over_tls() {
        let what = format!("{} of {key:?}", octets.escape_ascii());
        let key = key.map(|key| client_certificate(stage.folder.path(), key));
        stage.ask(listener, &octets, &what, &Client { tls: true, name: Some(name), key });
    }
    stage.hold();
}

type RowOverTls = (&'static str, Vec<u8>, &'static str, Option<&'static str>);

/// With the server name, and the name in the client's certificate.
fn rows_over_tls() -> Vec<RowOverTls> {
    let register = || sip::register("phone", "checked.example.com", "b1").into_bytes();
    vec![
        ("h323s", rrq("checked.example.com", "phone"), "example.com", None),
        ("h323s", rrq("checked.example.com", "phone"), "example.com", Some("phone")),
        ("h323s", rrq("checked.example.com", "phone"), "example.com", Some("other")),
        ("sips", register(), "example.com", None),
        ("sips", register(), "example.com", Some("phone")),
        ("sips", register(), "example.com", Some("other")),
        ("any", register(), "example.com", Some("phone")),
        ("any", register(), "example.com", Some("other")),
        ("ldaps", bind("example.com\\u"), "example.com", None),
        ("ldaps", messages::start_tls_request(1), "example.com", None),
        ("https", get("example.com", "/", ""), "example.com", None),
        ("https", get("web.example.com", "/allowed", ""), "example.com", None),
        ("https", get("moved.example.com", "/", ""), "moved.example.com", None),
        ("https", get("example.com", "/", ""), "other.example", Some("phone")),
    ]
}

/// A target that notes from whom its connections are, as the PROXY header says, and keeps them open.
fn service(reached: Arc<Mutex<HashSet<IpAddr>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = BufReader::with_capacity(1, stream);
            let mut line = String::new();
            stream.read_line(&mut line).expect("a PROXY header");
            let source = line.split(' ').nth(2).expect("a source").parse().expect("an address");
            reached.lock().expect("sources").insert(source);
            open.push(stream);
        }
    });
    port
}

fn configuration(port: u16) -> String {
    let listeners: Vec<String> =
        ListenerKind::all().map(|kind| format!("{kind} = \"127.0.0.1:0\"")).collect();
    let words: Vec<String> = ListenerKind::all().map(|kind| format!("\"{kind}\"")).collect();
    let services = |more: &str| {
        ["h323", "sip", "ldap", "http"]
            .map(|protocol| format!("{protocol} = {{ tcp = {port}, send-proxy = \"v1\"{more} }}"))
            .join("\n")
    };
    format!(
        r#"
[log]
forwarded = true
[limits]
first-byte = "3s"
first-message = "4s"
connections-per-source = 10
[listen]
{}
trusted-proxies = ["127.0.0.1"]
proxy-protocol = [{}]
[tls]
trust-list = ["ca.pem"]
[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"

[[host]]
names = ["example.com", "pbx.example.com", "innovaphone.com"]
target = "127.0.0.1"
{}

[[host]]
names = ["far.example.com"]
target = "127.0.0.1"
{}

[[host]]
names = ["web.example.com"]
target = "127.0.0.1"
http = {{ tcp = {port}, send-proxy = "v1", urls = ["/allowed"], methods = ["GET"], max-body = "10B" }}

[[host]]
names = ["moved.example.com"]
target = "127.0.0.1"
http = {{ tls = {port}, send-proxy = "v1", redirect = "https" }}
tls = {{ verify = "none" }}

[[host]]
names = ["checked.example.com"]
target = "127.0.0.1"
h323 = {{ tls = {port}, send-proxy = "v1", check-certificate = true }}
sip = {{ tls = {port}, send-proxy = "v1", check-certificate = true }}
tls = {{ verify = "none" }}
"#,
        listeners.join("\n"),
        words.join(", "),
        services(""),
        services(", networks = [\"192.0.2.0/24\"]"),
    )
}
