//! From the wire to the count: every reason that speaks against a source, and everything healthy that does not.

mod common;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
};

use common::{
    Proxy,
    guarded::{Guarded, bind, counted, get, read, read_to_end, rrq, tls, wait_until},
    sip,
};
use rp_ldap::messages;
use rpd::outcome::Reason;

/// What a client does: the listener, and what it says there.
type Row = (Reason, &'static str, Vec<u8>);

/// An address for each row.
fn source(row: usize) -> String {
    format!("203.0.113.{}", row + 1)
}

fn digest() -> String {
    "Authorization: Digest username=\"u\", realm=\"a\", nonce=\"b\", uri=\"/\", response=\"c\"\r\n".to_owned()
}

/// Everything that one message of a client can be refused for, by the proxy or the service.
fn rows() -> Vec<Row> {
    let long = format!("X: {}\r\n", "x".repeat(70_000));
    let register = |user: &str, domain: &str| sip::register(user, domain, "b1").into_bytes();
    vec![
        (Reason::Malformed, "h323", b"\x05\x00\x00\x08junk".to_vec()),
        (Reason::Malformed, "sip", b"\x00\x01\x02\x03\r\n\r\n".to_vec()),
        (Reason::Malformed, "ldap", b"\xff\xff\xff\xff".to_vec()),
        (Reason::Malformed, "http", b"\x01\x02\x03\r\n\r\n".to_vec()),
        (Reason::Malformed, "ldaps", b"hello, hello, hello\r\n".to_vec()),
        (Reason::TooLarge, "sip", format!("REGISTER sip:example.com SIP/2.0\r\n{long}").into_bytes()),
        (Reason::TooLarge, "http", get("example.com", "/", &long)),
        (Reason::NoName, "h323", rrq("", "phone")),
        (Reason::UnknownHost, "h323", rrq("other.example", "phone")),
        (Reason::UnknownHost, "sip", register("phone", "other.example")),
        (Reason::UnknownHost, "ldap", bind("other.example\\u")),
        (Reason::UnknownHost, "http", get("other.example", "/", "")),
        (Reason::NotForwarded, "h323", rrq("web.example.com", "phone")),
        (Reason::NotForwarded, "sip", register("phone", "web.example.com")),
        (Reason::NotForwarded, "ldap", bind("web.example.com\\u")),
        (Reason::NetworkNotAllowed, "h323", rrq("far.example.com", "phone")),
        (Reason::NetworkNotAllowed, "sip", register("phone", "far.example.com")),
        (Reason::NetworkNotAllowed, "ldap", bind("far.example.com\\u")),
        (Reason::NetworkNotAllowed, "http", get("far.example.com", "/", "")),
        (Reason::UrlNotAllowed, "http", get("web.example.com", "/forbidden", "")),
        (
            Reason::MethodNotAllowed,
            "http",
            b"DELETE /allowed HTTP/1.1\r\nHost: web.example.com\r\nConnection: close\r\n\r\n".to_vec(),
        ),
        (Reason::FirstMessageTimeout, "ldap", b"\x30\x74\x02".to_vec()),
        (Reason::FirstMessageTimeout, "sip", b"REGISTER sip:example.com SI".to_vec()),
        (Reason::FirstMessageTimeout, "http", b"GET / HT".to_vec()),
        (Reason::Silent, "h323", Vec::new()),
        (Reason::Silent, "sip", Vec::new()),
        (Reason::Silent, "ldap", Vec::new()),
        (Reason::Silent, "ldaps", Vec::new()),
        (Reason::HandshakeTimeout, "ldaps", b"\x16\x03\x01".to_vec()),
        (Reason::HandshakeTimeout, "https", b"\x16\x03\x01".to_vec()),
        (
            Reason::StarttlsInjection,
            "ldap",
            [messages::start_tls_request(1), bind("example.com\\0")].concat(),
        ),
        (Reason::Certificate, "h323", rrq("checked.example.com", "phone")),
        (Reason::Refused, "h323", rrq("example.com", "denied")),
        (Reason::Refused, "sip", register("forbidden", "example.com")),
        (Reason::Refused, "ldap", bind("example.com\\49")),
        (Reason::Refused, "http", get("example.com", "/403", "")),
        (Reason::Refused, "http", get("example.com", "/401", &digest())),
    ]
}

#[test]
fn every_reason_counts_once_from_the_wire() {
    let guarded = Guarded::start("");
    let rows = rows();
    let clients: Vec<TcpStream> = rows
        .iter()
        .enumerate()
        .map(|(at, (_, listener, words))| {
            let mut client = guarded.connect(listener, &source(at));
            // A refusal may come while this is still being sent.
            let _ = client.write_all(words);
            client
        })
        .collect();
    for (at, (reason, listener, _)) in rows.iter().enumerate() {
        assert_eq!(guarded.wait_for_count(&source(at), 1), *reason, "{listener}");
    }
    drop(clients);
    let gate = guarded.end();
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(counted(&gate, &source(at)), Some((1, row.0)), "{row:?}");
    }
    // What one message cannot show has tests of its own below.
    let elsewhere = [Reason::Misdirected, Reason::TargetUnreachable];
    for &reason in Reason::ALL.iter().filter(|reason| reason.is_suspicious()) {
        let shown = elsewhere.contains(&reason) || rows.iter().any(|row| row.0 == reason);
        assert!(shown, "no test of {reason}");
    }
}

