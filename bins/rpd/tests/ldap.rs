//! LDAP beyond the first bind: other users, other directories, StartTLS, and what the answers mean.

mod common;

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread,
};

use common::{Connection, PATIENCE, Process, Proxy, certificates, connect};
use rp_ldap::{
    Error, Request, ResultCode, answer, extract,
    messages::{self, Filter, Scope},
};
use rpd::tls;
use rustls::{ClientConnection, StreamOwned};

/// A directory that tells the bind names it gets, and `end` when a connection ends. Users called `wrong` get 49, for
/// `gone` it closes without an answer, and a search below `big` is answered with a large entry, half of it at once and
/// half when something else comes.
fn directory() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, seen) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let told = told.clone();
            thread::spawn(move || {
                let tell = |what: &str| drop(told.send(what.to_owned()));
                // A proxy that goes away is no fault of the directory's.
                let _ = serve(stream, &tell);
                tell("end");
            });
        }
    });
    (port, seen)
}

fn serve(mut stream: TcpStream, tell: &impl Fn(&str)) -> std::io::Result<()> {
    let mut received = Vec::new();
    loop {
        let key = match extract(&received) {
            Ok(key) => key,
            Err(Error::Incomplete(_)) => {
                let mut octets = [0; 4096];
                match stream.read(&mut octets)? {
                    0 => return Ok(()),
                    n => received.extend_from_slice(&octets[..n]),
                }
                continue;
            }
            Err(Error::Invalid(invalid)) => panic!("the directory got {invalid}"),
        };
        match key.request {
            Request::Bind(bind) => {
                let name = String::from_utf8_lossy(bind.name).into_owned();
                tell(&name);
                if name.ends_with("gone") {
                    return Ok(());
                }
                let code = if name.ends_with("wrong") {
                    ResultCode::INVALID_CREDENTIALS
                } else {
                    ResultCode::SUCCESS
                };
                stream.write_all(&messages::bind_response(key.message_id, code, ""))?;
            }
            Request::Search if received.windows(3).any(|part| part == b"big") => {
                let entry = big_entry(key.message_id);
                stream.write_all(&entry[..entry.len() / 2])?;
                tell("half");
                stream.write_all(&entry[entry.len() / 2..])?;
                stream.write_all(&messages::search_done(key.message_id, ResultCode::SUCCESS, ""))?;
            }
            Request::Search => {
                stream.write_all(&messages::search_done(key.message_id, ResultCode::SUCCESS, "searched"))?;
            }
            Request::Unbind => return Ok(()),
            _ => panic!("the directory got {key}"),
        }
        let used = key.frame_len;
        received.drain(..used);
    }
}

fn big_entry(id: i32) -> Vec<u8> {
    let value = "x".repeat(300_000);
    messages::search_entry(id, "cn=big", &[("description", &[&value])])
}

/// `a.example` and `b.example` at these ports.
fn configuration(a: u16, b: u16, more: &str) -> String {
    format!(
        "[listen]\nldap = \"127.0.0.1:0\"\n{more}\n[[host]]\nnames = [\"a.example\"]\ntarget = \"127.0.0.1\"\nldap = {{ tcp = {a} }}\n\
         [[host]]\nnames = [\"b.example\"]\ntarget = \"127.0.0.1\"\nldap = {{ tcp = {b} }}\n"
    )
}

fn proxy(a: u16, b: u16) -> Proxy {
    Proxy::start(Path::new("."), &configuration(a, b, ""))
}

struct Client {
    stream: Box<dyn Connection>,
    received: Vec<u8>,
}

impl Client {
    fn at(address: SocketAddr) -> Self {
        let socket = connect(address);
        Self { stream: Box::new(socket), received: Vec::new() }
    }

    fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).expect("the proxy reads");
        self.stream.flush().expect("the proxy reads");
    }

    /// Message id and result of the next message that has one; none at the end of the connection.
    fn result(&mut self) -> Option<(i32, i32)> {
        loop {
            match answer(&self.received) {
                Ok(message) => {
                    let found = message.result.map(|result| (message.message_id, result.code.0));
                    let len = message.frame_len;
                    self.received.drain(..len);
                    if found.is_some() {
                        return found;
                    }
                }
                Err(Error::Incomplete(_)) => {
                    let mut octets = vec![0; 65_536];
                    match self.stream.read(&mut octets) {
                        Ok(0) => return None,
                        Ok(n) => self.received.extend_from_slice(&octets[..n]),
                        Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                        Err(error) => panic!("{error}"),
                    }
                }
                Err(Error::Invalid(invalid)) => panic!("{invalid}"),
            }
        }
    }

    fn bind(&mut self, id: i32, name: &str) -> Option<(i32, i32)> {
        self.send(&messages::simple_bind_request(id, name, "secret"));
        self.result()
    }
}

fn search(id: i32, base: &str) -> Vec<u8> {
    messages::search_request(id, base, Scope::Subtree, Filter::Present("cn"))
}

fn next(seen: &Receiver<String>) -> String {
    seen.recv_timeout(PATIENCE).expect("something happens at the directory")
}

#[test]
fn a_connection_serves_one_user_after_the_other_and_one_directory_after_the_other() {
    let ((a, at_a), (b, at_b)) = (directory(), directory());
    let proxy = proxy(a, b);
    let mut client = Client::at(proxy.address("ldap"));
    assert_eq!(client.bind(1, "a.example\\one"), Some((1, 0)));
    assert_eq!(client.bind(2, "a.example\\wrong"), Some((2, 49)));
    assert_eq!(client.bind(3, "CN=two,DC=a,DC=example"), Some((3, 0)));
    // The same connection of the directory, so far.
    assert_eq!(
        [next(&at_a), next(&at_a), next(&at_a)],
        ["a.example\\one", "a.example\\wrong", "CN=two,DC=a,DC=example"]
    );
    assert_eq!(client.bind(4, "b.example\\three"), Some((4, 0)));
    assert_eq!((next(&at_a), next(&at_b)), ("end".to_owned(), "b.example\\three".to_owned()));
    client.send(&search(5, "dc=x"));
    assert_eq!(client.result(), Some((5, 0)));
    assert_eq!(client.bind(6, "a.example\\one"), Some((6, 0)));
    assert_eq!((next(&at_b), next(&at_a)), ("end".to_owned(), "a.example\\one".to_owned()));
}

#[test]
fn a_bind_that_is_refused_here_ends_the_session_of_the_user_before() {
    let ((a, at_a), (b, _at_b)) = (directory(), directory());
    let proxy = proxy(a, b);
    let mut client = Client::at(proxy.address("ldap"));
    assert_eq!(client.bind(1, "a.example\\one"), Some((1, 0)));
    assert_eq!(client.bind(2, "unknown.example\\two"), Some((2, 49)));
    assert_eq!([next(&at_a), next(&at_a)], ["a.example\\one", "end"]);
    client.send(&search(3, "dc=x"));
    assert_eq!(client.result(), Some((3, 1)));
    assert_eq!(client.bind(4, "a.example\\one"), Some((4, 0)));
}

#[test]
fn external_is_never_relayed_because_it_would_be_the_proxys_own_certificate() {
    let ((a, at_a), (b, _at_b)) = (directory(), directory());
    let proxy = proxy(a, b);
    let mut client = Client::at(proxy.address("ldap"));
    assert_eq!(client.bind(1, "a.example\\one"), Some((1, 0)));
    client.send(b"\x30\x16\x02\x01\x02\x60\x11\x02\x01\x03\x04\x00\xa3\x0a\x04\x08EXTERNAL");
    assert_eq!(client.result(), Some((2, 7)));
    assert_eq!([next(&at_a), next(&at_a)], ["a.example\\one", "end"]);
}

#[test]
fn an_anonymous_bind_stays_with_the_directory() {
    let ((a, at_a), (b, _at_b)) = (directory(), directory());
    let proxy = proxy(a, b);
    let mut client = Client::at(proxy.address("ldap"));
    assert_eq!(client.bind(1, "a.example\\one"), Some((1, 0)));
    client.send(&messages::simple_bind_request(2, "", ""));
    assert_eq!(client.result(), Some((2, 0)));
    assert_eq!([next(&at_a), next(&at_a)], ["a.example\\one", ""]);
}

