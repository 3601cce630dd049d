//! Targets that misbehave: the client gets a clear answer, or sees that the one it has is not whole, and nobody else
//! loses anything by it.

mod common;

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::mpsc::{Receiver, channel},
    thread,
};

use socket2::{Domain, Socket, Type};

use common::{
    PATIENCE, Proxy,
    guarded::wait_until,
    patient,
    web::{CLOSE, OK, ask, next_request, read_until, service},
};

/// How a target ends.
#[derive(Clone, Copy)]
enum End {
    /// In order.
    Close,
    /// Not at all, until it is left.
    Stay,
}

/// A target that takes one request, answers with these octets, and ends like this; the next connection and all further
/// ones it serves well.
fn target(answer: impl Into<Vec<u8>>, end: End) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, requests) = channel();
    let answer = answer.into();
    thread::spawn(move || {
        let mut stream = patient(listener.accept().expect("the proxy connects").0);
        let mut received = Vec::new();
        let _ = told.send(next_request(&mut stream, &mut received).unwrap_or_default());
        // The proxy may have seen enough before the end.
        let _ = stream.write_all(&answer);
        match end {
            End::Close => drop(stream),
            End::Stay => {
                let _ = stream.read(&mut [0; 65536]);
            }
        }
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut received = Vec::new();
            while let Some(request) = next_request(&mut stream, &mut received) {
                let _ = told.send(request);
                let _ = stream.write_all(OK.as_bytes());
            }
        }
    });
    (port, requests)
}

fn proxy(port: u16, limits: &str) -> Proxy {
    let text = format!(
        "[listen]\nhttp = \"127.0.0.1:0\"\n[limits]\n{limits}\n[[host]]\nnames = [\"a.example\"]\ntarget = \"127.0.0.1\"\nhttp = {{ tcp = {port} }}\n"
    );
    Proxy::start(Path::new("."), &text)
}

fn get(version: &str, more: &str) -> String {
    format!("GET / HTTP/{version}\r\nHost: a.example\r\n{more}\r\n")
}