#[test]
fn two_hosts_in_one_request_count() {
    let guarded = Guarded::start("");
    let mut client = tls(guarded.connect("https", "203.0.113.1"), "example.com");
    client.write_all(&get("web.example.com", "/allowed", "")).expect("the proxy reads");
    let mut answer = String::new();
    let _ = client.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    assert_eq!(guarded.wait_for_count("203.0.113.1", 1), Reason::Misdirected);
}

#[test]
fn what_healthy_clients_do_never_counts() {
    let guarded = Guarded::start("");
    let register = |user: &str| sip::register(user, "example.com", "b1").into_bytes();
    let authorized = |user: &str| {
        let own = format!("sip:{user}@example.com");
        sip::request("REGISTER", &own, &own, "b1", &digest(), "").into_bytes()
    };
    let rows: Vec<(&str, &str, Vec<u8>)> = vec![
        ("a challenge", "sip", register("challenged")),
        ("a nonce that is stale", "sip", authorized("stale")),
        ("a registration", "sip", register("phone")),
        ("a redirect", "h323", rrq("example.com", "redirected")),
        ("a challenge with tokens", "h323", rrq("example.com", "challenged")),
        ("fullRegistrationRequired", "h323", rrq("example.com", "restarted")),
        ("a registration", "h323", rrq("example.com", "phone")),
        ("a referral", "ldap", bind("example.com\\10")),
        ("saslBindInProgress", "ldap", bind("example.com\\14")),
        ("a server that is busy", "ldap", bind("example.com\\51")),
        ("a bind", "ldap", bind("example.com\\0")),
        ("401 without credentials", "http", get("example.com", "/401", "")),
        ("a nonce that is stale", "http", get("example.com", "/stale", &digest())),
        ("a page that is not there", "http", get("example.com", "/404", &digest())),
        ("a page", "http", get("example.com", "/", "")),
        ("a target that is down", "h323", rrq("down.example.com", "phone")),
        ("a target that is down", "sip", sip::register("phone", "down.example.com", "b1").into_bytes()),
        ("a target that is down", "ldap", bind("down.example.com\\u")),
        ("a target that is down", "http", get("down.example.com", "/", "")),
    ];
    for (at, (what, listener, words)) in rows.iter().enumerate() {
        let mut client = guarded.connect(listener, &source(at));
        client.write_all(words).expect("the proxy reads");
        assert!(!read(&mut client).is_empty(), "{what}: no answer");
        if *listener == "http" {
            read_to_end(&mut client);
        }
    }
    let silent = source(rows.len());
    for listener in ["http", "https"] {
        assert_eq!(
            read_to_end(&mut guarded.connect(listener, &silent)),
            b"",
            "a spare connection of a browser"
        );
    }
    let gone = source(rows.len() + 1);
    for listener in ["h323", "ldap", "ldaps", "https"] {
        drop(guarded.connect(listener, &gone));
    }
    // A client that does not trust our certificate says so by an alert.
    let distrusting = source(rows.len() + 2);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = "example.com".try_into().expect("a name");
    let connection = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut client = rustls::StreamOwned::new(connection, guarded.connect("ldaps", &distrusting));
    assert!(client.write_all(b"x").and_then(|()| client.flush()).is_err());
    read_to_end(&mut client.sock);

    let gate = guarded.end();
    for (at, (what, listener, _)) in rows.iter().enumerate() {
        assert_eq!(counted(&gate, &source(at)), None, "{what} by {listener}");
    }
    for source in [silent, gone, distrusting] {
        assert_eq!(counted(&gate, &source), None, "{source}");
    }
}

/// What a client says first over TLS.
fn hello() -> Vec<u8> {
    let config = rpd::tls::client_config_with(rpd::tls::accept_any(), None);
    let name = "example.com".try_into().expect("a name");
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut octets = Vec::new();
    connection.write_tls(&mut octets).expect("a hello");
    octets
}

