//! Another configuration while the proxy runs: whole or not at all, and nobody who is connected loses anything.

mod common;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Instant,
};

use common::{
    PATIENCE, Proxy, certificates,
    sip::{Pbx, Wire, register, register_at, response},
};
use rpd::tls;
use rustls::ClientConnection;

fn sip_host(name: &str, pbx: &Pbx) -> String {
    format!("[[host]]\nnames = [\"{name}\"]\ntarget = \"127.0.0.1\"\nsip = {{ tcp = {} }}\n", pbx.tcp)
}

const SIP: &str = "[listen]\nsip = \"127.0.0.1:0\"\n";

#[test]
fn a_registration_outlives_its_host_and_whoever_comes_anew_is_refused() {
    let folder = certificates();
    let [one, two] = [(); 2].map(|()| Pbx::start(folder.path()));
    let proxy = Proxy::start(folder.path(), &format!("{SIP}{}", sip_host("one.example", &one)));
    let mut phone = Wire::phone(&proxy);
    let mut line = register_at(&mut phone, &one, "one.example");

    proxy.reload(&format!("{SIP}{}", sip_host("two.example", &two))).expect("a reload");
    let again = register("101", "one.example", "again");
    phone.send(&again);
    assert_eq!(line.text_message(), again);
    line.send(response(again.as_bytes(), "200 OK", ""));
    assert_eq!(phone.start_line(), "SIP/2.0 200 OK");
    // A second name of the same phone, and another phone, are matters of today.
    register_at(&mut phone, &two, "two.example");
    let mut other = Wire::phone(&proxy);
    other.send(register("102", "one.example", "other"));
    assert_eq!(other.start_line(), "SIP/2.0 404 Not Found");
}

/// The same row, read anew, is the same host: nobody is sent to it by a second connection.
#[test]
fn what_leads_to_the_same_host_as_before_stays_on_its_leg() {
    let folder = certificates();
    let one = Pbx::start(folder.path());
    let host = sip_host("one.example", &one).replace("\"one.example\"", "\"one.example\", \"uno.example\"");
    let proxy = Proxy::start(folder.path(), &format!("{SIP}{host}"));
    let mut phone = Wire::phone(&proxy);
    let mut line = register_at(&mut phone, &one, "one.example");
    proxy.reload(&format!("{SIP}{host}comment = \"the same\"\n")).expect("a reload");
    let other = register("101", "uno.example", "uno");
    phone.send(&other);
    assert_eq!(line.text_message(), other);
    assert!(one.is_alone());
}

#[test]
fn the_next_request_of_a_connection_is_decided_by_the_new_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let web = Web::start();
    let proxy = Proxy::start(folder.path(), &web.configuration("a.example", ""));
    let mut client = Client::connect(&proxy);
    assert_eq!(client.get("a.example"), "HTTP/1.1 200 OK");
    proxy.reload(&web.configuration("b.example", "")).expect("a reload");
    assert_eq!(client.get("b.example"), "HTTP/1.1 200 OK");
    assert_eq!(client.get("a.example"), "HTTP/1.1 404 Not Found");
}

#[test]
fn listeners_come_and_go_and_those_that_stay_keep_their_sockets() {
    let folder = tempfile::tempdir().expect("a folder");
    let web = Web::start();
    let proxy = Proxy::start(folder.path(), &web.configuration("a.example", ""));
    let kept = proxy.address("http");
    // Waits in the queue of the socket, for a worker that is not told yet.
    let mut waiting = Client::connect(&proxy);

    let change = proxy.reload(&web.configuration("a.example", "sip = \"127.0.0.1:0\"")).expect("a reload");
    assert_eq!((change.opened.len(), change.closed.len()), (1, 0));
    let added = proxy.address("sip");
    let mut phone = Wire::phone(&proxy);
    // Whose ping is answered has been accepted.
    phone.send("\r\n\r\n");
    phone.expect(b"\r\n");
    assert_eq!(proxy.address("http"), kept);

    let change = proxy.reload(&web.configuration("a.example", "")).expect("a reload");
    assert_eq!((change.opened.len(), change.closed.len()), (0, 1));
    until("nobody listens there any more", || TcpStream::connect(added).is_err());
    assert_eq!(proxy.address("http"), kept);
    assert_eq!(waiting.get("a.example"), "HTTP/1.1 200 OK");
    // It was accepted by a listener that is gone, and is served all the same.
    phone.send(register("101", "one.example", "late"));
    assert_eq!(phone.start_line(), "SIP/2.0 404 Not Found");
}

#[test]
fn a_port_can_change_what_is_spoken_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let web = Web::start();
    let port = common::Port::reserve();
    let at = |kind: &str| {
        web.configuration("a.example", "")
            .replace("http = \"127.0.0.1:0\"", &format!("{kind} = \"127.0.0.1:{port}\""))
    };
    // The test's own hold on the port would make binding it alone fail.
    let text = at("sip");
    let number = port.number();
    drop(port);
    let proxy = Proxy::start(folder.path(), &text);
    let text = text.replace("sip = ", "http = ");
    proxy.reload(&text).expect("a reload");
    assert_eq!(proxy.address("http").port(), number);
    until("requests are answered there", || {
        let mut client = Client::connect(&proxy);
        client.get("a.example") == "HTTP/1.1 200 OK"
    });
}

