//! The PROXY protocol: behind another proxy, and in front of services that want to know the client.

mod common;

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread,
};

use common::{PATIENCE, Process, Proxy, certificates, connect};
use rp_ldap::messages;
use rpd::tls;
use rustls::{ClientConnection, StreamOwned};

const V1: &str = "PROXY TCP4 203.0.113.7 198.51.100.1 40000 80\r\n";
/// The same in version 2, and an extension.
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x11\xcb\0\x71\x07\xc6\x33\x64\x01\x9c\x40\0\x50\x04\0\x02ab";
/// A health check.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";

/// A web server that tells whatever comes up to the end of a head, and from where its peer called.
fn service() -> (u16, Receiver<(String, SocketAddr)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, seen) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut octets = Vec::new();
            let mut octet = [0];
            while !is_request(&octets) && matches!(stream.read(&mut octet), Ok(1)) {
                octets.push(octet[0]);
            }
            let text = octets.iter().map(|&octet| char::from(octet)).collect();
            let Ok(peer) = stream.peer_addr() else { continue };
            // Not every test wants to know.
            let _ = told.send((text, peer));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (port, seen)
}

/// A whole head, whatever stands before it.
fn is_request(octets: &[u8]) -> bool {
    octets.ends_with(b"\r\n\r\n") && octets.windows(4).any(|part| part == b"GET ")
}

fn configuration(listen: &str, http: &str) -> String {
    format!(
        "[listen]\nhttp = \"127.0.0.1:0\"\n{listen}\n[[host]]\nnames = [\"a.example\"]\ntarget = \"127.0.0.1\"\nhttp = {{ {http} }}\n"
    )
}

const TRUSTED: &str = "trusted-proxies = [\"127.0.0.1\"]\nproxy-protocol = [\"http\"]";

fn start(listen: &str, http: &str) -> Proxy {
    Proxy::start(Path::new("."), &configuration(listen, http))
}

/// What comes back until the end.
fn rest(stream: &mut impl Read) -> String {
    let mut octets = Vec::new();
    match stream.read_to_end(&mut octets) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8_lossy(&octets).into_owned(),
    }
}

fn ask(address: SocketAddr, octets: &[&[u8]]) -> String {
    let mut stream = connect(address);
    stream.write_all(&octets.concat()).expect("the proxy reads");
    rest(&mut stream)
}

fn next<T>(seen: &Receiver<T>) -> T {
    seen.recv_timeout(PATIENCE).expect("something comes")
}

fn forwarded_for(head: &str) -> Option<&str> {
    head.lines().find_map(|line| line.strip_prefix("X-Forwarded-For: "))
}

#[test]
fn a_header_names_the_client_in_either_version() {
    let (port, seen) = service();
    let proxy = start(TRUSTED, &format!("tcp = {port}"));
    for header in [V1.as_bytes(), V2] {
        let answer = ask(proxy.address("http"), &[header, REQUEST.as_bytes()]);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(forwarded_for(&next(&seen).0), Some("203.0.113.7"));
    }
}

#[test]
fn a_header_may_dribble_in() {
    let (port, seen) = service();
    let proxy = start(TRUSTED, &format!("tcp = {port}"));
    for header in [V1.as_bytes(), V2] {
        let mut stream = proxy.connect("http");
        stream.set_nodelay(true).expect("a socket");
        for octet in header.iter().chain(REQUEST.as_bytes()) {
            stream.write_all(&[*octet]).expect("the proxy reads");
        }
        assert!(rest(&mut stream).starts_with("HTTP/1.1 200 "));
        assert_eq!(forwarded_for(&next(&seen).0), Some("203.0.113.7"));
    }
}

