//! Every wait ends, and nobody has more than his share.

mod common;

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
};

use common::{PATIENCE, Proxy};
use rp_ldap::messages;

fn proxy(limits: &str) -> Proxy {
    proxy_to(1, limits)
}

fn proxy_to(port: u16, limits: &str) -> Proxy {
    let text = format!(
        "[listen]\nh323 = \"127.0.0.1:0\"\nsip = \"127.0.0.1:0\"\nldap = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n[limits]\n{limits}\n\
         [[host]]\nnames = [\"example.com\"]\ntarget = \"127.0.0.1\"\nh323 = {{ tcp = {port} }}\nsip = {{ tcp = {port} }}\nldap = {{ tcp = {port} }}\nhttp = {{ tcp = {port} }}\n"
    );
    Proxy::start(Path::new("."), &text)
}

/// What comes until the proxy ends the connection.
fn last_words(mut stream: TcpStream) -> Vec<u8> {
    let mut octets = Vec::new();
    match stream.read_to_end(&mut octets) {
        Ok(_) => octets,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => octets,
        Err(error) => panic!("the connection is still open: {error}"),
    }
}

#[test]
fn a_client_that_sends_nothing_is_closed() {
    let proxy = proxy("first-byte = \"200ms\"");
    for listener in ["h323", "sip", "ldap", "http"] {
        assert_eq!(last_words(proxy.connect(listener)), b"", "{listener}");
    }
}

#[test]
fn a_first_message_that_is_not_whole_in_time_is_closed_however_it_dribbles() {
    let proxy = proxy("first-message = \"400ms\"");
    for (listener, begun) in [
        ("h323", &b"\x03\x00\x00\x40\x08\x02"[..]),
        ("sip", b"REGISTER sip:example.com SIP/2.0\r\nVia: "),
        // A bind whose name of 100 octets has begun.
        ("ldap", b"\x30\x74\x02\x01\x01\x60\x6f\x02\x01\x03\x04\x64"),
        ("http", b"GET / HTTP/1.1\r\nHost: "),
    ] {
        let mut stream = proxy.connect(listener);
        stream.write_all(begun).expect("the proxy reads");
        // One octet more whenever the proxy has not closed yet; the deadline does not move.
        stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).expect("a time-out");
        let deadline = std::time::Instant::now() + PATIENCE;
        let mut words = Vec::new();
        loop {
            assert!(std::time::Instant::now() < deadline, "{listener}: dribbling puts the deadline off");
            match stream.read(&mut [0; 512]) {
                Ok(0) => break,
                Ok(n) => words.push(n),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    // The proxy may close in this very moment.
                    let _ = stream.write_all(b"x");
                }
                Err(_) => break,
            }
        }
        assert_eq!(words.is_empty(), listener != "http", "{listener}: only HTTP has an answer for this, 408");
    }
}

/// A reset would take the answer from a client that still sends.
#[test]
fn a_slow_client_is_told_so_and_may_go_on_sending_meanwhile() {
    let proxy = proxy("first-message = \"200ms\"");
    let mut stream = proxy.connect("http");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: ").expect("the proxy reads");
    let answer = common::web::read_until(&mut stream, "Request Timeout\n");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    for _ in 0..3 {
        stream.write_all(b"x").expect("the proxy reads");
    }
    let end = stream.read_to_end(&mut Vec::new());
    assert!(end.is_ok(), "{end:?}");
}

#[test]
fn a_head_over_its_limit_is_refused_when_it_gets_there() {
    let proxy = proxy("sip-head = \"1KiB\"");
    let mut stream = proxy.connect("sip");
    let long = format!("REGISTER sip:example.com SIP/2.0\r\nX: {}", "x".repeat(2000));
    stream.write_all(long.as_bytes()).expect("the proxy reads");
    assert_eq!(last_words(stream), b"");

    let mut stream = proxy.connect("http");
    let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(40_000));
    // The proxy may answer before all of it is sent.
    let _ = stream.write_all(long.as_bytes());
    assert!(last_words(stream).starts_with(b"HTTP/1.1 431 "));
}

#[test]
fn a_black_hole_behind_the_proxy_is_given_up_in_time() {
    // A backlog that is full answers no further connection.
    let (hole, _held) = black_hole();
    let proxy = proxy_to(hole.local_addr().expect("an address").port(), "connect = \"300ms\"");
    let mut stream = proxy.connect("ldap");
    stream.write_all(&messages::simple_bind_request(1, "example.com\\u", "x")).expect("the proxy reads");
    stream.write_all(&messages::unbind_request(2)).expect("the proxy reads");
    let octets = last_words(stream);
    assert_eq!(rp_ldap::answer(&octets).expect("an answer").result.map(|result| result.code.0), Some(52));
    let mut stream = proxy.connect("http");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
        .expect("the proxy reads");
    assert!(last_words(stream).starts_with(b"HTTP/1.1 504 "));
}

/// A listener whose backlog is full, and what fills it.
fn black_hole() -> (TcpListener, Vec<socket2::Socket>) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).expect("a port");
    socket.listen(0).expect("a listener");
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().expect("an address");
    let held = (0..8)
        .map(|_| {
            let socket =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
            socket.set_nonblocking(true).expect("a flag");
            // In progress, and some of them for ever.
            let _ = socket.connect(&address.into());
            socket
        })
        .collect();
    (listener, held)
}

#[test]
fn one_source_has_only_so_many_connections() {
    let proxy = proxy("connections-per-source = 3");
    let mut held: Vec<TcpStream> = (0..3).map(|_| proxy.connect("ldap")).collect();
    // Answered, so these three are counted.
    for stream in &mut held {
        stream.write_all(&messages::simple_bind_request(1, "", "")).expect("the proxy reads");
        stream.read_exact(&mut [0; 8]).expect("an answer");
    }
    assert_eq!(last_words(proxy.connect("ldap")), b"");
    drop(held.pop());
    // The place becomes free as soon as the proxy has seen the end.
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let mut stream = proxy.connect("ldap");
        let asked = stream.write_all(&messages::simple_bind_request(1, "", ""));
        if asked.and_then(|()| stream.read_exact(&mut [0; 8])).is_ok() {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the place never becomes free");
    }
}

#[test]
fn at_the_cap_accepting_waits_and_nobody_is_lost() {
    let proxy = proxy("max-connections = 16");
    let ask = |stream: &mut TcpStream| {
        stream
            .write_all(&messages::simple_bind_request(1, "", ""))
            .and_then(|()| stream.read_exact(&mut [0; 8]))
    };
    let mut held: Vec<TcpStream> = (0..16).map(|_| proxy.connect("ldap")).collect();
    held.iter_mut().for_each(|stream| ask(stream).expect("an answer"));
    let mut waiting = proxy.connect("ldap");
    waiting.set_read_timeout(Some(std::time::Duration::from_millis(200))).expect("a time-out");
    assert!(ask(&mut waiting).is_err(), "one more than the cap is served");
    drop(held);
    waiting.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    waiting.read_exact(&mut [0; 8]).expect("its turn has come");
}