#[test]
fn a_file_with_a_fault_or_a_port_that_is_taken_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let web = Web::start();
    let proxy = Proxy::start(folder.path(), &web.configuration("a.example", ""));
    let (state, listeners) = (proxy.control().state(), proxy.control().listeners());
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let _taken = TcpListener::bind(taken).expect("the port");
    let faults = [
        ("[listen", "rpd.toml:1:"),
        ("[listen]\nhttp = 0\n", "listen.http"),
        (&web.configuration("b.example", "sip = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\""), "no certificate"),
        (
            &web.configuration("b.example", &format!("ldap = \"127.0.0.1:0\"\nsip = \"{taken}\"")),
            "another program has this port",
        ),
        (
            &format!("{}[log]\nfile = \"no/such/folder/log\"\n", web.configuration("b.example", "")),
            "log.file",
        ),
    ];
    for (text, told) in faults {
        let error = proxy.reload(text).expect_err(text).to_string();
        assert!(error.contains(told), "{told}: {error}");
        assert!(Arc::ptr_eq(&state, &proxy.control().state()));
        assert_eq!(listeners, proxy.control().listeners());
    }
    assert_eq!(Client::connect(&proxy).get("a.example"), "HTTP/1.1 200 OK");
}

#[test]
fn nobody_who_waits_keeps_a_former_state() {
    let folder = certificates();
    let one = Pbx::start(folder.path());
    let web = Web::start();
    let text = format!(
        "{}{}",
        web.configuration("a.example", SIP.split_once('\n').unwrap().1),
        sip_host("one.example", &one)
    );
    let proxy = Proxy::start(folder.path(), &text);
    let mut phone = Wire::phone(&proxy);
    let _line = register_at(&mut phone, &one, "one.example");
    let mut idle = Client::connect(&proxy);
    assert_eq!(idle.get("a.example"), "HTTP/1.1 200 OK");
    let former = Arc::downgrade(&proxy.control().state());
    proxy.reload(&text).expect("a reload");
    until("the former state is gone", || former.upgrade().is_none());
    assert_eq!(idle.get("a.example"), "HTTP/1.1 200 OK");
}

#[test]
fn a_renewed_certificate_is_shown_at_the_next_handshake_and_a_new_subject_is_told() {
    let folder = certificates();
    let one = Pbx::start(folder.path());
    let text = format!(
        "[listen]\nsips = \"127.0.0.1:0\"\n[[tls.certificate]]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n{}",
        sip_host("one.example", &one)
    );
    let proxy = Proxy::start(folder.path(), &text);
    let before = shown(&proxy);
    let mut phone = Wire::secure_phone(&proxy, None);
    let mut line = register_at(&mut phone, &one, "one.example");

    // A pair that does not match is no pair, and the old one stays.
    fs::copy(folder.path().join("service.pem"), folder.path().join("proxy.pem")).expect("a copy");
    proxy.reload(&text).expect_err("a key of another certificate");
    assert_eq!(shown(&proxy), before);
    fs::copy(folder.path().join("service.key"), folder.path().join("proxy.key")).expect("a copy");
    let change = proxy.reload(&text).expect("a reload");
    assert!(shown(&proxy) != before);
    assert!(change.notes.iter().any(|note| note.contains("CN=service.example")), "{:?}", change.notes);
    let again = register("101", "one.example", "again");
    phone.send(&again);
    assert_eq!(line.text_message(), again);
}

#[test]
fn what_needs_a_restart_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let proxy = Proxy::start(folder.path(), "[engine]\nworkers = 1\n");
    let change = proxy.reload("[engine]\nworkers = 2\nruntime = \"shared\"\n").expect("a reload");
    for key in ["engine.workers", "engine.runtime"] {
        assert!(change.notes.iter().any(|note| note.starts_with(key)), "{:?}", change.notes);
    }
}

#[test]
fn who_shuts_down_does_not_reload() {
    let folder = tempfile::tempdir().expect("a folder");
    let proxy = Proxy::start(folder.path(), SIP);
    proxy.drain();
    assert!(proxy.reload(SIP).expect_err("the end").to_string().contains("shutting down"));
}

/// The certificate that a client gets to see.
fn shown(proxy: &Proxy) -> Vec<u8> {
    let mut socket = proxy.connect("sips");
    let config = tls::client_config_with(tls::accept_any(), None);
    let mut client =
        ClientConnection::new(Arc::new(config), "example.com".try_into().unwrap()).expect("a client");
    while client.is_handshaking() {
        client.complete_io(&mut socket).expect("a handshake");
    }
    client.peer_certificates().expect("a certificate")[0].to_vec()
}

/// A service that answers every request, on any number of connections.
struct Web {
    port: u16,
}

impl Web {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || serve(stream));
            }
        });
        Self { port }
    }

    fn configuration(&self, name: &str, listeners: &str) -> String {
        let port = self.port;
        format!(
            "[listen]\nhttp = \"127.0.0.1:0\"\n{listeners}\n[[host]]\nnames = [\"{name}\"]\ntarget = \"127.0.0.1\"\nhttp = {{ tcp = {port} }}\n"
        )
    }
}

fn serve(mut stream: TcpStream) {
    let mut received = Vec::new();
    while common::web::next_request(&mut stream, &mut received).is_some() {
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

struct Client(TcpStream);

impl Client {
    fn connect(proxy: &Proxy) -> Self {
        let stream = proxy.connect("http");
        Self(stream)
    }

    /// The status line.
    fn get(&mut self, host: &str) -> String {
        let _ = write!(self.0, "GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let mut answer = Vec::new();
        let mut octet = [0];
        while !answer.ends_with(b"\r\n\r\nok") && self.0.read(&mut octet).is_ok_and(|n| n > 0) {
            answer.extend_from_slice(&octet);
        }
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    }
}

/// Asks again and again for what cannot be waited for.
fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::yield_now();
    }
}