#[test]
fn who_waits_for_a_handshake_of_others_is_not_counted() {
    let folder = common::certificates();
    let text = "[listen]\nldaps = \"127.0.0.1:0\"\ntrusted-proxies = [\"127.0.0.1\"]\nproxy-protocol = [\"ldaps\"]\n\
                [limits]\nhandshake = \"500ms\"\nhandshakes = 1\n\
                [[tls.certificate]]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n";
    let proxy = Proxy::start(folder.path(), text);
    let gate = proxy.gate();
    let [mut hog, mut phone] = ["203.0.113.1", "203.0.113.2"].map(|source| {
        let mut client = proxy.connect("ldaps");
        client
            .write_all(format!("PROXY TCP4 {source} 198.51.100.1 40000 636\r\n").as_bytes())
            .expect("it reads");
        client.write_all(&hello()).expect("the proxy reads");
        if source.ends_with(".1") {
            client.read_exact(&mut [0; 1]).expect("it has the only place");
        }
        client
    });
    read_to_end(&mut hog);
    read_to_end(&mut phone);
    drop(proxy);
    assert_eq!(counted(&gate, "203.0.113.1"), Some((1, Reason::HandshakeTimeout)));
    assert_eq!(counted(&gate, "203.0.113.2"), None);
}

#[test]
fn a_guess_counts_although_its_answer_is_not_read_to_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let text = format!(
        "[listen]\nhttp = \"127.0.0.1:0\"\n[[host]]\nnames = [\"example.com\"]\ntarget = \"127.0.0.1\"\nhttp = {{ tcp = {port} }}\n"
    );
    let proxy = Proxy::start(std::path::Path::new("."), &text);
    let gate = proxy.gate();
    let mut client = proxy.connect("http");
    client.write_all(&get("example.com", "/", &digest())).expect("the proxy reads");
    let mut service = listener.accept().expect("a connection").0;
    assert!(!read(&mut service).is_empty());
    let head = "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\nContent-Length: 100000000\r\n\r\n";
    service.write_all(head.as_bytes()).expect("the proxy reads");
    client.read_exact(&mut [0; 12]).expect("a status");
    drop(client);
    while service.write_all(&[b' '; 4096]).is_ok() {}
    drop(proxy);
    assert_eq!(counted(&gate, "127.0.0.1"), Some((1, Reason::Refused)));
}

/// A proxy in front of an LDAP target at this address, with these lines.
fn in_front_of(target: SocketAddr, lines: &str) -> Proxy {
    let text = format!(
        "[guard]\n{lines}\n[listen]\nldap = \"127.0.0.1:0\"\ntrusted-proxies = [\"127.0.0.1\"]\nproxy-protocol = [\"ldap\"]\n\
         [[host]]\nnames = [\"example.com\"]\ntarget = \"{}\"\nldap = {{ tcp = {} }}\n",
        target.ip(),
        target.port()
    );
    Proxy::start(std::path::Path::new("."), &text)
}

/// Binds from `source`, and waits for the answer of the proxy, or for the connection of the target.
fn ask(proxy: &Proxy, source: &str, target: Option<&TcpListener>) -> Option<TcpStream> {
    let mut client = proxy.connect("ldap");
    let header = format!("PROXY TCP4 {source} 198.51.100.1 40000 389\r\n");
    client.write_all(&[header.as_bytes(), &bind("example.com\\u")].concat()).expect("the proxy reads");
    let reached = target.map(|target| target.accept().expect("a connection").0);
    match reached {
        Some(mut reached) => {
            reached.read_exact(&mut [0; 8]).expect("the bind");
            Some(client)
        }
        None => {
            assert!(!read(&mut client).is_empty(), "the proxy says that the target is down");
            None
        }
    }
}

#[test]
fn a_target_that_is_down_counts_only_where_it_is_specific_to_the_source() {
    for (mode, expected) in [("smart", Some((1, Reason::TargetUnreachable))), ("never", None)] {
        let target = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = target.local_addr().expect("an address");
        let proxy = in_front_of(address, &format!("count-target-down = \"{mode}\""));
        let gate = proxy.gate();
        let healthy = ask(&proxy, "203.0.113.1", Some(&target));
        drop(target);
        ask(&proxy, "203.0.113.2", None);
        // The answer goes out before it is judged, and the next one is served by another worker.
        wait_until("the judgement", || counted(&gate, "203.0.113.2") == expected);
        // Another one fails, too, so it is not this source's doing.
        ask(&proxy, "203.0.113.3", None);
        drop((healthy, proxy));
        assert_eq!(counted(&gate, "203.0.113.2"), expected, "{mode}");
        assert_eq!(counted(&gate, "203.0.113.3"), None, "{mode}");
        assert_eq!(counted(&gate, "203.0.113.1"), None, "{mode}");
    }
}

#[test]
fn a_target_that_is_down_counts_always_where_that_is_configured() {
    let target = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = target.local_addr().expect("an address");
    drop(target);
    let proxy = in_front_of(address, "count-target-down = \"always\"");
    let gate = proxy.gate();
    ask(&proxy, "203.0.113.1", None);
    drop(proxy);
    assert_eq!(counted(&gate, "203.0.113.1"), Some((1, Reason::TargetUnreachable)));
}
