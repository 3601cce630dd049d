//! A proxy behind a trusted one, so that a test may come from any address, in front of services that answer as the
//! name in the request says.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rp_h323::{
    Error as H323Error, RegistrationRejectReason,
    messages::{
        AliasName, Ras, RegistrationConfirm, RegistrationReject, RegistrationRequest, Sender, facility,
    },
};
use rp_ldap::{Request, ResultCode, messages};
use rpd::{guard::Gate, outcome::Reason};
use tempfile::TempDir;

use super::{PATIENCE, Proxy, certificates, connect, sip};

/// The proxy, and where its folder is.
pub struct Guarded {
    proxy: Proxy,
    /// Certificates: see [`certificates`].
    pub folder: TempDir,
    /// The configuration.
    pub text: String,
}

impl Guarded {
    /// With these lines of the configuration in front. Clients have little time.
    pub fn start(lines: &str) -> Self {
        let limits = "[limits]\nfirst-byte = \"300ms\"\nfirst-message = \"500ms\"\nhandshake = \"500ms\"\n";
        Self::with(lines, limits)
    }

    /// For clients that take their time.
    pub fn patient() -> Self {
        Self::with("", "")
    }

    fn with(lines: &str, limits: &str) -> Self {
        let folder = certificates();
        let ports = [h323 as Answer, sip as Answer, ldap as Answer, http as Answer].map(service);
        let text = configuration(lines, limits, ports);
        Self { proxy: Proxy::start(folder.path(), &text), folder, text }
    }

    /// A connection that comes from `source`.
    pub fn connect(&self, listener: &str, source: &str) -> TcpStream {
        let mut stream = connect(self.address(listener));
        let source: IpAddr = source.parse().expect("an address");
        let (family, here) =
            if source.is_ipv4() { ("TCP4", "198.51.100.1") } else { ("TCP6", "2001:db8::1") };
        let header = format!("PROXY {family} {source} {here} 40000 443\r\n");
        stream.write_all(header.as_bytes()).expect("the proxy reads");
        stream
    }

    /// The proxy itself.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    pub fn address(&self, listener: &str) -> SocketAddr {
        self.proxy.address(listener)
    }

    pub fn gate(&self) -> Arc<Gate> {
        self.proxy.gate()
    }

    /// What the window has of a source: the count, and the last reason.
    pub fn counted(&self, source: &str) -> Option<(u8, Reason)> {
        counted(&self.gate(), source)
    }

    /// Waits until so many are counted for a source, and says for what.
    pub fn wait_for_count(&self, source: &str, count: u8) -> Reason {
        let reached = || self.counted(source).filter(|(counted, _)| *counted >= count);
        wait_until(&format!("{count} of {source}"), || reached().is_some());
        let (counted, reason) = reached().expect("a count");
        assert_eq!(counted, count, "{source}");
        reason
    }

    /// Waits until this source is shut out.
    pub fn wait_for_ban(&self, source: &str) {
        wait_until(&format!("a ban of {source}"), || self.is_banned(source));
    }

    pub fn is_banned(&self, source: &str) -> bool {
        is_banned(&self.gate(), source)
    }

    /// Ends the proxy, so that all is told; what is counted then is what was.
    pub fn end(self) -> Arc<Gate> {
        let gate = self.gate();
        drop(self.proxy);
        gate
    }
}

pub fn counted(gate: &Gate, source: &str) -> Option<(u8, Reason)> {
    let source = source.parse().expect("an address");
    let top = gate.guard.top(1000, Instant::now());
    let suspect = top.into_iter().find(|suspect| suspect.network.contains(source))?;
    Some((suspect.count, suspect.event.reason.try_into().expect("a reason")))
}

pub fn is_banned(gate: &Gate, source: &str) -> bool {
    let filter = rp_guard::Filter {
        kind: Some(rp_guard::Kind::Block),
        covering: Some(source.parse().expect("an address")),
        ..Default::default()
    };
    !gate.guard.entries(&filter, Instant::now()).is_empty()
}

/// Asks again and again, for what cannot be waited for.
pub fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what} never comes");
        thread::sleep(Duration::from_millis(5));
    }
}