/// Another client is served as if nothing had happened.
fn others_are_served(proxy: &Proxy) {
    let answer = ask(proxy, &get("1.1", "Connection: close\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
}

#[test]
fn a_short_last_answer_and_the_end_of_its_connection_come_in_one_packet() {
    let (port, _requests) = service(vec![vec![Some(OK)]; 20]);
    let proxy = proxy(port, "");
    for _ in 0..20 {
        let mut stream = proxy.connect("http");
        let request = get("1.1", "Connection: close\r\n");
        stream.write_all(request.as_bytes()).expect("the proxy reads");
        let mut octets = [0; 4096];
        let n = stream.read(&mut octets).expect("an answer");
        assert!(octets[..n].ends_with(b"\r\n\r\nok"), "{}", octets[..n].escape_ascii());
        stream.set_nonblocking(true).expect("a socket");
        assert_eq!(stream.read(&mut octets).expect("the end is there already"), 0);
    }
}

#[test]
fn what_is_no_answer_becomes_502() {
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\nxx");
    let many = "X: y\r\n".repeat(101);
    let large = format!("X: {}\r\n", "y".repeat(33 * 1024));
    let interims = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(11);
    for answer in [
        String::new(),
        "SSH-2.0-OpenSSH\r\n\r\n".to_owned(),
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n".to_owned(),
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        head("Content-Length: 2\r\nContent-Length: 2\r\n"),
        head("Content-Length: 2, 2\r\n"),
        head("Content-Length: -2\r\n"),
        head("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"),
        head("Transfer-Encoding: gzip, chunked\r\n"),
        head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        head("Content-Length: 2\r\nX: a\r\n b\r\n"),
        head("Content-Length: 2\r\nX : a\r\n"),
        head("Content-Length: 2\r\nX: \u{1}\r\n"),
        head("no colon\r\n"),
        head(&many),
        head(&large),
        format!("{interims}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".to_owned(),
    ] {
        let (port, _) = target(answer.clone(), End::Close);
        let proxy = proxy(port, "");
        let got = ask(&proxy, &get("1.1", ""));
        let got = got.rsplit_once("HTTP/1.1 502 ").unwrap_or_else(|| panic!("{answer:?}: {got}"));
        assert!(got.1.contains(CLOSE.trim_end()), "{got:?}");
        others_are_served(&proxy);
    }
}

#[test]
fn an_answer_that_breaks_off_is_seen_to_break_off() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n";
    for (answer, end) in [
        (length.to_owned(), End::Close),
        (chunked.to_owned(), End::Close),
        (format!("{chunked}5\r\n123"), End::Close),
        (format!("{chunked}x\r\n12345\r\n0\r\n\r\n"), End::Stay),
        (format!("{chunked}1\n1\r\n0\r\n\r\n"), End::Stay),
        (format!("{chunked}0\r\nbad trailer\r\n\r\n"), End::Stay),
    ] {
        let (port, _) = target(answer.clone(), end);
        let proxy = proxy(port, "");
        let got = ask(&proxy, &get("1.1", ""));
        assert!(got.starts_with("HTTP/1.1 200 OK\r\n") && got.contains("12345"), "{answer:?}: {got}");
        assert!(!got.ends_with("0\r\n\r\n") && !got.contains("502"), "{answer:?}: {got}");
        others_are_served(&proxy);
    }
}

/// Reads to the end; whether it was a reset.
fn read_to_the_end(stream: &mut TcpStream) -> (String, bool) {
    let mut octets = Vec::new();
    let end = stream.read_to_end(&mut octets);
    let reset = matches!(&end, Err(error) if error.kind() == ErrorKind::ConnectionReset);
    assert!(reset || end.is_ok(), "{end:?}");
    (String::from_utf8_lossy(&octets).into_owned(), reset)
}

#[test]
fn towards_http_1_0_only_a_reset_can_say_that_an_answer_broke_off() {
    for (broken, end) in [("5\r\n123", End::Close), ("zz\r\n", End::Stay)] {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n{broken}");
        let (port, _) = target(answer, end);
        let proxy = proxy(port, "");
        let mut stream = proxy.connect("http");
        stream.write_all(get("1.0", "").as_bytes()).expect("the proxy reads");
        let (got, reset) = read_to_the_end(&mut stream);
        assert!(reset, "{got}");
        others_are_served(&proxy);
    }
    // One that is whole ends in order.
    let (port, _) =
        target("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n", End::Close);
    let proxy = proxy(port, "");
    let mut stream = proxy.connect("http");
    stream.write_all(get("1.0", "").as_bytes()).expect("the proxy reads");
    let (got, reset) = read_to_the_end(&mut stream);
    assert!(got.ends_with("\r\nConnection: close\r\n\r\n12345") && !reset, "{got}");
}

#[test]
fn an_answer_until_close_that_the_target_resets_is_not_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (go, wait) = channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the proxy connects");
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n12345").expect("the proxy reads");
        // What was never read makes the end a reset. The client has what came before by then.
        wait.recv_timeout(PATIENCE).expect("the client");
        drop(stream);
    });
    let proxy = proxy(port, "");
    let mut stream = proxy.connect("http");
    stream.write_all(get("1.1", "").as_bytes()).expect("the proxy reads");
    read_until(&mut stream, "\r\n\r\n5\r\n12345\r\n");
    go.send(()).expect("the target waits");
    let (rest, _) = read_to_the_end(&mut stream);
    assert_eq!(rest, "");
}

#[test]
fn statuses_without_a_body_have_none_whatever_their_fields_say() {
    for (request, status, kept) in [
        ("HEAD", "200 OK", true),
        ("HEAD", "404 Not Found", true),
        ("GET", "204 No Content", false),
        ("GET", "304 Not Modified", true),
    ] {
        let first: &str =
            Box::leak(format!("HTTP/1.1 {status}\r\nContent-Length: 1000\r\n\r\n").into_boxed_str());
        let (port, _) = service(vec![vec![Some(first), Some(OK)]]);
        let proxy = proxy(port, "");
        let last = get("1.1", "Connection: close\r\n");
        let got = ask(&proxy, &format!("{request} /1 HTTP/1.1\r\nHost: a.example\r\n\r\n{last}"));
        let (first, second) = got.split_once("\r\n\r\n").expect("two answers");
        assert!(first.starts_with(&format!("HTTP/1.1 {status}")), "{got}");
        assert_eq!(first.contains("Content-Length: 1000"), kept, "{got}");
        assert!(second.starts_with("HTTP/1.1 200 OK\r\n") && second.ends_with("\r\n\r\nok"), "{got}");
    }
}

#[test]
fn interim_answers_reach_those_who_know_them() {
    let answer =
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (version, hints) in [("1.1", 1), ("1.0", 0)] {
        let (port, _) = target(answer, End::Close);
        let got = ask(&proxy(port, ""), &get(version, "Connection: close\r\n"));
        assert_eq!(got.matches("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").count(), hints, "{got}");
        assert!(got.contains("HTTP/1.1 200 OK\r\n") && got.ends_with("ok"), "{got}");
    }
}

