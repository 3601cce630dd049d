//! `listen.any`: every protocol on one port, in clear and over TLS.

mod common;

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use common::{
    Connection, Log, client_certificate,
    guarded::{Guarded, bind, get, read, read_to_end, rrq, tls},
    sip,
};
use rp_ldap::messages;
use rpd::outcome::Reason;
use rustls::{
    ClientConfig, ClientConnection, SignatureScheme, StreamOwned, client::ResolvesClientCert,
    sign::CertifiedKey,
};

/// Messages that are served or refused, and the listener that is for them alone.
fn messages_of_all() -> Vec<(&'static str, Vec<u8>)> {
    let register = |user: &str, domain: &str| sip::register(user, domain, "b1").into_bytes();
    let broken =
        String::from_utf8(register("phone", "example.com")).expect("text").replace("CSeq: 1 ", "CSeq: x ");
    vec![
        ("h323", rrq("example.com", "phone")),
        ("h323", rrq("unknown.example", "phone")),
        ("sip", register("phone", "example.com")),
        ("sip", register("forbidden", "example.com")),
        ("sip", register("phone", "unknown.example")),
        ("sip", broken.into_bytes()),
        ("sip", b"\r\n\r\n".to_vec()),
        ("ldap", bind("example.com\\0")),
        ("ldap", bind("unknown.example\\0")),
        ("ldap", messages::start_tls_request(1)),
        ("http", get("example.com", "/", "")),
        ("http", get("unknown.example", "/", "")),
        ("http", get("example.com", "/", "Content-Length: x\r\n")),
    ]
}

fn connect(guarded: &Guarded, over_tls: bool, source: &str) -> Box<dyn Connection> {
    let socket = guarded.connect("any", source);
    socket.set_nodelay(true).expect("an option");
    if over_tls { Box::new(tls(socket, "example.com")) } else { Box::new(socket) }
}