fn configuration(lines: &str, limits: &str, [h323, sip, ldap, http]: [u16; 4]) -> String {
    format!(
        r#"
{lines}

[listen]
h323 = "127.0.0.1:0"
h323s = "127.0.0.1:0"
sip = "127.0.0.1:0"
ldap = "127.0.0.1:0"
ldaps = "127.0.0.1:0"
http = "127.0.0.1:0"
https = "127.0.0.1:0"
any = "127.0.0.1:0"
trusted-proxies = ["127.0.0.1"]
proxy-protocol = ["h323", "h323s", "sip", "ldap", "ldaps", "http", "https", "any"]

{limits}
[tls]
trust-list = ["ca.pem"]
[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"

[[host]]
names = ["example.com"]
target = "127.0.0.1"
h323 = {{ tcp = {h323} }}
sip = {{ tcp = {sip} }}
ldap = {{ tcp = {ldap} }}
http = {{ tcp = {http} }}

[[host]]
names = ["far.example.com"]
target = "127.0.0.1"
h323 = {{ tcp = {h323}, networks = ["192.0.2.0/24"] }}
sip = {{ tcp = {sip}, networks = ["192.0.2.0/24"] }}
ldap = {{ tcp = {ldap}, networks = ["192.0.2.0/24"] }}
http = {{ tcp = {http}, networks = ["192.0.2.0/24"] }}

[[host]]
names = ["down.example.com"]
target = "127.0.0.2"
h323 = {{ tcp = 1 }}
sip = {{ tcp = 1 }}
ldap = {{ tcp = 1 }}
http = {{ tcp = 1 }}

[[host]]
names = ["web.example.com"]
target = "127.0.0.1"
http = {{ tcp = {http}, urls = ["/allowed"], methods = ["GET"] }}

[[host]]
names = ["small.example.com"]
target = "127.0.0.1"
max-connections = 2
h323 = {{ tcp = {h323} }}
sip = {{ tcp = {sip} }}
ldap = {{ tcp = {ldap} }}
http = {{ tcp = {http} }}

[[host]]
names = ["checked.example.com"]
target = "127.0.0.1"
h323 = {{ tls = 1, check-certificate = true }}
tls = {{ verify = "none" }}
"#
    )
}

/// From what has come: how much of it is used up, and what is answered; nothing while more is needed.
type Answer = fn(&[u8]) -> Option<(usize, Vec<u8>)>;

fn service(answer: Answer) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // A proxy that goes away is no fault of the service's.
            thread::spawn(move || drop(serve(stream, answer)));
        }
    });
    port
}

fn serve(mut stream: TcpStream, answer: Answer) -> std::io::Result<()> {
    let (mut received, mut octets) = (Vec::new(), [0; 4096]);
    loop {
        while let Some((used, words)) = answer(&received) {
            received.drain(..used);
            stream.write_all(&words)?;
        }
        match stream.read(&mut octets)? {
            0 => return Ok(()),
            n => received.extend_from_slice(&octets[..n]),
        }
    }
}

/// The alias says how a registration is answered.
fn h323(received: &[u8]) -> Option<(usize, Vec<u8>)> {
    let key = match rp_h323::extract(received) {
        Ok(key) => key,
        Err(H323Error::Incomplete(_)) => return None,
        Err(H323Error::Invalid(invalid)) => panic!("the gatekeeper got {invalid}"),
    };
    let reject = |reason| {
        let (request_seq_num, aliases) = (key.request_seq_num, &[][..]);
        Ras::RegistrationReject(RegistrationReject { request_seq_num, gatekeeper_id: None, reason, aliases })
    };
    let answer = match key.aliases().next().map(|alias| alias.to_string()).unwrap_or_default().as_str() {
        "redirected" => return Some((key.len, REDIRECT.to_vec())),
        "challenged" => return Some((key.len, CHALLENGE.to_vec())),
        "denied" => reject(RegistrationRejectReason::SECURITY_DENIAL),
        "restarted" => reject(RegistrationRejectReason::FULL_REGISTRATION_REQUIRED),
        _ => Ras::RegistrationConfirm(RegistrationConfirm {
            request_seq_num: key.request_seq_num,
            gatekeeper_id: None,
            endpoint_id: "e1",
            time_to_live: Some(60),
            ..RegistrationConfirm::default()
        }),
    };
    Some((key.len, facility(Sender::Gatekeeper, &[answer]).expect("an answer")))
}

const REDIRECT: &[u8] =
    include_bytes!("../../../../crates/rp-h323/tests/corpus/rrj_altgk_securityDenial.bin");
const CHALLENGE: &[u8] = include_bytes!("../../../../crates/rp-h323/tests/corpus/rrj_challenge.bin");

