//! Phones and PBXs that do exactly what a test says.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError, channel},
    },
    thread,
};

use rp_sip::{Follower, Head, Limits, Step};
use rpd::tls;
use rustls::{ClientConnection, ServerConfig, ServerConnection, StreamOwned, sign::CertifiedKey};

use tempfile::TempDir;

use super::{Connection, Log, PATIENCE, Proxy, certificates};

/// A proxy with `one.example` and `two.example` behind it, each at a PBX of its own that takes TCP and TLS.
pub struct Stage {
    pub folder: TempDir,
    pub proxy: Proxy,
    pub one: Pbx,
    pub two: Pbx,
}

impl Stage {
    /// With `tables` before the hosts, and `keys` for `one.example`'s `sip` beside its ports.
    pub fn with(tables: &str, keys: &str) -> Self {
        Log::start();
        let folder = certificates();
        let [one, two] = [(); 2].map(|()| Pbx::start(folder.path()));
        let text = format!(
            r#"
{tables}

[guard]
threshold = 0

[listen]
sip = "127.0.0.1:0"
sips = "127.0.0.1:0"

[log]
forwarded = true

[[tls.certificate]]
certificate = "proxy.pem"
key = "proxy.key"

[[host]]
names = ["one.example"]
target = "127.0.0.1"
sip = {{ {} {keys} }}
tls = {{ verify = "trust-list", trust = ["ca.pem"] }}

[[host]]
names = ["two.example"]
target = "127.0.0.1"
sip = {{ tcp = {}, tls = {} }}
tls = {{ verify = "trust-list", trust = ["ca.pem"] }}
"#,
            if keys.contains("tls =") {
                String::new()
            } else {
                format!("tcp = {}, tls = {},", one.tcp, one.tls)
            },
            two.tcp,
            two.tls
        );
        let text = text.replace("ONE_TCP", &one.tcp.to_string()).replace("ONE_TLS", &one.tls.to_string());
        let proxy = Proxy::start(folder.path(), &text);
        Self { folder, proxy, one, two }
    }

    /// With nothing in particular.
    pub fn set() -> Self {
        Self::with("", "")
    }

    /// A phone by `sip` or `sips`.
    pub fn phone(&self, kind: &str) -> Wire {
        match kind {
            "sip" => Wire::phone(&self.proxy),
            _ => Wire::secure_phone(&self.proxy, None),
        }
    }

    /// A phone of `one.example` that is registered there, and its line.
    pub fn registered(&self, kind: &str) -> (Wire, Wire) {
        let mut phone = self.phone(kind);
        let line = register_at(&mut phone, &self.one, "one.example");
        (phone, line)
    }

    /// Nothing has reached either PBX by another connection.
    pub fn is_alone(&self) -> bool {
        self.one.is_alone() && self.two.is_alone()
    }
}

/// Registers a phone, which opens a line at the PBX.
pub fn register_at(phone: &mut Wire, pbx: &Pbx, domain: &str) -> Wire {
    phone.send(register("101", domain, "first"));
    let (_, mut line) = pbx.line();
    let request = line.message();
    assert_eq!(String::from_utf8_lossy(&request), register("101", domain, "first"));
    line.send(response(&request, "200 OK", ""));
    assert_eq!(phone.start_line(), "SIP/2.0 200 OK");
    line
}

/// The kinds of listeners.
pub const KINDS: [&str; 2] = ["sip", "sips"];

fn connected(proxy: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(proxy).expect("the proxy listens");
    Log::begins(socket.local_addr().expect("an address"));
    socket
}

/// One end of a connection.
pub struct Wire {
    stream: Box<dyn Connection>,
    socket: TcpStream,
    received: Vec<u8>,
    follower: Follower,
}

/// A PBX with a port for TCP and one for TLS. What it says is the test's business.
pub struct Pbx {
    /// For TCP.
    pub tcp: u16,
    /// For TLS, with the certificate `service` of the folder.
    pub tls: u16,
    lines: Receiver<(&'static str, Wire)>,
}

impl Pbx {
    /// Listens on both ports.
    pub fn start(folder: &Path) -> Self {
        let (told, lines) = channel();
        let config = Arc::new(server(folder));
        let [tcp, tls] = ["tcp", "tls"].map(|kind| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = listener.local_addr().expect("an address").port();
            let (told, config) = (told.clone(), config.clone());
            thread::spawn(move || {
                for socket in listener.incoming().map_while(Result::ok) {
                    let wire = match kind {
                        "tcp" => Wire::new(socket.try_clone().expect("a socket"), socket),
                        _ => {
                            let connection = ServerConnection::new(config.clone()).expect("a server");
                            let socket_too = socket.try_clone().expect("a socket");
                            Wire::new(StreamOwned::new(connection, socket), socket_too)
                        }
                    };
                    if told.send((kind, wire)).is_err() {
                        return;
                    }
                }
            });
            port
        });
        Self { tcp, tls, lines }
    }

    /// The next connection, and by which port it came.
    pub fn line(&self) -> (&'static str, Wire) {
        self.lines.recv_timeout(PATIENCE).expect("a connection")
    }

    /// The next connection, which came in clear.
    pub fn tcp_line(&self) -> Wire {
        let (kind, line) = self.line();
        assert_eq!(kind, "tcp");
        line
    }

