//! What a relay passes, keeps and ends.

mod common;

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread::{self, JoinHandle},
};

use common::{Proxy, connect, patient};
use rp_ldap::{ResultCode, messages};

/// A bind that is routed to the host of these tests.
fn bind() -> Vec<u8> {
    messages::simple_bind_request(1, "example.com\\user", "secret")
}

/// A proxy in front of one web server at `target`, of which a WebSocket makes a tunnel for any octets.
fn web(target: SocketAddr) -> Proxy {
    let text = format!(
        "[listen]\nhttp = \"127.0.0.1:0\"\n[[host]]\nnames = [\"example.com\"]\ntarget = \"127.0.0.1\"\nhttp = {{ tcp = {} }}\n",
        target.port()
    );
    Proxy::start(std::path::Path::new("."), &text)
}

/// The client's end of a tunnel.
fn tunnel(proxy: &Proxy) -> TcpStream {
    let mut stream = proxy.connect("http");
    stream
        .write_all(
            b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        )
        .expect("the proxy reads");
    read_head(&mut stream);
    stream
}

/// Does `work` at the service's end of a tunnel.
fn tunnelled<T: Send + 'static>(
    listener: TcpListener,
    work: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> JoinHandle<T> {
    service(listener, |mut stream| {
        read_head(&mut stream);
        stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            )
            .expect("the proxy reads");
        work(stream)
    })
}

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(read_exactly(stream, 1));
    }
}

/// A proxy in front of one directory at `target`, with `more` in its configuration.
fn proxy(target: SocketAddr, more: &str) -> Proxy {
    proxy_of(target, more, "")
}