/// The user in `From` says how a request is answered.
fn sip(received: &[u8]) -> Option<(usize, Vec<u8>)> {
    let end = received.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&received[..end]);
    let (_, rest) = text.split_once("From: <sip:").expect("a From");
    let (status, lines) = match rest.split('@').next().expect("a user") {
        "challenged" => ("401 Unauthorized", "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\n"),
        "stale" => ("401 Unauthorized", "WWW-Authenticate: Digest realm=\"a\", nonce=\"c\", stale=true\r\n"),
        "forbidden" => ("403 Forbidden", ""),
        "unanswered" => return Some((end, Vec::new())),
        _ => ("200 OK", ""),
    };
    Some((end, sip::response(&received[..end], status, lines).into_bytes()))
}

/// The user is the code of the result; `flood` gets far more than he asked for.
fn ldap(received: &[u8]) -> Option<(usize, Vec<u8>)> {
    let key = match rp_ldap::extract(received) {
        Ok(key) => key,
        Err(rp_ldap::Error::Incomplete(_)) => return None,
        Err(rp_ldap::Error::Invalid(invalid)) => panic!("the directory got {invalid}"),
    };
    let Request::Bind(bind) = key.request else { return Some((key.frame_len, Vec::new())) };
    let name = String::from_utf8_lossy(bind.name).into_owned();
    let user = name.rsplit('\\').next().unwrap_or_default();
    let mut answer =
        messages::bind_response(key.message_id, ResultCode(user.parse().unwrap_or_default()), "");
    if user == "flood" {
        answer.extend(ENTRY.repeat(1 << 21));
    }
    Some((key.frame_len, answer))
}

/// An entry of a search, with nothing in it.
const ENTRY: &[u8] = b"\x30\x0b\x02\x01\x02\x64\x06\x04\0\x30\x02\x05\0";

/// The path says what is answered: `/403`; `/stale` is 401 with a new nonce, `/tunnel` a WebSocket.
fn http(received: &[u8]) -> Option<(usize, Vec<u8>)> {
    let end = received.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&received[..end]);
    let path = text.split(' ').nth(1).expect("a path").trim_start_matches('/').to_owned();
    let (status, more) = match path.as_str() {
        "tunnel" => return Some((end, SWITCH.to_vec())),
        "401" => ("401 No", "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\n"),
        "stale" => ("401 No", "WWW-Authenticate: Digest realm=\"a\", nonce=\"c\", stale=true\r\n"),
        "403" => ("403 No", ""),
        "404" => ("404 No", ""),
        _ => ("200 OK", ""),
    };
    Some((end, format!("HTTP/1.1 {status}\r\n{more}Content-Length: 0\r\n\r\n").into_bytes()))
}

const SWITCH: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// A registration of a phone of this alias, as the service above understands it.
pub fn rrq(gatekeeper_id: &str, alias: &str) -> Vec<u8> {
    let request = RegistrationRequest {
        request_seq_num: 78,
        gatekeeper_id: (!gatekeeper_id.is_empty()).then_some(gatekeeper_id),
        aliases: &[AliasName::H323Id(alias)],
        ..RegistrationRequest::default()
    };
    facility(Sender::Endpoint, &[Ras::RegistrationRequest(request)]).expect("an RRQ")
}

/// A simple bind with a password.
pub fn bind(name: &str) -> Vec<u8> {
    messages::simple_bind_request(1, name, "secret")
}

/// A last request.
pub fn get(host: &str, path: &str, lines: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{lines}Connection: close\r\n\r\n").into_bytes()
}

/// Reads what is answered, at most so many octets at once; nothing at the end.
pub fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut octets = vec![0; 65536];
    let n = stream.read(&mut octets).unwrap_or(0);
    octets.truncate(n);
    octets
}

/// Reads until the proxy ends the connection.
pub fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut octets = Vec::new();
    if let Err(error) = stream.read_to_end(&mut octets) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "the connection is still open");
    }
    octets
}

/// Where the certificates of a TLS client's test are not needed.
pub fn tls(stream: TcpStream, name: &str) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    tls_with(stream, name, None)
}

/// The same for a client that shows a certificate.
pub fn tls_with(
    stream: TcpStream,
    name: &str,
    certificate: Option<&Arc<rustls::sign::CertifiedKey>>,
) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let config = rpd::tls::client_config_with(rpd::tls::accept_any(), certificate);
    let name = name.to_owned().try_into().expect("a name");
    let connection = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    rustls::StreamOwned::new(connection, stream)
}

/// A folder for the state of a proxy, as a line of the configuration.
pub fn state_line(folder: &Path) -> String {
    format!("state-directory = \"{}\"\n", folder.display())
}