#[test]
fn a_switch_waits_for_the_end_of_a_message_and_drops_what_comes_behind_it() {
    let ((a, at_a), (b, at_b)) = (directory(), directory());
    let proxy = proxy(a, b);
    let mut client = Client::at(proxy.address("ldap"));
    assert_eq!(client.bind(1, "a.example\\one"), Some((1, 0)));
    client.send(&[search(2, "big"), messages::simple_bind_request(3, "b.example\\two", "x")].concat());
    // Whole messages only, whatever had arrived when the client left; the last one is the new directory's.
    let mut results = Vec::new();
    while results.last() != Some(&(3, 0)) {
        results.push(client.result().expect("the bind is answered"));
    }
    assert!(results.len() <= 2, "{results:?}");
    assert_eq!(next(&at_a), "a.example\\one");
    assert_eq!(next(&at_b), "b.example\\two");
}

#[test]
fn many_binds_at_once_are_all_watched_and_none_is_lost() {
    let ((a, at_a), (b, _at_b)) = (directory(), directory());
    // More than a guard would stand.
    let proxy = Proxy::start(Path::new("."), &configuration(a, b, "[guard]\nthreshold = 0\n"));
    let mut client = Client::at(proxy.address("ldap"));
    let binds: Vec<u8> =
        (1..=40).flat_map(|id| messages::simple_bind_request(id, "a.example\\wrong", "x")).collect();
    client.send(&binds);
    for id in 1..=40 {
        assert_eq!(client.result(), Some((id, 49)));
    }
    assert_eq!(at_a.try_iter().count(), 40);
}

#[test]
fn a_directory_that_goes_away_is_announced() {
    let ((a, _at_a), (b, _at_b)) = (directory(), directory());
    let proxy = proxy(a, b);
    let mut client = Client::at(proxy.address("ldap"));
    assert_eq!(client.bind(1, "a.example\\gone"), Some((0, 52)));
    assert_eq!(client.result(), None);
}

#[test]
fn garbage_behind_a_bind_does_not_pass_and_gets_a_notice_if_it_is_framed() {
    let ((a, at_a), (b, _at_b)) = (directory(), directory());
    let proxy = proxy(a, b);
    // A message with the id 0; then what is no message at all, and a length of the indefinite form.
    for (garbage, notice) in [
        (&b"\x30\x05\x02\x01\x00\x42\x00"[..], Some((0, 2))),
        (b"GET / HTTP/1.1\r\n\r\n", None),
        (b"\x30\x80\x02\x01\x01", None),
    ] {
        let mut client = Client::at(proxy.address("ldap"));
        assert_eq!(client.bind(1, "a.example\\one"), Some((1, 0)));
        client.send(garbage);
        assert_eq!(client.result(), notice);
        assert_eq!(client.result(), None);
        assert_eq!([next(&at_a), next(&at_a)], ["a.example\\one", "end"]);
    }
}

#[test]
fn start_tls_is_answered_by_the_proxy_and_then_there_is_tls() {
    let folder = certificates();
    let ((a, at_a), (b, _at_b)) = (directory(), directory());
    let more =
        "[ldap]\nrequire-tls = true\n[[tls.certificate]]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n";
    let proxy = Proxy::start(folder.path(), &configuration(a, b, more));
    let mut socket = proxy.connect("ldap");
    let read = |socket: &mut TcpStream| {
        let mut octets = [0; 512];
        let n = socket.read(&mut octets).expect("an answer");
        answer(&octets[..n]).expect("an answer").result.expect("a result").code.0
    };
    // In clear no bind is taken.
    socket.write_all(&messages::simple_bind_request(1, "a.example\\one", "x")).expect("the proxy reads");
    assert_eq!(read(&mut socket), 13);
    socket.write_all(&messages::start_tls_request(2)).expect("the proxy reads");
    assert_eq!(read(&mut socket), 0);
    let config = tls::client_config_with(tls::accept_any(), None);
    let connection =
        ClientConnection::new(Arc::new(config), "example.com".try_into().expect("a name")).expect("a client");
    let mut client = Client { stream: Box::new(StreamOwned::new(connection, socket)), received: Vec::new() };
    client.send(&messages::start_tls_request(3));
    assert_eq!(client.result(), Some((3, 1)));
    assert_eq!(client.bind(4, "a.example\\one"), Some((4, 0)));
    // Once something is relayed, a second request for it is answered here too.
    client.send(&messages::start_tls_request(5));
    assert_eq!(client.result(), Some((5, 1)));
    assert_eq!(next(&at_a), "a.example\\one");
}