/// The same with `keys` in the row of the directory.
fn proxy_of(target: SocketAddr, more: &str, keys: &str) -> Proxy {
    let text = format!(
        "[listen]\nldap = \"127.0.0.1:0\"\n{more}\n[[host]]\nnames = [\"example.com\"]\ntarget = \"127.0.0.1\"\n{keys}ldap = {{ tcp = {} }}\n",
        target.port()
    );
    Proxy::start(std::path::Path::new("."), &text)
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// Accepts one connection and does `work` with it.
fn service<T: Send + 'static>(
    listener: TcpListener,
    work: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> JoinHandle<T> {
    thread::spawn(move || {
        let stream = patient(listener.accept().expect("the proxy connects").0);
        work(stream)
    })
}

fn read_exactly(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut octets = vec![0; len];
    stream.read_exact(&mut octets).expect("as many octets");
    octets
}

#[test]
fn the_first_message_arrives_as_it_was_sent_and_the_answer_too() {
    let (listener, address) = listen();
    let directory = service(listener, |mut stream| {
        let bind = read_exactly(&mut stream, bind().len());
        stream.write_all(&messages::bind_response(1, ResultCode::SUCCESS, "")).expect("the proxy reads");
        bind
    });
    let proxy = proxy(address, "");
    let mut client = proxy.connect("ldap");
    client.write_all(&bind()).expect("the proxy reads");
    let answer = messages::bind_response(1, ResultCode::SUCCESS, "");
    assert_eq!(read_exactly(&mut client, answer.len()), answer);
    assert_eq!(directory.join().expect("the service"), bind());
}

#[test]
fn a_host_with_a_source_address_is_reached_from_there() {
    let (listener, address) = listen();
    let directory = service(listener, |stream| stream.peer_addr().expect("an address").ip());
    let proxy = proxy_of(address, "", "source-address = \"127.0.0.9\"\n");
    proxy.connect("ldap").write_all(&bind()).expect("the proxy reads");
    assert_eq!(directory.join().expect("the service").to_string(), "127.0.0.9");
}

#[test]
fn a_first_message_that_dribbles_in_is_routed_all_the_same() {
    let (listener, address) = listen();
    let directory = service(listener, |mut stream| read_exactly(&mut stream, bind().len()));
    let proxy = proxy(address, "");
    let mut client = proxy.connect("ldap");
    client.set_nodelay(true).expect("no delay");
    for octet in bind() {
        client.write_all(&[octet]).expect("the proxy reads");
    }
    assert_eq!(directory.join().expect("the service"), bind());
}

#[test]
fn the_end_of_one_side_leaves_the_other_open() {
    let (listener, address) = listen();
    let server = tunnelled(listener, |mut stream| {
        let mut sent = Vec::new();
        // Ends only if the client's end is passed on.
        stream.read_to_end(&mut sent).expect("the end of the client's side");
        stream.write_all(b"late words").expect("the other direction is open");
        sent
    });
    let proxy = web(address);
    let mut client = tunnel(&proxy);
    client.write_all(b"first words").expect("the proxy reads");
    client.shutdown(Shutdown::Write).expect("a half-close");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("the end of the service's side");
    assert_eq!(answer, b"late words");
    assert_eq!(server.join().expect("the service"), b"first words");
}

#[test]
fn many_octets_pass_both_ways_at_once_and_unchanged() {
    const MEGABYTES: usize = 24;
    fn pattern(seed: usize) -> Vec<u8> {
        (0..1_000_003_usize).map(|at| u8::try_from((at * 31 + seed + at / 251) % 256).unwrap_or(0)).collect()
    }
    fn exchange(stream: TcpStream, out: usize, back: usize) {
        let (mut writer, mut reader) = (stream.try_clone().expect("a clone"), stream);
        let writing = thread::spawn(move || {
            let block = pattern(out);
            (0..MEGABYTES).for_each(|_| writer.write_all(&block).expect("the proxy reads"));
            writer.shutdown(Shutdown::Write).expect("an end");
        });
        let block = pattern(back);
        for _ in 0..MEGABYTES {
            assert!(read_exactly(&mut reader, block.len()) == block, "octets were changed");
        }
        assert_eq!(reader.read(&mut [0]).expect("the end"), 0);
        writing.join().expect("the writer");
    }
    let (listener, address) = listen();
    let server = tunnelled(listener, |stream| exchange(stream, 1, 2));
    let proxy = web(address);
    exchange(tunnel(&proxy), 2, 1);
    server.join().expect("the service");
}

#[test]
fn a_service_that_goes_away_ends_the_client() {
    let (listener, address) = listen();
    let server = tunnelled(listener, drop);
    let proxy = web(address);
    let mut client = tunnel(&proxy);
    server.join().expect("the service");
    assert_eq!(client.read(&mut [0; 16]).expect("an end, not a time-out"), 0);
}

#[test]
fn a_silent_relay_ends_at_its_time_out() {
    let (listener, address) = listen();
    let directory = service(listener, |mut stream| {
        read_exactly(&mut stream, bind().len());
        stream.read(&mut [0; 16])
    });
    let proxy = proxy(address, "[limits]\nidle = { ldap = \"300ms\" }\n");
    let mut client = proxy.connect("ldap");
    client.write_all(&bind()).expect("the proxy reads");
    assert!(ended(client.read(&mut [0; 16])), "the client's side is open");
    assert!(ended(directory.join().expect("the service")), "the service's side is open");
}

#[test]
fn what_was_sent_before_the_connection_was_there_follows_the_first_message() {
    let (listener, address) = listen();
    let search =
        messages::search_request(2, "dc=example", messages::Scope::Subtree, messages::Filter::Present("cn"));
    let both = [bind(), search].concat();
    let len = both.len();
    let directory = service(listener, move |mut stream| read_exactly(&mut stream, len));
    let proxy = proxy(address, "");
    proxy.connect("ldap").write_all(&both).expect("the proxy reads");
    assert_eq!(directory.join().expect("the service"), both);
}

#[test]
fn shutdown_closes_what_is_left_at_the_deadline() {
    let (listener, address) = listen();
    let directory = service(listener, |mut stream| {
        read_exactly(&mut stream, bind().len());
        stream.write_all(&messages::bind_response(1, ResultCode::SUCCESS, "")).expect("the proxy reads");
        stream.read(&mut [0; 16])
    });
    let text = format!(
        "[listen]\nldap = \"127.0.0.1:0\"\n[limits]\ndrain = \"200ms\"\n[[host]]\nnames = [\"example.com\"]\ntarget = \"127.0.0.1\"\nldap = {{ tcp = {} }}\n",
        address.port()
    );
    let (config, _) = rpd::config::Config::parse(&text, std::path::Path::new("x")).expect("a configuration");
    let running = rpd::server::start(config).expect("a proxy");
    let at = running.listeners()[0].address;
    let mut client = connect(at);
    client.write_all(&bind()).expect("the proxy reads");
    read_exactly(&mut client, messages::bind_response(1, ResultCode::SUCCESS, "").len());
    running.stop().drain();
    running.join();
    // A notice of disconnection goes out if that takes no time.
    let mut words = Vec::new();
    client.read_to_end(&mut words).expect("the client's side is open");
    assert!(words.is_empty() || words == messages::notice_of_disconnection(ResultCode::UNAVAILABLE));
    assert!(ended(directory.join().expect("the service")), "the service's side is open");
    assert!(TcpStream::connect(at).is_err(), "still accepting");
}

#[test]
fn shutdown_does_not_wait_when_nothing_is_open() {
    let (_, address) = listen();
    let text = format!(
        "[listen]\nldap = \"127.0.0.1:0\"\n[limits]\ndrain = \"300d\"\n[[host]]\nnames = [\"example.com\"]\ntarget = \"127.0.0.1\"\nldap = {{ tcp = {} }}\n",
        address.port()
    );
    let (config, _) = rpd::config::Config::parse(&text, std::path::Path::new("x")).expect("a configuration");
    let running = rpd::server::start(config).expect("a proxy");
    running.stop().drain();
    running.join();
}

/// An end of stream or a reset, and not a time-out.
fn ended(read: std::io::Result<usize>) -> bool {
    match read {
        Ok(n) => n == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}