#[test]
fn what_concerns_only_the_leg_does_not_reach_the_client() {
    let answer = "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nAlt-Svc: h2=\":443\"\r\nProxy-Connection: close\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok";
    let (port, _) = target(answer, End::Close);
    let got = ask(&proxy(port, ""), &get("1.1", "Connection: close\r\n"));
    assert_eq!(got, "HTTP/1.1 200 OK\r\nX-Kept: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
}

#[test]
fn trailers_reach_those_who_take_them_and_never_say_what_only_a_head_may() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n2\r\nok\r\n0\r\nDigest:  abc \r\nContent-Length: 5\r\nSet-Cookie: a=b\r\nX_Forwarded_For: 192.0.2.1\r\nServer-Timing: x\r\n\r\n";
    for (more, end) in [
        (
            "TE: trailers\r\nConnection: TE, close\r\n",
            "\r\n\r\n2\r\nok\r\n0\r\nDigest: abc\r\nServer-Timing: x\r\n\r\n",
        ),
        ("Connection: close\r\n", "\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ] {
        let (port, _) = target(answer, End::Close);
        let got = ask(&proxy(port, ""), &get("1.1", more));
        assert!(got.ends_with(end), "{got}");
    }
}

#[test]
fn an_answer_that_comes_before_the_request_is_whole_ends_both() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the proxy connects");
        read_until(&mut stream, "\r\n\r\n");
        stream.write_all(OK.as_bytes()).expect("the proxy reads");
        // The leg is not used again: what of the body comes late is no request.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).map(|_| rest)
    });
    let proxy = proxy(port, "");
    let mut stream = proxy.connect("http");
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100\r\n\r\nhalf of it")
        .expect("the proxy reads");
    let (got, _) = read_to_the_end(&mut stream);
    assert!(got.starts_with("HTTP/1.1 200 OK\r\n") && got.contains(CLOSE.trim_end()), "{got}");
    assert!(got.ends_with("\r\n\r\nok"), "{got}");
    let rest = serving.join().expect("the target");
    assert!(rest.is_err() || rest.is_ok_and(|rest| rest == b"half of it"));
}

#[test]
fn a_head_that_dribbles_and_a_body_that_stands_still_are_given_up() {
    let limit = "http-response = \"300ms\"";
    let (port, _) = target("HTTP/1.1 200 OK\r\nContent-", End::Stay);
    let proxy_ = proxy(port, limit);
    let got = ask(&proxy_, &get("1.1", ""));
    assert!(got.starts_with("HTTP/1.1 504 "), "{got}");
    others_are_served(&proxy_);

    let (port, _) = target("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", End::Stay);
    let proxy_ = proxy(port, limit);
    let got = ask(&proxy_, &get("1.1", ""));
    assert!(got.ends_with("\r\n\r\n12345"), "{got}");
    others_are_served(&proxy_);
}

/// Some send an empty line behind a body (RFC 9112 2.2). Closing over it unread would be a reset, which takes from the
/// client what has not reached him.
#[test]
fn the_last_answer_arrives_though_the_client_has_sent_more_than_its_request() {
    const LARGE: usize = 256 * 1024;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let ((told, asked), (go_on, more_is_sent)) = (channel(), channel::<()>());
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the proxy connects");
        let _ = told.send(next_request(&mut stream, &mut Vec::new()));
        more_is_sent.recv().expect("the test goes on");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n");
        stream.write_all(&[head.as_bytes(), &[b'x'; LARGE]].concat()).expect("the proxy reads");
        let _ = stream.read(&mut [0]);
    });
    let proxy = proxy(port, "");
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    // So that most of the answer waits at the proxy's side.
    client.set_recv_buffer_size(4096).expect("a size");
    client.connect(&proxy.address("http").into()).expect("the proxy listens");
    let mut client = TcpStream::from(client);
    client.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let request = format!("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n{CLOSE}abc");
    client.write_all(request.as_bytes()).expect("the proxy reads");
    asked.recv_timeout(PATIENCE).expect("the target is asked").expect("a request");
    client.write_all(b"\r\n").expect("the proxy reads");
    go_on.send(()).expect("the target waits");
    wait_until("the proxy's end of the connection", || proxy.gate().registry.is_empty());
    let (got, reset) = read_to_the_end(&mut client);
    assert!(!reset && got.len() > LARGE, "{} octets, reset: {reset}", got.len());
    drop(proxy);
    serving.join().expect("the target");
}