    /// Whether nobody has connected since.
    pub fn is_alone(&self) -> bool {
        matches!(self.lines.try_recv(), Err(TryRecvError::Empty))
    }
}

fn server(folder: &Path) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(super::key(folder, "service"))))
}

impl Wire {
    fn new(stream: impl Read + Write + Send + 'static, socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        socket.set_nodelay(true).expect("a socket");
        let follower = Follower::new(Limits { body: usize::MAX, ..Limits::default() });
        Self { stream: Box::new(stream), socket, received: Vec::new(), follower }
    }

    /// A phone in clear.
    pub fn phone(proxy: &Proxy) -> Self {
        let socket = connected(proxy.address("sip"));
        Self::new(socket.try_clone().expect("a socket"), socket)
    }

    /// A phone over TLS, perhaps with a certificate.
    pub fn secure_phone(proxy: &Proxy, certificate: Option<&Arc<CertifiedKey>>) -> Self {
        let socket = connected(proxy.address("sips"));
        let config = tls::client_config_with(tls::accept_any(), certificate);
        let name = "example.com".try_into().expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
        let socket_too = socket.try_clone().expect("a socket");
        Self::new(StreamOwned::new(connection, socket), socket_too)
    }

    /// What is below it.
    pub fn raw(&self) -> TcpStream {
        self.socket.try_clone().expect("a socket")
    }

    /// Its own address.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("an address")
    }

    /// The address at which it reaches the proxy, as a URI has it.
    pub fn peer(&self) -> String {
        self.socket.peer_addr().expect("an address").to_string()
    }

    /// Says something.
    pub fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).expect("the proxy reads");
        self.stream.flush().expect("the proxy reads");
    }

    /// Says all this and nothing more, as far as anybody listens.
    pub fn say(&mut self, octets: &[u8]) {
        let _ = self.stream.write_all(octets).and_then(|()| self.stream.flush());
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Has nothing more to say.
    pub fn end(&self) {
        self.socket.shutdown(Shutdown::Write).expect("an open socket");
    }

    /// The next message, whole, with nothing before it.
    pub fn message(&mut self) -> Vec<u8> {
        let mut at = 0;
        let mut left = None;
        loop {
            let step = self.follower.step(&self.received[at..]).expect("SIP");
            match step {
                Step::Look(head) => {
                    at += head.octets().len();
                    left = Some(head.body_len());
                }
                Step::Pass(octets) => {
                    at += octets;
                    left = left.map(|left| left - octets);
                }
                Step::Crlf | Step::Ping => panic!("a CR LF before a message"),
                Step::More => assert!(self.read() > 0, "an end instead of a message: {:?}", self.text()),
            }
            if left == Some(0) {
                return self.received.drain(..at).collect();
            }
        }
    }

    /// The next message as text.
    pub fn text_message(&mut self) -> String {
        String::from_utf8(self.message()).expect("text")
    }

    /// The first line of the next message.
    pub fn start_line(&mut self) -> String {
        self.text_message().lines().next().unwrap_or_default().to_owned()
    }

    /// The next octets are these.
    pub fn expect(&mut self, octets: &[u8]) {
        while self.received.len() < octets.len() {
            assert!(self.read() > 0, "an end after {:?}", self.text());
        }
        let found: Vec<u8> = self.received.drain(..octets.len()).collect();
        assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(octets));
    }

    /// All that comes until the other side ends, which is then the end of this one too.
    pub fn rest(&mut self) -> String {
        let rest = self.until_end();
        // The other side may have closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
        rest
    }

    /// All that comes until the other side ends. A reset counts as an end.
    pub fn until_end(&mut self) -> String {
        while self.read() > 0 {}
        let rest = self.text();
        self.received.clear();
        rest
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    fn read(&mut self) -> usize {
        let mut octets = [0; 64 * 1024];
        match self.stream.read(&mut octets) {
            Ok(n) => {
                self.received.extend_from_slice(&octets[..n]);
                n
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof) =>
            {
                0
            }
            Err(error) => panic!("{error}, after {:?}", self.text()),
        }
    }
}

/// A request of a phone or of a PBX. `lines` stand behind those that every request has.
pub fn request(method: &str, from: &str, to: &str, branch: &str, lines: &str, body: &str) -> String {
    format!(
        "{method} sip:callee@pbx.invalid SIP/2.0\r\nVia: SIP/2.0/TCP phone.invalid;branch=z9hG4bK{branch}\r\n\
         From: <{from}>;tag=f\r\nTo: <{to}>\r\nCall-ID: call-{branch}\r\nCSeq: 1 {method}\r\n{lines}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A REGISTER of `user@domain`.
pub fn register(user: &str, domain: &str, branch: &str) -> String {
    let own = format!("sip:{user}@{domain}");
    request("REGISTER", &own, &own, branch, "", "")
}

/// A response to a request, with its Via, From, To, Call-ID and CSeq. `lines` stand behind them.
pub fn response(request: &[u8], status: &str, lines: &str) -> String {
    let Ok(Head::Request(request)) = Head::parse(request, &Limits::default()) else { panic!("no request") };
    let mut text = format!("SIP/2.0 {status}\r\n");
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        for value in request.headers(name) {
            text.push_str(&format!("{name}: {}\r\n", String::from_utf8_lossy(value)));
        }
    }
    format!("{text}{lines}Content-Length: 0\r\n\r\n")
}
