//! Requests and answers: in order, each by its own name, written anew, and never more than was asked.

mod common;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::mpsc::Receiver,
    thread,
};

use common::{
    PATIENCE, Proxy,
    web::{CLOSE, OK, ask, read_until, service},
};

/// `a.example` and `b.example` at these ports.
fn proxy(a: u16, b: u16, more: &str) -> Proxy {
    let text = format!(
        "[listen]\nhttp = \"127.0.0.1:0\"\n{more}\n[[host]]\nnames = [\"a.example\"]\ntarget = \"127.0.0.1\"\nhttp = {{ tcp = {a} }}\n\
         [[host]]\nnames = [\"b.example\"]\ntarget = \"127.0.0.1\"\nhttp = {{ tcp = {b} }}\n"
    );
    Proxy::start(Path::new("."), &text)
}

#[test]
fn a_request_leaves_in_canonical_form_with_the_true_client_address() {
    let (port, requests) = service(vec![vec![Some(OK)]]);
    let proxy = proxy(port, port, "");
    let answer = ask(
        &proxy,
        "GET http://A.Example:80/x?y=1 HTTP/1.1\r\nhost: a.example\r\nX-Forwarded-For: 192.0.2.1\r\nX-Hop: 1\r\nConnection: X-Hop, close\r\nX-Kept:  a b \r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
    let request = requests.recv_timeout(PATIENCE).expect("a request");
    assert!(request.starts_with("GET /x?y=1 HTTP/1.1\r\nHost: A.Example:80\r\nX-Kept: a b\r\n"), "{request}");
    assert!(request.contains("\r\nX-Forwarded-For: 127.0.0.1\r\n"), "{request}");
    assert!(!request.contains("192.0.2.1") && !request.contains("X-Hop"), "{request}");
}

#[test]
fn requests_on_one_connection_go_each_to_their_own_host_and_are_answered_in_order() {
    let (a, at_a) = service(vec![
        vec![
            Some("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na1"),
            Some("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na2"),
        ],
        vec![Some("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na3")],
    ]);
    let (b, at_b) = service(vec![vec![Some("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nb1")]]);
    let proxy = proxy(a, b, "");
    let get = |path: &str, host: &str, last: bool| {
        format!("GET {path} HTTP/1.1\r\nHost: {host}.example\r\n{}", if last { CLOSE } else { "\r\n" })
    };
    // All in one segment, with one that nobody gets in between.
    let requests =
        [get("/1", "a", false), get("/2", "a", false), get("/3", "b", false), get("/4", "a", true)];
    let answer = ask(&proxy, &requests.concat());
    let bodies: Vec<&str> = answer.split("\r\n\r\n").skip(1).map(|part| &part[..2]).collect();
    assert_eq!(bodies, ["a1", "a2", "b1", "a3"], "{answer}");
    let seen = |requests: &Receiver<String>| -> Vec<String> {
        requests.try_iter().map(|request| request.split(' ').nth(1).unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(
        (seen(&at_a), seen(&at_b)),
        (vec!["/1".to_owned(), "/2".into(), "/4".into()], vec!["/3".to_owned()])
    );
}

#[test]
fn a_name_that_nobody_has_ends_the_connection_and_reaches_nobody() {
    let (port, requests) = service(vec![vec![Some(OK)]]);
    let proxy = proxy(port, port, "");
    let answer = ask(
        &proxy,
        "GET / HTTP/1.1\r\nHost: a.example\r\n\r\nGET / HTTP/1.1\r\nHost: c.example\r\n\r\nGET /third HTTP/1.1\r\nHost: a.example\r\n\r\n",
    );
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer}");
    assert!(answer.contains("HTTP/1.1 404 "), "{answer}");
    assert_eq!(requests.iter().count(), 1);
}

#[test]
fn bodies_pass_with_a_length_and_in_chunks() {
    let (port, requests) = service(vec![vec![
        Some(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n4\r\ndefg\r\n0\r\nTrailer: no\r\n\r\n",
        ),
        Some(OK),
        Some("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n"),
    ]]);
    let proxy = proxy(port, port, "");
    let answer = ask(
        &proxy,
        "POST /1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 05\r\n\r\nhelloPOST /2 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhe\r\n3;a\r\nllo\r\n0\r\n\r\nGET /3 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n",
    );
    let first = requests.recv_timeout(PATIENCE).expect("a request");
    assert!(first.contains("\r\nContent-Length: 5\r\n") && first.ends_with("\r\n\r\nhello"), "{first}");
    let second = requests.recv_timeout(PATIENCE).expect("a request");
    assert!(
        second.contains("\r\nTransfer-Encoding: chunked\r\n")
            && second.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        "{second}"
    );
    assert!(
        answer.contains("Transfer-Encoding: chunked\r\n\r\n7\r\nabcdefg\r\n0\r\n\r\nHTTP/1.1 200 OK"),
        "{answer}"
    );
    assert!(
        answer.contains("HTTP/1.1 204 No Content\r\n") && !answer.contains("Content-Length: 9"),
        "{answer}"
    );
}

#[test]
fn a_client_that_waits_for_100_gets_it_from_the_service() {
    let (port, requests) = service(vec![vec![Some("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")]]);
    // Says 100 as soon as the head is there, and the rest to the scripted service.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let front = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("the proxy connects");
        let head = read_until(&mut client, "\r\n\r\n");
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").expect("the proxy reads");
        let mut body = [0; 5];
        client.read_exact(&mut body).expect("a body");
        let mut service = TcpStream::connect(("127.0.0.1", port)).expect("the service");
        service.write_all(&[head.as_bytes(), &body].concat()).expect("the service reads");
        let answer = read_until(&mut service, "done");
        client.write_all(answer.as_bytes()).expect("the proxy reads");
        // Keeps the connection until the proxy ends it.
        let _ = client.read(&mut [0]);
    });
    let proxy = proxy(front, front, "");
    let mut stream = proxy.connect("http");
    stream
        .write_all(b"PUT /x HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .expect("the proxy reads");
    assert_eq!(read_until(&mut stream, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").expect("the proxy reads");
    assert!(read_until(&mut stream, "done").starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(requests.recv_timeout(PATIENCE).expect("a request").ends_with("\r\n\r\nhello"));
}

#[test]
fn a_refused_client_that_waits_for_100_never_gets_it() {
    let (port, requests) = service(vec![vec![Some(OK)]]);
    let proxy = proxy(port, port, "");
    let answer = ask(
        &proxy,
        "PUT /x HTTP/1.1\r\nHost: c.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(requests.try_recv().is_err());
}

#[test]
fn a_websocket_becomes_a_tunnel_and_anything_else_stays_http() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the proxy connects");
        let head = read_until(&mut stream, "\r\n\r\n");
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nServer: s\r\n\r\nfrom the service")
            .expect("the proxy reads");
        let said = read_until(&mut stream, "from the client");
        (head, said)
    });
    let proxy = proxy(port, port, "");
    let mut stream = proxy.connect("http");
    stream
        .write_all(b"GET /ws HTTP/1.1\r\nHost: a.example\r\nUpgrade: foo, websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: k\r\n\r\nfrom the client")
        .expect("the proxy reads");
    let answer = read_until(&mut stream, "from the service");
    assert!(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n"), "{answer}");
    let (head, said) = serving.join().expect("the service");
    assert!(head.contains("Connection: Upgrade\r\nUpgrade: websocket\r\n"), "{head}");
    assert_eq!(said, "from the client");

    // Not asked for a WebSocket: 101 is no answer.
    let (port, _) = service(vec![vec![Some(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    )]]);
    let proxy = self::proxy(port, port, "");
    let answer =
        ask(&proxy, "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
}

#[test]
fn what_is_no_answer_becomes_502_and_what_breaks_off_is_seen_to_break_off() {
    for (answers, wanted) in [
        (vec![None], "HTTP/1.1 502 "),
        (vec![Some("SSH-2.0-x\r\n\r\n")], "HTTP/1.1 502 "),
        (vec![Some("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")], "HTTP/1.1 502 "),
        (vec![Some("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n")], "HTTP/1.1 502 "),
        (vec![Some("HTTP/1.1 200 OK\nContent-Length: 0\n\n")], "HTTP/1.1 502 "),
    ] {
        let (port, _) = service(vec![answers.clone()]);
        let answer = ask(&proxy(port, port, ""), "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
        assert!(answer.starts_with(wanted), "{answers:?}: {answer}");
    }
    // Ten were promised, and five came: the client gets five and an end, and no second head.
    let (port, _) = service(vec![vec![Some("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"), None]]);
    let proxy_ = proxy(port, port, "[limits]\nhttp-response = \"300ms\"\n");
    let answer = ask(&proxy_, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert!(answer.ends_with("\r\n\r\n12345"), "{answer}");
    let (port, _) =
        service(vec![vec![Some("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")]]);
    let proxy_ = proxy(port, port, "");
    let answer = ask(&proxy_, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[test]
fn an_answer_without_a_length_ends_with_the_connection_of_the_service() {
    let (port, _) = service(vec![vec![Some("HTTP/1.1 200 OK\r\n\r\nall there is")]]);
    let answer =
        ask(&proxy(port, port, ""), "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    assert!(
        answer.contains("Transfer-Encoding: chunked\r\n")
            && answer.ends_with("c\r\nall there is\r\n0\r\n\r\n"),
        "{answer}"
    );
    let (port, _) = service(vec![vec![Some("HTTP/1.1 200 OK\r\n\r\nall there is")]]);
    let answer = ask(&proxy(port, port, ""), "GET / HTTP/1.0\r\nHost: a.example\r\n\r\n");
    assert!(!answer.contains("chunked") && answer.ends_with("\r\n\r\nall there is"), "{answer}");
}

#[test]
fn octets_behind_an_answer_are_not_the_next_answer() {
    let (port, _) = service(vec![
        vec![Some(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        )],
        vec![Some("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean")],
    ]);
    let proxy = proxy(port, port, "");
    let mut stream = proxy.connect("http");
    stream.write_all(b"GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\n").expect("the proxy reads");
    read_until(&mut stream, "ok");
    stream.write_all(b"GET /2 HTTP/1.1\r\nHost: a.example\r\n\r\n").expect("the proxy reads");
    assert!(!read_until(&mut stream, "clean").contains("poison"));
}

#[test]
fn a_kept_leg_that_was_closed_meanwhile_is_replaced_without_the_client_noticing() {
    let (port, requests) = service(vec![vec![Some(OK)], vec![Some(OK)], vec![Some(OK)]]);
    let proxy = proxy(port, port, "");
    let mut stream = proxy.connect("http");
    for path in ["/1", "/2", "/3"] {
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n").as_bytes())
            .expect("the proxy reads");
        assert!(read_until(&mut stream, "ok").starts_with("HTTP/1.1 200 OK"), "{path}");
    }
    assert_eq!(requests.try_iter().count(), 3);
}

#[test]
fn a_service_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let proxy = proxy(port, port, "[limits]\nhttp-response = \"300ms\"\n");
    let answer = ask(&proxy, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
}

#[test]
fn an_idle_client_is_closed_without_a_word() {
    let (port, _) = service(vec![vec![Some(OK)]]);
    let proxy = proxy(port, port, "[limits]\nidle = { http = \"200ms\" }\n");
    let answer = ask(&proxy, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
}