#[test]
fn octets_behind_start_tls_are_not_taken_for_encrypted_ones() {
    let folder = certificates();
    let ((a, at_a), (b, _at_b)) = (directory(), directory());
    let more = "[[tls.certificate]]\ncertificate = \"proxy.pem\"\nkey = \"proxy.key\"\n";
    let proxy = Proxy::start(folder.path(), &configuration(a, b, more));
    let mut client = Client::at(proxy.address("ldap"));
    client.send(
        &[messages::start_tls_request(1), messages::simple_bind_request(2, "a.example\\one", "x")].concat(),
    );
    assert_eq!((client.result(), client.result()), (Some((0, 2)), None));
    assert!(at_a.try_recv().is_err());
}

#[test]
fn a_wrong_password_is_one_line_and_a_right_one_none() {
    let ((a, _at_a), (b, _at_b)) = (directory(), directory());
    let folder = tempfile::tempdir().expect("a folder");
    let file = common::write(folder.path(), "rpd.toml", &configuration(a, b, ""));
    let mut proxy = Process::start(&file);
    let mut client = Client::at(proxy.address("ldap"));
    assert_eq!(client.bind(1, "a.example\\one"), Some((1, 0)));
    assert_eq!(client.bind(2, "a.example\\wrong"), Some((2, 49)));
    let line = proxy.line("refused");
    assert!(line.contains("reason=refused") && line.contains("bind response 49"), "{line}");
    assert!(line.contains("name=a.example") && line.contains("wrong"), "{line}");
}

#[test]
fn what_is_refused_after_a_directory_was_left_is_not_told_of_it() {
    let ((a, _at_a), (b, _at_b)) = (directory(), directory());
    let folder = tempfile::tempdir().expect("a folder");
    let file = common::write(folder.path(), "rpd.toml", &configuration(a, b, "[log]\nforwarded = true\n"));
    let mut proxy = Process::start(&file);
    let mut client = Client::at(proxy.address("ldap"));
    assert_eq!(client.bind(1, "a.example\\one"), Some((1, 0)));
    assert_eq!(client.bind(2, "unknown.example\\one"), Some((2, 49)));
    assert_eq!(client.bind(3, "b.example\\one"), Some((3, 0)));
    drop(client);
    let line = proxy.line("name=");
    assert!(line.contains("forwarded") && line.contains("host=a.example"), "{line}");
    let line = proxy.line("name=");
    assert!(line.contains("name=unknown.example") && !line.contains("host="), "{line}");
    let line = proxy.line("name=");
    assert!(line.contains("host=b.example") && line.contains("end=closed"), "{line}");
}

#[test]
fn who_asks_for_tls_over_and_over_is_not_answered_for_ever() {
    let ((a, _at_a), (b, _at_b)) = (directory(), directory());
    let proxy = proxy(a, b);
    let mut client = Client::at(proxy.address("ldap"));
    assert_eq!(client.bind(1, "a.example\\one"), Some((1, 0)));
    client.send(&(2..60).flat_map(messages::start_tls_request).collect::<Vec<u8>>());
    let answers = std::iter::from_fn(|| client.result()).count();
    assert_eq!(answers, 16);
}

