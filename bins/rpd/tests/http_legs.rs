//! Connections to targets: used again by the same client and by others, never where that could do harm.

mod common;

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    thread,
};

use common::{
    PATIENCE, Proxy, connect, patient,
    web::{Answers, CLOSE, OK, ask, next_request, read_until, service},
};

fn proxy(port: u16, http: &str, limits: &str) -> Proxy {
    // One worker: a leg waits where it was made.
    let text = format!(
        "[listen]\nhttp = \"127.0.0.1:0\"\n[engine]\nworkers = 1\n[limits]\n{limits}\n[[host]]\nnames = [\"a.example\"]\ntarget = \"127.0.0.1\"\nhttp = {{ tcp = {port}, {http} }}\n"
    );
    Proxy::start(Path::new("."), &text)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n")
}

/// Two clients, one after the other; which of the target's connections served the second.
fn second_client(first: Answers, http: &str, request: &str) -> String {
    let mut first = first;
    first.push(Some("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nshared"));
    let own = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown";
    let (port, _) = service(vec![first, vec![Some(own)]]);
    let proxy = proxy(port, http, "");
    let answer = ask(&proxy, request);
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    let answer = ask(&proxy, &format!("GET / HTTP/1.1\r\nHost: a.example\r\n{CLOSE}"));
    answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned()
}

#[test]
fn a_leg_that_one_client_leaves_serves_the_next() {
    let request = format!("GET / HTTP/1.1\r\nHost: a.example\r\n{CLOSE}");
    assert_eq!(second_client(vec![Some(OK)], "", &request), "shared");
    assert_eq!(second_client(vec![Some(OK)], "reuse = \"never\"", &request), "own");
}

#[test]
fn a_leg_that_somebody_has_logged_in_is_his_alone() {
    let request = |credentials: &str| {
        format!("GET / HTTP/1.1\r\nHost: a.example\r\nAuthorization: {credentials}\r\n{CLOSE}")
    };
    let challenge = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n";
    for (answer, credentials, served) in [
        (OK, "Basic eDp5", "shared"),
        (OK, "NTLM TlRM", "own"),
        (OK, "Negotiate YII=", "own"),
        (challenge, "Basic eDp5", "own"),
    ] {
        assert_eq!(second_client(vec![Some(answer)], "", &request(credentials)), served, "{credentials}");
    }
}

#[test]
fn a_leg_that_names_its_client_serves_nobody_else() {
    let request = format!("GET / HTTP/1.1\r\nHost: a.example\r\n{CLOSE}");
    assert_eq!(second_client(vec![Some(OK)], "send-proxy = \"v1\"", &request), "own");
}

#[test]
fn a_leg_that_is_not_clean_serves_nobody_else() {
    let request = format!("GET / HTTP/1.1\r\nHost: a.example\r\n{CLOSE}");
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
        "HTTP/1.1 204 No Content\r\n\r\nmore",
    ] {
        assert_eq!(second_client(vec![Some(answer)], "", &request), "own", "{answer}");
    }
}

#[test]
fn a_leg_does_not_wait_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serving = thread::spawn(move || {
        let mut stream = patient(listener.accept().expect("the proxy connects").0);
        read_until(&mut stream, "\r\n\r\n");
        stream.write_all(OK.as_bytes()).expect("the proxy reads");
        stream.read(&mut [0]).expect("an end")
    });
    let proxy = proxy(port, "", "http-parked = \"100ms\"");
    ask(&proxy, &format!("GET / HTTP/1.1\r\nHost: a.example\r\n{CLOSE}"));
    assert_eq!(serving.join().expect("the target"), 0);
}

/// What a client gets whose second request meets a leg that the target closes over it, after this much of an answer.
fn closed_over(method: &str, partly: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut received = Vec::new();
            // Each connection answers once.
            if next_request(&mut stream, &mut received).is_some() {
                let _ = stream.write_all(OK.as_bytes());
            }
            if next_request(&mut stream, &mut received).is_some() {
                let _ = stream.write_all(partly.as_bytes());
            }
        }
    });
    let proxy = proxy(port, "", "");
    let mut stream = proxy.connect("http");
    stream.write_all(get("/1").as_bytes()).expect("the proxy reads");
    read_until(&mut stream, "\r\n\r\nok");
    let request = format!("{method} /2 HTTP/1.1\r\nHost: a.example\r\n{CLOSE}");
    stream.write_all(request.as_bytes()).expect("the proxy reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer and an end");
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn only_what_can_do_no_harm_twice_is_sent_again() {
    for (method, partly, status) in [
        ("GET", "", "200"),
        ("DELETE", "", "200"),
        ("POST", "", "502"),
        ("PATCH", "", "502"),
        ("GET", "HTTP/1.1 2", "502"),
        ("GET", "SSH-2.0-x\r\n", "502"),
    ] {
        assert_eq!(closed_over(method, partly), status, "{method} {partly:?}");
    }
}

#[test]
fn a_new_leg_that_is_closed_without_an_answer_is_not_tried_again() {
    let (port, requests) = service(vec![vec![None], vec![Some(OK)]]);
    let proxy = proxy(port, "", "");
    let answer = ask(&proxy, &get("/1"));
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert_eq!(requests.try_iter().count(), 1);
}

/// Otherwise that would be a request which nobody has judged.
#[test]
fn a_service_that_overlooks_a_body_does_not_take_it_for_a_request() {
    for (request, same) in [
        ("GET /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nGET ", false),
        (
            "DELETE /b HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\n\r\n",
            false,
        ),
        ("POST /c HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nGET ", true),
        ("GET /d HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n", true),
    ] {
        let own = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew";
        let (port, requests) = service(vec![vec![Some(OK), Some(OK)], vec![Some(own)]]);
        let proxy = proxy(port, "", "");
        let mut stream = connect(proxy.address("http"));
        stream.write_all(request.as_bytes()).expect("the proxy reads");
        let answer = read_until(&mut stream, "\r\n\r\nok");
        assert!(!answer.contains("close"), "the client's connection stays: {answer}");
        let got = requests.recv_timeout(PATIENCE).expect("a request");
        assert_eq!(got.contains("\r\nConnection: close\r\n"), !same, "{got}");
        stream.write_all(get("/").as_bytes()).expect("the proxy reads");
        read_until(&mut stream, if same { "\r\n\r\nok" } else { "\r\n\r\nnew" });
    }
}