#[test]
fn networks_are_judged_by_the_client_that_the_header_names() {
    let (port, _seen) = service();
    let proxy = start(TRUSTED, &format!("tcp = {port}, networks = [\"203.0.113.0/24\"]"));
    let address = proxy.address("http");
    assert!(ask(address, &[V1.as_bytes(), REQUEST.as_bytes()]).starts_with("HTTP/1.1 200 "));
    let other = V1.replace("203.0.113.7", "192.0.2.1");
    assert!(ask(address, &[other.as_bytes(), REQUEST.as_bytes()]).starts_with("HTTP/1.1 404 "));
    // A health check is the proxy's own.
    assert!(ask(address, &[LOCAL, REQUEST.as_bytes()]).starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_health_check_is_served_at_its_own_address() {
    let (port, seen) = service();
    let proxy = start(TRUSTED, &format!("tcp = {port}"));
    for header in [LOCAL, b"PROXY UNKNOWN\r\n"] {
        assert!(ask(proxy.address("http"), &[header, REQUEST.as_bytes()]).starts_with("HTTP/1.1 200 "));
        assert_eq!(forwarded_for(&next(&seen).0), Some("127.0.0.1"));
    }
}

#[test]
fn a_trusted_proxy_without_a_header_is_closed_and_the_log_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = configuration(TRUSTED, "tcp = 1") + "[limits]\nfirst-byte = \"300ms\"\n";
    let mut proxy = Process::start(&common::write(folder.path(), "rpd.toml", &text));
    let address = proxy.address("http");
    for (octets, why) in [
        (REQUEST.as_bytes(), "no PROXY header"),
        (b"PROXY TCP4 203.0.113.7 198.51.100.1 40000 99999\r\n", "an address or port that is none"),
        (b"PROXY TCP4 203", "none within limits.first-byte"),
        (b"", "none within limits.first-byte"),
    ] {
        assert_eq!(ask(address, &[octets]), "");
        let line = proxy.line("refused");
        assert!(line.contains("reason=proxy-header") && line.contains(why), "{line}");
    }
}

#[test]
fn from_others_no_header_is_read() {
    let (port, _seen) = service();
    for listen in [
        "trusted-proxies = [\"192.0.2.1\"]\nproxy-protocol = [\"http\"]",
        "trusted-proxies = [\"127.0.0.1\"]",
    ] {
        let proxy = start(listen, &format!("tcp = {port}"));
        assert!(ask(proxy.address("http"), &[REQUEST.as_bytes()]).starts_with("HTTP/1.1 200 "), "{listen}");
        let answer = ask(proxy.address("http"), &[V1.as_bytes(), REQUEST.as_bytes()]);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{listen}: {answer}");
    }
}

#[test]
fn the_header_comes_before_tls() {
    let folder = certificates();
    let (port, seen) = service();
    let listen = "https = \"127.0.0.1:0\"\ntrusted-proxies = [\"127.0.0.1\"]\nproxy-protocol = [\"https\"]\n[[tls.certificate]]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"";
    let proxy = Proxy::start(folder.path(), &configuration(listen, &format!("tcp = {port}")));
    for header in [V1.as_bytes(), V2] {
        let config = tls::client_config_with(tls::accept_any(), None);
        let mut connection =
            ClientConnection::new(Arc::new(config), "example.com".try_into().expect("a name"))
                .expect("a client");
        // Header and hello in one segment: nothing of the hello may be lost.
        let mut first = header.to_vec();
        connection.write_tls(&mut first).expect("a hello");
        let mut socket = proxy.connect("https");
        socket.write_all(&first).expect("the proxy reads");
        let mut client = StreamOwned::new(connection, socket);
        client.write_all(REQUEST.as_bytes()).expect("the proxy reads");
        assert!(rest(&mut client).starts_with("HTTP/1.1 200 "));
        assert_eq!(forwarded_for(&next(&seen).0), Some("203.0.113.7"));
    }
}

#[test]
fn the_log_names_the_client_and_the_proxy_before_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut proxy = Process::start(&common::write(
        folder.path(),
        "rpd.toml",
        &configuration(TRUSTED, "tcp = 1, networks = [\"192.0.2.0/24\"]"),
    ));
    let address = proxy.address("http");
    let mut stream = connect(address);
    let own = stream.local_addr().expect("an address");
    stream.write_all(&[V2, REQUEST.as_bytes()].concat()).expect("the proxy reads");
    rest(&mut stream);
    let line = proxy.line("refused");
    assert!(line.contains("source=203.0.113.7:40000") && line.contains(&format!("via={own}")), "{line}");
}

#[test]
fn each_client_behind_a_proxy_has_the_cap_and_the_proxy_has_none() {
    let listen = "ldap = \"127.0.0.1:0\"\ntrusted-proxies = [\"127.0.0.1\"]\nproxy-protocol = [\"ldap\"]\n[limits]\nconnections-per-source = 1";
    let proxy = start(listen, "tcp = 1");
    // An anonymous bind is answered, and the connection stays.
    let hold = |header: &[u8]| {
        let mut stream = proxy.connect("ldap");
        let bind = messages::simple_bind_request(1, "", "");
        stream.write_all(&[header, &bind].concat()).expect("the proxy reads");
        let answered = stream.read_exact(&mut [0; 8]).is_ok();
        (stream, answered)
    };
    let other = V1.replace("203.0.113.7", "203.0.113.8");
    let held = [V1.as_bytes(), other.as_bytes(), LOCAL, LOCAL, V2].map(hold);
    assert_eq!(held.map(|(_, answered)| answered), [true, true, true, true, false]);
}

#[test]
fn a_service_that_wants_it_is_told_the_client_and_where_it_came_in() {
    let (port, seen) = service();
    let proxy = start("", &format!("tcp = {port}, send-proxy = \"v1\""));
    let mut stream = proxy.connect("http");
    let (source, destination) = (stream.local_addr().expect("an address"), proxy.address("http"));
    stream.write_all(REQUEST.as_bytes()).expect("the proxy reads");
    rest(&mut stream);
    let (text, _) = next(&seen);
    let header = format!(
        "PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\nGET / HTTP/1.1\r\n",
        source.port(),
        destination.port()
    );
    assert!(text.starts_with(&header), "{text:?}");
    assert_eq!(text.matches("PROXY ").count(), 1);
}

#[test]
fn what_a_header_said_is_passed_on() {
    let (port, seen) = service();
    for (version, header) in [("v1", V1.as_bytes()), ("v2", &[&V2[..14], &[0, 12], &V2[16..28]].concat())] {
        let proxy = start(TRUSTED, &format!("tcp = {port}, send-proxy = \"{version}\""));
        ask(proxy.address("http"), &[V2, REQUEST.as_bytes()]);
        let (text, _) = next(&seen);
        let octets: Vec<u8> = text.chars().map(|c| u8::try_from(c).expect("an octet")).collect();
        assert_eq!(octets.get(..header.len()), Some(header), "{text:?}");
        assert!(octets[header.len()..].starts_with(b"GET / "), "{text:?}");
    }
}

#[test]
fn to_a_service_over_tls_the_header_goes_before_it() {
    let folder = certificates();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let http = format!("tls = {port}, send-proxy = \"v2\" }}\ntls = {{ verify = \"none\"");
    let proxy = Proxy::start(folder.path(), &configuration("", &http));
    let mut client = proxy.connect("http");
    client.write_all(REQUEST.as_bytes()).expect("the proxy reads");
    let (mut stream, _) = listener.accept().expect("the proxy connects");
    let mut octets = [0; 29];
    stream.read_exact(&mut octets).expect("a header and more");
    assert_eq!(octets[..16], *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c");
    // Handshake (RFC 8446, 5.1).
    assert_eq!(octets[28], 0x16);
}