#[test]
fn where_tls_is_required_a_default_host_is_no_way_around_it() {
    let ((a, at_a), (b, _at_b)) = (directory(), directory());
    let text = configuration(a, b, "[ldap]\nrequire-tls = true\n").replacen(
        "ldap = { tcp",
        "default = [\"ldap\"]\nldap = { tcp",
        1,
    );
    let proxy = Proxy::start(Path::new("."), &text);
    let mut client = Client::at(proxy.address("ldap"));
    client.send(&search(1, ""));
    assert_eq!(client.result(), Some((1, 0)));
    assert_eq!(client.bind(2, "a.example\\one"), Some((2, 13)));
    assert_eq!(next(&at_a), "end");
}

/// A request of this operation, with nothing in it that a proxy reads.
fn request(id: u8, tag: u8) -> Vec<u8> {
    vec![0x30, 5, 2, 1, id, tag, 0]
}

#[test]
fn without_a_directory_each_request_has_the_answer_of_its_own_kind() {
    let proxy = proxy(1, 1);
    let mut client = Client::at(proxy.address("ldap"));
    // Modify, add, delete, rename, compare; an extended request that is not StartTLS; SASL without a domain.
    for (id, tag, answer) in
        [(1, 0x66, 0x67), (2, 0x68, 0x69), (3, 0x4a, 0x6b), (4, 0x6c, 0x6d), (5, 0x6e, 0x6f)]
    {
        client.send(&request(id, tag));
        let mut octets = [0; 512];
        let n = client.stream.read(&mut octets).expect("an answer");
        let reply = rp_ldap::answer(&octets[..n]).expect("an answer");
        assert_eq!(
            (reply.operation.0, reply.message_id, reply.result.map(|r| r.code.0)),
            (answer, i32::from(id), Some(1))
        );
    }
    client.send(b"\x30\x0c\x02\x01\x06\x77\x07\x80\x051.2.3");
    assert_eq!(client.result(), Some((6, 1)));
    client.send(b"\x30\x14\x02\x01\x07\x60\x0f\x02\x01\x03\x04\x00\xa3\x08\x04\x06GSSAPI");
    assert_eq!(client.result(), Some((7, 7)));
    // There is no answer to an abandon, and what LDAP does not have ends the connection.
    client.send(&[&b"\x30\x06\x02\x01\x08\x50\x01\x01"[..], &request(9, 0x7e)].concat());
    assert_eq!((client.result(), client.result()), (None, None));
    let mut client = Client::at(proxy.address("ldap"));
    client.send(&[&b"\x30\x06\x02\x01\x08\x50\x01\x01"[..], &request(9, 0x7e)].concat());
    assert_eq!((client.result(), client.result()), (Some((0, 2)), None));
}

#[test]
fn where_there_is_no_certificate_start_tls_is_declined_and_the_connection_goes_on() {
    let (a, at_a) = directory();
    let proxy = proxy(a, a);
    let mut client = Client::at(proxy.address("ldap"));
    client.send(&messages::start_tls_request(1));
    assert_eq!(client.result(), Some((1, 2)));
    assert_eq!(client.bind(2, "a.example\\one"), Some((2, 0)));
    assert_eq!(next(&at_a), "a.example\\one");
}

#[test]
fn a_client_that_ends_its_side_gets_what_is_still_to_come_and_no_notice() {
    let ((a, _at_a), (b, _at_b)) = (directory(), directory());
    let proxy = proxy(a, b);
    let bind = messages::simple_bind_request(1, "a.example\\one", "x");
    for goodbye in [Vec::new(), messages::unbind_request(3)] {
        let mut socket = proxy.connect("ldap");
        socket
            .write_all(&[bind.clone(), search(2, "big"), goodbye.clone()].concat())
            .expect("the proxy reads");
        if goodbye.is_empty() {
            socket.shutdown(std::net::Shutdown::Write).expect("an end");
        }
        let mut octets = Vec::new();
        socket.read_to_end(&mut octets).expect("an end, and no reset");
        let mut ids = Vec::new();
        let mut rest = &octets[..];
        while !rest.is_empty() {
            let message = answer(rest).expect("a message");
            ids.push(message.message_id);
            rest = &rest[message.frame_len..];
        }
        assert_eq!(ids, [1, 2, 2]);
    }
}