/// What comes back, but for the time of day.
fn answer(stream: &mut dyn Connection) -> String {
    let mut octets = vec![0; 65536];
    let n = stream.read(&mut octets).unwrap_or(0);
    let text = octets[..n].escape_ascii().to_string();
    let lines = text.split("\\r\\n").filter(|line| !line.starts_with("Date: "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_protocol_is_answered_as_on_a_listener_of_its_own() {
    let guarded = Guarded::patient();
    for (listener, words) in messages_of_all() {
        let mut own = guarded.connect(listener, "203.0.113.1");
        own.write_all(&words).expect("the proxy reads");
        let expected = answer(&mut own);
        assert!(!expected.is_empty(), "{listener}");
        // Over TLS there is no TLS to start.
        let also_over_tls = words != messages::start_tls_request(1);
        for over_tls in [Some(false), also_over_tls.then_some(true)].into_iter().flatten() {
            let mut client = connect(&guarded, over_tls, "203.0.113.2");
            client.write_all(&words).expect("the proxy reads");
            assert_eq!(answer(client.as_mut()), expected, "{listener} {}", words.escape_ascii());
        }
    }
}

#[test]
fn each_protocol_is_known_octet_by_octet() {
    let guarded = Guarded::patient();
    for (listener, words) in messages_of_all() {
        let mut own = guarded.connect(listener, "203.0.113.1");
        own.write_all(&words).expect("the proxy reads");
        let expected = answer(&mut own);
        for over_tls in [false, true] {
            if over_tls && words == messages::start_tls_request(1) {
                continue;
            }
            let mut client = connect(&guarded, over_tls, "203.0.113.2");
            for octet in &words {
                // A refusal may come while this is still being sent.
                if client.write_all(&[*octet]).and_then(|()| client.flush()).is_err() {
                    break;
                }
            }
            assert_eq!(answer(client.as_mut()), expected, "{listener} {}", words.escape_ascii());
        }
    }
}

#[test]
fn start_tls_goes_on_over_tls() {
    let guarded = Guarded::patient();
    let mut socket = guarded.connect("any", "203.0.113.1");
    socket.write_all(&messages::start_tls_request(1)).expect("the proxy reads");
    assert!(!read(&mut socket).is_empty());
    let mut client = tls(socket, "example.com");
    client.write_all(&bind("example.com\\0")).expect("the proxy reads");
    let mut octets = [0; 512];
    let n = client.read(&mut octets).expect("an answer");
    assert_eq!(octets[..n], messages::bind_response(1, rp_ldap::ResultCode::SUCCESS, ""));
}

#[test]
fn the_log_says_what_is_spoken() {
    Log::start();
    let guarded = Guarded::patient();
    for (at, (protocol, words)) in
        [("h323", rrq("unknown.example", "phone")), ("http", get("unknown.example", "/", ""))]
            .into_iter()
            .enumerate()
    {
        let source = format!("198.51.100.{at}");
        let mut client = guarded.connect("any", &source);
        client.write_all(&words).expect("the proxy reads");
        let address = format!("{source}:40000").parse().expect("an address");
        Log::of(address).wait_for(&["listener=any", &format!("protocol={protocol} "), "reason=unknown-host"]);
    }
}

#[test]
fn what_is_no_protocol_is_closed_without_a_word_and_counts() {
    let guarded = Guarded::start("");
    let rows: [&[u8]; 9] = [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x04\x01\x00\x50\x00",
        b"\x05\x01\x00",
        b"\x80\x2e\x01\x00\x02",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b" GET / HTTP/1.1\r\n\r\n",
        b"\n",
        b"{\"jsonrpc\": 2}\r\n\r\n",
    ];
    for (at, words) in rows.iter().enumerate() {
        let source = format!("203.0.113.{}", at + 1);
        let mut client = guarded.connect("any", &source);
        client.write_all(words).expect("the proxy reads");
        assert_eq!(read_to_end(&mut client), b"", "{}", words.escape_ascii());
        assert_eq!(guarded.wait_for_count(&source, 1), Reason::Malformed, "{}", words.escape_ascii());
    }
}

#[test]
fn what_begins_and_never_ends_counts() {
    let guarded = Guarded::start("");
    let rows: [(&[u8], Reason); 4] = [
        (b"G", Reason::FirstMessageTimeout),
        (b"GET / HTTP/1.1\r\n", Reason::FirstMessageTimeout),
        (b"\x03\x00", Reason::FirstMessageTimeout),
        (b"\x16\x03\x01", Reason::HandshakeTimeout),
    ];
    for (at, (words, reason)) in rows.iter().enumerate() {
        let source = format!("203.0.113.{}", at + 1);
        let mut client = guarded.connect("any", &source);
        client.write_all(words).expect("the proxy reads");
        assert_eq!(guarded.wait_for_count(&source, 1), *reason);
    }
}

#[test]
fn silence_counts_only_of_who_cannot_be_a_browser() {
    let guarded = Guarded::start("");
    let mut in_clear = guarded.connect("any", "203.0.113.1");
    let asked = Asked::default();
    let mut web = asked.client(guarded.connect("any", "203.0.113.2"), "h2 http/1.1");
    let mut phone = asked.client(guarded.connect("any", "203.0.113.3"), "");
    assert_eq!(read_to_end(&mut in_clear), b"");
    for client in [&mut web, &mut phone] {
        let _ = client.read(&mut [0; 64]);
    }
    assert_eq!(guarded.wait_for_count("203.0.113.3", 1), Reason::Silent);
    let gate = guarded.end();
    for source in ["203.0.113.1", "203.0.113.2"] {
        assert_eq!(common::guarded::counted(&gate, source), None);
    }
}

#[test]
fn stun_is_logged_and_not_counted() {
    Log::start();
    let guarded = Guarded::patient();
    let allocate = b"\x00\x03\x00\x00\x21\x12\xa4\x42abcdefghijkl";
    for (at, listener) in ["any", "http", "https"].into_iter().enumerate() {
        let sources = [at * 2, at * 2 + 1].map(|number| format!("192.0.2.{number}"));
        let mut in_clear = guarded.connect(listener, &sources[0]);
        in_clear.write_all(allocate).expect("the proxy reads");
        assert_eq!(read_to_end(&mut in_clear), b"", "{listener}");
        let mut tried = vec![&sources[0]];
        if listener != "http" {
            let mut secure = tls(guarded.connect(listener, &sources[1]), "example.com");
            secure.write_all(allocate).expect("the proxy reads");
            assert_eq!(secure.read(&mut [0; 64]).unwrap_or(0), 0, "{listener}");
            tried.push(&sources[1]);
        }
        for source in tried {
            Log::of(format!("{source}:40000").parse().expect("an address"))
                .wait_for(&["reason=stun ", "counted=\"no\""]);
            assert_eq!(guarded.counted(source), None, "{listener}");
        }
    }
}

#[test]
fn only_who_does_not_offer_http_is_asked_for_a_certificate() {
    let guarded = Guarded::patient();
    let rows = [
        ("", true, None),
        ("sip/2", true, None),
        ("h2 http/1.1", false, Some("http/1.1")),
        ("http/1.0", false, Some("http/1.0")),
    ];
    for (alpn, expected, negotiated) in rows {
        let asked =
            Asked { key: Some(client_certificate(guarded.folder.path(), "phone")), ..Asked::default() };
        let mut client = asked.client(guarded.connect("any", "203.0.113.1"), alpn);
        client.write_all(&get("example.com", "/", "")).expect("the proxy reads");
        let mut answer = String::new();
        let _ = client.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(client.conn.alpn_protocol(), negotiated.map(str::as_bytes));
        assert_eq!(asked.asked.load(Ordering::Relaxed), expected, "{alpn}");
    }
}

/// A client that notes whether it was asked for its certificate.
#[derive(Clone, Debug, Default)]
struct Asked {
    key: Option<Arc<CertifiedKey>>,
    asked: Arc<AtomicBool>,
}

impl Asked {
    fn client(&self, socket: TcpStream, alpn: &str) -> StreamOwned<ClientConnection, TcpStream> {
        let mut config: ClientConfig = rpd::tls::client_config_with(rpd::tls::accept_any(), None);
        config.client_auth_cert_resolver = Arc::new(self.clone());
        config.alpn_protocols = alpn.split_whitespace().map(|name| name.as_bytes().to_vec()).collect();
        let name = "example.com".try_into().expect("a name");
        let mut connection = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut socket = socket;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).expect("a handshake");
        }
        StreamOwned::new(connection, socket)
    }
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}