#[test]
fn who_named_nobody_is_told_of_once_and_silence_after_an_answer_is_no_offence() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = configuration(1, 1, "[limits]\nfirst-message = \"200ms\"\n[log]\nlevel = \"debug\"\n");
    let mut proxy = Process::start(&common::write(folder.path(), "rpd.toml", &text));
    let address = proxy.address("ldap");
    let mut client = Client::at(address);
    assert_eq!(client.bind(1, ""), Some((1, 48)));
    client.send(&search(2, ""));
    assert_eq!((client.result(), client.result()), (Some((2, 1)), None));
    let line = proxy.line("conn=1");
    assert!(line.contains("reason=no-name"), "{line}");
    // The directory is down: its phones wait, and that is all.
    let mut client = Client::at(address);
    assert_eq!(client.bind(1, "a.example\\one"), Some((1, 52)));
    assert_eq!(client.result(), None);
    let line = proxy.line("conn=2");
    assert!(line.contains("reason=target-unreachable"), "{line}");
    // The next line is the next connection's: nothing more was told of this one.
    assert_eq!(Client::at(address).bind(1, "unknown.example\\one"), Some((1, 49)));
    let line = proxy.line("refused");
    assert!(line.contains("conn=3"), "{line}");
}

#[test]
fn a_proxy_that_ends_says_so_between_two_messages() {
    let ((a, _at_a), (b, _at_b)) = (directory(), directory());
    let proxy = proxy(a, b);
    let mut routed = Client::at(proxy.address("ldap"));
    assert_eq!(routed.bind(1, "a.example\\one"), Some((1, 0)));
    let mut unrouted = Client::at(proxy.address("ldap"));
    assert_eq!(unrouted.bind(1, "unknown.example\\one"), Some((1, 49)));
    // Ending waits for the clients, a moment long.
    let ending = thread::spawn(move || drop(proxy));
    for client in [&mut routed, &mut unrouted] {
        assert_eq!((client.result(), client.result()), (Some((0, 52)), None));
    }
    drop((routed, unrouted));
    ending.join().expect("the proxy ends");
}

#[test]
fn names_of_every_form_find_their_host() {
    let ((a, at_a), (b, at_b)) = (directory(), directory());
    let text = format!(
        "[listen]\nldap = \"127.0.0.1:0\"\n\
         [[host]]\nnames = [\"a.example\", \"a.example/branch\", \"*.a.example\"]\ntarget = \"127.0.0.1\"\nldap = {{ tcp = {a} }}\n\
         [[host]]\nnames = [\"b.example\"]\ntarget = \"127.0.0.1\"\nldap = {{ tcp = {b}, user-at-domain = true }}\n"
    );
    let proxy = Proxy::start(Path::new("."), &text);
    for (name, host) in [
        ("a.example\\guest", Some("a")),
        ("A.Example.\\guest", Some("a")),
        ("a.example\\_PBX_", Some("a")),
        ("a.example/branch\\_PBX_", Some("a")),
        ("hq.a.example\\guest", Some("a")),
        ("CN=Doe\\, John,OU=phones,DC=a,DC=example", Some("a")),
        ("cn=x\\,dc=b,dc=a,dc=example", Some("a")),
        ("b.example\\guest", Some("b")),
        ("guest@b.example", Some("b")),
        // Only where that is wanted.
        ("guest@a.example", None),
        ("a.example/hq\\_PBX_", None),
        ("example\\guest", None),
        ("cn=guest,dc=a,dc=example,o=x", None),
        ("guest", None),
    ] {
        let mut client = Client::at(proxy.address("ldap"));
        let code = if host.is_some() { 0 } else { 49 };
        assert_eq!(client.bind(1, name), Some((1, code)), "{name}");
        // Passed on as it is.
        match host {
            Some("a") => assert_eq!(
                [next(&at_a), {
                    drop(client);
                    next(&at_a)
                }],
                [name, "end"]
            ),
            Some(_) => assert_eq!(
                [next(&at_b), {
                    drop(client);
                    next(&at_b)
                }],
                [name, "end"]
            ),
            None => {}
        }
    }
    assert!(at_a.try_recv().is_err() && at_b.try_recv().is_err());
}

#[test]
fn a_default_host_takes_what_has_no_other_and_nothing_that_is_closed() {
    let ((a, at_a), (b, _at_b)) = (directory(), directory());
    let text = format!(
        "[listen]\nldap = \"127.0.0.1:0\"\n\
         [[host]]\ndefault = [\"ldap\"]\ntarget = \"127.0.0.1\"\nldap = {{ tcp = {a} }}\n\
         [[host]]\nnames = [\"b.example\"]\ntarget = \"127.0.0.1\"\nldap = {{ tcp = {b}, networks = [\"192.0.2.1\"] }}\n"
    );
    let proxy = Proxy::start(Path::new("."), &text);
    for name in ["", "guest", "other.example\\guest"] {
        let mut client = Client::at(proxy.address("ldap"));
        assert_eq!(client.bind(1, name), Some((1, 0)), "{name}");
        drop(client);
        assert_eq!([next(&at_a), next(&at_a)], [name, "end"]);
    }
    // A search before any bind goes there too, and a host that is closed to this client is closed.
    let mut client = Client::at(proxy.address("ldap"));
    client.send(&search(1, ""));
    assert_eq!(client.result(), Some((1, 0)));
    assert_eq!(client.bind(2, "b.example\\guest"), Some((2, 49)));
    assert_eq!(next(&at_a), "end");
}

#[test]
fn what_is_told_of_a_bind_is_for_the_host_to_say() {
    let ((a, _at_a), (b, _at_b)) = (directory(), directory());
    let folder = tempfile::tempdir().expect("a folder");
    // Nothing of the first host's counts, everything of the second's.
    let text = configuration(a, b, "")
        .replacen("ldap = { tcp", "ldap = { suspicious-results = [], tcp", 1)
        .replacen("ldap = { tcp", "ldap = { suspicious-results = [0, 49], tcp", 1);
    let mut proxy = Process::start(&common::write(folder.path(), "rpd.toml", &text));
    let mut client = Client::at(proxy.address("ldap"));
    assert_eq!(client.bind(1, "a.example\\wrong"), Some((1, 49)));
    assert_eq!(client.bind(2, "b.example\\one"), Some((2, 0)));
    let line = proxy.line("refused");
    assert!(line.contains("bind response 0") && line.contains("host=b.example"), "{line}");
}

#[test]
fn who_guesses_gets_his_answer_and_then_a_notice_and_who_has_logged_in_stays() {
    let ((a, _at_a), (b, _at_b)) = (directory(), directory());
    let proxy = Proxy::start(Path::new("."), &configuration(a, b, "[guard]\nthreshold = 2\n"));
    let clients = || Client::at(proxy.address("ldap"));
    let (mut proven, mut anonymous, mut routed, mut unrouted) = (clients(), clients(), clients(), clients());
    assert_eq!(proven.bind(1, "a.example\\one"), Some((1, 0)));
    assert_eq!(anonymous.bind(1, ""), Some((1, 48)));
    assert_eq!(routed.bind(1, "a.example\\wrong"), Some((1, 49)));
    assert_eq!(unrouted.bind(1, "unknown.example\\one"), Some((1, 49)));
    // The third in a minute.
    assert_eq!(routed.bind(2, "a.example\\wrong"), Some((2, 49)));
    for client in [&mut routed, &mut unrouted, &mut anonymous] {
        assert_eq!((client.result(), client.result()), (Some((0, 52)), None));
    }
    proven.send(&search(2, ""));
    assert_eq!(proven.result(), Some((2, 0)));
    let refused = TcpStream::connect(proxy.address("ldap")).and_then(|mut socket| socket.read(&mut [0]));
    assert!(matches!(refused, Ok(0) | Err(_)));
}
